"""One engine to a process: how it begins, and how it ends whatever goes wrong."""

import asyncio
import threading

import pytest

from benchmarks.house import House
from tallybook.domain.errors import LedgerUnavailable
from tallybook.domain.run import Status, Stop
from tallybook.engine import engine as engine_module
from tallybook.engine import lease, pages, queues, runner, trigger
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits, Runner
from tallybook.ledger import read
from tallybook.ledger.write import dispatch, progress
from tallybook.scorers.scripted import ScriptedScorer
from tests.stories.acting import (
    PATIENCE_S,
    TroubledClients,
    at_work,
    books,
    ended,
    furnished,
    planned,
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
    key = planned(house)
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
    key, record, tries = planned(house, leads=30), progress.record, 0

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
    key = planned(house)

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
    key = planned(house)
    alone.halt("slot lost")
    alone.client_run(*key)
    assert [ticket.turn for ticket in house.ledger.do(dispatch.dispatch, 4)] == [1]
    alone.go_on()
    alone.client_run(*key)
    assert books(house, key.run_id).tally.scored == 10
    alone.close()


def test_a_halt_between_begin_and_work_is_heard(house: House, alone: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    key, begin = planned(house), progress.begin_client

    def halts(*args: object) -> object:
        alone.halt("slot lost")
        return begin(*args)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(progress, "begin_client", halts)
    alone.client_run(*key)
    run = books(house, key.run_id)
    assert (run.clients[0].status, run.tally.calls) == (Status.QUEUED, 0)
    alone.close()


def test_a_stop_that_came_before_the_work_is_heard(house: House, alone: Runner) -> None:
    key = planned(house)
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
    alone.client_run(*planned(house))
    assert "client acme of run" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    alone.close()


def test_a_client_run_that_breaks_between_its_operations_is_closed_as_failed(
    house: House, alone: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("nobody expects this")

    monkeypatch.setattr(runner, "work_pages", broken)
    key = planned(house)
    alone.client_run(*key)
    run = books(house, key.run_id)
    assert (run.status, run.tally.pending) == (Status.FAILED, 10)
    assert run.clients[0].error == "ZeroDivisionError: nobody expects this"
    alone.close()
