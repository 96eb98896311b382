"""What doctor checks about runs: who works, what waits and for what, whose worker is dead, who is silent."""

from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tallybook.cli.finding import Findings, notice, ok, wrong
from tallybook.cli.slots import held_slots
from tallybook.database import read_stamp, stamp, utc_now
from tallybook.domain.run import Status
from tallybook.engine import lease
from tallybook.ledger import work as ledger_work
from tallybook.ledger.tables import runs
from tallybook.ledger.write.claims import SILENT_FOR
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.app import App

QUIET_FOR = timedelta(hours=1)
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


CHECKS = (slots, waiting, dead, silent)
