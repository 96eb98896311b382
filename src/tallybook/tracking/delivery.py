"""How a saying gets into the books: at once, or by way of the spool, in order, exactly once."""

import logging
import os
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Concatenate, Generic, ParamSpec, TypeVar

from tallybook.database import Database, Tx, stamp, utc_now
from tallybook.domain.errors import LedgerUnavailable, TallybookError
from tallybook.ledger.ledger import Ledger
from tallybook.tracking import writing
from tallybook.tracking.health import Health
from tallybook.tracking.saying import Saying
from tallybook.tracking.spool import Spool, SpoolFile, Waiting

log = logging.getLogger("tallybook.tracking")

T = TypeVar("T")
P = ParamSpec("P")
TOGETHER = 100
_COMMIT_S = 0.05
FIRST_REST_S, LONGEST_REST_S = 0.5, 30.0

OpenLedger = Callable[[], Ledger]


class Spooled(Exception):
    """It is safe on disk and will be written later."""


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


class Delivery:
    """The way of one JobTracking to its ledger. Safe from any number of threads, and in a forked child.

    *_gate* is held for moments, to look at the spool or to append; *_turn* by the one thread that replays.
    """

    def __init__(self, ledger: Ledger | OpenLedger, folder: Path, patience_s: float, health: Health) -> None:
        self._source = ledger
        self._ledger = ledger if isinstance(ledger, Ledger) else None
        self._patience_s = patience_s
        self._health = health
        self._left_behind: list[object] = []
        self._start_afresh(folder)
        _LIVING.add(self)

    def _start_afresh(self, folder: Path) -> None:
        self._gate, self._turn, self._opening = threading.Lock(), threading.Lock(), threading.Lock()
        self.spool = Spool(folder)
        self._rest_s, self._rest_until = 0.0, 0.0
        self._together = TOGETHER

    def after_fork(self) -> None:
        """In the child: the writer's thread, the connections and the locks are the parent's."""
        self._left_behind += [self._ledger, self._source]
        self._health.after_fork()
        self.spool.close()
        if self._ledger is not None:
            old = self._ledger
            self._source = self._ledger = Ledger(Database(old.database.url.render_as_string(False)), old.clock)
        self._start_afresh(self.spool.folder)

    @property
    def ledger(self) -> Ledger:
        """Opened when first needed. Raises LedgerUnavailable."""
        with self._opening:
            if self._ledger is None:
                self._ledger = self._source if isinstance(self._source, Ledger) else self._source()
            return self._ledger

    # -- writing -------------------------------------------------------------------------------------------------------

    def deliver(self, saying: Saying) -> writing.Answer:
        """Write it, or spool it behind what waits: Spooled. Raises what its verb raises; OSError if all fails."""
        if self.caught_up():
            try:
                return self.attempt(writing.write, saying)
            except Exception as error:
                if _is_refusal(error):
                    raise
                self._rest(error)
        self._keep(saying)
        raise Spooled

    def attempt(self, write: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function of the ledger now. Raises what it raises; LedgerUnavailable when its turn does not come."""
        trial = _Attempt(lambda tx: write(tx, *args, **kwargs))
        future = self.ledger.submit(trial)
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

    def caught_up(self) -> bool:
        """Nothing waits: what is said next may be written. Replays first, if it is time to try."""
        with self._gate:
            if not self.spool.waiting:
                return True
            if time.monotonic() < self._rest_until:
                return False
        return self.replay()

    def now(self) -> datetime:
        return self._ledger.clock() if self._ledger else utc_now()

    def _keep(self, saying: Saying) -> None:
        at = stamp(self.now())
        with self._gate:
            self.spool.append(replace(saying, at=at, key=uuid.uuid4().hex))

    def _rest(self, error: Exception) -> None:
        """Nobody is kept waiting for a ledger that has just been found away."""
        with self._gate:
            first = not self._rest_s
            self._rest_s = min(max(self._rest_s * 2, FIRST_REST_S), LONGEST_REST_S)
            self._rest_until = time.monotonic() + self._rest_s
        self._health.trouble(error)
        if first:
            log.error("the ledger is away; what is reported is kept in %s: %s", self.spool.folder, error)

    # -- replaying -----------------------------------------------------------------------------------------------------

    def adopt(self) -> None:
        """Take over what dead processes left."""
        try:
            with self._gate:
                self.spool.adopt()
        except OSError as error:
            self._health.trouble(error)
            log.exception("the spool %s cannot be read", self.spool.folder)

    def replay(self) -> bool:
        """Write what waits, in order; True when nothing is left. One thread does it, others do not wait for it."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            return self._replay_all()
        except Exception as error:
            self._rest(error)
            return False
        finally:
            self._turn.release()

    def _replay_all(self) -> bool:
        while True:
            with self._gate:
                found = self.spool.first(self._together)
                if found is None:
                    self._rest_s = 0.0
                    return True
            file, lines = found
            self._replay_some(file, lines)

    def _replay_some(self, file: SpoolFile, lines: Sequence[Waiting]) -> None:
        """Together if all are well; else one by one, so that none stands in the way of another."""
        sayings = [line.saying for line in lines if line.saying is not None]
        if len(sayings) == len(lines) > 1:
            try:
                self.attempt(writing.replay, sayings)
            except Exception as error:
                if _is_away(error):
                    self._together = max(1, self._together // 4)  # a slow ledger takes a few in the time it has
                    raise
            else:
                self._together = min(TOGETHER, self._together * 2)
                self._done(file, lines)
                return
        for line in lines:
            self._replay_one(file, line)
            self._done(file, [line])

    def _replay_one(self, file: SpoolFile, line: Waiting) -> None:
        if line.saying is None or line.saying.verb not in writing.VERBS:
            self._set_aside(file, line, "it cannot be read")
            return
        try:
            self.attempt(writing.replay, [line.saying])
        except Exception as error:
            if _is_away(error):
                raise
            if not _is_refusal(error):
                self._set_aside(file, line, repr(error))
                return
            self._health.refused(line.saying.verb, error)
            log.warning("%s, spooled at %s, was refused: %s", line.saying.verb, line.saying.at, error)

    def _set_aside(self, file: SpoolFile, line: Waiting, why: str) -> None:
        log.error("a line of the spool was set aside in %s: %s", file.set_aside(line), why)

    def _done(self, file: SpoolFile, lines: Sequence[Waiting]) -> None:
        with self._gate:
            self.spool.done(file, lines)

    def close(self) -> None:
        with self._gate:
            self.spool.close()


def _is_away(error: Exception) -> bool:
    return isinstance(error, LedgerUnavailable | OSError)


def _is_refusal(error: Exception) -> bool:
    """The words or the moment are wrong: trying again changes nothing."""
    return isinstance(error, TallybookError) and not isinstance(error, LedgerUnavailable)


_LIVING: "weakref.WeakSet[Delivery]" = weakref.WeakSet()


def _after_fork() -> None:
    for each in list(_LIVING):
        each.after_fork()


os.register_at_fork(after_in_child=_after_fork)
