"""How a saying gets into the books: at once, or by way of the spool, in order, exactly once."""

import logging
import os
import threading
import time
import uuid
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tallybook.database import stamp
from tallybook.domain.errors import LedgerUnavailable, TallybookError
from tallybook.tracking import writing
from tallybook.tracking.door import Denied, Door
from tallybook.tracking.health import Health
from tallybook.tracking.saying import Answer, Saying
from tallybook.tracking.spool import Spool, SpoolFile, Waiting

log = logging.getLogger("tallybook.tracking")

FIRST_REST_S, LONGEST_REST_S = 0.5, 30.0


class Spooled(Exception):
    """It is safe on disk and will be written later."""


class Delivery:
    """The way of one JobTracking to its books. Safe from any number of threads, and in a forked child.

    *_gate* is held for moments, to look at the spool or to append; *_turn* by the one thread that replays.
    """

    def __init__(self, door: Door, folder: Path, health: Health) -> None:
        self.door = door
        self._health = health
        self._start_afresh(folder)
        _LIVING.add(self)

    def _start_afresh(self, folder: Path) -> None:
        self._gate, self._turn = threading.Lock(), threading.Lock()
        self.spool = Spool(folder)
        self._rest_s, self._rest_until = 0.0, 0.0
        self._together = self.door.together

    def after_fork(self) -> None:
        """In the child: the locks and the files are the parent's."""
        self._health.after_fork()
        self.spool.close()
        self.door.after_fork()
        self._start_afresh(self.spool.folder)

    # -- writing -------------------------------------------------------------------------------------------------------

    def deliver(self, saying: Saying) -> Answer:
        """Write it, or spool it behind what waits: Spooled. Raises what its verb raises; OSError if all fails."""
        saying = replace(saying, key=uuid.uuid4().hex)
        if self.caught_up():
            try:
                return self.door.write(saying)
            except Exception as error:
                if _is_refusal(error):
                    raise
                self._rest(error)
        self._keep(saying)
        raise Spooled

    def caught_up(self) -> bool:
        """Nothing waits: what is said next may be written. Replays first, if it is time to try."""
        with self._gate:
            if not self.spool.waiting:
                return True
            if time.monotonic() < self._rest_until:
                return False
        return self.replay()

    def _keep(self, saying: Saying) -> None:
        at = stamp(self.door.now())
        with self._gate:
            self.spool.append(replace(saying, at=at))

    def _rest(self, error: Exception) -> None:
        """Nobody is kept waiting for a ledger that has just been found away."""
        with self._gate:
            first = not self._rest_s
            self._rest_s = min(max(self._rest_s * 2, FIRST_REST_S), LONGEST_REST_S)
            self._rest_until = time.monotonic() + self._rest_s
        if isinstance(error, Denied):
            self._health.denied()
        self._health.trouble(error)
        if first:
            log.error("the books are away; what is reported is kept in %s: %s", self.spool.folder, error)

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
                self.door.replay(sayings)
            except Exception as error:
                if _is_away(error):
                    self._together = max(1, self._together // 4)  # a slow ledger takes a few in the time it has
                    raise
            else:
                self._together = min(self.door.together, self._together * 2)
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
            self.door.replay([line.saying])
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
        self.door.close()


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
