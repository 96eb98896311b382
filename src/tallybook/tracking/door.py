"""The door to the books, as a JobTracking sees it: the ledger of this process, or a server."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from tallybook.domain.errors import LedgerUnavailable
from tallybook.tracking.saying import Answer, Saying

PATIENCE_S = 10.0
"""How long a verb waits for its turn, or for an answer, before it goes to the spool."""


class Denied(LedgerUnavailable):
    """The server does not let this token in, or not there. What was said is not refused: a good token can say it."""

    retryable = False


class Stumbled(LedgerUnavailable):
    """The server answered, but neither took what was said nor refused it: it may be in trouble, or only with this."""


class Misreports(NamedTuple):
    """What reporters got wrong, text -> how often; None where it cannot be seen."""

    refused: Mapping[str, int] | None
    auto_created: Mapping[str, int] | None


class Door(Protocol):
    """Every verb raises what the words deserve, or LedgerUnavailable when the books are away. Safe from any thread."""

    together: int
    """How many sayings one replay takes at most."""

    def now(self) -> datetime:
        """The books' time, as far as it is known here."""

    def write(self, saying: Saying) -> Answer:
        """Do what it says. When this gives up, nothing of it is written, or a replay with its key changes nothing."""

    def replay(self, sayings: Sequence[Saying]) -> None:
        """Do what was said earlier, as of then: each once, however often this is tried."""

    def mint(self) -> str:
        """A new run id, reserved. Raises RunIdsExhausted."""

    def exists(self, run: str, client: str | None) -> bool:
        """Raises NotFound when not even the run is there."""

    def job(self, run: str) -> dict[str, Any]:
        """Raises NotFound."""

    def client_run(self, run: str, client: str | None) -> dict[str, Any]:
        """Raises NotFound."""

    def misreports(self) -> Misreports: ...

    def after_fork(self) -> None:
        """In the child: threads, connections and locks are the parent's."""

    def close(self) -> None:
        """Let go of what this made itself."""
