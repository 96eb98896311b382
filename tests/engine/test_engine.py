"""One engine to a process: how it begins, and how it ends whatever goes wrong."""

import asyncio
import logging
import threading

import pytest

from benchmarks.house import House
from tallybook.domain.errors import LedgerUnavailable, StoreUnavailable
from tallybook.domain.run import Status, Stop
from tallybook.engine import engine as engine_module
from tallybook.engine import lease, pages, queues, runner, trigger, waking, watch
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits, Runner
from tallybook.ledger import read
from tallybook.ledger.keys import ClientKey
from tallybook.ledger.write import dispatch, progress, starts
from tallybook.scorers.scripted import ScriptedScorer
from tests.stories.acting import (
    PATIENCE_S,
    TroubledClients,
    asked,
    at_work,
    books,
    calling,
    ended,
    furnished,
    started,
    until,
)


def test_a_second_engine_in_one_process_is_refused_and_holds_nothing(house: House) -> None:
    with at_work(house):
        with pytest.raises(RuntimeError, match="works in this process already"):
            Engine(house.ledger, house.clients, {}, Limits())
        with lease.held_if_dead(house.database, "slot-1") as free:
            assert free


def test_an_engine_that_cannot_be_launched_holds_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(queues, "_launch", broken)
        with pytest.raises(OSError, match="no space"):
            Engine(house.ledger, house.clients, {}, Limits())
    with at_work(house) as engine:
        assert engine.executor == "slot-0"


def test_an_engine_is_opened_and_closed_any_number_of_times(house: House) -> None:
    furnished(house, "acme")
    for _ in range(3):
        with at_work(house) as engine:
            ended(house, started(house, engine=engine))
    assert not [each for each in threading.enumerate() if each.name.startswith("tallybook-calls")]


