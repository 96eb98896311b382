"""How many chunks a process works on at once, shared fairly: whoever has fewest in hand is served first."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tallybook.domain.client import ClientId


class Permits:
    """At most *most* at once, and at most *most_each* of one client. Belongs to one event loop.

    Among clients that wait, the one that holds fewest is next, then the one that was served longest ago: a client
    with a hundred chunks holds up nobody who has one.
    """

    def __init__(self, most: int, most_each: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = most
        self._most_each = min(most, most_each or most)
        self._held: dict[ClientId, int] = {}
        self._waiting: dict[ClientId, deque[asyncio.Future[None]]] = {}
        self._clock = clock
        self._away: Counter[ClientId] = Counter()
        self._idle_since: dict[ClientId, float] = {}
        self._idle_s: dict[ClientId, float] = {}

    def idle_s(self, client_id: ClientId) -> float:
        """For how long, in all, none of the client's chunks had a place though some wanted one. To be asked from any
        thread.
        """
        since = self._idle_since.get(client_id)
        return self._idle_s.get(client_id, 0.0) + (0.0 if since is None else self._clock() - since)

    @asynccontextmanager
    async def held(self, client_id: ClientId) -> "AsyncIterator[Place]":
        place = Place(self, client_id)
        await place.take()
        try:
            yield place
        finally:
            place.leave()

    async def take(self, client_id: ClientId) -> None:
        if self._free and self._may_have_more(client_id) and client_id not in self._waiting:
            self._grant(client_id)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client_id, deque()).append(turn)
        self._mark(client_id)
        try:
            await turn
        except asyncio.CancelledError:
            self._leave(client_id, turn)
            raise

    def give_back(self, client_id: ClientId) -> None:
        self._free += 1
        self._held[client_id] -= 1
        if not self._held[client_id]:
            del self._held[client_id]
        self._mark(client_id)
        self._serve()

    def go_away(self, client_id: ClientId, by: int) -> None:
        """So many more, or fewer, of its chunks do without a place for a while."""
        self._away[client_id] += by
        self._mark(client_id)

    def _mark(self, client_id: ClientId) -> None:
        """Its idle time begins or ends here."""
        wanting = client_id in self._waiting or self._away[client_id] > 0
        if wanting and client_id not in self._held:
            self._idle_since.setdefault(client_id, self._clock())
        elif client_id in self._idle_since:
            idle_s = self._clock() - self._idle_since.pop(client_id)
            self._idle_s[client_id] = self._idle_s.get(client_id, 0.0) + idle_s

    def _may_have_more(self, client_id: ClientId) -> bool:
        return self._held.get(client_id, 0) < self._most_each

    def _grant(self, client_id: ClientId) -> None:
        self._free -= 1
        self._held[client_id] = self._held.get(client_id, 0) + 1
        self._mark(client_id)

    def _leave(self, client_id: ClientId, turn: "asyncio.Future[None]") -> None:
        """Canceled while it waited, or in the moment in which it was served."""
        if not turn.cancelled():
            self.give_back(client_id)
            return
        turns = self._waiting[client_id]
        turns.remove(turn)
        if not turns:
            del self._waiting[client_id]
        self._mark(client_id)
        self._serve()  # somebody may have come to wait behind it while a place was free

    def _serve(self) -> None:
        """Serve one who waits. Those who were canceled just now, and have not left yet, are passed over."""
        ready = {
            client_id: turn
            for client_id, turns in self._waiting.items()
            if self._may_have_more(client_id) and (turn := _first_uncanceled(turns))
        }
        if not self._free or not ready:
            return
        client_id = min(ready, key=lambda each: self._held.get(each, 0))
        turn, turns = ready[client_id], self._waiting.pop(client_id)
        turns.remove(turn)
        self._grant(client_id)
        turn.set_result(None)
        if turns:
            self._waiting[client_id] = turns  # behind the others


def _first_uncanceled(turns: "Iterable[asyncio.Future[None]]") -> "asyncio.Future[None] | None":
    return next((turn for turn in turns if not turn.cancelled()), None)


@dataclass(eq=False)
class Place:
    """One of the places of a client, which may be lent for a while."""

    permits: Permits
    client_id: ClientId
    held: bool = False
    lent: bool = False

    async def take(self) -> None:
        try:
            await self.permits.take(self.client_id)
            self.held = True
        finally:
            self._back()

    def lend(self) -> None:
        """Somebody else may have it until it is taken again."""
        self.lent = True
        self.permits.go_away(self.client_id, 1)
        self.give_up()

    def give_up(self) -> None:
        if self.held:
            self.held = False
            self.permits.give_back(self.client_id)

    def leave(self) -> None:
        """For good."""
        self._back()
        self.give_up()

    def _back(self) -> None:
        if self.lent:
            self.lent = False
            self.permits.go_away(self.client_id, -1)
