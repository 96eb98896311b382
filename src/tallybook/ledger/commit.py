"""Group commit: one writer per process; what waits together shares a transaction and its fsync."""

import random
import threading
import time
from asyncio import wrap_future
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from tallybook.database import ODD_VALUES, Clock, Database, Trouble, Tx, Writer, driver_errors, told_as_ours, trouble_of
from tallybook.domain.errors import TallybookError, WriterDied

T = TypeVar("T")
MOST_TOGETHER = 256
CLOSE_S = 30.0
TRIES = {Trouble.CONTENTION: 8, Trouble.LOST: 3}
"""How often what failed through no fault of its own is tried."""
PAUSE_S = 0.02

Work = Callable[[Tx], Any]
_OF_A_PIECE: tuple[type[Exception], ...] = (
    TallybookError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError,
)  # fmt: skip
"""What one piece's input, or a mistake in its code, can cause: it goes to its caller and leaves the writer alive."""


@dataclass(slots=True)
class _Item:
    work: Work
    future: "Future[Any]" = field(default_factory=Future)
    result: Any = None


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a group was rolled back, and the place in it of the piece that was running; its length at the commit."""

    error: Exception
    at: int

    @property
    def trouble(self) -> Trouble:
        return trouble_of(self.error) if isinstance(self.error, driver_errors()) else Trouble.INPUT

    def tries(self, group: Sequence[_Item]) -> int:
        """How often *group* is tried as it is. Contention is for the single piece to sit out; and what may have been
        committed before the connection was lost is for its caller to judge.
        """
        if self.trouble is Trouble.LOST and self.at == len(group):
            return 1
        if self.trouble is Trouble.CONTENTION and len(group) > 1:
            return 1
        return TRIES.get(self.trouble, 1)

    def parts(self, group: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
        """The pieces of *group* as they are to be tried next, in order."""
        if self.trouble is Trouble.CONTENTION or self.at == len(group):
            yield from ([each] for each in group)
            return
        yield from filter(None, (group[: self.at], group[self.at : self.at + 1], group[self.at + 1 :]))


class GroupCommit:
    """Runs pieces of work, each on the open transaction, and answers once they are durable.

    A piece must be safe to run twice: when one of a group fails, the group is rolled back, and all but the one that
    failed are run again.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._last_thread: threading.Thread | None = None
        self._dead: BaseException | None = None

    def submit(self, work: Callable[[Tx], T]) -> "Future[T]":
        """The work's result, once committed. Pieces are committed in the order in which they were submitted."""
        item = _Item(work)
        item.future.set_running_or_notify_cancel()  # what was submitted is committed, whoever stops waiting for it
        with self._lock:
            self._ensure_thread()
            self._queue.put(item)
        return item.future

    async def wait(self, work: Callable[[Tx], T]) -> T:
        """The work's result, for a coroutine. Canceling it does not take the work back."""
        return await wrap_future(self.submit(work))

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
            raise WriterDied(f"the ledger's writer has died: {self._dead!r}; start the process again")
        if self._thread is None:
            self._queue = SimpleQueue()
            self._thread = threading.Thread(
                target=self._run, args=(self._queue, self._last_thread), name="tallybook-writer", daemon=True
            )
            self._last_thread = self._thread
            self._thread.start()

    def _run(self, queue: "SimpleQueue[_Item | None]", predecessor: threading.Thread | None) -> None:
        if predecessor is not None:
            predecessor.join()  # what was submitted before it was closed is committed first
        writer = Writer(self._database, self._clock)
        group: list[_Item] = []
        try:
            while group := _next_group(queue):
                self._commit(writer, group)
        except BaseException as error:
            self._die(error, queue, group)
            raise
        finally:
            writer.close()

    def _commit(self, writer: Writer, group: Sequence[_Item]) -> None:
        """Together; when one piece fails, what stood before it, then it alone, then what stood behind it."""
        failure = _try(writer, group)
        if failure is None:
            for item in group:
                item.future.set_result(item.result)
        elif len(group) == 1 or failure.trouble in (Trouble.LOST, Trouble.UNAVAILABLE):
            for item in group:
                item.future.set_exception(_told(failure.error, self._database.shown))
        else:
            for part in failure.parts(group):
                self._commit(writer, part)

    def _die(self, error: BaseException, queue: "SimpleQueue[_Item | None]", group: Sequence[_Item]) -> None:
        """Nobody may wait for a writer that is gone."""
        with self._lock:
            self._dead = error
            waiting = list(group)
            while not queue.empty():
                item = queue.get()
                if item is not None:
                    waiting.append(item)
        for item in waiting:
            if not item.future.done():
                item.future.set_exception(WriterDied(f"the ledger's writer has died: {error!r}"))


def _next_group(queue: "SimpleQueue[_Item | None]") -> list[_Item]:
    """Everything that waits, at least one; empty when the writer is to end."""
    first = queue.get()
    if first is None:
        return []
    group = [first]
    while len(group) < MOST_TOGETHER:
        try:
            item = queue.get_nowait()
        except Empty:
            break
        if item is None:
            queue.put(None)  # seen again, as the first; nothing is put behind it
            break
        group.append(item)
    return group


def _try(writer: Writer, group: Sequence[_Item]) -> _Failure | None:
    """Run the group in one transaction; again where that may help."""
    tries = 1
    failure = _run_together(writer, group)
    while failure is not None and tries < failure.tries(group):
        time.sleep(PAUSE_S * tries * random.uniform(0.5, 1.5))
        tries += 1
        failure = _run_together(writer, group)
    return failure


def _run_together(writer: Writer, group: Sequence[_Item]) -> _Failure | None:
    at = 0
    try:
        with writer.transaction() as tx:
            for item in group:
                item.result = item.work(tx)
                at += 1
    except _OF_A_PIECE + driver_errors() as error:
        return _Failure(error, at)
    return None


def _told(error: Exception, where: str) -> Exception:
    """What the waiter gets. Each waiter its own: an exception that is raised in two threads mixes their tracebacks."""
    if isinstance(error, ODD_VALUES + driver_errors()):
        return told_as_ours(error, where)
    return error
