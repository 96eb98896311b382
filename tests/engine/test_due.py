"""When a schedule is due, whatever the clocks on the walls do."""

from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice, pairwise, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tallybook.domain.schedule import Schedule
from tallybook.engine.schedule import due_between, next_due, upcoming
from tallybook.settings.cron import cron as read_cron
from tests.ledger.scenes import NOON

HOUR = timedelta(hours=1)
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Africa/Casablanca",
    "America/Nuuk", "America/St_Johns", "Antarctica/Troll", "Asia/Beirut", "Asia/Kathmandu", "Pacific/Chatham",
)  # fmt: skip


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def of(cron: str, zone: str = "UTC", **more: Any) -> Schedule:
    return Schedule(cron, timezone=ZoneInfo(zone), **more)


def walls(schedule: Schedule, first: str, days: int = 1) -> list[str]:
    """What the clock shows at each due time of the local days from *first* on."""
    begin = datetime.fromisoformat(first).replace(tzinfo=schedule.timezone)
    end = (begin.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=schedule.timezone)
    just_before = timedelta(microseconds=1)
    due = due_between(schedule, begin.astimezone(UTC) - just_before, end.astimezone(UTC) - just_before)
    return [f"{each.astimezone(schedule.timezone):%d %H:%M %z}" for each in due]


# When: the nights on which clocks are changed


