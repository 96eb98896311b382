"""Starts runs when their schedules say so, and notes those that could not start (F20).

A cron line is read in its timezone's local time. Where the clocks go forward, an hour that does not exist is an hour
later; where they go back, a line runs in the first of the two hours, unless it runs in every hour.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Any

from tallybook.domain.alert import Alarms
from tallybook.domain.errors import Busy, Conflict, RunIdsExhausted
from tallybook.domain.schedule import Missed, Schedule
from tallybook.ledger import schedules as ledger_schedules
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import schedules
from tallybook.ledger.write.schedules import Miss
from tallybook.ledger.write.starts import RunIdStyle

log = logging.getLogger(__name__)
GOOD_FOR = timedelta(hours=1)
"""How long after it was due a run is still started: long enough for a deploy, a restart or a run before it that takes
longer than usual; short enough that a nightly run does not begin when people come to work.
"""
LOOK_EVERY_S = 60.0
"""How often a server says that it keeps its schedules, though nothing is due."""
TRY_AGAIN_AFTER = timedelta(seconds=5)
SILENT_AFTER = timedelta(seconds=2.5 * LOOK_EVERY_S)
MOST_LISTED = 1_000
"""Of what was due while nobody looked, the newest so many are noted one by one."""
_LARGEST_JUMP = timedelta(hours=3)
"""No clock was put on or back by more since 2015; two hours is the most that is still done, in Antarctica/Troll."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """What a server keeps. *style*: of the ids of the runs it starts. *alarms*: what it raises alerts for."""

    schedules: Sequence[Schedule]
    style: RunIdStyle = field(default_factory=RunIdStyle)
    alarms: Alarms | None = None


# -- when ------------------------------------------------------------------------------------------------------------


def upcoming(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Due times later than *after*, in order, without end; none for a day that no calendar has."""
    found: list[datetime] = []
    given = after.astimezone(UTC)
    for local in _locals(schedule, _local(schedule, after) - _LARGEST_JUMP):
        instants = _instants(schedule, local)
        while found and found[0] < instants[0] - _LARGEST_JUMP:
            due_at = heappop(found)
            if due_at > given:
                yield (given := due_at)
        for each in instants:
            heappush(found, each)
    yield from sorted({each for each in found if each > given})


def next_due(schedule: Schedule, now: datetime) -> datetime | None:
    """The first due time later than *now*; None for a day that no calendar has."""
    return next(upcoming(schedule, now), None)


def due_between(schedule: Schedule, after: datetime, until: datetime, most: int = MOST_LISTED) -> list[datetime]:
    """Due times later than *after* and not later than *until*, in order; of many the newest *most*."""
    found: set[datetime] = set()
    first = _local(schedule, after) - _LARGEST_JUMP
    for local in _locals(schedule, _local(schedule, until) + _LARGEST_JUMP, backwards=True):
        if local < first or len(found) >= most:
            break
        found.update(each for each in _instants(schedule, local) if after < each <= until)
    return sorted(found)[-most:]


def _locals(schedule: Schedule, start: datetime, *, backwards: bool = False) -> Iterator[datetime]:
    """What the clock on the wall shows at each of its times, from *start* on."""
    from croniter import CroniterBadDateError, croniter  # type: ignore[import-untyped]  # it has no types

    walk: Any = croniter(schedule.cron, start)
    step = walk.get_prev if backwards else walk.get_next
    try:
        while True:
            yield step(datetime)
    except (CroniterBadDateError, OverflowError):  # 31 February; beyond the year 9999
        return


def _local(schedule: Schedule, at: datetime) -> datetime:
    return at.astimezone(schedule.timezone).replace(tzinfo=None)


