"""Runs that somebody listens to. However many listen to a run, it is looked at once, and only while somebody does."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import anyio
import anyio.to_thread

from tallybook.database import Database
from tallybook.domain.client import ClientId
from tallybook.domain.errors import LedgerUnavailable, TallybookError
from tallybook.ledger.read import Event
from tallybook.ledger.snapshot import Glance
from tallybook.ledger.watching import Look, look, settled_up_to
from tallybook.web import frames

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.25
GLANCE_EVERY_S = 0.5
LOOKED_BACK_S = 30.0
"""For how long an event may come to light after one with a larger id."""
LOOKED_BACK_IN_A_RUSH_S = 2.0
MOST_RECENT = 2000
"""More events than that, while we look back, are a rush."""
KEPT_S = 60.0
"""How long it is remembered what was told of a run that nobody listens to any more."""
LOOKS_AT_ONCE = 4
MOST_WAITING = 1000
"""Messages that a listener may be behind before it is sent away; it comes back and goes on where it was."""

Message = tuple[bytes, bool]
"""What is sent, and whether it is the last."""


@dataclass(eq=False)
class Listener:
    """Somebody who follows a run; a tenant sees its own part. None in the queue: there is no more."""

    tenant: ClientId | None = None
    queue: "asyncio.Queue[Message | None]" = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    told_all: bool = False

    def tell(self, frame: bytes | None, *, last: bool = False) -> None:
        if frame is None:
            return
        if self.queue.full():
            self.send_away()
        else:
            self.queue.put_nowait((frame, last))
            self.told_all = last

    def send_away(self) -> None:
        """At once, whatever still waits: it can come back and go on. Not when it was told that this is the end."""
        if self.told_all:
            return
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


@dataclass(frozen=True)
class Joined:
    """Where a listener begins: events up to *settled* are to be read from the books, *recent* ones come next, then the
    run at a *glance*. What is new from then on is in its queue.

    *recent*: in the order in which they came to light, which need not be that of their ids.
    """

    settled: int
    recent: Sequence[Event]
    glance: Glance

    def recent_after(self, event_id: int) -> Sequence[Event]:
        """What whoever was last sent *event_id* has not seen: all that came to light after it, be its id smaller."""
        order = [each.event_id for each in self.recent]
        if event_id in order:
            unseen = self.recent[order.index(event_id) + 1 :]
        else:
            unseen = [each for each in self.recent if each.event_id > event_id]
        return sorted(unseen, key=lambda each: each.event_id)


class Watch:
    """One run. For the event loop's thread alone; it looks in others."""

    def __init__(
        self, database: Database, run_id: str, limiter: anyio.CapacityLimiter, leaving: Callable[[], bool]
    ) -> None:
        self._database = database
        self._run_id = run_id
        self._limiter = limiter
        self._leaving = leaving
        self._listeners: set[Listener] = set()
        self._wanted = 0
        self._left_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._joining: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._settled = 0
        self._recent: dict[int, tuple[Event, float]] = {}
        self._newest: Glance | None = None
        self._told: Glance | None = None
        self._told_at = 0.0

    @property
    def forgettable(self) -> bool:
        return not self._wanted and time.monotonic() - self._left_at > KEPT_S

    async def join(self, listener: Listener) -> Joined:
        """Whoever has joined must leave. What it begins with is as of now. Raises NotFound, LedgerUnavailable."""
        looked = asyncio.get_running_loop().create_future()
        self._joining.append(looked)
        self._wanted += 1
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"watch {self._run_id}")
        try:
            await looked
        except BaseException:
            self._left()
            raise
        self._listeners.add(listener)
        assert self._newest is not None, "somebody has looked"
        return Joined(self._settled, [event for event, _ in self._recent.values()], self._newest)

    def leave(self, listener: Listener) -> None:
        self._listeners.remove(listener)
        self._left()

    def _left(self) -> None:
        self._wanted -= 1
        self._left_at = time.monotonic()

    # -- looking

    async def _run(self) -> None:
        try:
            while self._wanted and not self._leaving() and await self._go_on():
                await self._pause()
        finally:
            for each in self._listeners:
                each.send_away()
            _fail(self._joining, LedgerUnavailable("the server was told to stop; ask again in a moment"))

    async def _go_on(self) -> bool:
        """Look once. False: everything was told, and there will be no more."""
        joining, self._joining = self._joining, []
        self._wake.clear()
        was_over = self._over
        try:
            found = await self._look(at_all=bool(joining) or time.monotonic() - self._told_at >= GLANCE_EVERY_S)
        except TallybookError as error:
            _fail(joining, error)
            if not self._leaving():
                log.warning("run %s cannot be watched just now: %s", self._run_id, error)
            return isinstance(error, LedgerUnavailable)
        self._take(found)
        for each in joining:
            if not each.done():
                each.set_result(None)
        return not (was_over and not found.new and self._end())

    def _end(self) -> bool:
        """Tell it to all who listen. False: somebody is about to."""
        assert self._newest is not None, "somebody has looked"
        self._tell_status(self._newest)
        for each in list(self._listeners):
            each.tell(frames.of_end(self._newest), last=True)
        return self._wanted == len(self._listeners)

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), LOOK_EVERY_S)

    async def _look(self, *, at_all: bool) -> Look:
        """Raises LedgerUnavailable, also where the server leaves meanwhile, and NotFound."""
        first = self._newest is None
        looking = partial(_look, self._database, self._run_id, self._settled, self._recent, first=first, at_all=at_all)
        task = asyncio.ensure_future(anyio.to_thread.run_sync(looking, abandon_on_cancel=True, limiter=self._limiter))
        while not task.done():
            await asyncio.wait({task}, timeout=LOOK_EVERY_S)
            if self._leaving() and not task.done():
                task.cancel()
                raise LedgerUnavailable("the server was told to stop")
        self._settled, found = task.result()
        return found

    @property
    def _over(self) -> bool:
        return self._newest is not None and self._newest.status.terminal

    # -- telling

    def _take(self, found: Look) -> None:
        now = time.monotonic()
        self._recent |= {event.event_id: (event, now) for event in found.new}
        for event in found.new:
            self._tell(partial(frames.of_event, event))
        self._newest = found.glance or self._newest
        if found.glance is not None and now - self._told_at >= GLANCE_EVERY_S:
            self._tell_status(found.glance)
        self._forget(now)

    def _tell_status(self, now: Glance) -> None:
        if now != self._told:
            self._tell(partial(frames.of_status, now, before=self._told))
            self._told, self._told_at = now, time.monotonic()

    def _tell(self, frame_for: Callable[[ClientId | None], bytes | None]) -> None:
        """Each tenant's frame is made once."""
        made = {tenant: frame_for(tenant) for tenant in {each.tenant for each in self._listeners}}
        for each in self._listeners:
            each.tell(made[each.tenant])

    def _forget(self, now: float) -> None:
        back_s = LOOKED_BACK_S if len(self._recent) <= MOST_RECENT else LOOKED_BACK_IN_A_RUSH_S
        old = [event_id for event_id, (_, seen_at) in self._recent.items() if seen_at < now - back_s]
        if old:
            self._settled = max(self._settled, *old)
            self._recent = {event_id: each for event_id, each in self._recent.items() if event_id > self._settled}


def _look(
    database: Database, run_id: str, settled: int, known: Collection[int], *, first: bool, at_all: bool
) -> tuple[int, Look]:
    if first:
        settled = settled_up_to(database, run_id)
    return settled, look(database, run_id, behind=settled, known=known, at_all=at_all)


def _fail(waiting: Iterable["asyncio.Future[None]"], error: TallybookError) -> None:
    for each in waiting:
        if not each.done():
            each.set_exception(error)


class Watches:
    """Every run that somebody listens to, of one server."""

    def __init__(self, database: Database, leaving: Callable[[], bool]) -> None:
        self.database = database
        self._leaving = leaving
        self._limiter = anyio.CapacityLimiter(LOOKS_AT_ONCE)
        self._watches: dict[str, Watch] = {}

    def of(self, run_id: str) -> Watch:
        self._watches = {known: each for known, each in self._watches.items() if not each.forgettable}
        if run_id not in self._watches:
            self._watches[run_id] = Watch(self.database, run_id, self._limiter, self._leaving)
        return self._watches[run_id]
