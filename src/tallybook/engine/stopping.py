"""Stopping what is in flight: every client run being worked on in this process can be told, and lets go at once."""

import asyncio
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tallybook.domain.errors import ProviderStop
from tallybook.domain.run import Stop
from tallybook.ledger.keys import ClientKey

CLIENT_TIMEOUT = "client_timeout"


@dataclass(eq=False)
class ClientWork:
    """A client run in the hands of this process. *stop* set: it was told; *handing_back*: the process shuts down.

    *wake_at*: when it is to go on by itself. *waiting*: it was let go of, for external runs. *idle_before_s*: how long
    its client had been kept waiting before.
    """

    key: ClientKey
    deadline: float
    stop: Stop | None = None
    reason: str = ""
    wake_at: datetime | None = None
    handing_back: bool = False
    gently: bool = False
    waiting: bool = False
    idle_before_s: float = 0.0
    _tasks: "set[asyncio.Task[Any]]" = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def told(self) -> bool:
        return self.stop is not None or self.handing_back

    @property
    def winding_down(self) -> ProviderStop | None:
        """Told gently: why no further question is to be put."""
        if not self.gently:
            return None
        return ProviderStop("told to ask no more", reason="quota", blocked_reason=self.reason)

    def tell(self, stop: Stop | None, reason: str, wake_at: datetime | None = None, *, gently: bool = False) -> None:
        """Stop the calls in flight. *stop* None: hand the client run back. *gently*: they are waited for, since what
        they are asked was paid for; but nothing more is asked.
        """
        with self._lock:
            harder = stop is Stop.CANCEL or (self.gently and not gently)
            if self.told and not harder:
                return
            self.stop, self.reason, self.wake_at, self.handing_back = stop, reason, wake_at, stop is None
            self.gently = gently
            tasks = [] if gently else list(self._tasks)
        for task in tasks:
            task.get_loop().call_soon_threadsafe(task.cancel)

    def run(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> "Future[None]":
        """Run *work* in *loop* so that `tell` reaches it. Done only when all of it has let go, told or not."""
        return asyncio.run_coroutine_threadsafe(self._reachable(work), loop)

    async def _reachable(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        with self._lock:
            self._tasks.add(task)
            told = self.told and not self.gently
        if told:
            task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            if not self.told:
                raise
        finally:
            with self._lock:
                self._tasks.discard(task)


class Registry:
    """The client runs in the hands of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._works: dict[ClientKey, ClientWork] = {}

    def enter(self, key: ClientKey, timeout_s: float, idle_before_s: float = 0.0) -> ClientWork:
        work = ClientWork(key, time.monotonic() + timeout_s, idle_before_s=idle_before_s)
        with self._lock:
            self._works[key] = work
        return work

    def leave(self, work: ClientWork) -> None:
        with self._lock:
            if self._works.get(work.key) is work:
                del self._works[work.key]

    def all(self) -> list[ClientWork]:
        with self._lock:
            return list(self._works.values())
