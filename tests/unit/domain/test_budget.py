"""Windows of budgets: days and months of UTC, wherever the clock hangs."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.budget import Ceiling, Per, window_end, window_start
from tallybook.domain.tally import Money

INSTANTS = st.datetimes(datetime(2000, 1, 2), datetime(2099, 11, 30)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001 -- as hypothesis wants them


@pytest.mark.parametrize(
    ("per", "now", "start", "end"),
    [
        (Per.DAY, "2026-11-23T12:00:00+00:00", "2026-11-23", "2026-11-24"),
        (Per.DAY, "2026-11-24T01:00:00+02:00", "2026-11-23", "2026-11-24"),
        (Per.MONTH, "2026-12-31T23:59:59+00:00", "2026-12-01", "2027-01-01"),
        (Per.MONTH, "2028-02-29T00:00:00+00:00", "2028-02-01", "2028-03-01"),
    ],
)
def test_a_window_begins_at_midnight_of_utc(per: Per, now: str, start: str, end: str) -> None:
    at = datetime.fromisoformat(now)
    assert window_start(per, at) == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert window_end(per, at) == datetime.fromisoformat(end).replace(tzinfo=UTC)


@given(per=st.sampled_from([Per.DAY, Per.MONTH]), now=INSTANTS, hours=st.integers(-12, 14))
def test_every_instant_lies_in_its_window_and_windows_have_no_gaps(per: Per, now: datetime, hours: int) -> None:
    at = now.astimezone(timezone(timedelta(hours=hours)))
    start, end = window_start(per, at), window_end(per, at)
    assert start <= at < end
    assert window_start(per, end) == end
    assert window_start(per, end - timedelta(microseconds=1)) == start


def test_a_ceiling_of_nothing_is_one_all_the_same() -> None:
    assert not Ceiling()
    assert Ceiling(tokens=0)
    assert Ceiling(cost=Money())
