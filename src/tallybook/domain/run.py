"""Runs: their words, their statuses, and the verdict. Statuses are derived here; nobody types them in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from tallybook.domain.errors import UnknownWord
from tallybook.domain.tally import Tally

LONGEST_PAUSE = timedelta(hours=24)
"""After that a paused run ends, and the next run takes up its rest."""


class Word(StrEnum):
    """A closed vocabulary that also reads the spellings older systems wrote."""

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Folded legacy spelling -> member value."""
        return {}

    @classmethod
    def read(cls, text: object) -> Self:
        """The member *text* means, whatever its case and separators. Raises UnknownWord, naming the members."""
        folded = _fold(str(text))
        try:
            return cls(cls.spellings().get(folded, folded))
        except ValueError:
            names = ", ".join(cls)
            raise UnknownWord(f"{text!r} is no {cls.__name__.lower()}; use one of: {names}") from None


def _fold(text: str) -> str:
    return "_".join(text.strip().lower().replace("-", " ").replace("_", " ").split())


class Status(Word):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELED = "canceled"
    TIMED_OUT = "timed_out"

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        return _STATUS_SPELLINGS

    @property
    def terminal(self) -> bool:
        return self not in (Status.QUEUED, Status.RUNNING, Status.PAUSED)

    @property
    def good(self) -> bool:
        """Completed, be it with errors."""
        return self in (Status.COMPLETED, Status.COMPLETED_WITH_ERRORS)

    @property
    def mirrored(self) -> str:
        """The option of Airtable's Status column."""
        return self.value.capitalize() if self.terminal else "Running"

    def may_become(self, other: "Status") -> bool:
        """Terminal never goes back; what has run is never queued again unless it was paused."""
        if self.terminal:
            return self is other
        return not (self is Status.RUNNING and other is Status.QUEUED)


_STATUS_SPELLINGS: Mapping[str, str] = {
    "started": "running",
    "in_progress": "running",
    "pending": "queued",
    "success": "completed",
    "successful": "completed",
    "complete": "completed",
    "done": "completed",
    "no_leads_to_score": "completed",
    "skipped": "completed",
    "partial": "completed_with_errors",
    "partial_success": "completed_with_errors",
    "error": "failed",
    "failure": "failed",
    "cancelled": "canceled",
    "aborted": "canceled",
    "timeout": "timed_out",
    "timedout": "timed_out",
    "client_timeout_killed": "timed_out",
    "job_timeout_killed": "timed_out",
}

FINISH_REASON_OF_SPELLING: Mapping[str, str] = {
    "no_leads_to_score": "no_work",
    "skipped": "no_work",
    "client_timeout_killed": "client_timeout",
    "job_timeout_killed": "run_timeout",
}


def finish_reason_of(status_text: str) -> str | None:
    """What a legacy status spelling says beyond the status itself."""
    return FINISH_REASON_OF_SPELLING.get(_fold(status_text))


class OperationName(Word):
    """In the order in which one client's operations run."""

    LEAD_SCORING = "lead_scoring"
    POST_HARVESTING = "post_harvesting"
    POST_SCORING = "post_scoring"

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        return _OPERATION_SPELLINGS


_OPERATION_SPELLINGS: Mapping[str, str] = {
    "scoring": "lead_scoring",
    "profile_scoring": "lead_scoring",
    "harvesting": "post_harvesting",
    "post_harvest": "post_harvesting",
    "apify_post_harvesting": "post_harvesting",
    "posts_scoring": "post_scoring",
}


class JobType(Word):
    """One operation, or all that apply."""

    LEAD_SCORING = "lead_scoring"
    POST_HARVESTING = "post_harvesting"
    POST_SCORING = "post_scoring"
    SMART_RESUME = "smart_resume"

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        return {**_OPERATION_SPELLINGS, "smart_resume_client_by_client": "smart_resume"}

    @classmethod
    def of(cls, operations: Sequence[OperationName]) -> "JobType":
        """What a run over *operations* is called."""
        return cls(operations[0].value) if len(operations) == 1 else cls.SMART_RESUME

    @property
    def operations(self) -> tuple[OperationName, ...]:
        return tuple(OperationName) if self is JobType.SMART_RESUME else (OperationName(self.value),)


class Trigger(Word):
    CRON = "cron"
    MANUAL = "manual"
    API = "api"

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        return {"scheduled": "cron", "schedule": "cron", "webhook": "api", "http": "api", "cli": "manual"}


class Origin(StrEnum):
    """How a client run came to be."""

    PLANNED = "planned"
    REPORTED = "reported"
    AUTO_CREATED = "auto_created"


class Basis(StrEnum):
    """What an operation run's figures rest on: rows, or the word of a reporter."""

    EXACT = "exact"
    REPORTED = "reported"