def _instants(schedule: Schedule, local: datetime) -> list[datetime]:
    """When the clock shows *local*: at one instant, or at two where it went back and the line runs in every hour."""
    first, second = (local.replace(tzinfo=schedule.timezone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return [first, second] if second > first and _runs_every_hour(schedule.cron) else [first]


def _runs_every_hour(cron: str) -> bool:
    from croniter import croniter

    return bool(croniter.expand(cron)[0][1] == ["*"])


def held_up_since(schedule: Schedule, checked_at: datetime, now: datetime) -> datetime | None:
    """When the run was due that a server tries to start and cannot yet; None when there is none."""
    due_at = next_due(schedule, checked_at)
    if due_at is None or due_at > now or due_at - checked_at > schedules.JUST_BEFORE:
        return None
    return due_at if now - due_at <= GOOD_FOR + SILENT_AFTER else None


def is_kept(schedule: Schedule, checked_at: datetime | None, now: datetime) -> bool:
    """Does a server look at it? *checked_at*: up to when it is accounted for, if it ever was."""
    if checked_at is None:
        return False
    return now - checked_at <= SILENT_AFTER or held_up_since(schedule, checked_at, now) is not None


# -- what is done then -----------------------------------------------------------------------------------------------


class Keeper:
    """Keeps the schedules of one server. Of several that keep the same, one starts each run. *started*: called then."""

    def __init__(self, ledger: Ledger, timetable: Timetable, started: Callable[[], None]) -> None:
        self._ledger = ledger
        self._schedules = {each.schedule_id: each for each in timetable.schedules}
        self._style = timetable.style
        self._started = started
        self._held_up: dict[str, Miss] = {}
        self._try_at: dict[str, datetime] = {}
        self._look_at = 0.0

    def look(self) -> None:
        """Start what is due; note what can no longer be started. Asks for nothing while nothing is due."""
        now = self._ledger.clock()
        every = time.monotonic() >= self._look_at
        if not every and all(now < at for at in self._try_at.values()):
            return
        checked = ledger_schedules.checked(self._ledger.database)
        idle: dict[str, datetime | None] = {}
        for schedule_id, schedule in self._schedules.items():
            since = checked.get(schedule_id)
            due = due_between(schedule, since, now) if since else []
            if since and due:
                self._account_for(schedule, since, due, now)
            else:
                self._held_up.pop(schedule_id, None)
                idle[schedule_id] = since
            self._plan(schedule_id, now)
        if every:
            self._ledger.do(schedules.look_at, idle, now)
            self._look_at = time.monotonic() + LOOK_EVERY_S

    def _plan(self, schedule_id: str, now: datetime) -> None:
        """When to look at it next."""
        if schedule_id in self._held_up:
            self._try_at[schedule_id] = now + TRY_AGAIN_AFTER
        elif now >= self._try_at.get(schedule_id, now):
            self._try_at[schedule_id] = next_due(self._schedules[schedule_id], now) or _NEVER

    def _account_for(self, schedule: Schedule, since: datetime, due: Sequence[datetime], now: datetime) -> None:
        newest = due[-1]
        too_late = due if now - newest > GOOD_FOR else due[:-1]
        if too_late:
            missed = [self._miss(schedule, each) for each in too_late]
            if not self._ledger.do(schedules.miss, schedule, since, missed):
                return
            log.warning("%d runs of %s (%s) were missed", len(missed), schedule.of_whom, schedule.line)
            self._held_up.pop(schedule.schedule_id, None)
            since = too_late[-1]
        if newest not in too_late:
            self._start(schedule, since, newest)

    def _miss(self, schedule: Schedule, due_at: datetime) -> Miss:
        held_up = self._held_up.get(schedule.schedule_id)
        return held_up if held_up and held_up.due_at == due_at else Miss(due_at, Missed.NO_SERVER)

    def _start(self, schedule: Schedule, since: datetime, due_at: datetime) -> None:
        held_up = self._held_up.pop(schedule.schedule_id, None)
        try:
            started = self._ledger.do(schedules.start, schedule, since, due_at, style=self._style, held_up=held_up)
        except (Conflict, RunIdsExhausted) as error:
            reason = Missed.BUSY if isinstance(error, Busy) else str(error)
            self._held_up[schedule.schedule_id] = Miss(due_at, reason, error.run_id)
            self._ledger.do(schedules.hold, schedule.schedule_id, since, due_at)
            return
        if started is not None:
            self._started()


_NEVER = datetime.max.replace(tzinfo=UTC)
