"""What the watcher does all the time, whatever else breaks; and what it leaves of the queue's own records."""

import logging
import threading
from datetime import timedelta

import pytest

from benchmarks.house import House
from tallybook.domain.budget import Budgets, Ceiling
from tallybook.domain.errors import LedgerUnavailable, StoreUnavailable
from tallybook.domain.run import OperationName, Status, Stop
from tallybook.domain.tally import Estimate, Usage
from tallybook.engine import queues, runner, waking, watch
from tallybook.engine.runner import Limits
from tallybook.ledger import read
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.tables import reservations
from tallybook.ledger.write import budgets, calls, dispatch, progress, starts, stops
from tallybook.scorers.scripted import ScriptedScorer
from tests.stories.acting import (
    TroubledClients,
    asked,
    at_work,
    books,
    calling,
    count,
    ended,
    furnished,
    planned,
    started,
    texts,
    until,
)


@pytest.fixture
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ADOPT_EVERY_S", "RECONCILE_EVERY_S", "HOUSEKEEPING_EVERY_S", "LOOK_FOR_WORK_EVERY_S", "WAKE_EVERY_S"):
        monkeypatch.setattr(watch, name, 0.05)


@pytest.mark.usefixtures("_hurried")
@pytest.mark.parametrize("error", [OSError("no lock file"), LedgerUnavailable("away"), KeyError("ours")])
def test_a_duty_that_breaks_keeps_no_other_from_being_done(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def broken(self: object) -> None:
        raise error

    monkeypatch.setattr(queues.Queues, "others_at_work", broken)
    monkeypatch.setattr(queues.Queues, "prune", broken)
    furnished(house, "acme")
    with at_work(house) as engine:
        until(lambda: caplog.text.count("taking over from the dead") > 1, "two tries")
        assert ended(house, started(house, engine=engine)).status is Status.COMPLETED
    assert "keeping house" in caplog.text


@pytest.mark.usefixtures("_hurried")
def test_a_pause_that_ends_just_before_it_expires_is_no_error(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    furnished(house, "acme")
    with at_work(house) as engine, caplog.at_level(logging.INFO):
        run_id = ended(house, started(house, engine=engine)).run_id
        monkeypatch.setattr("tallybook.ledger.work.paused_before", lambda *args: [run_id])
        until(lambda: "too late: " in caplog.text, "the attempt")
    assert "broke" not in caplog.text


@pytest.mark.usefixtures("_hurried")
def test_a_lost_slot_stops_all_work_until_it_is_held_again(house: House, caplog: pytest.LogCaptureFixture) -> None:
    class Lost:
        def alive(self) -> bool:
            return False

        def close(self) -> None:
            """It is gone already."""

    furnished(house, "acme", leads=30)
    with at_work(house, ScriptedScorer(latency_ms=100), limits=Limits(calls_at_once=1)) as engine:
        run_id = started(house, engine=engine)
        calling(house, run_id)
        held = engine._slot._lock
        engine._slot._lock = Lost()
        until(lambda: not engine._queues.claiming, "the loss noticed")
        until(lambda: not engine._queues.busy(), "all work handed back")
        until(lambda: "taking no more" in caplog.text, "the log")
        assert books(house, run_id).clients[0].status is Status.QUEUED
        held.close()
        until(lambda: engine._queues.claiming, "the slot held again")
        assert ended(house, run_id).tally.scored == 30


@pytest.mark.usefixtures("_hurried")
def test_what_was_claimed_and_is_not_worked_on_goes_back_in_the_queue(house: House) -> None:
    """DBOS claimed it and failed to begin: its client would be held for ever."""
    furnished(house, "acme", leads=3)
    run_id = started(house)
    real = queues._Process
    with at_work(house) as engine:
        ended(house, run_id)
        with engine._queues._engine.begin() as connection:
            connection.exec_driver_sql("UPDATE workflow_status SET status = 'PENDING', completed_at = NULL")
        tickets = [dispatch.Ticket(ClientKey(run_id, "acme"), 0, 0)]
        until(lambda: engine._queues.used_up(tickets), "its second end")
    assert real.work is None


def test_a_dead_executor_that_held_nothing_leaves_nothing(house: House) -> None:
    with at_work(house) as engine:
        assert engine._queues.adopt("slot-63") == 0


def test_what_is_claimed_after_the_engine_closed_changes_nothing(house: House) -> None:
    key = planned(house)
    queues._client_run(*key)
    assert house.ledger.do(dispatch.tickets_out)[0].turn == 0


def test_waking_without_an_engine_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking._Process, "event", None)
    waking.wake()
    waking.list_queues()


def test_a_client_list_that_failed_is_not_asked_for_again_at_every_nudge(house: House) -> None:
    """A large run ends a client every few milliseconds, and each is a nudge."""
    asked_for = 0

    def trouble(what: str) -> None:
        nonlocal asked_for
        asked_for += 1
        raise StoreUnavailable("away")

    furnished(house, "acme")
    with at_work(house, clients=TroubledClients(house.clients, trouble)) as engine:
        run_id = started(house)
        for _ in range(50):
            engine.nudge()
            until(lambda: not engine._nudged.is_set(), "its look")
    assert asked_for == 1
    assert read.run(house.database, run_id).status is Status.QUEUED


@pytest.mark.usefixtures("_hurried")
def test_a_ticket_used_up_by_a_client_run_that_moved_on_is_let_be(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = planned(house)
    with at_work(house) as engine:
        ended(house, key.run_id)
        stale = dispatch.Ticket(key, 0, 0)
        until(lambda: engine._queues.used_up([stale]), "its end")
        looked = threading.Event()

        def tickets(*args: object) -> list[dispatch.Ticket]:
            if caplog.records:
                looked.set()
            return [stale]

        monkeypatch.setattr(dispatch, "tickets_out", tickets)
        caplog.clear()
        logging.getLogger(__name__).warning("a mark")
        until(looked.is_set, "a look")
    assert "it is put back" not in caplog.text


def test_a_ledger_that_is_away_is_no_fault_of_the_client_list(house: House) -> None:
    """It costs the run none of its tries."""

    def away() -> None:
        raise LedgerUnavailable("away")

    with pytest.raises(LedgerUnavailable):
        runner.tried(away)


@pytest.mark.usefixtures("_hurried")
def test_the_engine_forgets_what_ended_a_month_ago(house: House) -> None:
    furnished(house, "acme", "bolt", leads=3)
    with at_work(house) as engine:
        run_id = ended(house, started(house, engine=engine)).run_id
        tickets = [dispatch.Ticket(ClientKey(run_id, name), at, 0) for at, name in enumerate(("acme", "bolt"))]
        until(lambda: len(engine._queues.used_up(tickets)) == 2, "both ended")
        with engine._queues._engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE workflow_status SET completed_at = completed_at - 2678400000 WHERE workflow_uuid LIKE '%/0/0'"
            )
        until(lambda: engine._queues.used_up(tickets) == tickets[1:], "the old one forgotten")
        assert engine._queues.prune() == 0


def test_a_turn_that_another_process_was_faster_to_hand_out_is_not_handed_out_again(house: House) -> None:
    key = planned(house)
    ticket = dispatch.Ticket(key, 0, 0)
    with house.database.writing() as tx:
        assert not dispatch._hand_out(tx, ticket)
    assert house.ledger.do(dispatch.tickets_out) == [ticket]
    assert house.ledger.do(dispatch.reissue, ticket)
    assert not house.ledger.do(dispatch.reissue, ticket)
    assert house.ledger.do(dispatch.tickets_out) == []


def test_a_client_that_somebody_works_on_is_not_waited_for_by_its_own_takeover(house: House) -> None:
    """A later run had the client first; its worker died; the earlier run waits for it and must not be waited for."""
    furnished(house, "acme")
    earlier, later = started(house), started(house, asked(queue_behind=True))
    house.ledger.do(starts.plan, later, house.clients.of_stream(None, ()))
    key = ClientKey(later, "acme")
    assert house.ledger.do(progress.begin_client, key, "slot-0/dead").go
    house.ledger.do(starts.plan, earlier, house.clients.of_stream(None, ()))
    assert house.ledger.do(progress.begin_client, ClientKey(earlier, "acme"), "slot-1/x").waits_for == later
    assert house.ledger.do(progress.begin_client, key, "slot-1/x").go


@pytest.mark.usefixtures("_hurried")
@pytest.mark.parametrize("whole", [True, False])
def test_what_waited_until_an_instant_is_worked_on_from_then_on(house: House, whole: bool) -> None:
    """The run as a whole, or one client of it; nobody has to look for it."""
    furnished(house, "acme", "bolt", leads=3)
    run_id = started(house)
    house.ledger.do(starts.plan, run_id, house.clients.of_stream(None, ()))
    at = house.ledger.clock() + timedelta(seconds=1)
    if whole:
        house.ledger.do(stops.stop_run, run_id, Stop.PAUSE, "provider_quota", wake_at=at)
    else:
        house.ledger.do(stops.stop_client, ClientKey(run_id, "acme"), Stop.PAUSE, "budget_exhausted", wake_at=at)
    with at_work(house):
        run = ended(house, run_id)
    assert (run.status, run.tally.scored) == (Status.COMPLETED, 6)
    first = min(each.started_at for each in run.clients if each.started_at)
    assert (first >= at) == whole
    assert len(texts(house, run_id, "woken")) == 1


@pytest.mark.usefixtures("_hurried")
def test_what_was_set_aside_long_ago_is_forgotten_in_time(house: House) -> None:
    key = planned(house)
    house.ledger.do(progress.begin_client, key, "slot-63/gone")
    operation = OperationKey(*key, OperationName.LEAD_SCORING)
    house.ledger.do(progress.open_operation, operation)
    budget = Budgets(day=Ceiling(tokens=100))
    house.ledger.do(budgets.start_within, calls.Call("c1", operation, "p", "m"), Estimate(1, 9), budget)
    house.ledger.do(budgets.settle_reserved, "c1", "timeout", Usage())
    with house.database.writing() as tx:
        tx.execute("UPDATE @reservations SET at = '2026-01-01T00:00:00.000000Z'")
    assert count(house, reservations) == 1
    with at_work(house):
        until(lambda: count(house, reservations) == 0, "the old one forgotten")
