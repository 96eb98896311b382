"""Wakes the queue's thread at once instead of at its next poll, and tells it how many places this process has free.

DBOS has no door for either. Its queue thread sleeps on its stop event, so that event gets a `wait` that also returns,
saying "not stopped", when somebody called `wake`. How many workflows a process may run stands in a row that all
processes share, so ours stands in the count of what runs here. Seen with dbos 3.4, whose version is pinned; without
these names the queue still polls.
"""

import importlib
import threading
import time
from typing import Any

GATHER_S = 0.003
"""Ends and enqueues of the same moment share one claim; measured to save a quarter of the CPU."""
MOST_AT_ONCE = 1_000
"""What the shared row allows every process."""


class WakeEvent(threading.Event):
    """A stop event whose waiters can be woken without being stopped."""

    _round: int
    _seen: dict[int, int]
    _unlisted: bool
    _cond: threading.Condition
    _flag: bool

    def adopt(self) -> None:
        """Called once on an event that was made as a plain one."""
        self._round = 0
        self._seen = {}
        self._unlisted = False

    def list_queues(self) -> None:
        """Have the thread that lists queues look at once; it looks every second otherwise."""
        with self._cond:
            self._unlisted = True
            self._cond.notify_all()

    def wake(self) -> None:
        with self._cond:
            self._round += 1
            self._cond.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        if threading.current_thread().name.endswith("_dbos_internal_queue"):
            return self._wait_to_list(timeout)
        woken = self._wait_for_round(timeout)
        if woken and not self._flag:
            time.sleep(GATHER_S)
        with self._cond:
            self._seen[threading.get_ident()] = self._round
        return self._flag

    def _wait_to_list(self, timeout: float | None) -> bool:
        with self._cond:
            self._cond.wait_for(lambda: self._flag or self._unlisted, timeout)
            self._unlisted = False
            return self._flag

    def _wait_for_round(self, timeout: float | None) -> bool:
        me = threading.get_ident()
        with self._cond:
            return bool(self._cond.wait_for(lambda: self._flag or self._seen.get(me, 0) != self._round, timeout))


class _Process:
    """DBOS is one per process, and so is the event its queue thread sleeps on."""

    event: WakeEvent | None = None


def wake() -> None:
    """Something was enqueued, or a place became free."""
    if _Process.event is not None:
        _Process.event.wake()


def list_queues() -> None:
    """The queue was just declared, maybe for the first time in this database."""
    if _Process.event is not None:
        _Process.event.list_queues()


def install() -> None:
    """Have DBOS start its queue thread with an event that can be woken. Doing it twice changes nothing."""
    inside: Any = importlib.import_module("dbos._dbos")
    original = inside.queue_thread
    if getattr(original, "wakes", False):
        return

    def queue_thread(stop_event: threading.Event, dbos: Any) -> None:
        stop_event.__class__ = WakeEvent
        assert isinstance(stop_event, WakeEvent)
        stop_event.adopt()
        _Process.event = stop_event
        original(stop_event, dbos)

    inside.queue_thread = queue_thread
    inside.queue_thread.wakes = True


def places(dbos: Any, at_once: int) -> Any:
    """Let *dbos* run *at_once* workflows; one that ends frees its place at once. `open` False: none are claimed."""
    from dbos._core import ActiveWorkflowById

    class Places(ActiveWorkflowById):
        open = True

        def count_for_queue(self, queue_name: str) -> int:
            return super().count_for_queue(queue_name) + MOST_AT_ONCE - (at_once if self.open else 0)

        def _remove(self, key: Any, bucket: Any) -> None:
            super()._remove(key, bucket)
            wake()

    dbos._active_workflows_set = Places()
    return dbos._active_workflows_set
