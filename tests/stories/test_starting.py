"""Starting twice is starting once (F13); a start is taken up at once."""

import time

import pytest

from benchmarks.house import House
from tallybook.domain.errors import Busy, KeyReused
from tallybook.engine import trigger
from tallybook.ledger import read
from tallybook.ledger.write.starts import Start
from tallybook.scorers.scripted import ScriptedScorer
from tests.children import Child
from tests.stories import worker
from tests.stories.acting import LONG_MS, asked, at_work, books, done, ended, furnished, started, until

BUSY_MACHINE = 5


def starting(url: str, start: Start, later_s: float = 0.0) -> Child:
    """A process that will start it when it is told to. *later_s*: how far its clock is ahead."""
    child = Child(worker.start, url, start, later_s)
    assert child.says() == "ready"
    return child


def test_two_starts_with_one_key_at_the_same_moment_are_one_run(house: House, database_url: str) -> None:
    """F13: from two processes."""
    furnished(house, "acme")
    ada, bob = (starting(database_url, asked(key="nightly", by=name)) for name in ("Ada", "Bob"))
    with ada, bob:
        ada.hears("go")
        bob.hears("go")
        told = [ada.says(), bob.says()]
    assert told[0][0] == told[1][0]
    assert sorted(replayed for _, replayed in told) == [False, True]
    assert len(read.list_runs(house.database)) == 1


def test_the_second_of_two_starts_four_seconds_apart_is_told_whose_run_it_is(
    sqlite_house: House,
) -> None:
    """F13: without a key, and from another process."""
    furnished(sqlite_house, "acme")
    url = str(sqlite_house.database.url)
    with starting(url, asked(by="Ada")) as ada, starting(url, asked(by="Bob"), later_s=4.0) as bob:
        ada.hears("go")
        run_id, replayed = ada.says()
        bob.hears("go")
        busy_with, said = bob.says()
    assert (busy_with, replayed) == (run_id, False)
    assert f"run {run_id}" in str(said)
    assert "started by Ada" in str(said)
    assert len(read.list_runs(sqlite_house.database)) == 1


def test_a_key_known_with_another_request_is_refused(sqlite_house: House) -> None:
    furnished(sqlite_house, "acme", "bolt")
    run_id = started(sqlite_house, asked("acme", key="nightly"))
    with pytest.raises(KeyReused, match=run_id):
        started(sqlite_house, asked("bolt", key="nightly"))
    assert started(sqlite_house, asked("acme", key="nightly")) == run_id


def test_a_busy_client_is_refused_until_its_run_ends(sqlite_house: House) -> None:
    """F14: nothing has to be unlocked."""
    furnished(sqlite_house, "acme", "bolt")
    with at_work(sqlite_house) as engine:
        run_id = started(sqlite_house, asked("acme"))
        with pytest.raises(Busy):
            started(sqlite_house, asked("acme"))
        other = started(sqlite_house, asked("bolt"), engine)
        ended(sqlite_house, run_id)
        ended(sqlite_house, other)
        ended(sqlite_house, started(sqlite_house, asked("acme"), engine))


def test_a_run_that_queues_behind_another_says_what_it_waits_for(sqlite_house: House) -> None:
    furnished(sqlite_house, "acme", leads=20)
    with at_work(sqlite_house, ScriptedScorer(latency_ms=200)) as engine:
        first = started(sqlite_house, asked(limit=10), engine)
        second = started(sqlite_house, asked(queue_behind=True), engine)
        assert ended(sqlite_house, second).tally.scored == 10
        assert books(sqlite_house, first).status.terminal


def test_a_start_is_taken_up_at_once(house: House) -> None:
    """Within a tenth of a second on a quiet machine."""
    furnished(house, "acme")
    with at_work(house, ScriptedScorer(latency_ms=LONG_MS)) as engine:
        engine._queues.busy()
        began = time.monotonic()
        run_id = started(house, engine=engine)
        until(lambda: read.run(house.database, run_id).clients, "the plan")
        until(engine._queues.busy, "its client taken up")
        took = time.monotonic() - began
    print(f"taken up after {took:.3f} s")
    assert took < 0.1 * BUSY_MACHINE


def test_a_start_in_another_process_is_taken_up_without_a_nudge(sqlite_house: House) -> None:
    furnished(sqlite_house, "acme")
    with at_work(sqlite_house):
        began = time.monotonic()
        ended(sqlite_house, started(sqlite_house))
        assert time.monotonic() - began < 1.0 * BUSY_MACHINE


def test_a_resume_is_known_to_whoever_starts_next(sqlite_house: House) -> None:
    furnished(sqlite_house, "acme")
    run_id = done(sqlite_house, asked(key="nightly")).run_id
    again = trigger.start(sqlite_house.ledger, sqlite_house.clients, asked(key="nightly"))
    assert (again.run_id, again.replayed) == (run_id, True)
