"""The gate every paid call of a process goes through: its minute, its client's minute, its budget, its row."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from tallybook.domain.client import ClientId
from tallybook.domain.errors import ProviderStop
from tallybook.domain.ports import UNKNOWN
from tallybook.domain.tally import Estimate, Usage
from tallybook.engine.permits import Place
from tallybook.ledger.meter import CallMeter

MINUTE_S = 60.0
AGAIN_AFTER_S = 0.1


class Minute:
    """Gives out instants so that at most *most* of them lie in any minute; None: as many as are asked for."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._given: deque[float] = deque()

    def next(self, now: float) -> float:
        """The earliest instant from *now* on that may be given out."""
        if self._most is None or len(self._given) < self._most:
            return now
        return max(now, self._given[0] + MINUTE_S)

    def give(self, at: float) -> None:
        if self._most is None:
            return
        self._given.append(at)
        if len(self._given) > self._most:
            self._given.popleft()


class Pace:
    """Requests per minute of a process: of each provider, and of each client at a provider. First come, first served;
    who comes first is decided by `Permits`, fairly.
    """

    def __init__(
        self, per_minute: int | None, per_minute_each: int | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_minute = per_minute
        self._per_minute_each = per_minute_each
        self._clock = clock
        self._providers: dict[str, Minute] = {}
        self._clients: dict[tuple[str, ClientId], Minute] = {}

    def turn_in_s(self, provider: str, client_id: ClientId) -> float:
        """Take the next turn; it comes in so many seconds."""
        if self._per_minute is None and self._per_minute_each is None:
            return 0.0
        of_all = self._providers.setdefault(provider, Minute(self._per_minute))
        of_client = self._clients.setdefault((provider, client_id), Minute(self._per_minute_each))
        now = self._clock()
        at = max(of_all.next(now), of_client.next(now))
        of_all.give(at)
        of_client.give(at)
        return at - now


class ChunkMeter:
    """`ports.Meter` for one chunk. *calls*: a permit for each call that may be made at once. *stopped*: why nothing is
    to be asked any more, when another chunk has found out.
    """

    def __init__(
        self,
        book: CallMeter,
        place: Place,
        pace: Pace,
        calls: asyncio.Semaphore,
        stopped: Callable[[], ProviderStop | None] = lambda: None,
    ) -> None:
        self._book = book
        self._place = place
        self._pace = pace
        self._calls = calls
        self._stopped = stopped
        self._under_way: set[str] = set()

    async def start(self, *, provider: str, model: str, attempt: int = 1, estimate: Estimate = UNKNOWN) -> str:
        turn_in_s = self._pace.turn_in_s(provider, self._place.client_id)
        if turn_in_s:
            await self.pause(turn_in_s)
        while True:
            call_id = await self._book.start(provider=provider, model=model, attempt=attempt, estimate=estimate)
            if call_id is not None:
                return await self._let_through(call_id)
            await self.pause(AGAIN_AFTER_S)

    async def _let_through(self, call_id: str) -> str:
        """The row is durable before the call has a permit: no permit is held while the disk is waited for."""
        try:
            await self._calls.acquire()
        except asyncio.CancelledError:
            self._never_made(call_id)
            raise
        stop = self._stopped()
        if stop is not None:
            self._calls.release()
            self._never_made(call_id)
            raise stop
        self._under_way.add(call_id)
        return call_id

    def _never_made(self, call_id: str) -> None:
        self._book.settle(call_id, result="canceled", usage=Usage(), refused=True)

    def settle(self, call_id: str, *, result: str, usage: Usage, refused: bool = False) -> None:
        if call_id in self._under_way:
            self._under_way.discard(call_id)
            self._calls.release()
        self._book.settle(call_id, result=result, usage=usage, refused=refused)

    async def pause(self, seconds: float) -> None:
        self._place.give_up()
        await asyncio.sleep(seconds)
        await self._place.take()

    def note(self, kind: str, text: str) -> None:
        self._book.note(kind, text)

    def close(self) -> None:
        """The chunk is over: the permit of a call that a plug forgot to settle is free again."""
        while self._under_way:
            self._under_way.pop()
            self._calls.release()
