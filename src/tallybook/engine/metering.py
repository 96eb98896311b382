"""The gate every paid call of a process goes through: its minute, its client's minute, its budget, its row."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tallybook.domain.client import ClientId
from tallybook.domain.errors import NoRoom, ProviderStop
from tallybook.domain.ports import UNKNOWN
from tallybook.domain.tally import NO_USAGE, Estimate, Usage
from tallybook.engine.permits import Place
from tallybook.ledger.meter import NOT_MADE, CallMeter

MINUTE_S = 60.0
AGAIN_AFTER_S = 0.1
LOOK_EVERY_S = 0.5


class Window:
    """So many calls at the most are let through in any minute; None: as many as come."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._let_through: deque[float] = deque()
        self._promised = 0

    def wait_s(self, now: float) -> float:
        """0 when one more may be promised; else for how long none can be."""
        while self._let_through and self._let_through[0] <= now - MINUTE_S:
            self._let_through.popleft()
        if self._most is None or self._promised + len(self._let_through) < self._most:
            return 0.0
        return self._let_through[0] + MINUTE_S - now if self._let_through else MINUTE_S

    def promise(self) -> None:
        self._promised += 1

    def settle(self, let_through_at: float | None) -> None:
        """What was promised was let through at this instant; None: it was not needed after all."""
        self._promised -= 1
        if let_through_at is not None and self._most is not None:
            self._let_through.append(let_through_at)


class RateLimiter:
    """Requests per minute of a process: at each provider, and of each client there. Nothing is given out in advance:
    who waits asks again, and who asks first is decided by `Permits`, fairly.
    """

    def __init__(
        self, per_minute: int | None, per_minute_each: int | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_minute = per_minute
        self._per_minute_each = per_minute_each
        self._clock = clock
        self._windows: dict[tuple[str, ClientId | None], Window] = {}

    def turn(self, provider: str, client_id: ClientId) -> "Turn | float":
        """A turn, to be settled; or the seconds after which to ask again."""
        windows = (
            self._window((provider, None), self._per_minute),
            self._window((provider, client_id), self._per_minute_each),
        )
        wait_s = max(each.wait_s(self._clock()) for each in windows)
        if wait_s:
            return wait_s
        for each in windows:
            each.promise()
        return Turn(windows, self._clock)

    def _window(self, key: tuple[str, ClientId | None], most: int | None) -> Window:
        return self._windows.setdefault(key, Window(most))


@dataclass(frozen=True)
class Turn:
    """The promise of one request. It counts from now on until it is a minute old, or was dropped."""

    windows: Sequence[Window]
    clock: Callable[[], float]

    def settle(self, let_through: bool) -> None:
        for each in self.windows:
            each.settle(self.clock() if let_through else None)


class ChunkMeter:
    """`ports.Meter` for one chunk. *calls*: a permit for each call that may be made at once. *stopped*: why nothing is
    to be asked any more, when somebody else has found out.
    """

    def __init__(
        self,
        book: CallMeter,
        place: Place,
        limiter: RateLimiter,
        calls: asyncio.Semaphore,
        stopped: Callable[[], ProviderStop | None] = lambda: None,
    ) -> None:
        self._book = book
        self._place = place
        self._limiter = limiter
        self._calls = calls
        self._stopped = stopped
        self._under_way: set[str] = set()

    async def start(
        self, *, provider: str, model: str, attempt: int = 1, estimate: Estimate = UNKNOWN, patient: bool = True
    ) -> str:
        while True:
            turn = await self._turn(provider)
            let_through = False
            try:
                call_id = await self._book.start(provider=provider, model=model, attempt=attempt, estimate=estimate)
                if call_id is not None:
                    await self._let_through(call_id)
                    let_through = True
                    return call_id
            finally:
                turn.settle(let_through)
            if not patient:
                raise NoRoom("what is left of the budget is set aside for calls in flight")
            await self.pause(AGAIN_AFTER_S)

    async def _turn(self, provider: str) -> Turn:
        """Waits for one, without a place. Raises ProviderStop as soon as somebody has found out that asking is over."""
        while True:
            self._go_on()
            turn = self._limiter.turn(provider, self._place.client_id)
            if isinstance(turn, Turn):
                return turn
            await self.pause(min(turn, LOOK_EVERY_S))

    def _go_on(self) -> None:
        stop = self._stopped()
        if stop is not None:
            raise stop

    async def _let_through(self, call_id: str) -> None:
        """The row is durable before the call has a permit: no permit is held while the disk is waited for."""
        try:
            await self._calls.acquire()
        except asyncio.CancelledError:
            self._not_made(call_id)
            raise
        self._under_way.add(call_id)
        try:
            self._go_on()
        except ProviderStop:
            self._under_way.discard(call_id)
            self._calls.release()
            self._not_made(call_id)
            raise

    def _not_made(self, call_id: str) -> None:
        self._book.settle(call_id, result=NOT_MADE, usage=NO_USAGE)

    def settle(self, call_id: str, *, result: str, usage: Usage, refused: bool = False) -> None:
        if call_id in self._under_way:
            self._under_way.discard(call_id)
            self._calls.release()
        self._book.settle(call_id, result=result, usage=usage, refused=refused)

    async def pause(self, seconds: float) -> None:
        self._place.lend()
        await asyncio.sleep(seconds)
        await self._place.take()

    def note(self, kind: str, text: str) -> None:
        self._book.note(kind, text)

    def close(self) -> None:
        """The chunk is over: the permit of a call that a plug forgot to settle is free again."""
        while self._under_way:
            self._under_way.pop()
            self._calls.release()
