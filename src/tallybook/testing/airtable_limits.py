"""How much Airtable lets one do: in a second, in a month, and in a base."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tallybook.testing.airtable_wire import billed_out, rate_limited
from tallybook.testing.lookalike_http import Refused

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Limits:
    """None: without end. *base_per_s*: requests about one base; *user_per_s*: all, whichever tokens they come with.

    *penalty_s*: how long all is refused once there was too much in a second. *calls_per_month*: for records, of a
    workspace. *records_per_base*: over all its tables.
    """

    base_per_s: int | None = 5
    user_per_s: int | None = 50
    penalty_s: float = 30.0
    calls_per_month: int | None = None
    records_per_base: int | None = None


FREE = Limits(calls_per_month=1_000, records_per_base=1_000)
TEAM = Limits(calls_per_month=100_000, records_per_base=50_000)
BUSINESS = Limits(records_per_base=125_000)
NO_LIMITS = Limits(None, None)


class _Window:
    """What was let through in the last second, and until when nothing is."""

    def __init__(self) -> None:
        self._let: deque[datetime] = deque()
        self._until: datetime | None = None

    def allows(self, at: datetime, most: int, penalty: timedelta) -> bool:
        if self._until is not None and at < self._until:
            return False
        while self._let and at - self._let[0] >= SECOND:
            self._let.popleft()
        if len(self._let) < most:
            return True
        self._until = at + penalty
        return False

    def let(self, at: datetime) -> None:
        self._let.append(at)


class Gate:
    """Counts what is asked. May be used by one thread at a time."""

    def __init__(self, limits: Limits, now: Callable[[], datetime]) -> None:
        self.limits = limits
        self._now = now
        self._windows: dict[str, _Window] = {}
        self._calls: Counter[tuple[str, int, int]] = Counter()

    def admit(self, base_id: str) -> None:
        """*base_id* empty: it is about none. Raises Refused."""
        at = self._now()
        penalty = timedelta(seconds=self.limits.penalty_s)
        asked = [(base_id, self.limits.base_per_s if base_id else None), ("", self.limits.user_per_s)]
        windows = [(self._windows.setdefault(name, _Window()), most) for name, most in asked if most is not None]
        if not all(window.allows(at, most, penalty) for window, most in windows):
            raise rate_limited()
        for window, _ in windows:
            window.let(at)

    def count(self, workspace_id: str) -> None:
        """One more call for records. Raises Refused when the month's are used up."""
        month = self._month(workspace_id)
        most = self.limits.calls_per_month
        if most is not None and self._calls[month] >= most:
            raise billed_out()
        self._calls[month] += 1

    def calls_this_month(self, workspace_id: str) -> int:
        return self._calls[self._month(workspace_id)]

    def check_room(self, records: int, more: int) -> None:
        """Raises Refused unless *more* records fit into a base that has so many."""
        most = self.limits.records_per_base
        if more and most is not None and records + more > most:
            raise Refused(422, "RECORD_LIMIT_EXCEEDED", f"This base holds {records} records; its plan allows {most}")

    def _month(self, workspace_id: str) -> tuple[str, int, int]:
        at = self._now().astimezone(UTC)
        return workspace_id, at.year, at.month