def test_what_does_not_let_go_keeps_its_slot_until_the_process_ends(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever took the slot would work on the same client."""
    monkeypatch.setattr(engine_module, "LET_GO_S", 0.2)
    released = threading.Event()

    def hold(what: str) -> None:
        if what == "load":
            released.wait(PATIENCE_S)

    furnished(house, "acme")
    with at_work(house, clients=TroubledClients(house.clients, hold)) as engine:
        run_id = started(house, engine=engine)
        until(lambda: read.run(house.database, run_id).tally.found, "a worklist")
        worker = engine._runner
        slot = engine._slot
    assert "does not let go" in caplog.text
    with lease.held_if_dead(house.database, "slot-0") as dead:
        assert not dead
    released.set()
    until(lambda: not worker.registry.all(), "the end of its work")
    assert read.run(house.database, run_id).clients[0].status is Status.QUEUED
    slot.close()
    with at_work(house):
        assert ended(house, run_id).tally.scored == 10


def test_a_call_that_does_not_let_go_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "LET_GO_S", 0.1)
    loop = pages.CallLoop(1)

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                await asyncio.sleep(0.5)

    future = asyncio.run_coroutine_threadsafe(stubborn(), loop.loop)
    loop.close()
    loop.close()
    assert loop.loop.is_closed()
    assert not future.done()


# -- the runner --------------------------------------------------------------------------------------------------------


@pytest.fixture
def alone(house: House) -> Runner:
    """A runner without an engine around it."""
    return Runner(
        house.ledger,
        house.clients,
        house.operations(ScriptedScorer()),
        limits=Limits(),
        executor="slot-0",
        ended=lambda: None,
    )


def test_while_the_ledger_cannot_be_reached_a_client_run_waits_and_goes_on(
    house: House, alone: Runner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runner, "LEDGER_AGAIN_AFTER_S", 0.01)
    key = _planned(house)
    begin, tries = progress.begin_client, 0

    def begins_at_third(*args: object) -> object:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise LedgerUnavailable("the database is away")
        return begin(*args)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(progress, "begin_client", begins_at_third)
    alone.client_run(*key)
    assert books(house, key.run_id).status is Status.COMPLETED
    assert caplog.text.count("waits for the ledger") == 2
    alone.close()


def test_the_ledger_lost_in_the_middle_of_a_page_costs_nothing_that_was_recorded(
    house: House, alone: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LEDGER_AGAIN_AFTER_S", 0.01)
    key, record, tries = _planned(house, leads=30), progress.record, 0

    def records(*args: object, **kwargs: object) -> object:
        nonlocal tries
        tries += 1
        if 2 < tries < 12:
            raise LedgerUnavailable("the database is away")
        return record(*args, **kwargs)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(progress, "record", records)
    alone.client_run(*key)
    run = books(house, key.run_id)
    assert (run.status, run.tally.scored) == (Status.COMPLETED, 30)
    assert run.tally.calls > 6, "what was not recorded is asked again"
    alone.close()


def test_a_runner_that_is_closed_does_not_wait_for_the_ledger_any_more(
    house: House, alone: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = _planned(house)

    def away(*args: object) -> None:
        raise LedgerUnavailable("the database is away")

    monkeypatch.setattr(progress, "begin_client", away)
    monkeypatch.setattr(dispatch, "hand_back", away)
    working = threading.Thread(target=alone.client_run, args=key)
    working.start()
    alone.close()
    working.join(PATIENCE_S)
    assert not working.is_alive()


def test_a_halted_runner_hands_back_what_it_is_given(house: House, alone: Runner) -> None:
    key = _planned(house)
    alone.halt("slot lost")
    alone.client_run(*key)
    assert [ticket.turn for ticket in house.ledger.do(dispatch.dispatch, 4)] == [1]
    alone.go_on()
    alone.client_run(*key)
    assert books(house, key.run_id).tally.scored == 10
    alone.close()


def test_a_halt_between_begin_and_work_is_heard(house: House, alone: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    key, begin = _planned(house), progress.begin_client

    def halts(*args: object) -> object:
        alone.halt("slot lost")
        return begin(*args)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(progress, "begin_client", halts)
    alone.client_run(*key)
    run = books(house, key.run_id)
    assert (run.clients[0].status, run.tally.calls) == (Status.QUEUED, 0)
    alone.close()


def test_a_stop_that_came_before_the_work_is_heard(house: House, alone: Runner) -> None:
    key = _planned(house)
    house.ledger.do(progress.begin_client, key, "slot-1/dead")
    trigger.stop(house.ledger, key.run_id, Stop.PAUSE, "user")
    assert books(house, key.run_id).status is Status.PAUSED
    trigger.resume(house.ledger, key.run_id)
    house.ledger.do(progress.begin_client, key, "slot-1/dead")
    with house.database.writing() as tx:
        tx.execute("UPDATE @runs SET stop = 'cancel', blocked_reason = 'user'")
    alone.client_run(*key)
    assert books(house, key.run_id).status is Status.CANCELED
    alone.close()


def test_an_error_of_our_own_in_taking_up_a_client_run_is_logged_and_kills_nobody(
    house: House, alone: Runner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(progress, "begin_client", broken)
    alone.client_run(*_planned(house))
    assert "client acme of run" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    alone.close()


def test_a_client_run_that_breaks_between_its_operations_is_closed_as_failed(
    house: House, alone: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("nobody expects this")

    monkeypatch.setattr(runner, "work_pages", broken)
    key = _planned(house)
    alone.client_run(*key)
    run = books(house, key.run_id)
    assert (run.status, run.tally.pending) == (Status.FAILED, 10)
    assert run.clients[0].error == "ZeroDivisionError: nobody expects this"
    alone.close()


def _planned(house: House, leads: int = 10) -> ClientKey:
    furnished(house, "acme", leads=leads)
    run_id = started(house)
    house.ledger.do(starts.plan, run_id, house.clients.of_stream(None, ()))
    house.ledger.do(dispatch.dispatch, 4)
    return ClientKey(run_id, "acme")


# -- the watcher -------------------------------------------------------------------------------------------------------


@pytest.fixture
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ADOPT_EVERY_S", "RECONCILE_EVERY_S", "HOUSEKEEPING_EVERY_S", "LOOK_FOR_WORK_EVERY_S"):
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
    key = _planned(house)
    queues._client_run(*key)
    assert house.ledger.do(dispatch.tickets_out)[0].turn == 0


def test_waking_without_an_engine_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking._Process, "event", None)
    waking.wake()


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
    key = _planned(house)
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
    key = _planned(house)
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
