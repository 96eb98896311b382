"""What doctor checks about runs: who works, what waits and for what, whose worker is dead, who is silent; and who keeps
the schedules, and what they missed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tallybook.cli.finding import Finding, Findings, notice, ok, wrong
from tallybook.cli.slots import held_slots
from tallybook.database import read_stamp, stamp, utc_now
from tallybook.domain.run import OperationName, Status
from tallybook.domain.schedule import Schedule, of_stream, why_missed
from tallybook.engine import lease
from tallybook.engine.schedule import held_up_since, is_kept, next_due
from tallybook.ledger import schedules as ledger_schedules
from tallybook.ledger import work as ledger_work
from tallybook.ledger.schedules import LastRun, MissedRun
from tallybook.ledger.tables import runs
from tallybook.ledger.write.claims import SILENT_FOR
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.app import App

QUIET_FOR = timedelta(hours=1)
MISSED_FOR = timedelta(days=7)
_MEND_ORPHAN = "tallybook run resume {} goes on where it stopped."


def slots(app: "App") -> Findings:
    held = held_slots(app.bare_database)
    said = f"{words.count(len(held), 'process', 'processes')} at work" if held else "No process is at work"
    yield ok("slots", f"{said} ({', '.join(map(lease.executor_id, held))})" if held else said)


def waiting(app: "App") -> Findings:
    """Runs that wait, and for what."""
    statement = (
        sa.select(runs.c.run_id, runs.c.blocked_reason, runs.c.paused_at)
        .where(runs.c.status == Status.PAUSED)
        .order_by(runs.c.run_id)
    )
    with app.bare_database.reading() as connection:
        found = connection.execute(statement).all()
    for run_id, reason, paused_at in found:
        since = words.instant(read_stamp(paused_at))
        said = f"Run {run_id} is paused since {since}: {words.blocked_reason(reason) or 'no reason is known'}"
        mend = f"tallybook run resume {run_id} goes on; after 24 hours it closes, and the next run takes up its rest."
        yield notice("paused_run", said, mend)
    if not found:
        yield ok("paused_run", "No run is paused")


def dead(app: "App") -> Findings:
    """Runs that some process was to work on, and none does."""
    held = {lease.executor_id(number) for number in held_slots(app.bare_database)}
    statement = (
        sa.select(runs.c.run_id)
        .where(runs.c.planned == 1, runs.c.status.in_((Status.QUEUED, Status.RUNNING)))
        .order_by(runs.c.run_id)
    )
    with app.bare_database.reading() as connection:
        unfinished = [run_id for (run_id,) in connection.execute(statement)]
    if not held:
        for run_id in unfinished:
            said = f"Run {run_id} is unfinished, and no process works on it"
            yield wrong("dead_worker", said, _MEND_ORPHAN.format(run_id))
    for executor, keys in ledger_work.workers(app.bare_database).items():
        if held and executor not in held:
            said = f"{executor} died at {words.count(len(keys), 'client')} of run {keys[0].run_id}"
            yield notice("dead_worker", said, "A living process takes that over within seconds.")
    if held or not unfinished:
        yield ok(
            "unfinished_run", f"{words.count(len(unfinished), 'run')} under way" if unfinished else "No run is open"
        )


def silent(app: "App") -> Findings:
    """Reported runs of which nothing was heard."""
    since = stamp(utc_now() - QUIET_FOR)
    statement = (
        sa.select(runs.c.run_id, runs.c.seen_at)
        .where(runs.c.planned == 0, runs.c.status == Status.RUNNING, runs.c.seen_at < since)
        .order_by(runs.c.run_id)
    )
    with app.bare_database.reading() as connection:
        found = connection.execute(statement).all()
    hours = SILENT_FOR // timedelta(hours=1)
    for run_id, seen_at in found:
        said = f"Reported run {run_id} was last heard of at {words.instant(read_stamp(seen_at))}"
        mend = f"After {hours} silent hours it closes as timed out; look after the program that reports it."
        yield notice("silent_run", said, mend)
    if not found:
        yield ok("silent_run", "No reported run is silent")


def schedules(app: "App") -> Findings:
    """Schedules that no server looks at, and runs that are held up (F20)."""
    checked = ledger_schedules.checked(app.bare_database)
    at_work, now = bool(held_slots(app.bare_database)), utc_now()
    states = [(each, checked.get(each.schedule_id)) for each in app.schedules]
    found = [found for each, at in states for found in _state(each, at, now, at_work=at_work)]
    yield from found
    if not found:
        said = f"{words.count(len(states), 'schedule')}, kept by a server" if states else "No schedule is set"
        yield ok("schedule", said)


def _state(schedule: Schedule, checked_at: datetime | None, now: datetime, *, at_work: bool) -> Findings:
    held_up = held_up_since(schedule, checked_at, now) if checked_at else None
    if next_due(schedule, now) is None:
        said = f"The schedule of {schedule.of_whom} ({schedule.line}) is never due: no calendar has such a day"
        yield wrong("schedule", said, "Change or remove it in tallybook.toml.")
    elif not is_kept(schedule, checked_at, now) or (held_up and not at_work):
        since = f"since {words.instant(checked_at)}" if checked_at else "and no server ever did"
        said = f"Nobody keeps the schedule of {schedule.of_whom} ({schedule.line}) {since}"
        yield wrong("schedule", said, "Is `tallybook serve` running, and with these settings? It starts what is due.")
    elif held_up:
        said = f"The run of {schedule.of_whom} due at {words.instant(held_up)} waits: another run is in its way"
        yield notice("schedule", said, "tallybook run list shows it. An hour after it was due a run counts as missed.")


def missed(app: "App") -> Findings:
    """Runs that did not begin when they were due (F20). Wrong as long as their schedule has started none since."""
    found = ledger_schedules.missed_since(app.bare_database, utc_now() - MISSED_FOR)
    ids = list(dict.fromkeys(each.schedule_id for each in found))
    standings = ledger_schedules.standings(app.bare_database, ids)
    set_now = {each.schedule_id: each for each in app.schedules}
    for each in ids:
        of_it = [miss for miss in found if miss.schedule_id == each]
        yield _missed(of_it, standings[each].last_run, set_now.get(each))
    if not ids:
        yield ok("missed_run", f"No run was missed in {MISSED_FOR.days} days")


def _missed(of_it: Sequence[MissedRun], last: LastRun | None, schedule: Schedule | None) -> Finding:
    newest = of_it[0]
    said = (
        f"{words.count(len(of_it), 'run')} of {of_stream(newest.stream)} missed in {MISSED_FOR.days} days, the last one"
        f" due at {words.instant(newest.due_at)}: {why_missed(newest.reason, newest.run_id)}"
    )
    if schedule is None:
        return notice("missed_run", said, "That schedule is no longer set.")
    if last is None or last.due_at < newest.due_at:
        return wrong("missed_run", said, f"{_start_of(schedule)} does it now.")
    return notice("missed_run", said, f"Since then it began as it should, last with run {last.run_id}.")


def _start_of(schedule: Schedule) -> str:
    """The command that starts what the schedule would."""
    parts = ["tallybook run start"]
    parts += [] if set(schedule.operations) == set(OperationName) else list(schedule.operations)
    parts += [] if schedule.stream is None else [f"--stream {schedule.stream}"]
    parts += [] if schedule.limit is None else [f"--limit {schedule.limit}"]
    return " ".join(parts)


CHECKS = (slots, waiting, dead, silent, schedules, missed)
