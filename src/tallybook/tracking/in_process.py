"""The door to a ledger of this process."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from tallybook.database import Database, Tx, utc_now
from tallybook.domain.errors import LedgerUnavailable
from tallybook.ledger import misreports
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import starts
from tallybook.ledger.write.starts import RunIdStyle
from tallybook.tracking import reading, writing
from tallybook.tracking.door import Misreports
from tallybook.tracking.saying import Answer, Saying

T = TypeVar("T")
P = ParamSpec("P")
TOGETHER = 100
_COMMIT_S = 0.05

OpenLedger = Callable[[], Ledger]


class _Attempt(Generic[T]):
    """A piece of work that whoever waits for it may give up: then nothing of it is written, now or ever."""

    def __init__(self, work: Callable[[Tx], T]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._done = False
        self._given_up = False

    def __call__(self, tx: Tx) -> T:
        self._go_on(done=False)
        answer = self._work(tx)
        self._go_on(done=True)
        return answer

    def _go_on(self, *, done: bool) -> None:
        with self._lock:
            if self._given_up:
                raise LedgerUnavailable("it was given up")
            self._done = done

    def give_up(self) -> bool:
        """False when it is done but for the commit: then its answer must be waited for."""
        with self._lock:
            self._given_up = not self._done
            return self._given_up


class LedgerDoor:
    """A `Door`. *source*: the ledger, or a function that opens it when it is first needed."""

    together = TOGETHER

    def __init__(self, source: Ledger | OpenLedger, style: RunIdStyle, patience_s: float) -> None:
        self._source = source
        self._ledger = source if isinstance(source, Ledger) else None
        self._style = style
        self._patience_s = patience_s
        self._opening = threading.Lock()
        self._left_behind: list[object] = []

    def after_fork(self) -> None:
        self._left_behind += [self._ledger, self._source]
        self._opening = threading.Lock()
        if self._ledger is not None:
            old = self._ledger
            self._source = self._ledger = Ledger(Database(old.database.url.render_as_string(False)), old.clock)

    @property
    def _books(self) -> Ledger:
        """Raises LedgerUnavailable."""
        with self._opening:
            if self._ledger is None:
                self._ledger = self._source if isinstance(self._source, Ledger) else self._source()
            return self._ledger

    def now(self) -> datetime:
        return self._ledger.clock() if self._ledger else utc_now()

    def close(self) -> None:
        """The ledger stays open: whoever handed it in may use it still."""

    # -- writing -------------------------------------------------------------------------------------------------------

    def write(self, saying: Saying) -> Answer:
        return self._attempt(writing.write, saying)

    def replay(self, sayings: Sequence[Saying]) -> None:
        self._attempt(writing.replay, sayings)

    def mint(self) -> str:
        return self._attempt(starts.reserve_run_id, self._style)

    def _attempt(self, write: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function of the ledger now. Raises what it raises; LedgerUnavailable when its turn does not come."""
        trial = _Attempt(lambda tx: write(tx, *args, **kwargs))
        future = self._books.submit(trial)
        wait_s = self._patience_s
        while True:
            try:
                return future.result(wait_s)
            except TimeoutError:
                if future.done():
                    return future.result()
                if trial.give_up():
                    raise LedgerUnavailable(f"the ledger did not take it within {self._patience_s:g} s") from None
                wait_s = _COMMIT_S

    # -- reading -------------------------------------------------------------------------------------------------------

    def exists(self, run: str, client: str | None) -> bool:
        return reading.exists(self._books.database, run, client)

    def job(self, run: str) -> dict[str, Any]:
        return reading.job(self._books.database, run)

    def client_run(self, run: str, client: str | None) -> dict[str, Any]:
        return reading.client_run(self._books.database, run, client)

    def misreports(self) -> Misreports:
        database = self._books.database
        return Misreports(misreports.refusals(database), misreports.auto_created(database))
