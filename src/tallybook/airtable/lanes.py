"""Who may ask Airtable when. A lane is the way of all requests about one base, or with one token.

Everybody takes a place in the lane and sleeps until it is due, so nobody is woken in vain and whoever came first goes
first. When the lane rests, all that wait are put off by as much and keep their order.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Gait:
    """*every_s*: how far apart places are. *closest_s*: nobody passes sooner after another, even who comes late."""

    every_s: float
    closest_s: float


HELD_UP_S = 0.1


def gait(planned_per_s: float, most_per_s: int) -> Gait:
    """*most_per_s*: what Airtable allows; so many of the closest steps take more than a second, by so much that some of
    those who pass may be held up on their way there by another tenth of one.
    """
    return Gait(1 / planned_per_s, (1 + HELD_UP_S) / most_per_s)


CLOCK_MAY_DIFFER_S = 1.0
BASE = gait(4.5, 5)
TOKEN = gait(45, 50)


@dataclass(frozen=True, slots=True)
class Spent:
    """The requests of a month are: *since* when that is known, and *until* the month turns."""

    since: datetime
    until: datetime


@dataclass(slots=True)
class Lane:
    """Seconds by one clock. *pushed*: by how much those who wait were put off so far, all told.

    A place is kept as what it would be had nobody ever been put off.
    """

    gait: Gait
    free_at: float = 0.0
    pushed: float = 0.0
    passed_at: float = -1.0
    rests_until: float = 0.0
    spent: Spent | None = None

    def next_at(self, now: float) -> float:
        """When whoever comes now would be due."""
        return max(now, self.free_at, self.rests_until, self.passed_at + self.gait.closest_s)

    def take_place(self, now: float) -> float:
        due = self.next_at(now)
        self.free_at = due + self.gait.every_s
        return due - self.pushed

    def wait_s(self, place: float, now: float) -> float:
        """0: it is due."""
        return max(0.0, max(place + self.pushed, self.rests_until, self.passed_at + self.gait.closest_s) - now)

    def go(self, now: float) -> None:
        self.passed_at = now

    def put_off(self, seconds: float) -> None:
        """All that wait."""
        self.pushed += seconds
        self.free_at += seconds

    def set_clock(self, now: float) -> None:
        """One that has gone back, as when the machine was changed, would have all wait for as long: they go with it."""
        back_s = self.passed_at - now
        if back_s > CLOCK_MAY_DIFFER_S:
            self.put_off(-back_s)
            self.rests_until -= back_s
            self.passed_at = now

    def rest(self, now: float, until: float) -> None:
        more = until - max(now, self.rests_until)
        if more > 0:
            self.put_off(more)
            self.rests_until = until


def wait_for_turn(lanes: Sequence[Lane], places: list[float], now: float, most_s: float) -> float:
    """0: it is one's turn in all of *lanes*; else for how long to wait before asking again. *places*: where one stands.

    The place in a lane is taken only when one is due in those before it: who waits for a busy token holds up the other
    requests of its base, and not those of other bases. None is taken when the wait were longer than *most_s*.
    """
    soonest = max(lane.next_at(now) for lane in lanes) - now
    if not places and soonest > most_s:
        return soonest
    for number, lane in enumerate(lanes):
        if len(places) == number:
            places.append(lane.take_place(now))
            for earlier in lanes[:number]:
                earlier.put_off(lane.wait_s(places[number], now))
        wait = lane.wait_s(places[number], now)
        if wait > 0:
            return wait
    for lane in lanes:
        lane.go(now)
    return 0.0


Scope = str
"""Names a lane."""


class Lanes(Protocol):
    """Where lanes are kept."""

    def open(self, scopes: Sequence[Scope]) -> AbstractContextManager[tuple[Sequence[Lane], float]]:
        """The lanes of these names, and the time by their clock. Nobody else has them until the block ends; then what
        was changed is kept.
        """


def gait_of(scope: Scope) -> Gait:
    return TOKEN if scope.startswith("token:") else BASE


class LanesInProcess:
    """For all threads of a process. *clock*: seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lanes: dict[Scope, Lane] = {}
        self._lock = threading.Lock()

    @contextmanager
    def open(self, scopes: Sequence[Scope]) -> Iterator[tuple[Sequence[Lane], float]]:
        with self._lock:
            lanes = [self._lanes.setdefault(scope, Lane(gait_of(scope))) for scope in scopes]
            yield lanes, self._clock()
