"""How often Airtable is asked. It allows 5 requests a second for each base, 50 for each token, and so many in a month.

Whoever is too fast is refused everything for 30 seconds; whoever has used up the month, until it turns.
"""

import hashlib
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

from tallybook.airtable.errors import MonthUsedUp, Resting
from tallybook.airtable.lanes import Lane, Lanes, Scope, Spent, wait_for_turn

REST_S = 30.0
JITTER_S = 3.0
"""Several who were refused in the same instant do not come back in the same instant."""
SHORTEST_SLEEP_S = 0.001


def utc_now() -> datetime:
    return datetime.now(UTC)


def month_turns(at: datetime) -> datetime:
    """The first instant of the next month, UTC."""
    at = at.astimezone(UTC)
    year, month = (at.year + 1, 1) if at.month == 12 else (at.year, at.month + 1)
    return datetime(year, month, 1, tzinfo=UTC)


class Pace:
    """Lets requests with one token through. For any number of threads; *lanes* say among whom the pace is shared.

    *today*: the clock by which months turn. *drawn*: a number from 0 to 1.
    """

    def __init__(
        self,
        lanes: Lanes,
        token: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        today: Callable[[], datetime] = utc_now,
        drawn: Callable[[], float] = random.random,
    ) -> None:
        self._lanes = lanes
        self._token = f"token:{hashlib.sha256(token.encode()).hexdigest()[:16]}"
        self._sleep = sleep
        self._today = today
        self._drawn = drawn

    def wait(self, base_id: str, patience_s: float) -> None:
        """Returns when one request about the base (empty: about none) may be sent.

        Raises Resting when that would take longer than *patience_s*, and MonthUsedUp.
        """
        places: list[float] = []
        until: float | None = None
        while True:
            with self._lanes.open(self._scopes(base_id)) as (lanes, now):
                self._refuse_when_used_up(base_id, lanes[0])
                until = now + patience_s if until is None else until
                left = until - now
                wait_s = wait_for_turn(lanes, places, now, left)
            if not wait_s:
                return
            if wait_s > left:
                raise self._resting(base_id, wait_s)
            self._sleep(max(wait_s, SHORTEST_SLEEP_S))

    def too_fast(self, base_id: str) -> float:
        """Airtable has said so: the base, or without one the token, rests. For how many seconds."""
        rest_s = REST_S + JITTER_S * self._drawn()
        with self._lanes.open([self._own(base_id)]) as (lanes, now):
            lanes[0].rest(now, now + rest_s)
        return rest_s

    def used_up(self, base_id: str) -> MonthUsedUp:
        """Airtable has said so: until the month turns nothing more is asked."""
        with self._lanes.open([self._own(base_id)]) as (lanes, _):
            if lanes[0].spent is None:
                now = self._today()
                lanes[0].spent = Spent(now, month_turns(now))
            return _month_used_up(base_id, lanes[0].spent)

    def ask_again(self, base_id: str) -> None:
        """Forget that the month was used up: somebody has changed the plan."""
        with self._lanes.open([self._own(base_id)]) as (lanes, _):
            lanes[0].spent = None

    def _own(self, base_id: str) -> Scope:
        return f"base:{base_id}" if base_id else self._token

    def _scopes(self, base_id: str) -> list[Scope]:
        return [f"base:{base_id}", self._token] if base_id else [self._token]

    def _refuse_when_used_up(self, base_id: str, lane: Lane) -> None:
        if lane.spent is None:
            return
        if self._today() < lane.spent.until:
            raise _month_used_up(base_id, lane.spent)
        lane.spent = None

    def _resting(self, base_id: str, wait_s: float) -> Resting:
        text = f"{_named(base_id)} is not asked for another {wait_s:.0f} s, to keep to Airtable's pace; try again then"
        return Resting(text, retry_after_s=wait_s)


def _named(base_id: str) -> str:
    return f"base {base_id}" if base_id else "Airtable"


def _month_used_up(base_id: str, spent: Spent) -> MonthUsedUp:
    text = (
        f"the requests that Airtable allows for {_named(base_id)} in a month have been used up since "
        f"{spent.since:%Y-%m-%d %H:%M} UTC; nothing is asked until {spent.until:%Y-%m-%d %H:%M} UTC, unless the plan "
        "is changed"
    )
    return MonthUsedUp(text, since=spent.since, until=spent.until)
