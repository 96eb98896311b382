"""What is due by a schedule is accounted for once: its run was started, or it is noted as missed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from tallybook.database import Database
from tallybook.domain.errors import Busy, KeyReused, RunIdsExhausted
from tallybook.domain.run import OperationName, Status, Trigger
from tallybook.domain.schedule import Missed, Schedule
from tallybook.ledger import read
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.schedules import LastRun, MissedRun, Standing, checked, missed_since, standings
from tallybook.ledger.tables import events
from tallybook.ledger.write import schedules, starts
from tallybook.ledger.write.schedules import Miss
from tallybook.ledger.write.starts import RunIdStyle, Started
from tests.ledger.scenes import LEAD_SCORING, NOON, Clock, asked, planned, texts

HOURLY = Schedule("0 * * * *", 1, ZoneInfo("Europe/Berlin"), (LEAD_SCORING,), 50)
OTHER = Schedule("0 * * * *", 2, ZoneInfo("Europe/Berlin"), (LEAD_SCORING,), 50)
HOUR = timedelta(hours=1)
ONE = NOON + HOUR
STYLE = RunIdStyle()


def seen(books: Ledger, *kept: Schedule, at: datetime = NOON) -> None:
    """For the first time."""
    books.do(schedules.look_at, {each.schedule_id: None for each in kept or (HOURLY,)}, at)


def begun(books: Ledger, clock: Clock, since: datetime = NOON, due_at: datetime = ONE, **more: Miss) -> Started | None:
    """Started when it was due."""
    clock.now = max(clock.now, due_at)
    return books.do(schedules.start, HOURLY, since, due_at, style=STYLE, **more)


def up_to(books: Ledger, schedule: Schedule = HOURLY) -> datetime | None:
    return checked(books.database).get(schedule.schedule_id)


def said(books: Ledger, kind: str = "missed_run") -> Sequence[tuple[str | None, str]]:
    """(run, text) of the events of a kind."""
    statement = sa.select(events.c.run_id, events.c.text).where(events.c.kind == kind).order_by(events.c.id)
    with books.database.reading() as connection:
        return [(run_id, text) for run_id, text in connection.execute(statement)]


# Looked at


def test_a_schedule_seen_the_first_time_begins_then(books: Ledger, clock: Clock) -> None:
    seen(books)
    clock.now = ONE
    seen(books, HOURLY, OTHER, at=ONE)
    assert checked(books.database) == {HOURLY.schedule_id: NOON, OTHER.schedule_id: ONE}


def test_nothing_due_is_accounted_for_up_to_when_somebody_looked(books: Ledger) -> None:
    seen(books)
    looked = NOON + timedelta(minutes=7)
    books.do(schedules.look_at, {HOURLY.schedule_id: NOON}, looked)
    assert up_to(books) == looked
    books.do(schedules.look_at, {HOURLY.schedule_id: NOON}, ONE)  # from where nobody is any more
    books.do(schedules.look_at, {HOURLY.schedule_id: looked}, NOON)  # by a clock that goes behind
    assert up_to(books) == looked


def test_a_schedule_nobody_keeps_any_more_is_forgotten(books: Ledger, clock: Clock) -> None:
    seen(books, HOURLY, OTHER)
    clock.pass_by(hours=2)
    books.do(schedules.look_at, {HOURLY.schedule_id: NOON}, clock.now)
    assert checked(books.database).keys() == {HOURLY.schedule_id, OTHER.schedule_id}
    clock.pass_by(seconds=1)
    books.do(schedules.look_at, {}, clock.now)
    assert checked(books.database).keys() == {HOURLY.schedule_id}


# Started


def test_what_is_due_is_started_as_the_schedule_says(books: Ledger, clock: Clock) -> None:
    seen(books)
    started = begun(books, clock)
    assert started is not None
    run = read.run(books.database, started.run_id)
    assert (run.trigger, run.stream, run.requested_by) == (Trigger.CRON, 1, "schedule of stream 1")
    assert run.request == {
        "operations": ["lead_scoring"], "stream": 1, "clients": [], "limit": 50, "trigger": "cron",
    }  # fmt: skip
    assert up_to(books) == ONE
    assert texts(books, run.run_id, "started") == ["Started by schedule of stream 1 (cron)"]
    assert texts(books, run.run_id, "started_late") == []


def test_whoever_comes_second_starts_nothing(books: Ledger, clock: Clock) -> None:
    """Also when it looked before the first had started the run."""
    seen(books)
    assert begun(books, clock)
    assert begun(books, clock) is None
    assert len(read.list_runs(books.database)) == 1


def test_a_due_time_whose_run_is_there_starts_none(books: Ledger, clock: Clock) -> None:
    """As after the schedule was forgotten and seen again with a clock that went behind."""
    seen(books)
    first = begun(books, clock)
    books.do(lambda tx: tx.execute("UPDATE @schedules SET checked_at = ?", ("2026-11-23T12:00:00.000000Z",)))
    clock.pass_by(minutes=30)
    assert first is not None
    assert begun(books, clock) == Started(first.run_id, replayed=True)
    assert texts(books, first.run_id, "started_late") == []


def test_a_run_that_starts_late_says_so_and_why(books: Ledger, clock: Clock) -> None:
    """F20"""
    seen(books)
    clock.now = ONE + timedelta(minutes=12, seconds=5)
    started = begun(books, clock)
    assert started is not None
    assert texts(books, started.run_id, "started_late") == [
        "Due at 2026-11-23 13:00:00 UTC, started 12 min late: no server kept the schedule then, or none reached the"
        " database"
    ]


@pytest.mark.parametrize(
    ("miss", "why"),
    [
        (Miss(ONE, Missed.BUSY, "261123-111111"), "run 261123-111111 was in its way"),
        (Miss(ONE, Missed.BUSY), "another run was in its way"),
        (Miss(ONE, "every second is taken"), "every second is taken"),
    ],
)
def test_a_run_that_was_held_up_says_by_what(books: Ledger, clock: Clock, miss: Miss, why: str) -> None:
    seen(books)
    clock.now = ONE + timedelta(minutes=1)
    started = begun(books, clock, held_up=miss)
    assert started is not None
    (text,) = texts(books, started.run_id, "started_late")
    assert text == f"Due at 2026-11-23 13:00:00 UTC, started 1 min late: {why}"


def test_a_start_that_is_refused_leaves_the_due_time_open(books: Ledger, clock: Clock) -> None:
    seen(books)
    other = planned(books, "acme")
    with pytest.raises(Busy) as refused:
        begun(books, clock)
    assert refused.value.run_id == other
    assert up_to(books) == NOON
    assert books.do(schedules.hold, HOURLY.schedule_id, NOON, ONE)
    just_before = ONE - timedelta(microseconds=1)
    assert up_to(books) == just_before
    assert books.do(schedules.hold, HOURLY.schedule_id, just_before, ONE)
    assert not books.do(schedules.hold, HOURLY.schedule_id, NOON, ONE)
    assert len(read.list_runs(books.database)) == 1


def test_a_key_that_means_another_run_starts_none(books: Ledger, clock: Clock) -> None:
    seen(books)
    clock.now = ONE
    key = f"schedule {HOURLY.schedule_id} 2026-11-23T13:00:00Z"
    books.do(starts.start, asked("acme", key=key, scope="schedule"))
    with pytest.raises(KeyReused):
        begun(books, clock)
    assert up_to(books) == NOON


def test_without_a_free_run_id_nothing_is_accounted_for(books: Ledger, clock: Clock) -> None:
    seen(books)
    clock.now = ONE
    for _ in range(starts.LONGEST_AHEAD_S + 1):
        books.do(starts.reserve_run_id, STYLE)
    with pytest.raises(RunIdsExhausted):
        begun(books, clock)
    assert up_to(books) == NOON


# Missed


def test_what_was_missed_is_noted_with_its_reason_and_told(books: Ledger, clock: Clock) -> None:
    """F20"""
    seen(books)
    clock.now = NOON + 2 * HOUR
    assert books.do(schedules.miss, HOURLY, NOON, [Miss(ONE, Missed.BUSY, "261123-111111")])
    assert up_to(books) == ONE
    assert missed_since(books.database, NOON) == [MissedRun(HOURLY.schedule_id, ONE, 1, "busy", "261123-111111")]
    assert said(books) == [
        (
            None,
            "Missed: the run due at 2026-11-23 13:00:00 UTC of stream 1 (0 * * * * Europe/Berlin):"
            " run 261123-111111 was in its way",
        )
    ]


def test_what_was_missed_together_is_told_together(books: Ledger, clock: Clock) -> None:
    """F20: a week without a server is a row for each run, and one thing to tell."""
    seen(books)
    due = [NOON + HOUR * n for n in range(1, 7 * 24)]
    clock.now = due[-1]
    missed = [Miss(due[0], Missed.BUSY, "r"), *(Miss(each, Missed.NO_SERVER) for each in due[1:])]
    assert books.do(schedules.miss, HOURLY, NOON, missed)
    assert [each.due_at for each in missed_since(books.database, NOON)] == due[::-1]
    assert len(missed_since(books.database, due[-3])) == 2
    (_, one), (_, others) = said(books)
    assert one.endswith("run r was in its way")
    assert others.startswith("Missed: 166 runs due from 2026-11-23 14:00:00 UTC to 2026-11-30 11:00:00 UTC of stream 1")


def test_whoever_comes_second_notes_nothing(books: Ledger, clock: Clock) -> None:
    seen(books)
    clock.now = NOON + 2 * HOUR
    miss = [Miss(ONE, Missed.NO_SERVER)]
    assert books.do(schedules.miss, HOURLY, NOON, miss)
    assert not books.do(schedules.miss, HOURLY, NOON, miss)
    assert not books.do(schedules.miss, OTHER, NOON, miss)
    assert len(said(books)) == 1


def test_a_due_time_that_is_noted_is_not_noted_again(books: Ledger) -> None:
    """As after the schedule was forgotten and seen again with a clock that went behind."""
    for reason in (Missed.NO_SERVER, Missed.BUSY):
        seen(books)
        assert books.do(schedules.miss, HOURLY, NOON, [Miss(ONE, reason)])
        books.do(lambda tx: tx.execute("DELETE FROM @schedules"))
    assert [each.reason for each in missed_since(books.database, NOON)] == ["no_server"]
    assert len(said(books)) == 1


def test_a_reason_may_be_whatever_an_error_said(books: Ledger) -> None:
    seen(books)
    books.do(schedules.miss, HOURLY, NOON, [Miss(ONE, "it said: \0 'no' %s ? 🦊")])
    assert [each.reason for each in missed_since(books.database, NOON)] == ["it said:  'no' %s ? 🦊"]


# How it stands


def test_how_a_schedule_stands(books: Ledger, clock: Clock) -> None:
    seen(books)
    started = begun(books, clock)
    assert started is not None
    clock.now = NOON + 3 * HOUR
    books.do(schedules.miss, HOURLY, ONE, [Miss(NOON + HOUR * n, Missed.BUSY, started.run_id) for n in (2, 3)])
    found = standings(books.database, [OTHER.schedule_id, HOURLY.schedule_id])
    newest = MissedRun(HOURLY.schedule_id, clock.now, 1, "busy", started.run_id)
    assert found == {
        HOURLY.schedule_id: Standing(clock.now, LastRun(started.run_id, Status.QUEUED, ONE), 2, newest),
        OTHER.schedule_id: Standing(None, None, 0, None),
    }


def test_the_last_run_is_the_one_that_was_due_last(books: Ledger, clock: Clock) -> None:
    whole = Schedule("0 * * * *")
    seen(books, whole)
    since, runs = NOON, []
    for n in range(1, 4):
        clock.now = NOON + HOUR * n
        started = books.do(schedules.start, whole, since, clock.now, style=STYLE)
        assert started is not None
        runs.append(started.run_id)
        since = clock.now
        books.do(lambda tx: tx.execute("UPDATE @runs SET status = 'completed'"))
    last = standings(books.database, [whole.schedule_id])[whole.schedule_id].last_run
    assert last == LastRun(runs[-1], Status.COMPLETED, clock.now)


def test_of_empty_books_nothing_is_said(database: Database) -> None:
    assert (checked(database), missed_since(database, NOON), standings(database, [])) == ({}, [], {})


# Which schedule it is


def test_every_part_of_a_line_makes_it_another_schedule() -> None:
    changed = [
        HOURLY,
        OTHER,
        Schedule("0 0 * * *", 1, ZoneInfo("Europe/Berlin"), (LEAD_SCORING,), 50),
        Schedule("0 * * * *", 1, ZoneInfo("Europe/Vienna"), (LEAD_SCORING,), 50),
        Schedule("0 * * * *", 1, ZoneInfo("Europe/Berlin"), tuple(OperationName), 50),
        Schedule("0 * * * *", 1, ZoneInfo("Europe/Berlin"), (LEAD_SCORING,), None),
        Schedule("0 * * * *", None, ZoneInfo("Europe/Berlin"), (LEAD_SCORING,), 50),
    ]
    assert len({each.schedule_id for each in changed}) == len(changed)


def test_a_line_keeps_its_id_over_all_versions() -> None:
    assert HOURLY.schedule_id == "b6397feb9732"
    other_order = Schedule("0 6 * * MON", operations=tuple(OperationName)[::-1])
    assert other_order.schedule_id == Schedule("0 6 * * mon").schedule_id
