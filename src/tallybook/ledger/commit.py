"""Group commit: one writer per process; what waits together shares a transaction and its fsync."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from tallybook.database import Clock, Database, Tx, Writer, driver_errors
from tallybook.domain.errors import LedgerUnavailable, TallybookError

T = TypeVar("T")
MOST_TOGETHER = 256
CLOSE_S = 30.0

Work = Callable[[Tx], Any]
_OF_A_PIECE: tuple[type[Exception], ...] = (TallybookError, ValueError, TypeError, LookupError, ArithmeticError)
"""What one piece's input can cause; such an error goes to its caller and leaves the writer alive."""


@dataclass(slots=True)
class _Item:
    work: Work
    future: "Future[Any]" = field(default_factory=Future)
    result: Any = None


class GroupCommit:
    """Runs pieces of work, each on the open transaction, and answers once they are durable.

    A piece must be safe to run twice: when one of a group fails, the group is rolled back and each runs alone.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._writer = Writer(database, clock)
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._dead: BaseException | None = None

    def submit(self, work: Callable[[Tx], T]) -> "Future[T]":
        """The work's result, once committed. Pieces are committed in the order in which they were submitted."""
        item = _Item(work)
        item.future.set_running_or_notify_cancel()  # what was submitted is committed, whoever stops waiting for it
        with self._lock:
            self._ensure_thread()
            self._queue.put(item)
        return item.future

    def do(self, work: Callable[[Tx], T]) -> T:
        """Run *work*, wait until it is durable. Raises what it raised, or LedgerUnavailable."""
        return self.submit(work).result()

    async def wait(self, work: Callable[[Tx], T]) -> T:
        """`do` for a coroutine."""
        return await asyncio.shield(asyncio.wrap_future(self.submit(work)))

    def close(self) -> None:
        """Commit what was submitted and end the writer. The next submit starts another."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._queue.put(None)
        if thread is not None:
            thread.join(CLOSE_S)

    def _ensure_thread(self) -> None:
        if self._dead is not None:
            raise LedgerUnavailable(f"the ledger's writer has died: {self._dead!r}; start the process again")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tallybook-writer", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        group: list[_Item] = []
        try:
            while group := self._next_group():
                self._commit(group)
        except BaseException as error:
            self._die(error, group)
            raise
        finally:
            self._writer.close()

    def _next_group(self) -> list[_Item]:
        """Everything that waits, at least one; empty when the writer is to end."""
        first = self._queue.get()
        if first is None:
            return []
        group = [first]
        while len(group) < MOST_TOGETHER:
            try:
                item = self._queue.get_nowait()
            except Empty:
                break
            if item is None:
                self._queue.put(None)
                break
            group.append(item)
        return group

    def _commit(self, group: Sequence[_Item]) -> None:
        try:
            self._run_together(group)
        except _OF_A_PIECE + driver_errors() as error:
            if len(group) == 1:
                group[0].future.set_exception(_told(error, self._database.shown))
                return
            for item in group:
                self._commit([item])
            return
        for item in group:
            item.future.set_result(item.result)

    def _run_together(self, group: Sequence[_Item]) -> None:
        with self._writer.transaction() as tx:
            for item in group:
                item.result = item.work(tx)

    def _die(self, error: BaseException, group: Sequence[_Item]) -> None:
        """Nobody may wait for a writer that is gone."""
        with self._lock:
            self._dead = error
            waiting = list(group)
            while not self._queue.empty():
                item = self._queue.get()
                if item is not None:
                    waiting.append(item)
        for item in waiting:
            if not item.future.done():
                item.future.set_exception(LedgerUnavailable(f"the ledger's writer has died: {error!r}"))


def _told(error: Exception, where: str) -> Exception:
    if isinstance(error, _OF_A_PIECE):
        return error
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    told = LedgerUnavailable(f"the ledger {where} cannot be written: {text}")
    told.__cause__ = error
    return told
