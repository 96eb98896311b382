"""Starting twice is starting once (F13); a start is taken up at once."""

import json
import subprocess
import sys
import time

import pytest

from benchmarks.house import House
from tallybook.domain.errors import Busy, KeyReused
from tallybook.engine import trigger
from tallybook.ledger import read
from tallybook.scorers.scripted import ScriptedScorer
from tests.stories.acting import LONG_MS, PATIENCE_S, asked, at_work, books, done, ended, furnished, started, until

BUSY_MACHINE = 5
STARTER = """
import json, sys, time
from benchmarks.house import open_house
from tallybook.domain.errors import Busy
from tallybook.engine import trigger
from tests.stories.acting import asked

url, key, name = sys.argv[1:]
house = open_house(url)
print("ready", flush=True)
sys.stdin.readline()
try:
    told = trigger.start(house.ledger, house.clients, asked(key=key or None, by=name))
    print(json.dumps([told.run_id, told.replayed]))
except Busy as busy:
    print(json.dumps([busy.run_id, str(busy)]))
house.close()
"""


def start_from(url: str, key: str, *names: str, apart_s: float = 0.0) -> list[list[object]]:
    """Each of *names* starts the same from a process of its own; gives what each was told."""
    command = [sys.executable, "-c", STARTER, url, key]
    children = [
        subprocess.Popen([*command, each], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for each in names
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for number, child in enumerate(children):
        assert child.stdin is not None
        if number:
            time.sleep(apart_s)  # the distance is the story
        child.stdin.write("go\n")
        child.stdin.flush()
    return [json.loads(child.communicate(timeout=PATIENCE_S)[0]) for child in children]


def test_two_starts_with_one_key_at_the_same_moment_are_one_run(house: House, database_url: str) -> None:
    """F13: from two processes."""
    furnished(house, "acme")
    told = start_from(database_url, "nightly", "Ada", "Bob")
    assert told[0][0] == told[1][0]
    assert sorted(bool(replayed) for _, replayed in told) == [False, True]
    assert len(read.list_runs(house.database)) == 1


def test_the_second_of_two_starts_four_seconds_apart_is_told_whose_run_it_is(
    sqlite_house: House,
) -> None:
    """F13: without a key, and from another process."""
    furnished(sqlite_house, "acme")
    (run_id, replayed), (busy_with, said) = start_from(str(sqlite_house.database.url), "", "Ada", "Bob", apart_s=4.0)
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