@pytest.mark.parametrize(
    ("cron", "zone", "night", "due"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-29", ["29 03:30 +0200"]),
        ("0 2 * * *", "Europe/Berlin", "2026-03-29", ["29 03:00 +0200"]),
        ("30 2 * * *", "America/New_York", "2026-03-08", ["08 03:30 -0400"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["04 02:45 +1100"]),
        ("30 0 * * *", "Asia/Beirut", "2026-03-29", ["29 01:30 +0300"]),
        ("30 1 * * *", "Antarctica/Troll", "2026-03-29", ["29 03:30 +0200"]),
        ("*/20 2,3 * * *", "Europe/Berlin", "2026-03-29", ["29 03:00 +0200", "29 03:20 +0200", "29 03:40 +0200"]),
        ("45 1-3 * * *", "Europe/Berlin", "2026-03-29", ["29 01:45 +0100", "29 03:45 +0200"]),
    ],
)
def test_in_an_hour_that_does_not_exist_a_line_runs_once_later(
    cron: str, zone: str, night: str, due: list[str]
) -> None:
    assert walls(of(cron, zone), night) == due


@pytest.mark.parametrize(
    ("cron", "zone", "night", "due"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-10-25", ["25 02:30 +0200"]),
        ("30 1 * * *", "America/New_York", "2026-11-01", ["01 01:30 -0400"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", ["05 01:45 +1100"]),
        ("30 23 * * *", "Africa/Cairo", "2026-10-29", ["29 23:30 +0300"]),
        ("0,30 2 * * *", "Europe/Berlin", "2026-10-25", ["25 02:00 +0200", "25 02:30 +0200"]),
    ],
)
def test_in_an_hour_that_comes_twice_a_line_runs_once(cron: str, zone: str, night: str, due: list[str]) -> None:
    assert walls(of(cron, zone), night) == due


@pytest.mark.parametrize("cron", ["15 * * * *", "15 0-23 * * *", "15 */1 * * *"])
@pytest.mark.parametrize(("night", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)])
def test_an_hourly_line_keeps_its_beat(cron: str, night: str, hours: int) -> None:
    berlin = of(cron, "Europe/Berlin")
    assert len(walls(berlin, night)) == hours
    due = due_between(berlin, day("2026-10-24"), day("2026-10-27"))
    assert {later - earlier for earlier, later in pairwise(due)} == {HOUR}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", ["30 2 * * *", "0 0 * * *", "59 23 * * *", "15 1 * * *", "0 3 * * *"])
def test_a_daily_line_runs_once_for_each_day_of_the_year(zone: str, cron: str) -> None:
    due = due_between(of(cron, zone), day("2026-01-01T12:00"), day("2027-01-01T12:00"))
    assert len(due) == 365
    assert all(22 * HOUR <= later - earlier <= 26 * HOUR for earlier, later in pairwise(due))


# When: in general


@st.composite
def lines(draw: st.DrawFn) -> Schedule:
    """Schedules as the settings let them be, due not too often and not too rarely."""
    minutes = draw(st.lists(st.integers(0, 59), min_size=1, max_size=3).map(lambda each: ",".join(map(str, each))))
    hours = draw(st.sampled_from(["*", "*/2", "1-3", "0,2,23"]))
    days = draw(st.sampled_from(["* * *", "* * mon-fri", "1-31/2 * *", "25-31 3,10 *", "* mar,oct,nov sun", "29 * 7"]))
    return of(read_cron(f"{minutes} {hours} {days}"), draw(st.sampled_from(ZONES)))


INSTANTS = st.timedeltas(timedelta(0), timedelta(days=270)).map(lambda each: day("2026-03-01") + each)


@given(lines(), INSTANTS, st.timedeltas(timedelta(0), timedelta(days=20)), st.floats(0, 1))
def test_whenever_one_looks_nothing_is_due_twice_and_nothing_is_left_out(
    schedule: Schedule, after: datetime, span: timedelta, part: float
) -> None:
    end, between = after + span, after + span * part
    all_due = partial(due_between, schedule, most=10_000)
    due = all_due(after, end)
    assert due == sorted(set(due))
    assert all(after < each <= end for each in due)
    assert all_due(after, between) + all_due(between, end) == due


@given(lines(), INSTANTS)
def test_what_comes_next_is_what_will_have_been_due(schedule: Schedule, now: datetime) -> None:
    coming = list(islice(upcoming(schedule, now), 20))
    assert coming == due_between(schedule, now, coming[-1])
    assert next_due(schedule, now) == coming[0]


@given(lines(), INSTANTS)
def test_a_clock_shows_what_the_line_says_unless_it_skips_that(schedule: Schedule, now: datetime) -> None:
    first = next_due(schedule, now)
    assert first is not None
    shown = first.astimezone(schedule.timezone)
    minutes = set(map(int, schedule.cron.split()[0].split(",")))
    skipped = shown.utcoffset() != (shown - timedelta(hours=3)).astimezone(UTC).astimezone(shown.tzinfo).utcoffset()
    assert (first.second, first.microsecond) == (0, 0)
    assert shown.minute in minutes or skipped


def parts(low: int, high: int, *names: str) -> st.SearchStrategy[str]:
    """A field of a cron line, as the settings let it be."""
    number = st.integers(low, high).map(str) | (st.sampled_from(names) if names else st.nothing())
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda ends: "{}-{}".format(*sorted(ends)))
    many = st.just("*") | span
    stepped = st.tuples(many, st.integers(1, 99).map(str)).map("/".join)
    return st.lists(number | many | stepped, min_size=1, max_size=3).map(",".join)


LINES = st.tuples(parts(0, 59), parts(0, 23), parts(1, 31), parts(1, 12, "jan", "Dec"), parts(0, 7, "sun", "WED"))


@given(LINES.map(" ".join), INSTANTS)
def test_every_line_that_settings_take_is_understood(line: str, now: datetime) -> None:
    try:
        schedule = of(read_cron(line), "Europe/Berlin")
    except ValueError:
        assume(False)
        raise
    coming = next_due(schedule, now)
    assert coming is None or due_between(schedule, now, coming) == [coming]


def test_of_many_due_times_the_newest_are_given() -> None:
    every_minute = of("* * * * *", "Europe/Berlin")
    due = due_between(every_minute, NOON - timedelta(days=900), NOON)
    assert (len(due), due[0], due[-1]) == (1_000, NOON - timedelta(minutes=999), NOON)


@pytest.mark.parametrize("cron", ["0 6 31 2 *", "0 6 30 feb *", "0 6 31 4,6,9,11 *"])
def test_a_day_no_calendar_has_is_never_due(cron: str) -> None:
    assert next_due(of(cron), NOON) is None
    assert due_between(of(cron), NOON - timedelta(days=4_000), NOON) == []


def test_a_rare_day_is_found() -> None:
    assert next_due(of("0 6 29 2 *", "Asia/Tokyo"), NOON) == day("2028-02-28T21:00")


def test_at_the_end_of_all_calendars_there_is_an_end() -> None:
    last = day("9999-12-29")
    coming = [each.day for each in upcoming(of("0 6 * * *"), last)]
    assert coming in ([29, 30], [29, 30, 31])


def test_a_day_and_a_weekday_are_either() -> None:
    due = takewhile(lambda each: each.month == 11, upcoming(of("0 6 13 * mon"), day("2026-11-01")))
    assert [each.day for each in due] == [2, 9, 13, 16, 23, 30]
