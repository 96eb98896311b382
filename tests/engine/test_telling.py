"""Telling followers: at once of what begins and ends, now and then of what goes on, one process at a time."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from benchmarks.house import House, furnish
from tallybook.domain.errors import LedgerUnavailable
from tallybook.domain.following import FollowerState
from tallybook.domain.telling import Told
from tallybook.engine import telling
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.engine.telling import Teller, alone
from tallybook.ledger.ledger import Ledger
from tallybook.scorers.scripted import ScriptedScorer
from tests.ledger import scenes
from tests.stories.acting import books, started

PATIENCE_S = 20.0


@dataclass
class Listener:
    """A follower that keeps what it is told, and does what a test says."""

    name: str = "listener"
    every: timedelta = timedelta(seconds=30)
    ends_only: bool = False
    beats: bool = False
    heard: list[list[str]] = field(default_factory=list)
    answers: list[datetime | Exception | None] = field(default_factory=list)
    busy: threading.Event | None = None

    def tell(self, run_ids: Sequence[str], book: FollowerState) -> datetime | None:
        self.heard.append(list(run_ids))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            parts = [part for run_id in run_ids for part in book.tellings(run_id)]
            book.told([Told(each.part, each.version, f"at {each.part}") for each in parts])
        if self.busy is not None:
            self.busy.wait(PATIENCE_S)
        return answer


def settled(teller: Teller) -> bool:
    return teller.settle(PATIENCE_S)


@pytest.fixture
def listener() -> Listener:
    return Listener()


def test_a_run_is_told_when_it_begins_and_when_it_ends(ledger: Ledger, listener: Listener) -> None:
    teller = Teller(ledger, listener)
    teller.start()
    key = scenes.working(ledger, ("a",))
    assert settled(teller)
    assert listener.heard == [[key.run_id]]
    scenes.recorded(ledger, key, *scenes.scored("a"))
    assert settled(teller)
    assert listener.heard == [[key.run_id]]  # it goes on: not before its time
    scenes.closed(ledger, key)
    assert settled(teller)
    assert listener.heard == [[key.run_id], [key.run_id]]
    teller.close()


def test_what_goes_on_is_told_every_now_and_then(sqlite_house: House, listener: Listener) -> None:
    listener.every = timedelta()
    teller = Teller(sqlite_house.ledger, listener)
    teller.start()
    key = scenes.working(sqlite_house.ledger, ("a",))
    assert settled(teller)
    scenes.recorded(sqlite_house.ledger, key, *scenes.scored("a"))
    assert settled(teller)
    assert len(listener.heard) >= 2
    teller.close()


def test_who_wants_to_be_left_alone_is(sqlite_house: House, listener: Listener) -> None:
    ledger = sqlite_house.ledger
    listener.answers = [ledger.clock() + timedelta(hours=1)]
    teller = Teller(ledger, listener)
    teller.start()
    scenes.working(ledger, ("a",))
    assert settled(teller)
    scenes.working(ledger, ("a",), "north")
    assert settled(teller)  # nothing can be told now
    assert len(listener.heard) == 1
    teller.close()


def test_one_that_breaks_is_tried_again_and_breaks_nothing_else(
    sqlite_house: House, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "AGAIN_AFTER", timedelta())
    listener.answers = [RuntimeError("out of order"), LedgerUnavailable("away")]
    teller = Teller(sqlite_house.ledger, listener)
    teller.start()
    run_id = scenes.working(sqlite_house.ledger, ("a",)).run_id
    assert settled(teller)
    assert listener.heard == [[run_id]] * 3
    teller.close()


def test_two_processes_do_not_tell_it_at_once(ledger: Ledger, listener: Listener) -> None:
    with alone(ledger.database, listener.name) as first, alone(ledger.database, listener.name, 0.3) as second:
        assert (first, second) == (True, False)
        teller = Teller(ledger, listener)
        teller.start()
        scenes.working(ledger, ("a",))
        assert not teller.settle(0.5)
        assert not listener.heard
    assert settled(teller)
    assert len(listener.heard) == 1
    teller.close()


def test_many_ended_runs_are_told_page_by_page_and_then_are_behind_us(
    sqlite_house: House, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tallybook.ledger import following

    monkeypatch.setattr(following, "MOST_AT_ONCE", 2)
    teller = Teller(sqlite_house.ledger, listener)
    teller.nudge()
    keys = [scenes.working(sqlite_house.ledger, ("a",), f"client-{number}") for number in range(5)]
    for key in keys:
        scenes.closed(sqlite_house.ledger, key)
    following.FollowerBook(sqlite_house.ledger, listener.name).told_until(sqlite_house.ledger.clock())
    teller.start()
    assert settled(teller)
    assert [len(each) for each in listener.heard] == [2, 2, 1]
    teller.close()


def test_an_engine_ends_though_its_follower_does_not(sqlite_house: House, listener: Listener) -> None:
    """F33: and what it was at is told again by the next."""
    listener.busy = threading.Event()
    furnish(sqlite_house, clients=1, leads=2)
    plugs = sqlite_house.operations(ScriptedScorer())
    since = time.monotonic()
    with Engine(sqlite_house.ledger, sqlite_house.clients, plugs, Limits(), followers=[listener]) as engine:
        run_id = started(sqlite_house, engine=engine)
        while not books(sqlite_house, run_id).status.terminal:
            time.sleep(0.02)
        assert not engine.tell_rest(0.1)
    assert time.monotonic() - since < PATIENCE_S / 2
    listener.busy.set()


def test_a_run_that_ends_while_it_is_told_is_told_again(sqlite_house: House, listener: Listener) -> None:
    """An answer that takes long must not hide the end."""
    from tallybook.ledger.following import FollowerBook

    ledger = sqlite_house.ledger
    key = scenes.working(ledger, ("a",))
    book = FollowerBook(ledger, listener.name)
    (read_at, tellings) = (ledger.clock(), book.tellings(key.run_id))
    scenes.closed(ledger, key)
    book.told([Told(each.part, each.version, "there", as_of=read_at) for each in tellings])
    (changed,) = book.changed()
    assert changed.news


def test_who_hears_of_ends_alone_is_not_asked_about_what_goes_on(ledger: Ledger) -> None:
    """F33"""
    listener = Listener(every=timedelta(), ends_only=True)
    teller = Teller(ledger, listener)
    teller.start()
    key = scenes.working(ledger, ("a",))
    assert settled(teller)
    assert not listener.heard
    scenes.closed(ledger, key)
    assert settled(teller)
    assert listener.heard[0] == [key.run_id]
    teller.close()


def test_who_has_duties_of_its_own_is_told_of_no_run_now_and_then(sqlite_house: House) -> None:
    listener = Listener(beats=True, every=timedelta())
    teller = Teller(sqlite_house.ledger, listener)
    teller.start()
    assert settled(teller)
    assert listener.heard[:2] == [[], []]
    with alone(sqlite_house.ledger.database, listener.name, PATIENCE_S):
        assert not teller.settle(0.5)
    assert settled(teller)
    teller.close()
