"""Schedules: a cron line that starts runs, what its runs are known by, and why one did not begin."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from tallybook.domain.run import OperationName

KEY_SCOPE = "schedule"
"""Keeps the idempotency keys of schedules apart from everybody else's."""
_UTC = ZoneInfo("UTC")
_DUE = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a run starts by itself, and for whom. *stream* None: every stream; *limit* per client and operation."""

    cron: str
    stream: int | None = None
    timezone: ZoneInfo = _UTC
    operations: tuple[OperationName, ...] = tuple(OperationName)
    limit: int | None = None

    @property
    def schedule_id(self) -> str:
        """Follows from all it says: a line that is changed is another schedule, which begins anew."""
        operations = [each.value for each in OperationName if each in self.operations]
        said = json.dumps([self.cron.lower(), self.stream, self.timezone.key, operations, self.limit])
        return hashlib.sha256(said.encode()).hexdigest()[:12]

    @property
    def of_whom(self) -> str:
        return of_stream(self.stream)

    @property
    def line(self) -> str:
        """`0 6 * * mon-fri Europe/Berlin`."""
        return f"{self.cron} {self.timezone.key}"


def of_stream(stream: int | None) -> str:
    return "all streams" if stream is None else f"stream {stream}"


def key_prefix(schedule_id: str) -> str:
    """What the keys of all its runs begin with, and no other's."""
    return f"schedule {schedule_id} "


def key_of(schedule_id: str, due_at: datetime) -> str:
    """The idempotency key of the run that is due then: whoever starts it, it is started once."""
    return f"{key_prefix(schedule_id)}{due_at.astimezone(UTC):{_DUE}}"


def due_of(key: str) -> datetime:
    """When the run with this key was due."""
    return datetime.strptime(key.rpartition(" ")[2], _DUE).replace(tzinfo=UTC)


class Missed(StrEnum):
    """Why a run did not begin when it was due, nor in the hour after. Other reasons are an error's own words."""

    NO_SERVER = "no_server"
    BUSY = "busy"


def why_missed(reason: str, run_id: str | None) -> str:
    """In words. *run_id*: the run that was in its way."""
    if reason == Missed.BUSY and run_id is not None:
        return f"run {run_id} was in its way"
    return _WORDS.get(reason, reason)


_WORDS: Mapping[str, str] = {
    Missed.NO_SERVER: "no server kept the schedule then, or none reached the database",
    Missed.BUSY: "another run was in its way",
}
