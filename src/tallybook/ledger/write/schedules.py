"""What was due by a schedule is accounted for here, once whoever looks: its run was started, or it is noted as missed.

`schedules.checked_at` says up to when that was done. Whoever goes on from there says from where: of several processes
that look at the same moment one is first, and the others are told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from tallybook.database import Tx, stamp
from tallybook.domain.fields import storable
from tallybook.domain.run import Trigger
from tallybook.domain.schedule import KEY_SCOPE, Missed, Schedule, key_of, why_missed
from tallybook.ledger.write import events, starts
from tallybook.ledger.write.starts import Caller, Request, RunIdStyle, Start, Started

FORGOTTEN_AFTER = timedelta(hours=2)
"""Longer than a kept schedule ever stands still, which is while a run is in its way: an hour."""
LATE_AFTER = timedelta(minutes=1)
JUST_BEFORE = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Miss:
    """A due time at which no run began. *reason*: `domain.schedule.Missed`, or an error's own words; *run_id*: the run
    that was in the way.
    """

    due_at: datetime
    reason: str
    run_id: str | None = None


def look_at(tx: Tx, kept: Mapping[str, datetime | None], until: datetime) -> None:
    """Nothing is due: these schedules, by id, are accounted for up to *until*. Their instant is up to when they were;
    None: a schedule that was never seen before, which begins then.

    Schedules nobody keeps any more are forgotten, so that a line put back into the settings later begins anew.
    """
    for schedule_id, since in sorted(kept.items()):
        if since is None:
            tx.execute(
                "INSERT INTO @schedules (schedule_id, checked_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (schedule_id, stamp(until)),
            )
        elif since < until:
            _go_on(tx, schedule_id, since, until)
    tx.execute("DELETE FROM @schedules WHERE checked_at < ?", (stamp(tx.now - FORGOTTEN_AFTER),))


def start(
    tx: Tx, schedule: Schedule, since: datetime, due_at: datetime, *, style: RunIdStyle, held_up: Miss | None = None
) -> Started | None:
    """Start the run that is due, all before it being accounted for. None when another process was first.

    *held_up*: what kept it from starting earlier, told in its events if that was long. Raises Busy, KeyReused,
    RunIdsExhausted; then nothing is written.
    """
    if not _go_on(tx, schedule.schedule_id, since, due_at):
        return None
    request = Request(schedule.operations, schedule.stream, limit=schedule.limit, trigger=Trigger.CRON)
    caller = Caller(KEY_SCOPE, f"schedule of {schedule.of_whom}")
    started = starts.start(tx, Start(request, caller, key_of(schedule.schedule_id, due_at), style=style))
    late = tx.now - due_at
    if late >= LATE_AFTER and not started.replayed:
        why = why_missed(held_up.reason, held_up.run_id) if held_up else why_missed(Missed.NO_SERVER, None)
        text = f"Due at {_told(due_at)}, started {late // LATE_AFTER} min late: {why}"
        events.append(tx, "started_late", text, run_id=started.run_id)
    return started


def hold(tx: Tx, schedule_id: str, since: datetime, due_at: datetime) -> bool:
    """The run that is due cannot start yet; all before it is accounted for. False when another process was first."""
    until = due_at - JUST_BEFORE
    return since >= until or _go_on(tx, schedule_id, since, until)


def miss(tx: Tx, schedule: Schedule, since: datetime, missed: Sequence[Miss]) -> bool:
    """Note due times, in order, as missed. False when another process was first."""
    if not _go_on(tx, schedule.schedule_id, since, missed[-1].due_at):
        return False
    for (reason, run_id), group in groupby(missed, lambda each: (each.reason, each.run_id)):
        new = [each.due_at for each in group if _insert(tx, schedule, each)]
        if new:
            text = f"Missed: {_runs(new)} of {schedule.of_whom} ({schedule.line}): {why_missed(reason, run_id)}"
            events.append(tx, "missed_run", text)
    return True


def _insert(tx: Tx, schedule: Schedule, each: Miss) -> bool:
    return bool(
        tx.execute(
            "INSERT INTO @missed_runs (schedule_id, due_at, stream, reason, run_id, noticed_at)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (schedule.schedule_id, stamp(each.due_at), schedule.stream, storable(each.reason), each.run_id, tx.stamp),
        )
    )


def _runs(due: Sequence[datetime]) -> str:
    if len(due) == 1:
        return f"the run due at {_told(due[0])}"
    return f"{len(due):,} runs due from {_told(due[0])} to {_told(due[-1])}"


def _told(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _go_on(tx: Tx, schedule_id: str, since: datetime, until: datetime) -> bool:
    """False when another process went on from there, or it was forgotten."""
    tx.serialize("start")  # before the row is locked: whoever starts a run takes the two in this order
    return bool(
        tx.execute(
            "UPDATE @schedules SET checked_at = ? WHERE schedule_id = ? AND checked_at = ?",
            (stamp(until), schedule_id, stamp(since)),
        )
    )
