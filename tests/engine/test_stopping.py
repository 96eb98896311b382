"""Telling a client run in this process: whatever is in flight lets go, and what begins afterwards never asks."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future

import pytest

from benchmarks.house import House
from tallybook.domain.run import Stop
from tallybook.engine.pages import CallLoop
from tallybook.engine.stopping import ClientWork, Registry
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.meter import CallMeter
from tallybook.ledger.tables import calls
from tests.stories.acting import LEAD_SCORING, PATIENCE_S, at_work, books, count, ended, furnished, started, until

KEY = ClientKey("r", "acme")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    calls_loop = CallLoop(1)
    yield calls_loop.loop
    calls_loop.close()


async def _forever(begun: threading.Event) -> None:
    begun.set()
    await asyncio.Event().wait()


def _begun(loop: asyncio.AbstractEventLoop, work: ClientWork) -> "Future[None]":
    begun = threading.Event()
    future = work.run(loop, _forever(begun))
    assert begun.wait(PATIENCE_S)
    return future


def test_what_is_in_flight_lets_go(loop: asyncio.AbstractEventLoop) -> None:
    """F40."""
    work = ClientWork(KEY, 0.0)
    future = _begun(loop, work)
    work.tell(Stop.CANCEL, "user")
    assert future.result(PATIENCE_S) is None


def test_what_begins_after_the_word_lets_go_at_once(loop: asyncio.AbstractEventLoop) -> None:
    work = ClientWork(KEY, 0.0)
    work.tell(Stop.PAUSE, "user")
    asked = False

    async def ask() -> None:
        nonlocal asked
        await asyncio.sleep(0)
        asked = True

    assert work.run(loop, ask()).result(PATIENCE_S) is None
    assert not asked


def test_what_is_canceled_without_a_word_says_so(loop: asyncio.AbstractEventLoop) -> None:
    async def canceled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(CancelledError):
        ClientWork(KEY, 0.0).run(loop, canceled()).result(PATIENCE_S)


def test_the_first_word_counts_unless_the_second_is_a_cancel() -> None:
    work = ClientWork(KEY, 0.0)
    work.tell(None, "the process shuts down")
    work.tell(Stop.PAUSE, "user")
    assert (work.stop, work.handing_back) == (None, True)
    work.tell(Stop.CANCEL, "user")
    work.tell(Stop.TIMEOUT, "run_timeout")
    assert (work.stop, work.handing_back, work.reason) == (Stop.CANCEL, False, "user")


def test_a_registry_keeps_the_newer_of_two_works_on_one_client_run() -> None:
    registry = Registry()
    older, newer = registry.enter(KEY, 1.0), registry.enter(KEY, 1.0)
    registry.leave(older)
    assert registry.all() == [newer]
    registry.leave(newer)
    assert registry.all() == []


def test_a_call_that_was_canceled_before_it_was_made_is_settled(house: House, loop: asyncio.AbstractEventLoop) -> None:
    """Its row was on the way into the books already."""
    furnished(house, "acme")
    with at_work(house) as engine:
        run = ended(house, started(house, engine=engine))
    before = run.tally.calls
    meter = CallMeter(house.ledger, OperationKey(run.run_id, "acme", LEAD_SCORING), "chunk")
    held, released = threading.Event(), threading.Event()

    def hold(tx: object) -> None:
        held.set()
        released.wait(PATIENCE_S)

    house.ledger.submit(hold)
    assert held.wait(PATIENCE_S)

    async def cut_short() -> None:
        task = asyncio.ensure_future(meter.start(provider="p", model="m"))
        await asyncio.sleep(0)
        task.cancel()
        await task

    future = asyncio.run_coroutine_threadsafe(cut_short(), loop)
    with pytest.raises(CancelledError):
        future.result(PATIENCE_S)
    released.set()
    until(lambda: count(house, calls, calls.c.result == "not_made") == 1, "the settled call")
    assert books(house, run.run_id).unsettled == 0
    assert books(house, run.run_id).tally.calls == before + 1
