"""Processes die, shut down and work side by side; the work goes on, once, and the books stay exact."""

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest

from benchmarks.house import House
from tallybook.domain.lead import Lead
from tallybook.domain.ports import Job, Worked
from tallybook.domain.run import Status, Stop
from tallybook.engine import trigger, watch
from tallybook.engine.runner import Limits
from tallybook.ledger import read
from tallybook.ledger import work as ledger_work
from tallybook.ledger.keys import ClientKey
from tallybook.ledger.tables import calls, outcomes
from tallybook.ledger.write import dispatch, progress, starts
from tallybook.operations.lead_scoring import LeadScoring
from tallybook.scorers.scripted import ScriptedScorer
from tallybook.testing.model_server import ModelServer
from tests.stories.acting import (
    LEAD_SCORING,
    LONG_MS,
    PATIENCE_S,
    asked,
    at_work,
    books,
    calling,
    count,
    done,
    ended,
    furnished,
    spans,
    started,
    unsaved,
    until,
)
from tests.stories.asking import scorer_of
from tests.stories.worker import Worker

TAKEOVER_S = 15.0


def test_work_of_a_killed_process_goes_on_within_15_seconds_when_another_lives(house: House, database_url: str) -> None:
    """F02, F14: the client is free because its holder died; nobody has to end anything by hand."""
    furnished(house, "acme", "bolt", leads=40)
    run_id = started(house)
    with Worker(database_url, latency_ms=LONG_MS) as dying:
        calling(house, run_id, 16)
        with at_work(house) as engine:
            assert engine.executor != dying.executor
            killed_at = dying.kill()
            until(lambda: read.run(house.database, run_id).tally.scored, "a score", TAKEOVER_S)
            print(f"taken over after {time.monotonic() - killed_at:.2f} s")
            run = ended(house, run_id)
    assert (run.status, run.tally.scored, run.tally.pending) == (Status.COMPLETED, 80, 0)
    assert run.tally.unmeasured == count(house, calls, calls.c.result == "lost") == 16
    assert count(house, outcomes) == 80


def test_work_of_a_killed_process_goes_on_at_the_next_start_when_nobody_lives(house: House, database_url: str) -> None:
    """F02."""
    furnished(house, "acme", leads=40)
    run_id = started(house)
    with Worker(database_url, latency_ms=LONG_MS) as dying:
        calling(house, run_id)
        dying.kill()
    began = time.monotonic()
    with at_work(house):
        run = ended(house, run_id)
    print(f"ended {time.monotonic() - began:.2f} s after the next start")
    assert (run.status, run.tally.scored) == (Status.COMPLETED, 40)


def test_what_a_dead_process_was_at_is_stopped_at_once_though_nobody_works(house: House, database_url: str) -> None:
    """F02, F40."""
    furnished(house, "acme", leads=40)
    run_id = started(house)
    with Worker(database_url, latency_ms=LONG_MS) as dying:
        calling(house, run_id)
        dying.kill()
    trigger.stop(house.ledger, run_id, Stop.CANCEL, "user")
    run = books(house, run_id)
    assert (run.status, run.unsettled, run.tally.pending) == (Status.CANCELED, 0, 40)
    with at_work(house) as engine:
        again = ended(house, started(house, engine=engine))
    assert again.tally.scored == 40


def test_a_closed_engine_hands_its_work_back_and_another_process_ends_it_exactly(
    house: House, database_url: str
) -> None:
    furnished(house, "acme", "bolt", leads=30)
    with at_work(house, ScriptedScorer(latency_ms=50), limits=Limits(calls_at_once=2)) as engine:
        run_id = started(house, engine=engine)
        until(lambda: read.run(house.database, run_id).tally.scored, "a score")
    run = books(house, run_id)
    assert (run.status, run.unsettled) == (Status.RUNNING, 0)
    assert {client.status for client in run.clients} <= {Status.QUEUED, Status.COMPLETED}
    assert unsaved(house) == 0
    with Worker(database_url):
        run = ended(house, run_id)
    assert (run.status, run.tally.scored) == (Status.COMPLETED, 60)
    assert count(house, outcomes) == 60


def test_work_handed_back_after_a_cancel_is_canceled(sqlite_house: House) -> None:
    """Whichever of the two the worker heard of first."""
    furnished(sqlite_house, "acme", leads=30)
    with at_work(sqlite_house, ScriptedScorer(latency_ms=LONG_MS)) as engine:
        run_id = started(sqlite_house, engine=engine)
        calling(sqlite_house, run_id)
        engine._runner.halt("the process shuts down")
        trigger.stop(sqlite_house.ledger, run_id, Stop.CANCEL, "user")
        assert ended(sqlite_house, run_id).status is Status.CANCELED


def test_a_client_that_was_handed_back_is_free_for_whom_waits(sqlite_house: House) -> None:
    """One that was taken for dead cannot take it back from whoever works on it since."""
    furnished(sqlite_house, "acme")
    run_id = started(sqlite_house)
    sqlite_house.ledger.do(starts.plan, run_id, sqlite_house.clients.of_stream(None, ()))
    key = ClientKey(run_id, "acme")
    sqlite_house.ledger.do(progress.begin_client, key, "slot-0/new")
    sqlite_house.ledger.do(dispatch.hand_back, key, "slot-0/old")
    assert ledger_work.workers(sqlite_house.database) == {"slot-0": [key]}
    sqlite_house.ledger.do(dispatch.hand_back, key, "slot-0/new")
    assert ledger_work.workers(sqlite_house.database) == {}


