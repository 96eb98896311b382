"""How a saying gets into the books: at once, or by way of the spool, in order, exactly once."""

import logging
import os
import threading
import time
import uuid
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tallybook.database import stamp
from tallybook.domain.errors import LedgerUnavailable, TallybookError
from tallybook.domain.fields import storable
from tallybook.tracking import passing, writing
from tallybook.tracking.door import Denied, Door, Stumbled
from tallybook.tracking.health import Health
from tallybook.tracking.held import LONGEST_WHY, Held
from tallybook.tracking.passing import Stuck
from tallybook.tracking.saying import Answer, Saying
from tallybook.tracking.spool import Spool, SpoolFile, Waiting

log = logging.getLogger("tallybook.tracking")

FIRST_REST_S, LONGEST_REST_S = 0.5, 30.0
MOST_TRIES = 8
"""So often a line is tried over which the server stumbles while it takes others: with the rests, for about a minute."""
_AWAY = "the books are away; what is reported is kept in %s: %s"
_DENIED = "nothing is replayed until the token is mended; nothing is lost, what is reported is kept in %s: %s"


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
        self._why: Held | None = None
        self._passed: set[str] = set()
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
            self._note_why()

    def _rest(self, error: Exception) -> None:
        """Nobody is kept waiting for a ledger that has just been found away."""
        denied, at = isinstance(error, Denied), stamp(self.door.now())
        with self._gate:
            before, self._why = self._why, Held(at, str(error)[:LONGEST_WHY], denied)
            self._rest_s = min(max(self._rest_s * 2, FIRST_REST_S), LONGEST_REST_S)
            self._rest_until = time.monotonic() + self._rest_s
            self._note_why()
        if denied:
            self._health.denied()
        self._health.trouble(error)
        if before is None or denied > before.denied:
            log.error(_DENIED if denied else _AWAY, self.spool.folder, error)

    def _note_why(self) -> None:
        """For whoever looks from outside. It is no loss where the disk does not take it."""
        front = self.spool.front
        if front is not None and self._why is not None:
            with suppress(OSError):
                front.hold(replace(self._why, tries=front.held.tries))

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
                    self._rest_s, self._why = 0.0, None
                    return True
            file, lines = found
            try:
                self._replay_some(file, lines)
            except Stumbled as error:
                if not self._pass_by(Stuck(file, lines[0], error)):
                    raise

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
        if line.saying is not None and line.saying.key in self._passed:
            self._passed.discard(line.saying.key)
            return
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
            self._set_refused(file, line, line.saying, error)

    def _pass_by(self, front: Stuck) -> bool:
        """Let other runs pass what the server stumbles over; True when something is set aside, and it goes on."""
        with self._gate:
            behind = self.spool.lines()
        stuck = passing.pass_by(front, behind, self.door, self._passed)
        aside = [self._tried_for_good(each) for each in stuck]
        return any(aside)

    def _tried_for_good(self, stuck: Stuck) -> bool:
        """It was tried once more, in vain, while others went through."""
        file, tries = stuck.file, stuck.file.held.tries
        more = {**tries, stuck.key: tries.get(stuck.key, 0) + 1}
        with suppress(OSError):
            file.hold(replace(file.held, tries=more))
        if more[stuck.key] < MOST_TRIES or stuck.line.saying is None:
            return False
        self._set_refused(file, stuck.line, stuck.line.saying, stuck.error)
        self._passed.add(stuck.key)
        return True

    def _set_refused(self, file: SpoolFile, line: Waiting, saying: Saying, error: Exception) -> None:
        """What it said is kept on disk; that it was refused is told to the books, where its run is (F34)."""
        kept = file.set_refused(line, str(error))
        self._health.refused(saying.verb, error)
        log.warning("%s, spooled at %s, was refused and is kept in %s: %s", saying.verb, saying.at, kept, error)
        if saying.verb != "note_refusal":
            told = {"text": storable(f"{saying.verb} was refused: {error}")}
            self._keep(Saying("note_refusal", saying.run, facts=told, key=uuid.uuid4().hex))

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
