"""Every error Tallybook raises on purpose.

TallybookError
├── BadInput            the caller's words are off; nothing was written
│   ├── InvalidRunId
│   ├── UnknownWord     a status, job type, trigger, operation or reason outside the vocabulary
│   ├── UnknownField    a field no verb knows
│   ├── ComputedField   a field that is derived and never written
│   ├── ImportRefused   a file that as a whole cannot be read
│   └── BadSetting
├── NotFound            nothing of that name
├── Unauthenticated     no credential, or none that is good
├── Forbidden           a good credential, without the scope or the tenant
├── TooManyFailures     too many wrong credentials from there; carries how long to wait
├── Conflict            right words, wrong moment
│   ├── Busy            another run works on an overlapping scope
│   ├── KeyReused       the idempotency key belongs to another request
│   ├── Terminal        the run has ended; that never goes back
│   └── ClaimRefused    a claim contradicts exact rows or an earlier completion
├── RunIdsExhausted     no free second within a minute of the clock
├── ProviderError       a paid provider failed; carries the reason code of the outcome
│   └── ProviderStop    asking on is pointless: quota of the day, key, model
│       └── BudgetExhausted  the next call would go beyond a budget
├── StoreUnavailable    a client's store did not answer
└── LedgerUnavailable   the ledger could not be reached or written
    ├── WriterDied      nothing can be written by this process any more
    └── SchemaMismatch  the database was made by another version
"""

from datetime import datetime
from typing import ClassVar


class TallybookError(Exception):
    """What went wrong and what to do, in one line. *retryable*: the same call may succeed later."""

    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        run_id: str | None = None,
        client_id: str | None = None,
        operation: str | None = None,
    ) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.client_id = client_id
        self.operation = operation


class BadInput(TallybookError, ValueError):
    """The caller's words are off. Nothing was written."""


class InvalidRunId(BadInput):
    """The text is no run id in any form that was ever written."""


class UnknownWord(BadInput):
    """A status, job type, trigger, operation or reason outside the vocabulary."""


class UnknownField(BadInput):
    """No verb knows a field of this name."""


class ComputedField(BadInput):
    """The field is derived from rows; nobody writes it."""


class ImportRefused(BadInput):
    """The file cannot be read as a whole; the database is unchanged."""


class BadSetting(BadInput):
    """A setting is unknown or has a value it cannot have."""


class NotFound(TallybookError, LookupError):
    """Nothing of that name is in the books."""


class Unauthenticated(TallybookError):
    """No credential was given, or none that is good."""


class Forbidden(TallybookError):
    """The credential is good, but has not the scope or is bound to another tenant."""


class TooManyFailures(TallybookError):
    """Too many wrong credentials came from there; none is looked at for another *retry_after_s* seconds."""

    retryable = True

    def __init__(self, message: str, *, retry_after_s: int = 60) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Conflict(TallybookError):
    """The words are right, the moment is wrong."""


class Busy(Conflict):
    """An unfinished run of our engine works on an overlapping scope; *run_id* names it."""


class KeyReused(Conflict):
    """The idempotency key is known with another request; *run_id* names the run it started."""


class Terminal(Conflict):
    """The run has ended, and terminal never goes back."""


class ClaimRefused(Conflict):
    """A claim contradicts exact rows, or an earlier completion."""


class RunIdsExhausted(TallybookError):
    """More run ids were asked for than the next sixty seconds have seconds."""

    retryable = True


class ProviderError(TallybookError):
    """A paid provider failed. *reason* is the outcome's reason code (`FailReason`).

    *refused*: it said so itself, so that certainly nothing was begun. Else nobody can know.
    """

    retryable = True

    def __init__(self, message: str, *, reason: str, refused: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.refused = refused


class NoRoom(ProviderError):
    """Not now: it would be one too many at once. What is under way makes room when it ends; nothing was begun."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="quota", refused=True)


class ProviderStop(ProviderError):
    """Asking on is pointless. *blocked_reason* is what the run then waits for, *wake_at* until when, if that is known.

    *whole_run* False: only the client asked for has to wait.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        blocked_reason: str,
        wake_at: datetime | None = None,
        whole_run: bool = True,
    ) -> None:
        super().__init__(message, reason=reason, refused=True)
        self.blocked_reason = blocked_reason
        self.wake_at = wake_at
        self.whole_run = whole_run


class BudgetExhausted(ProviderStop):
    """The next call would go beyond a budget of the client, or of the run."""


class StoreUnavailable(TallybookError):
    """The store did not answer; the same call may succeed later."""

    retryable = True


class LedgerUnavailable(TallybookError):
    """The ledger could not be reached or written; the same call may succeed later."""

    retryable = True


class WriterDied(LedgerUnavailable):
    """The thread that writes the ledger is gone; only a new process can write again."""

    retryable = False


class SchemaMismatch(LedgerUnavailable):
    """The database was made by another version of Tallybook; `tallybook db upgrade` mends an older one."""

    retryable = False
