"""Each run that is due is started once, and none is missed unseen."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from benchmarks.house import House
from tallybook.database import Database, utc_now
from tallybook.domain.errors import LedgerUnavailable
from tallybook.domain.run import Run, Status, Trigger
from tallybook.domain.schedule import Schedule
from tallybook.engine import schedule as keeping
from tallybook.engine import watch
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.engine.schedule import GOOD_FOR, SILENT_AFTER, Keeper, Timetable, held_up_since, is_kept
from tallybook.ledger import read
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.schedules import checked, missed_since
from tallybook.ledger.tables import events
from tallybook.ledger.write import starts
from tallybook.ledger.write.starts import RunIdStyle
from tallybook.scorers.scripted import ScriptedScorer
from tests.books import SqliteBooks
from tests.ledger.scenes import LEAD_SCORING, NOON, POST_SCORING, Clock, asked, texts
from tests.stories.acting import ended, furnished, until

HOUR = timedelta(hours=1)


def of(cron: str, zone: str = "UTC", **more: Any) -> Schedule:
    return Schedule(cron, timezone=ZoneInfo(zone), **more)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(sqlite_books: SqliteBooks, tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Any]]:
    """The same books as one more process has them open."""
    url = sqlite_books.copied_to(tmp_path)
    with ExitStack() as stack:

        def open_once_more(kind: type[Ledger] = Ledger) -> Ledger:
            ledger = kind(Database(url), clock)
            stack.callback(ledger.close)
            return ledger

        yield open_once_more


@pytest.fixture
def books(opened: Callable[..., Any]) -> Ledger:
    ledger: Ledger = opened()
    return ledger


HOURLY = of("0 * * * *", "Europe/Berlin", stream=1, operations=(LEAD_SCORING,))
TEN_PAST = of("10 * * * *", "Europe/Berlin", stream=1, operations=(LEAD_SCORING,))


def keeper(books: Ledger, *schedules: Schedule, style: RunIdStyle | None = None) -> Keeper:
    """One that has begun."""
    started = Keeper(books, Timetable(schedules or (HOURLY,), style or RunIdStyle()), lambda: None)
    started.look()
    return started


def runs(books: Ledger) -> list[Run]:
    """Oldest first."""
    return read.list_runs(books.database)[::-1]


def over(books: Ledger) -> None:
    """Every run has ended."""
    books.do(lambda tx: tx.execute("UPDATE @runs SET status = 'completed'"))


def missed(books: Ledger) -> list[tuple[timedelta, str, str | None]]:
    """(after noon, reason, run in the way), oldest first."""
    found = missed_since(books.database, NOON - timedelta(days=999))
    return [(each.due_at - NOON, each.reason, each.run_id) for each in reversed(found)]


def told(books: Ledger) -> int:
    """Events that tell of missed runs."""
    statement = sa.select(sa.func.count()).select_from(events).where(events.c.kind == "missed_run")
    with books.database.reading() as connection:
        return connection.execute(statement).scalar_one()


def test_a_run_is_started_when_it_is_due_and_once(books: Ledger, clock: Clock) -> None:
    nudges: list[str] = []
    server = Keeper(
        books, Timetable([HOURLY, of("0 13 * * *", operations=(POST_SCORING,))]), lambda: nudges.append("!")
    )
    for _ in range(3):
        server.look()
    assert (runs(books), missed(books)) == ([], [])
    clock.now = NOON + HOUR
    for _ in range(3):
        server.look()
    first, second = runs(books)
    assert (first.trigger, first.requested_by, first.stream) == (Trigger.CRON, "schedule of stream 1", 1)
    assert (second.trigger, second.requested_by, second.stream) == (Trigger.CRON, "schedule of all streams", None)
    assert (missed(books), len(nudges)) == ([], 2)


def test_while_nothing_is_due_nothing_is_asked(books: Ledger, clock: Clock) -> None:
    server = keeper(books)
    books.do(lambda tx: tx.execute("DELETE FROM @schedules"))
    clock.now = NOON + HOUR - timedelta(seconds=1)
    server.look()
    assert checked(books.database) == {}


def test_now_and_then_a_server_says_that_it_keeps_its_schedules(
    books: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "LOOK_EVERY_S", 0.0)
    server = keeper(books)
    clock.pass_by(minutes=1)
    server.look()
    assert checked(books.database) == {HOURLY.schedule_id: clock.now}


def test_a_run_held_up_by_another_starts_when_that_has_ended(books: Ledger, clock: Clock) -> None:
    server = keeper(books)
    other = books.do(starts.start, asked("acme")).run_id
    clock.now = NOON + HOUR
    server.look()
    over(books)
    clock.pass_by(seconds=4)
    server.look()
    assert len(runs(books)) == 1
    clock.pass_by(minutes=12)
    server.look()
    run = runs(books)[1]
    (text,) = texts(books, run.run_id, "started_late")
    assert text == f"Due at 2026-11-23 13:00:00 UTC, started 12 min late: run {other} was in its way"
    assert missed(books) == []


def test_a_run_held_up_until_the_next_is_due_is_missed(books: Ledger, clock: Clock) -> None:
    """F20: and says which run was in its way."""
    often = of("*/10 * * * *", stream=1, operations=(LEAD_SCORING,))
    server = keeper(books, often)
    other = books.do(starts.start, asked("acme")).run_id
    for minutes in (10, 15, 20):
        clock.now = NOON + timedelta(minutes=minutes)
        server.look()
    assert missed(books) == [(timedelta(minutes=10), "busy", other)]
    over(books)
    clock.pass_by(seconds=30)
    server.look()
    assert len(runs(books)) == 2
    assert (len(missed(books)), told(books)) == (1, 1)


def test_a_run_held_up_for_an_hour_is_missed(books: Ledger, clock: Clock) -> None:
    """F20"""
    daily = of("0 13 * * *", stream=1)
    server = keeper(books, daily)
    other = books.do(starts.start, asked("acme")).run_id
    clock.now = NOON + HOUR
    server.look()
    clock.pass_by(hours=1)
    server.look()
    assert missed(books) == []
    clock.pass_by(seconds=5)
    server.look()
    over(books)
    clock.pass_by(minutes=1)
    server.look()
    assert (len(runs(books)), missed(books)) == (1, [(HOUR, "busy", other)])


def test_after_a_short_outage_the_last_run_still_starts(books: Ledger, clock: Clock) -> None:
    """F20: what was due before it is noted."""
    keeper(books)
    clock.now = NOON + 3 * HOUR + timedelta(minutes=59)
    keeper(books)
    (run,) = runs(books)
    (text,) = texts(books, run.run_id, "started_late")
    assert text.startswith("Due at 2026-11-23 15:00:00 UTC, started 59 min late: no server kept the schedule then")
    assert missed(books) == [(HOUR, "no_server", None), (2 * HOUR, "no_server", None)]
    assert told(books) == 1


def test_after_a_long_outage_nothing_is_started_at_an_odd_hour(books: Ledger, clock: Clock) -> None:
    """F20: a week without a server is seen, run by run."""
    nightly = of("30 2 * * *", "Europe/Berlin")
    keeper(books, nightly)
    clock.pass_by(days=7)
    keeper(books, nightly)
    assert runs(books) == []
    assert [reason for _, reason, _ in missed(books)] == ["no_server"] * 7
    keeper(books, nightly)
    assert (len(missed(books)), told(books)) == (7, 1)


def test_of_two_servers_one_starts_each_run(opened: Callable[..., Any], books: Ledger, clock: Clock) -> None:
    servers = [keeper(books), keeper(opened())]
    for hours in range(1, 4):
        clock.now = NOON + HOUR * hours
        for server in servers:
            server.look()
        over(books)
    clock.now = NOON + HOUR * 9
    for server in servers:
        server.look()
    assert [each.created_at for each in runs(books)] == [NOON + HOUR * n for n in (1, 2, 3, 9)]
    assert [after for after, *_ in missed(books)] == [HOUR * n for n in range(4, 9)]
    assert told(books) == 1


class Overtaken(Ledger):
    """Before each of its writes, whoever stands in `first` looks."""

    first: Keeper | None = None

    def do(self, write: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.first is not None:
            self.first.look()
        return super().do(write, *args, **kwargs)


@pytest.mark.parametrize("hours", [1.5, 5.5, 30])
def test_a_server_that_is_overtaken_starts_and_notes_nothing(
    opened: Callable[..., Any], books: Ledger, clock: Clock, hours: float
) -> None:
    """What it saw was true a moment ago."""
    quick, slow = keeper(books), opened(Overtaken)
    server = keeper(slow)
    slow.first = quick
    clock.pass_by(hours=hours)
    server.look()
    assert (len(runs(books)), len(missed(books)), told(books)) == (1, int(hours) - 1, int(hours > 2))
    over(books)
    clock.pass_by(minutes=1)
    server.look()
    assert len(runs(books)) == 1


def test_a_run_that_another_server_started_is_not_waited_for(
    opened: Callable[..., Any], books: Ledger, clock: Clock
) -> None:
    one, other = keeper(books), keeper(opened())
    books.do(starts.start, asked("acme"))
    clock.now = NOON + HOUR
    one.look()
    other.look()
    over(books)
    clock.pass_by(seconds=5)
    one.look()
    clock.pass_by(seconds=5)
    other.look()
    assert (len(runs(books)), missed(books), other._held_up) == (2, [], {})


def test_while_run_ids_are_used_up_a_run_is_held_up(books: Ledger, clock: Clock) -> None:
    style = RunIdStyle(structured=True)
    for _ in range(starts.MOST_A_DAY):
        books.do(starts.reserve_run_id, style)
    server = keeper(books, HOURLY, style=style)
    for hours in (1, 2):
        clock.now = NOON + HOUR * hours
        server.look()
    ((after, reason, run_id),) = missed(books)
    assert (after, run_id) == (HOUR, None)
    assert reason.startswith("all 999 structured run ids of 2026-11-23 are taken")


def test_a_line_that_was_changed_begins_anew(books: Ledger, clock: Clock) -> None:
    keeper(books, HOURLY)
    clock.pass_by(minutes=65)
    keeper(books, TEN_PAST)
    assert (runs(books), missed(books)) == ([], [])
    clock.pass_by(minutes=5)
    keeper(books, TEN_PAST)
    assert [each.created_at for each in runs(books)] == [clock.now]


def test_a_line_that_was_taken_out_and_put_back_missed_nothing(books: Ledger, clock: Clock) -> None:
    """A server that keeps none, or others, forgets it."""
    keeper(books)
    clock.pass_by(days=2)
    Keeper(books, Timetable([]), lambda: None).look()
    assert checked(books.database) == {}
    clock.pass_by(days=1)
    keeper(books)
    assert (runs(books), missed(books)) == ([], [])


def test_a_run_held_up_after_a_long_outage_is_not_forgotten(books: Ledger, clock: Clock) -> None:
    daily = of("0 13 * * *", stream=1)
    keeper(books, daily)
    books.do(starts.start, asked("acme"))
    clock.now = NOON + 25 * HOUR + timedelta(minutes=10)
    server = keeper(books, daily)
    over(books)
    clock.pass_by(minutes=1)
    server.look()
    assert (len(runs(books)), missed(books)) == (2, [(HOUR, "no_server", None)])


def test_what_was_due_while_the_books_were_away_is_started_afterwards(opened: Callable[..., Any], clock: Clock) -> None:
    class Troubled(Ledger):
        away = False

        def do(self, write: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            if self.away:
                raise LedgerUnavailable("away")
            return super().do(write, *args, **kwargs)

    books = opened(Troubled)
    server = keeper(books)
    clock.now, books.away = NOON + HOUR, True
    with pytest.raises(LedgerUnavailable):
        server.look()
    clock.pass_by(seconds=1)
    books.away = False
    server.look()
    assert len(runs(books)) == 1


def test_a_line_that_is_never_due_keeps_no_other_from_its_time(books: Ledger, clock: Clock) -> None:
    server = keeper(books, of("0 6 31 2 *"), HOURLY)
    clock.now = NOON + HOUR
    server.look()
    assert len(runs(books)) == 1


# Who keeps it


def test_a_schedule_is_kept_while_somebody_looks(books: Ledger, clock: Clock) -> None:
    assert not is_kept(HOURLY, None, NOON)
    keeper(books)
    looked = checked(books.database)[HOURLY.schedule_id]
    assert is_kept(HOURLY, looked, NOON + SILENT_AFTER)
    assert not is_kept(HOURLY, looked, NOON + SILENT_AFTER + timedelta(seconds=1))
    assert not is_kept(of("0 6 31 2 *"), looked, NOON + HOUR)


def test_a_schedule_whose_run_is_held_up_is_kept_for_as_long_as_that_is_tried(books: Ledger, clock: Clock) -> None:
    server = keeper(books)
    books.do(starts.start, asked("acme"))
    clock.now = NOON + HOUR
    server.look()
    looked = checked(books.database)[HOURLY.schedule_id]
    last = NOON + HOUR + GOOD_FOR
    assert held_up_since(HOURLY, looked, last) == NOON + HOUR
    assert is_kept(HOURLY, looked, last)
    assert held_up_since(HOURLY, looked, last + SILENT_AFTER + timedelta(seconds=1)) is None
    assert held_up_since(HOURLY, looked, looked) is None
    assert held_up_since(HOURLY, NOON, last) is None


# By an engine


def test_an_engine_starts_what_is_due_and_works_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SCHEDULES_EVERY_S", 0.05)
    furnished(house, "acme", leads=3)
    ahead = timedelta(0)
    house.ledger.clock = lambda: utc_now() + ahead
    due_at = (utc_now() + timedelta(minutes=10)).replace(second=0, microsecond=0)
    once = of(f"{due_at.minute} {due_at.hour} * * *", stream=1, operations=(LEAD_SCORING,))
    plugs = house.operations(ScriptedScorer())
    with Engine(house.ledger, house.clients, plugs, Limits(), Timetable([once])):
        until(lambda: checked(house.database), "its first look")
        ahead = due_at - utc_now()
        run = ended(house, until(lambda: read.list_runs(house.database), "the start")[0].run_id)
    assert (run.status, run.trigger, run.tally.scored) == (Status.COMPLETED, Trigger.CRON, 3)


def test_an_engine_without_a_timetable_keeps_no_schedule(house: House) -> None:
    with Engine(house.ledger, house.clients, {}, Limits()) as engine:
        assert engine._watcher._keeper is None
