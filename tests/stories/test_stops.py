"""Cancel, pause and timeouts reach the calls in flight (F40); what they leave can be told exactly."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.house import House
from tallybook.database import Database
from tallybook.domain.errors import Conflict, ProviderStop, Terminal
from tallybook.domain.lead import Lead
from tallybook.domain.ports import Job, Worked
from tallybook.domain.run import Run, Status, Stop
from tallybook.engine import trigger, watch
from tallybook.engine.runner import Limits
from tallybook.ledger import read
from tallybook.ledger.ledger import Ledger
from tallybook.operations.lead_scoring import LeadScoring
from tallybook.scorers.scripted import ScriptedScorer
from tests.stories.acting import (
    LEAD_SCORING,
    LONG_MS,
    PATIENCE_S,
    TroubledClients,
    Worker,
    asked,
    at_work,
    books,
    calling,
    done,
    ended,
    furnished,
    spans,
    started,
    texts,
    unsaved,
    until,
)

SOON_S = 1.0
BUSY_MACHINE = 3
"""Promised times are kept on a quiet machine; a test that shares it is given this many times as long."""
LONG = ScriptedScorer(latency_ms=LONG_MS)


def let_go(house: House, run_id: str) -> Run:
    """Wait until no call is in flight and the run stands still; within the promised time."""
    began = time.monotonic()
    until(lambda: read.run(house.database, run_id).status not in (Status.QUEUED, Status.RUNNING), "the stop")
    took = time.monotonic() - began
    print(f"let go after {took:.2f} s")
    assert took < SOON_S * BUSY_MACHINE
    run = books(house, run_id)
    assert run.unsettled == 0
    return run


@pytest.mark.parametrize(
    ("told", "status"), [(Stop.CANCEL, Status.CANCELED), (Stop.PAUSE, Status.PAUSED), (Stop.TIMEOUT, Status.TIMED_OUT)]
)
def test_a_stop_reaches_calls_in_flight(house: House, told: Stop, status: Status) -> None:
    """F40: from this process. The rest stays pending."""
    furnished(house, "acme", "bolt", leads=120)
    with at_work(house, LONG) as engine:
        run_id = started(house, engine=engine)
        calling(house, run_id, 8)
        trigger.stop(house.ledger, run_id, told, "user")
        run = let_go(house, run_id)
    assert run.status is status
    assert run.tally.pending == 240
    assert {client.status for client in run.clients} == {status}
    assert unsaved(house) == 0


@pytest.mark.parametrize("told", [Stop.CANCEL, Stop.PAUSE])
def test_a_stop_reaches_calls_in_flight_in_another_process(house: House, database_url: str, told: Stop) -> None:
    """F40."""
    furnished(house, "acme", leads=50)
    run_id = started(house)
    with Worker(database_url, latency_ms=LONG_MS):
        calling(house, run_id)
        trigger.stop(house.ledger, run_id, told, "user")
        run = let_go(house, run_id)
    assert run.tally.pending == 50


def test_a_client_is_free_for_the_next_run_only_when_its_calls_have_let_go(house: House) -> None:
    """F14, F40."""
    furnished(house, "acme", leads=100)
    with at_work(house, LONG) as engine:
        first = started(house, engine=engine)
        calling(house, first, 16)
        second = started(house, asked(queue_behind=True), engine)
        trigger.stop(house.ledger, first, Stop.CANCEL, "user")
        calling(house, second)
        trigger.stop(house.ledger, second, Stop.CANCEL, "user")
        let_go(house, second)
    ends = [end for _, run, _, end in spans(house) if run == first]
    begins = [begin for _, run, begin, _ in spans(house) if run == second]
    assert max(ends) <= min(begins)


def test_a_paused_run_goes_on_exactly_where_it_stopped_in_another_process(house: House, database_url: str) -> None:
    furnished(house, "acme", "bolt", leads=60)
    with at_work(house, ScriptedScorer(latency_ms=80), limits=Limits(calls_at_once=3)) as engine:
        run_id = started(house, engine=engine)
        until(lambda: read.run(house.database, run_id).tally.scored, "a score")
        trigger.stop(house.ledger, run_id, Stop.PAUSE, "user")
        before = let_go(house, run_id)
        assert before.blocked_reason == "user"
        assert 0 < before.tally.scored < 120
    with Worker(database_url):
        assert trigger.resume(house.ledger, run_id)
        run = ended(house, run_id)
    assert (run.status, run.tally.scored, run.tally.pending) == (Status.COMPLETED, 120, 0)
    assert unsaved(house) == 0


def test_a_run_paused_before_anybody_worked_on_it_goes_on_when_told(sqlite_house: House) -> None:
    furnished(sqlite_house, "acme")
    run_id = started(sqlite_house)
    trigger.stop(sqlite_house.ledger, run_id, Stop.PAUSE, "user")
    with at_work(sqlite_house) as engine:
        behind = started(sqlite_house, asked(queue_behind=True), engine)
        assert ended(sqlite_house, behind).tally.scored == 10
        assert trigger.resume(sqlite_house.ledger, run_id)
        engine.nudge()
        assert ended(sqlite_house, run_id).finish_reason == "no_work"


def test_a_run_canceled_while_it_is_queued_never_begins(sqlite_house: House) -> None:
    furnished(sqlite_house, "acme")
    run_id = started(sqlite_house)
    trigger.stop(sqlite_house.ledger, run_id, Stop.CANCEL, "user")
    with at_work(sqlite_house) as engine:
        other = started(sqlite_house, engine=engine)
        ended(sqlite_house, other)
    run = books(sqlite_house, run_id)
    assert (run.status, run.clients) == (Status.CANCELED, ())


def test_a_pause_that_becomes_a_cancel_while_calls_let_go_is_a_cancel(sqlite_house: House) -> None:
    """Whatever the worker was told first, what its run was told last and stronger counts."""
    furnished(sqlite_house, "acme", leads=30)

    def cancel_too(what: str) -> None:
        if what == "pausing":
            trigger.stop(sqlite_house.ledger, run_id, Stop.CANCEL, "user")

    class Holding(LeadScoring):
        async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
            try:
                return await super().work(leads, job)
            finally:
                cancel_too("pausing")

    with at_work(sqlite_house, operations={LEAD_SCORING: Holding(LONG)}) as engine:
        run_id = started(sqlite_house, engine=engine)
        calling(sqlite_house, run_id)
        trigger.stop(sqlite_house.ledger, run_id, Stop.PAUSE, "user")
        assert ended(sqlite_house, run_id).status is Status.CANCELED


def test_a_terminal_run_is_neither_stopped_nor_resumed(sqlite_house: House) -> None:
    furnished(sqlite_house, "acme")
    run_id = done(sqlite_house).run_id
    with pytest.raises(Terminal):
        trigger.stop(sqlite_house.ledger, run_id, Stop.PAUSE, "user")
    with pytest.raises(Terminal):
        trigger.resume(sqlite_house.ledger, run_id)


# -- timeouts ----------------------------------------------------------------------------------------------------------


def test_a_client_timeout_stops_that_client_alone(house: House) -> None:
    """F40: with the event that says so."""

    class SlowFor(LeadScoring):
        async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
            slow = job.client.client_id == "slow" and leads[0].lead_id.endswith("5")
            return await LeadScoring(LONG if slow else ScriptedScorer()).work(leads, job)

    furnished(house, "slow", "quick", leads=20)
    limits = Limits(calls_at_once=64, client_timeout_s=1.2)
    run = done(house, operations={LEAD_SCORING: SlowFor(LONG)}, limits=limits)
    told = {client.client_id: client.status for client in run.clients}
    assert told == {"slow": Status.TIMED_OUT, "quick": Status.COMPLETED}
    assert run.status is Status.COMPLETED_WITH_ERRORS
    assert run.tally.pending == 10
    assert texts(house, run.run_id, "client_timeout") == ["Stopped after 1.2 s of work"]


def test_a_run_timeout_stops_all_of_the_run(house: House) -> None:
    """F40."""
    furnished(house, "acme", "bolt", leads=50)
    run = done(house, scorer=LONG, limits=Limits(run_timeout_s=1.0))
    assert run.status is Status.TIMED_OUT
    assert {client.status for client in run.clients} == {Status.TIMED_OUT}
    assert run.tally.pending == 100
    assert run.started_at is not None
    assert run.ended_at is not None
    assert run.ended_at - run.started_at < timedelta(seconds=1 + SOON_S * BUSY_MACHINE)


def test_waiting_for_another_run_does_not_count_towards_the_timeout(sqlite_house: House) -> None:
    furnished(sqlite_house, "acme", leads=8)
    with at_work(sqlite_house, ScriptedScorer(latency_ms=250), limits=Limits(chunk_size=1, calls_at_once=1)) as engine:
        first = started(sqlite_house, asked(limit=7), engine)
        second = started(sqlite_house, asked(queue_behind=True), engine)
        engine._watcher._limits = Limits(run_timeout_s=2.0)
        assert ended(sqlite_house, first).status in (Status.COMPLETED, Status.TIMED_OUT)
        assert ended(sqlite_house, second).status is Status.COMPLETED


# -- pauses that nobody ends -------------------------------------------------------------------------------------------


def _far_future() -> datetime:
    return datetime.now(UTC) + timedelta(hours=25)


def test_a_run_paused_for_a_day_closes_and_the_next_run_takes_up_the_rest(
    house: House, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "HOUSEKEEPING_EVERY_S", 0.1)
    furnished(house, "acme", leads=40)
    with at_work(house, ScriptedScorer(latency_ms=60), limits=Limits(calls_at_once=1)) as engine:
        run_id = started(house, engine=engine)
        until(lambda: read.run(house.database, run_id).tally.scored, "a score")
        trigger.stop(house.ledger, run_id, Stop.PAUSE, "user")
        paused = let_go(house, run_id)
    later = House(Ledger(Database(database_url), _far_future), house.clients)
    with at_work(later) as engine:
        run = ended(later, run_id)
        assert (run.status, run.finish_reason) == (Status.COMPLETED_WITH_ERRORS, "pause_expired")
        assert run.tally.pending == paused.tally.pending > 0
        assert ended(later, started(later, engine=engine)).tally.found == paused.tally.pending
    later.ledger.close()


class StopsAfter(LeadScoring):
    """The provider's quota is used up after some chunks."""

    def __init__(self, chunks: int) -> None:
        super().__init__(ScriptedScorer())
        self.left = chunks

    async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
        if self.left == 0:
            raise ProviderStop("the quota of the day is used up", reason="quota", blocked_reason="provider_quota")
        self.left -= 1
        return await super().work(leads, job)


