"""Rests, months, and what is told of them."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tallybook.airtable.errors import MonthUsedUp, Resting
from tallybook.airtable.lanes import LanesInProcess
from tallybook.airtable.pacing import REST_S, Pace, month_turns, utc_now
from tests.airtable.premises import TOKEN, Clock

BASE, OTHER = "appLookAlike00001", "appLookAlike00002"


@pytest.mark.parametrize(
    ("at", "turns"),
    [
        (datetime(2026, 1, 31, 23, 59, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2026, 3, 1, 9, tzinfo=timezone(timedelta(hours=14))), datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_a_month_turns_by_utc(at: datetime, turns: datetime) -> None:
    assert month_turns(at) == turns


def test_the_first_is_let_through_at_once_and_the_next_a_little_later(pace: Pace, clock: Clock) -> None:
    pace.wait(BASE, 0)
    assert clock.now() == 0
    pace.wait(BASE, 1)
    assert clock.now() == pytest.approx(1 / 4.5)


def test_without_a_base_the_token_rests_and_with_it_all_bases(pace: Pace, clock: Clock) -> None:
    rest_s = pace.too_fast("")
    assert rest_s == REST_S + 1.5
    with pytest.raises(Resting, match="Airtable is not asked"):
        pace.wait("", 5)
    with pytest.raises(Resting, match=f"base {BASE}"):
        pace.wait(BASE, 5)
    pace.wait(BASE, 60)
    assert clock.now() == pytest.approx(rest_s, abs=0.01)


def test_a_month_that_was_used_up_is_told_since_when_it_was_first_found_out(pace: Pace, clock: Clock) -> None:
    first = pace.used_up(BASE)
    clock.sleep(100)
    again = pace.used_up(BASE)
    assert again.since == first.since
    pace.wait(OTHER, 1)
    clock.sleep(8 * 86_400)
    pace.wait(BASE, 1)
    assert pace.used_up(BASE).until == datetime(2027, 1, 1, tzinfo=UTC)


def test_who_sleeps_while_the_month_is_used_up_is_told_so_on_waking(pace: Pace, clock: Clock) -> None:
    lanes = LanesInProcess(clock.now)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        other.used_up(BASE)

    other = Pace(lanes, TOKEN, sleep=clock.sleep, today=clock.today)
    sleeper = Pace(lanes, TOKEN, sleep=sleep, today=clock.today)
    other.wait(BASE, 1)
    with pytest.raises(MonthUsedUp):
        sleeper.wait(BASE, 1)


def test_by_the_clocks_of_the_machine_it_waits_for_real() -> None:
    pace = Pace(LanesInProcess(time.monotonic), TOKEN)
    began = time.monotonic()
    pace.wait(BASE, 1)
    pace.wait(BASE, 1)
    assert time.monotonic() - began > 0.2
    assert pace.used_up("").since <= utc_now()
