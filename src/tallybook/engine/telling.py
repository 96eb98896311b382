"""Followers are told what becomes of runs, each by a thread of its own, so that no run ever waits for one (F33).

Over all processes one at a time tells a follower: whoever holds its lock, which dies with its process.
"""

import logging
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from tallybook.database import Database
from tallybook.domain.following import Follower
from tallybook.domain.telling import Changed
from tallybook.engine import lease
from tallybook.engine.runner import outlive
from tallybook.ledger.following import FollowerBook
from tallybook.ledger.ledger import Ledger

log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
"""While something goes on; else whoever starts or ends a run here wakes it, and other processes' runs wait a little."""
IDLE_LOOK_EVERY_S = 5.0
LOOKS_APART_S = 0.1
AGAIN_AFTER = timedelta(seconds=30)
MOST_LATER_S = 5.0
"""So much later than it said a follower may be told again, by chance: not all who wait for one thing come at once."""
TRY_LOCK_EVERY_S = 0.2
CLOSE_S = 2.0


class Teller:
    """Tells one follower until closed."""

    def __init__(self, ledger: Ledger, follower: Follower) -> None:
        self._follower = follower
        self._ledger = ledger
        self._book = FollowerBook(ledger, follower.name)
        self._nudged = threading.Event()
        self._looked = threading.Condition()
        self._closed = False
        self._told_at: datetime | None = None
        self._not_before: datetime | None = None
        self._beat_at = ledger.clock()
        self._looks = 0
        self._owes = False
        self._goes_on = True
        self._thread = threading.Thread(target=self._run, name=f"tallybook-{follower.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def nudge(self) -> None:
        self._nudged.set()

    def close(self) -> None:
        """What it is at goes on for a moment, and is told again by the next process."""
        self._closed = True
        self._nudged.set()
        self._thread.join(CLOSE_S)

    def settle(self, timeout_s: float) -> bool:
        """Wait until there are no news that could be told now. False: there still are."""
        until = time.monotonic() + timeout_s
        with self._looked:
            wanted = self._looks + 2  # one look may be half over
            while (self._looks < wanted or self._owes) and time.monotonic() < until:
                self._nudged.set()
                self._looked.wait(0.05)
            return not self._owes

    def _run(self) -> None:
        while self._woken():
            outlive(self._look, f"telling {self._follower.name}")
            with self._looked:
                self._looks += 1
                self._looked.notify_all()
            time.sleep(LOOKS_APART_S)

    def _woken(self) -> bool:
        """False: there is no more to do."""
        self._nudged.wait(LOOK_EVERY_S if self._goes_on else IDLE_LOOK_EVERY_S)
        self._nudged.clear()
        return not self._closed

    def _look(self) -> None:
        self._owes = self._tell_changes(self._ledger.clock())

    def _tell_changes(self, now: datetime) -> bool:
        """Page by page; what was told of all of them need not be looked at again. True: some is still to be told."""
        self._goes_on = False
        if self._not_before is not None and now < self._not_before:
            return False
        all_of_it = self._told_at is None or now >= self._told_at + self._follower.every
        left_out, after = False, None
        while page := self._book.changed(after):
            heard = [each for each in page if each.ended or not self._follower.ends_only]
            self._goes_on = self._goes_on or any(not each.ended for each in heard)
            due = [each for each in heard if all_of_it or each.news]
            left_out = left_out or len(due) < len(heard)
            if due and (stays := self._tell_alone(due, now)) is not None:
                return stays
            after = next((each for each in reversed(page) if each.ended), None)
            if after is None:
                break
        if not left_out:
            self._told_at = now
            self._book.told_until(now)
        return self._beat(now)

    def _beat(self, now: datetime) -> bool:
        """After all that has changed."""
        if not self._follower.beats or now < self._beat_at:
            return False
        if self._tell_alone([], now) is True:
            return True
        self._beat_at = now + self._follower.every
        return False

    def _tell_alone(self, due: Sequence[Changed], now: datetime) -> bool | None:
        """None: it is told. True: another process is telling it just now. False: it wants to be left alone."""
        self._owes = True
        with alone(self._ledger.database, self._follower.name) as is_alone:
            if not is_alone:
                return True
            return None if self._tell(due, now) is None else False

    def _tell(self, due: Sequence[Changed], now: datetime) -> datetime | None:
        self._not_before = now + AGAIN_AFTER  # should it break
        again_at = self._follower.tell([each.run_id for each in due], self._book)
        self._not_before = again_at and again_at + timedelta(seconds=random.uniform(0, MOST_LATER_S))
        return again_at


@contextmanager
def alone(database: Database, follower: str, patience_s: float = 0.0) -> Iterator[bool]:
    """Nobody else tells the follower meanwhile. False: somebody does, and went on for longer than that."""
    until = time.monotonic() + patience_s
    lock = lease.try_lock(database, f"follower-{follower}")
    while lock is None and time.monotonic() < until:
        time.sleep(TRY_LOCK_EVERY_S)
        lock = lease.try_lock(database, f"follower-{follower}")
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.close()