def test_one_client_is_never_worked_on_twice_at_once_over_three_processes_and_two_runs(
    house: House, database_url: str
) -> None:
    """F14, rule 7: shown by the calls. One of the processes is killed on the way."""
    furnished(house, "acme", "bolt", "core", leads=40)
    first = started(house, asked(limit=25))
    second = started(house, asked(queue_behind=True))
    workers = [Worker(database_url, latency_ms=25, calls_at_once=2, concurrency=3) for _ in range(3)]
    with workers[0] as one, workers[1], workers[2]:
        until(lambda: read.run(house.database, first).tally.scored, "a score")
        one.kill()
        runs = [ended(house, run_id) for run_id in (first, second)]
    assert [run.tally.scored for run in runs] == [75, 45]
    for client_id in ("acme", "bolt", "core"):
        of_client = [(run, begin, end) for who, run, begin, end in spans(house) if who == client_id]
        last_of_first = max(end for run, _, end in of_client if run == first)
        assert last_of_first <= min(begin for run, begin, _ in of_client if run == second)


def test_two_engines_work_side_by_side_on_one_file(sqlite_house: House) -> None:
    both = threading.Event()

    class NotAlone(LeadScoring):
        async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
            await asyncio.to_thread(both.wait, PATIENCE_S)
            return await super().work(leads, job)

    furnished(sqlite_house, *(f"client-{n}" for n in range(12)), leads=30)
    url = str(sqlite_house.database.url)
    plugs = {LEAD_SCORING: NotAlone(ScriptedScorer(latency_ms=40))}
    limits = Limits(calls_at_once=2, concurrency=2)
    with (
        Worker(url, latency_ms=40, calls_at_once=2, concurrency=2),
        at_work(sqlite_house, operations=plugs, limits=limits) as us,
    ):
        run_id = started(sqlite_house, engine=us)
        until(lambda: set(ledger_work.workers(sqlite_house.database)) == {"slot-0", "slot-1"}, "both at work")
        both.set()
        run = ended(sqlite_house, run_id)
    assert (run.status, run.tally.scored) == (Status.COMPLETED, 360)


def test_a_small_run_does_not_wait_for_a_large_one_that_came_before(house: House) -> None:
    """Whose turn it is falls by lot among the clients that wait in the queue, a few of each run: that ten of the large
    run are left when the small one ends fails about once in a hundred thousand times.
    """
    large, small = [f"large-{n:02}" for n in range(60)], ["small-0", "small-1"]
    furnished(house, *large, leads=5, stream=1)
    furnished(house, *small, leads=5, stream=2)
    with at_work(house, ScriptedScorer(latency_ms=10), limits=Limits(concurrency=1)) as engine:
        first = started(house, asked(stream=1), engine)
        calling(house, first)
        second = ended(house, started(house, asked(stream=2), engine))
        whole = ended(house, first)
    assert (second.status, whole.status) == (Status.COMPLETED, Status.COMPLETED)
    assert sum(client.ended_at < second.ended_at for client in whole.clients) < 50  # type: ignore[operator]  # both did


def test_a_client_run_marked_but_never_put_in_the_queue_is_put_there_by_whoever_lives(sqlite_house: House) -> None:
    """F02: its process died between the ledger's commit and the engine's."""
    furnished(sqlite_house, "acme")
    run_id = started(sqlite_house)
    sqlite_house.ledger.do(starts.plan, run_id, sqlite_house.clients.of_stream(None, ()))
    assert len(sqlite_house.ledger.do(dispatch.dispatch, 16)) == 1
    began = time.monotonic()
    with at_work(sqlite_house):
        assert ended(sqlite_house, run_id).tally.scored == 10
    print(f"put in the queue and done after {time.monotonic() - began:.2f} s")


def test_a_client_run_whose_ticket_was_used_up_is_put_back(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's record says it is over, the ledger's that it is not: the ledger is right."""
    monkeypatch.setattr(watch, "RECONCILE_EVERY_S", 0.2)
    furnished(sqlite_house, "acme")
    run_id = started(sqlite_house)
    with at_work(sqlite_house) as engine:
        ended(sqlite_house, run_id)
        with sqlite_house.database.writing() as tx:
            tx.execute("UPDATE @runs SET status = 'running', ended_at = NULL")
            tx.execute("UPDATE @client_runs SET status = 'queued', ended_at = NULL, enqueued = 1, version = 100")
        run = ended(sqlite_house, run_id)
        assert run.tally.scored == 10
        assert engine.executor == "slot-0"


@pytest.mark.parametrize("which", ["paused", "ended"])
def test_a_ticket_that_outlived_its_run_changes_nothing(sqlite_house: House, which: str) -> None:
    furnished(sqlite_house, "acme", "bolt", leads=3)
    run_id = started(sqlite_house)
    with at_work(sqlite_house) as engine:
        run = ended(sqlite_house, run_id)
        if which == "paused":
            with sqlite_house.database.writing() as tx:
                tx.execute("UPDATE @client_runs SET status = 'paused' WHERE client_id = 'acme'")
        tickets = [dispatch.Ticket(ClientKey(run_id, each), 7, turn) for turn, each in enumerate(("acme", "bolt"))]
        engine._queues.enqueue(tickets)
        until(lambda: len(engine._queues.used_up(tickets)) == 2, "both used up")
    assert read.run(sqlite_house.database, run_id).tally == run.tally


def test_with_one_call_at_once_the_provider_never_sees_two(sqlite_house: House) -> None:
    furnished(sqlite_house, "acme", "bolt", leads=20)
    with ModelServer(latency_s=0.01) as server:
        done(sqlite_house, scorer=scorer_of(server), limits=Limits(calls_at_once=1))
        assert (len(server.log), server.most_at_once) == (8, 1)