def test_a_provider_that_has_enough_pauses_the_run_and_the_rest_stays_pending(house: House) -> None:
    furnished(house, "acme", leads=250)
    furnished(house, "bolt", leads=1)
    quota = StopsAfter(chunks=3)
    with at_work(house, operations={LEAD_SCORING: quota}, limits=Limits(calls_at_once=2)) as engine:
        run_id = started(house, asked("acme"), engine)
        run = let_go(house, run_id)
        assert (run.status, run.blocked_reason) == (Status.PAUSED, "provider_quota")
        assert (run.tally.scored, run.tally.failed, run.tally.pending) == (15, 0, 235)
        assert unsaved(house) == 0
        assert texts(house, run_id, "provider_stop") == ["the quota of the day is used up"]
        quota.left = 1000
        assert trigger.resume(house.ledger, run_id)
        engine.nudge()
        assert ended(house, run_id).tally.scored == 250


def test_a_run_that_is_still_stopping_is_not_resumed(sqlite_house: House) -> None:
    released = threading.Event()

    def hold(what: str) -> None:
        if what == "load":
            released.wait(PATIENCE_S)

    furnished(sqlite_house, "acme")
    with at_work(sqlite_house, clients=TroubledClients(sqlite_house.clients, hold)) as engine:
        run_id = started(sqlite_house, engine=engine)
        until(lambda: read.run(sqlite_house.database, run_id).tally.found, "a worklist")
        trigger.stop(sqlite_house.ledger, run_id, Stop.PAUSE, "user")
        until(lambda: engine._runner.registry.all()[0].told, "the word passed on")
        with pytest.raises(Conflict, match="still stopping"):
            trigger.resume(sqlite_house.ledger, run_id)
        released.set()
        let_go(sqlite_house, run_id)
        assert trigger.resume(sqlite_house.ledger, run_id)
        assert not trigger.resume(sqlite_house.ledger, run_id)
        assert ended(sqlite_house, run_id).tally.scored == 10


def test_a_pause_while_the_worklist_is_frozen_stops_the_freezing(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallybook.engine.worklist.FREEZE_AT_ONCE", 10)
    stop: Callable[[], None] = lambda: trigger.stop(sqlite_house.ledger, run_id, Stop.PAUSE, "user")  # noqa: E731 -- handed on where it is named
    asked_for = 0

    def slow(what: str) -> None:
        nonlocal asked_for
        if what == "candidates":
            asked_for += 1
            if asked_for == 3:
                stop()
            time.sleep(0.1)

    furnished(sqlite_house, "acme", leads=400)
    with at_work(sqlite_house, clients=TroubledClients(sqlite_house.clients, slow)) as engine:
        run_id = started(sqlite_house, engine=engine)
        assert let_go(sqlite_house, run_id).tally.found < 400
        assert trigger.resume(sqlite_house.ledger, run_id)
        engine.nudge()
        assert ended(sqlite_house, run_id).tally.scored == 400
