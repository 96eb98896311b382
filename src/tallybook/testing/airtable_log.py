"""What was asked of Airtable: every request, and how many there were of which kind in which second."""

import threading
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime

from tallybook.testing.airtable_limits import SECOND


@dataclass(frozen=True, slots=True)
class Call:
    """One request. *status*: 0 when the connection was broken instead of an answer. *at* by the server's clock.

    *records*: how many of them it was to write. Tokens are not kept.
    """

    number: int
    at: datetime
    method: str
    route: str
    what: str
    base_id: str
    table: str
    records: int
    fault: str
    status: int

    @property
    def ok(self) -> bool:
        return self.status == 200


class CallLog:
    """May be used from any thread. *keep*: so many of the newest, None: all."""

    def __init__(self, keep: int | None = None) -> None:
        self._calls: deque[Call] = deque(maxlen=keep)
        self._lock = threading.Lock()

    def add(self, call: Call) -> None:
        with self._lock:
            self._calls.append(call)

    def clear(self) -> None:
        with self._lock:
            self._calls.clear()

    @property
    def all(self) -> tuple[Call, ...]:
        """In the order in which they were answered."""
        with self._lock:
            return tuple(self._calls)

    def of(self, base_id: str) -> tuple[Call, ...]:
        return tuple(call for call in self.all if call.base_id == base_id)

    def by_kind(self, base_id: str | None = None) -> Counter[str]:
        """How many there were of each; *base_id* None: of all bases together."""
        return Counter(call.what for call in self.all if base_id in (None, call.base_id))

    def most_in_a_second(self, base_id: str | None = None) -> int:
        """Of any second, wherever it begins; *base_id* None: of all bases together."""
        times = sorted(call.at for call in self.all if base_id in (None, call.base_id))
        most = first = 0
        for last, at in enumerate(times):
            while at - times[first] >= SECOND:
                first += 1
            most = max(most, last - first + 1)
        return most
