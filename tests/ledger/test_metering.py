"""The meter of a chunk: a call is in the books before it is made, and within the budgets that hold."""

import asyncio
import threading

import pytest

from tallybook.domain.budget import Budgets, Ceiling
from tallybook.domain.errors import BudgetExhausted, ProviderStop
from tallybook.domain.ports import UNKNOWN
from tallybook.domain.tally import Estimate, Money, Tally, Usage
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.meter import CallMeter
from tests.ledger.scenes import USED, recorded, scored, texts, told, working
from tests.ledger.spending import DAY_100, set_aside, tokens, unpriced, used


def started(meter: CallMeter, estimate: Estimate = UNKNOWN) -> str | None:
    return asyncio.run(meter.start(provider="google", model="gemini", estimate=estimate))


def test_a_meter_books_the_start_before_the_call_is_made(ledger: Ledger) -> None:
    """F07"""
    key = working(ledger, ["a"])
    meter = CallMeter(ledger, key, "a")
    call_id = asyncio.run(meter.start(provider="google", model="gemini", attempt=2))
    assert call_id is not None
    assert told(ledger, key.run_id).unsettled == 1
    meter.settle(call_id, result="ok", usage=USED)
    recorded(ledger, key, *scored("a"))  # submitted later, so committed no earlier
    assert told(ledger, key.run_id).tally == Tally(found=1, scored=1) + Tally.of_call(USED)


def test_a_call_stopped_while_its_start_is_booked_is_settled_and_not_left_open(ledger: Ledger) -> None:
    """F40"""
    key = working(ledger, ["a"])
    meter = CallMeter(ledger, key, "a", DAY_100)
    go = threading.Event()

    async def stop_it() -> bool:
        ledger.submit(lambda tx: go.wait(10))
        task = asyncio.create_task(meter.start(provider="google", model="gemini", estimate=tokens(60)))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        go.set()
        return task.cancelled()

    assert asyncio.run(stop_it())
    recorded(ledger, key, *scored("a"))
    run = told(ledger, key.run_id)
    assert (run.tally.calls, run.unsettled, set_aside(ledger)) == (1, 0, {})


def test_a_call_that_was_stopped_before_there_was_room_for_it_leaves_nothing(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    meter = CallMeter(ledger, key, "a", DAY_100)
    assert started(meter, tokens(60))
    go = threading.Event()

    async def stop_it() -> None:
        ledger.submit(lambda tx: go.wait(10))
        task = asyncio.create_task(meter.start(provider="google", model="gemini", estimate=tokens(60)))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        go.set()

    asyncio.run(stop_it())
    assert (told(ledger, key.run_id).unsettled, len(set_aside(ledger))) == (1, 1)


def test_a_meter_lets_a_call_wait_for_those_in_flight_and_then_refuses_it(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    meter = CallMeter(ledger, key, "a", DAY_100)
    first = started(meter, tokens(60))
    assert first is not None
    assert started(meter, tokens(60)) is None
    meter.settle(first, result="ok", usage=used(60))
    with pytest.raises(BudgetExhausted, match="60 of 100 tokens"):
        started(meter, tokens(60))
    assert len(texts(ledger, key.run_id, "budget_exhausted")) == 1
    assert told(ledger, key.run_id).unsettled == 0


def test_a_meter_refuses_a_model_without_a_price_under_a_budget_in_money(ledger: Ledger) -> None:
    meter = CallMeter(ledger, working(ledger, ["a"]), "a", Budgets(day=Ceiling(cost=Money.usd(1))))
    with pytest.raises(ProviderStop, match="gemini has no known price"):
        started(meter, unpriced())


@pytest.mark.parametrize(
    ("usage", "refused", "kept"),
    [(used(5), False, 0), (Usage(), False, 1), (Usage(), True, 0)],
    ids=["known", "maybe billed", "refused"],
)
def test_a_meter_lets_go_of_what_was_set_aside_unless_the_call_was_maybe_billed(
    ledger: Ledger, usage: Usage, refused: bool, kept: int
) -> None:
    key = working(ledger, ["a"])
    meter = CallMeter(ledger, key, "a", DAY_100)
    call_id = started(meter, tokens(60))
    assert call_id is not None
    for _time in range(2):
        meter.settle(call_id, result="unavailable", usage=usage, refused=refused)
    assert told_after_all(ledger, key.run_id) == 1
    assert len(set_aside(ledger)) == kept


def told_after_all(ledger: Ledger, run_id: str) -> int:
    ledger.do(lambda tx: None)
    return told(ledger, run_id).tally.calls


def test_settling_what_needed_no_budget_is_settling_a_call_and_nothing_else(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = working(ledger, ["a"])
    meter = CallMeter(ledger, key, "a")
    call_id = started(meter, tokens(60))
    assert call_id is not None
    monkeypatch.setattr("tallybook.ledger.write.budgets.settle_reserved", None)
    meter.settle(call_id, result="ok", usage=used(5))
    assert told_after_all(ledger, key.run_id) == 1


def test_a_remark_is_in_the_books_once_for_all_that_differ_only_in_numbers(ledger: Ledger) -> None:
    """F24"""
    key = working(ledger, ["a"])
    for number in range(3):
        CallMeter(ledger, key, "a").note("clamped", f"score {number} of lead 'l{number}' was out of range")
    CallMeter(ledger, working(ledger, ["a"], "bolt"), "a").note("clamped", "score 7 of lead 'x' was out of range")
    ledger.do(lambda tx: None)
    assert texts(ledger, key.run_id, "clamped") == ["score 0 of lead 'l0' was out of range"]
