"""Alerts: what is worth telling somebody at once, and through what it is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

from tallybook.domain.budget import Budgets
from tallybook.domain.client import ClientId

UTC = ZoneInfo("UTC")


class AlertKind(StrEnum):
    RUN_FAILED = "run_failed"
    RUN_WITH_ERRORS = "run_with_errors"
    RUN_STUCK = "run_stuck"
    RUN_WAITS = "run_waits"
    MISSED_RUN = "missed_run"
    BUDGET_NEAR = "budget_near"
    BUDGET_USED_UP = "budget_used_up"
    MIRROR_DRIFT = "mirror_drift"
    MIRROR_BEHIND = "mirror_behind"
    UNMEASURED = "unmeasured"
    ZERO_TOKENS = "zero_tokens"
    ZERO_COST = "zero_cost"
    SUCCESS_RATE = "success_rate"
    TOKENS_PER_LEAD = "tokens_per_lead"
    SPOOL = "spool"
    ORPHANS = "orphans"


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is so. *about*: of whom it is said, within its kind; *which*: what tells it from the next of its
    kind about the same. *fact*: it stays so, and is over once it is old; else it is over when it is no longer found.
    """

    kind: AlertKind
    about: str
    text: str
    which: str = ""
    run_id: str | None = None
    client_id: ClientId | None = None
    fact: bool = False

    @property
    def quiet_key(self) -> str:
        """What has a quiet period of its own."""
        return f"{self.kind} {self.about}"

    @property
    def fingerprint(self) -> str:
        return f"{'fact' if self.fact else 'state'} {self.quiet_key} {self.which}"


@dataclass(frozen=True, slots=True)
class Alert:
    """As the books have it. *told_at*: when the first channel took it."""

    alert_id: str
    kind: str
    run_id: str | None
    client_id: ClientId | None
    text: str
    raised_at: datetime
    told_at: datetime | None
    acknowledged_at: datetime | None
    cleared_at: datetime | None
    about: str

    @property
    def open(self) -> bool:
        return self.cleared_at is None and self.acknowledged_at is None


# -- how they are told -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """What one channel made of a message. *channel*: as people may read it; *error* None: it took it."""

    channel: str
    error: str | None = None


class Channel(Protocol):
    """A way to somebody. *name*: as people may read it; *key*: tells it from others, and nothing of its secrets."""

    @property
    def name(self) -> str: ...

    @property
    def key(self) -> str: ...

    def send(self, title: str, text: str) -> Sent:
        """Raises nothing: what went wrong is in the answer."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Every day from *begins* to *ends*, in *timezone*, maybe over midnight."""

    begins: time
    ends: time
    timezone: ZoneInfo = UTC

    def hold(self, now: datetime) -> bool:
        at = now.astimezone(self.timezone).time()
        if self.begins <= self.ends:
            return self.begins <= at < self.ends
        return at >= self.begins or at < self.ends


# -- what is looked for ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spooled:
    """Tracking calls of a folder that are not in the books. *broken*: cannot be written or were refused; *denied*: the
    server does not let them in; *since*: how long the oldest waits, where that is noted; *why*: what was said of it.
    """

    folder: str
    waiting: int = 0
    broken: int = 0
    denied: bool = False
    since: datetime | None = None
    why: str = ""


def _nothing() -> Sequence[Spooled]:
    return ()


@dataclass(frozen=True, slots=True)
class Alarms:
    """What is raised when, and who is told. *errors_percent*: of a run's leads, from which on it is worth an alert.

    *followers*: those whose troubles count. *spooled*: asks what waits outside the books. *together*: so long after the
    first one others may join it in one message.
    """

    channels: Sequence[Channel] = ()
    quiet_for: timedelta = timedelta(hours=6)
    quiet_hours: QuietHours | None = None
    stuck_after: timedelta = timedelta(hours=1)
    errors_percent: int = 20
    budgets: Budgets = field(default_factory=Budgets)
    followers: Sequence[str] = ()
    spooled: Callable[[], Sequence[Spooled]] = _nothing
    together: timedelta = timedelta(minutes=1)
