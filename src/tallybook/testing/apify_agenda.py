"""Things that are to be done at a time: runs that end, webhooks that are tried again."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(order=True, slots=True)
class Entry:
    """One thing to do. Of two that are due at the same time the earlier entry goes first."""

    due_s: float
    number: int
    do: Callable[[], None] = field(compare=False)


class Agenda:
    """Does each thing at its time, in a thread of its own. May be used from any thread."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._numbers = itertools.count()
        self._being_done = 0
        self._closed = False
        self._changed = threading.Condition()

    def start(self) -> None:
        threading.Thread(target=self._keep, name="look-alike agenda", daemon=True).start()

    def after(self, delay_s: float, do: Callable[[], None]) -> Entry:
        entry = Entry(time.monotonic() + delay_s, next(self._numbers), do)
        with self._changed:
            heapq.heappush(self._entries, entry)
            self._changed.notify_all()
        return entry

    def cancel(self, entry: Entry) -> None:
        """Nothing, when it is done or being done."""
        with self._changed:
            if entry in self._entries:
                self._entries.remove(entry)
                heapq.heapify(self._entries)
                self._changed.notify_all()

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Nothing is to be done, and nothing being done. False when there still is after all."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._entries and not self._being_done, timeout_s)

    def close(self) -> None:
        """What is not yet due is never done; what is being done is not waited for."""
        with self._changed:
            self._closed = True
            self._entries.clear()
            self._changed.notify_all()

    def _keep(self) -> None:
        while (entry := self._next()) is not None:
            threading.Thread(target=self._do, args=(entry,), name="look-alike task", daemon=True).start()

    def _next(self) -> Entry | None:
        """Waits for it; None at the end."""
        with self._changed:
            while not self._closed:
                wait_s = self._entries[0].due_s - time.monotonic() if self._entries else None
                if wait_s is not None and wait_s <= 0:
                    self._being_done += 1
                    return heapq.heappop(self._entries)
                self._changed.wait(wait_s)
        return None

    def _do(self, entry: Entry) -> None:
        try:
            entry.do()
        finally:
            with self._changed:
                self._being_done -= 1
                self._changed.notify_all()