class Stop(StrEnum):
    """What something was told."""

    PAUSE = "pause"
    CANCEL = "cancel"
    TIMEOUT = "timeout"


class Blocked(StrEnum):
    """Why a run, or a client run, pauses by itself."""

    PROVIDER_QUOTA = "provider_quota"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    AUTH = "auth"
    MODEL_CONFIG = "model_config"
    BUDGET_EXHAUSTED = "budget_exhausted"
    UNPRICED_MODEL = "unpriced_model"


@dataclass(frozen=True, slots=True)
class Ending:
    """How something ended: the status, and the reason where the status does not say it all."""

    status: Status
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Child:
    """What a parent's verdict needs of a child. *ok*: something in it came out well; *found*: there was work in it."""

    status: Status
    ok: bool
    found: bool = True


_WORST_FIRST = (
    Status.FAILED,
    Status.TIMED_OUT,
    Status.CANCELED,
    Status.COMPLETED_WITH_ERRORS,
    Status.COMPLETED,
)


def verdict(tally: Tally, stop: Stop | None = None, errors: int = 0) -> Ending:
    """How an operation run ends. *errors*: troubles beside the leads, such as a store that could not be read.

    A stop overrides the tally of what it stopped; pending leads left over for any other reason count as errors.
    """
    if stop is Stop.CANCEL:
        return Ending(Status.CANCELED, "canceled")
    if stop is Stop.TIMEOUT:
        return Ending(Status.TIMED_OUT, "timeout")
    bad = tally.failed + tally.pending + errors
    if bad:
        return Ending(Status.COMPLETED_WITH_ERRORS if tally.ok else Status.FAILED)
    return Ending(Status.COMPLETED, None if tally.found else "no_work")


def verdict_of_children(children: Iterable[Child], stop: Stop | None = None) -> Ending:
    """How a client run or a run ends once every child has (F01, F36)."""
    family = list(children)
    if stop in (Stop.CANCEL, Stop.TIMEOUT):
        return verdict(Tally(), stop)
    if all(child.status is Status.COMPLETED for child in family):
        return Ending(Status.COMPLETED, None if any(child.found for child in family) else "no_work")
    if any(child.ok for child in family):
        return Ending(Status.COMPLETED_WITH_ERRORS)
    return Ending(min((child.status for child in family), key=_WORST_FIRST.index))


@dataclass(frozen=True, slots=True)
class OperationRun:
    """One operation for one client in one run: the smallest thing that has a status."""

    operation: OperationName
    status: Status
    tally: Tally
    finish_reason: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    basis: Basis = Basis.EXACT
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClientRun:
    """One client's part of a run. *wake_at*: when a pause of this client alone ends by itself. *error*, *errors*: the
    newest trouble beside its leads, and how many there were.
    """

    client_id: str
    client_name: str
    label: str
    status: Status
    finish_reason: str | None = None
    blocked_reason: str | None = None
    wake_at: datetime | None = None
    origin: Origin = Origin.PLANNED
    origin_reason: str | None = None
    error: str | None = None
    errors: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    operations: tuple[OperationRun, ...] = ()
    claims: Mapping[str, object] = field(default_factory=dict)

    @property
    def tally(self) -> Tally:
        return sum((each.tally for each in self.operations), Tally())


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a job over the clients of a stream. *tally* is the sum over its operation runs.

    *unsettled*: calls under way, or lost in a crash and maybe billed. *wake_at*: when a pause of the whole run ends by
    itself.
    """

    run_id: str
    job_type: JobType
    status: Status
    trigger: Trigger
    tally: Tally
    stream: int | None = None
    finish_reason: str | None = None
    blocked_reason: str | None = None
    paused_at: datetime | None = None
    wake_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    created_at: datetime | None = None
    requested_by: str | None = None
    request: Mapping[str, object] = field(default_factory=dict)
    stop: Stop | None = None
    planned: bool = True
    display: str | None = None
    error: str | None = None
    unsettled: int = 0
    clients: tuple[ClientRun, ...] = ()
    claims: Mapping[str, object] = field(default_factory=dict)

    @property
    def goes_on_at(self) -> datetime | None:
        """When a paused run goes on by itself: as a whole, or the first of its clients. None when it does not, or not
        before its pause has run out. A run without its clients has the time of the first of them as its own.
        """
        if self.status is not Status.PAUSED or self.paused_at is None:
            return None
        as_a_whole = self.stop is not None or not self.clients
        waking = [self.wake_at] if as_a_whole else [each.wake_at for each in self.clients]
        first = min((at for at in waking if at is not None), default=None)
        return first if first is not None and first < self.paused_at + LONGEST_PAUSE else None
