"""Lanes in a database: all processes on it go at one pace, by one clock."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from tallybook.airtable.errors import MonthUsedUp, Resting
from tallybook.airtable.pacing import Pace
from tallybook.airtable.shared_lanes import METADATA, LanesInDatabase, database_seconds
from tallybook.database import Database, Tx
from tallybook.domain.errors import LedgerUnavailable
from tests.airtable.premises import TOKEN, Clock

BASE = "appLookAlike00001"


@pytest.fixture
def lanes_url(empty_database_url: str) -> str:
    database = Database(empty_database_url)
    with database.engine.begin() as connection:
        if not database.sqlite:
            connection.exec_driver_sql("CREATE SCHEMA tallybook")
        METADATA.create_all(connection)
    database.close()
    return empty_database_url


@pytest.fixture
def opened(lanes_url: str) -> Iterator[Callable[[Clock | None], Pace]]:
    """As another process has it, by the database's clock or one of the test's."""
    all_opened: list[LanesInDatabase] = []

    def open_pace(clock: Clock | None) -> Pace:
        def by_clock(tx: Tx) -> float:
            return clock.now() + 1_000 if clock else database_seconds(tx)

        all_opened.append(LanesInDatabase(Database(lanes_url), by_clock))
        more = {"sleep": clock.sleep, "today": clock.today} if clock else {}
        return Pace(all_opened[-1], TOKEN, **more)  # type: ignore[arg-type]  # as named above

    yield open_pace
    for each in all_opened:
        each.close()


def test_two_processes_together_go_no_faster_than_one(opened: Callable[[Clock | None], Pace]) -> None:
    clock = Clock()
    one, other = opened(clock), opened(clock)
    times = []
    for number in range(30):
        (one if number % 2 else other).wait(BASE, 60)
        times.append(clock.now())
    assert all(later - earlier > 0.2 for earlier, later in itertools.pairwise(times))
    assert times[-1] == pytest.approx(29 / 4.5, rel=0.02)


def test_threads_of_several_processes_never_meet_in_a_second(opened: Callable[[Clock | None], Pace]) -> None:
    times: list[float] = []

    def ask(pace: Pace) -> None:
        pace.wait(BASE, 60)
        times.append(time.monotonic())

    threads = [threading.Thread(target=ask, args=[pace]) for pace in (opened(None), opened(None)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(times) == 6
    assert max(times) - min(times) > 1


def test_one_that_was_too_fast_lets_all_rest(opened: Callable[[Clock | None], Pace]) -> None:
    clock = Clock()
    one, other = opened(clock), opened(clock)
    one.too_fast(BASE)
    with pytest.raises(Resting):
        other.wait(BASE, 5)
    other.wait(BASE, 60)
    assert 30 <= clock.now() < 33.1


def test_the_end_of_the_month_is_known_to_all_and_outlives_them(opened: Callable[[Clock | None], Pace]) -> None:
    clock = Clock()
    until = opened(clock).used_up(BASE).until
    with pytest.raises(MonthUsedUp) as told:
        opened(clock).wait(BASE, 60)
    assert told.value.until == until == datetime(2026, 12, 1, tzinfo=UTC)
    opened(clock).ask_again(BASE)
    opened(clock).wait(BASE, 60)


def test_without_a_database_it_is_told_as_that(empty_database_url: str) -> None:
    pace = Pace(LanesInDatabase(Database(empty_database_url)), TOKEN)
    with pytest.raises(LedgerUnavailable):
        pace.wait(BASE, 1)
