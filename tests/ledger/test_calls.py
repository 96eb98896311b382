"""A row for every paid call; nothing overwrites it, and the tally is exactly their sum."""

import pytest
import sqlalchemy as sa

from tallybook.domain.errors import BadInput
from tallybook.domain.tally import Money, PriceList, Tally, Usage
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.tables import calls as call_rows
from tallybook.ledger.write import calls
from tests.ledger.scenes import POST_SCORING, USED, called, closed, recorded, scored, texts, told, working


def test_a_call_counts_when_it_is_settled_and_only_once(ledger: Ledger) -> None:
    """F07"""
    key = working(ledger, ["a"])
    called(ledger, key, "c1", usage=None)
    ledger.do(calls.start_call, calls.Call("c1", key, "another", "model"))
    assert (told(ledger, key.run_id).tally.calls, told(ledger, key.run_id).unsettled) == (0, 1)
    assert ledger.do(calls.settle_call, "c1", "ok\0", USED)
    assert not ledger.do(calls.settle_call, "c1", "ok", Usage(0, 0, 0, Money()))
    run = told(ledger, key.run_id)
    assert run.tally == Tally(found=1) + Tally.of_call(USED)
    assert (run.unsettled, str(run.tally.cost)) == (0, "0.0123")


def test_a_call_that_nobody_started_is_not_settled(ledger: Ledger) -> None:
    assert not ledger.do(calls.settle_call, "nothing", "ok", USED)


def test_failed_and_repeated_calls_count_as_well(ledger: Ledger) -> None:
    """F07, F23"""
    key = working(ledger, ["a"])
    for n, usage in enumerate((USED, Usage(), Usage(5, None, 7), Usage(5, 1, 7, Money()))):
        assert ledger.do(calls.record_call, calls.Call(f"c{n}", key, "p", "m", attempt=n), "quota", usage)
        assert not ledger.do(calls.record_call, calls.Call(f"c{n}", key, "p", "m"), "ok", usage)
    tally = told(ledger, key.run_id).tally
    assert (tally.calls, tally.unmeasured, tally.unpriced) == (4, 1, 1)
    assert (tally.input_tokens, tally.cached_tokens, tally.output_tokens) == (1010, 201, 114)


def test_a_call_that_is_free_is_priced(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    called(ledger, key, "c1", Usage(5, 0, 5, Money()))
    assert told(ledger, key.run_id).tally.unpriced == 0


@pytest.mark.parametrize("truth", [USED, Usage(3, None, 4), Usage()], ids=["billed", "unpriced", "unknown"])
def test_a_lost_call_that_is_answered_after_all_is_booked_exactly(ledger: Ledger, truth: Usage) -> None:
    """F02, F07"""
    key = working(ledger, ["a"])
    called(ledger, key, "c1", usage=None)
    called(ledger, key, "c2", usage=None)
    recorded(ledger, key, *scored("a"))
    closed(ledger, key)
    lost = told(ledger, key.run_id)
    assert (lost.tally.calls, lost.tally.unmeasured, lost.unsettled) == (2, 2, 0)
    assert texts(ledger, key.run_id, "calls_lost") == [
        "2 calls of lead_scoring were never answered for: maybe billed, usage unknown"
    ]
    assert ledger.do(calls.settle_call, "c1", "ok", truth)
    after = told(ledger, key.run_id)
    assert after.tally == Tally(found=1, scored=1) + Tally.of_call(truth) + Tally.of_call(Usage())
    assert after.status is lost.status


def test_a_call_settled_as_lost_with_a_bill_is_settled_again_exactly(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    called(ledger, key, "c1", usage=None)
    for result, usage in (("lost", Usage(9, 0, 9)), ("lost", USED), ("ok", Usage(1, 0, 1, Money(5)))):
        assert ledger.do(calls.settle_call, "c1", result, usage)
        assert told(ledger, key.run_id).tally == Tally(found=1) + Tally.of_call(usage)


def test_a_call_of_no_operation_run_is_refused(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    with pytest.raises(BadInput, match="cannot keep this"):
        ledger.do(calls.start_call, calls.Call("c1", key._replace(operation=POST_SCORING), "p", "m"))


def test_a_call_says_by_which_price_list_its_cost_was_reckoned(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    by_list = Usage(1, 0, 1, Money(5), PriceList("genai-prices", "0.2.1"))
    called(ledger, key, "c1", by_list)
    called(ledger, key, "c2", USED)
    ledger.do(calls.record_call, calls.Call("c3", key, "p", "m"), "ok", by_list)
    columns = (call_rows.c.call_id, call_rows.c.price_source, call_rows.c.price_version)
    with ledger.database.reading() as connection:
        found = connection.execute(sa.select(*columns).order_by(call_rows.c.call_id))
        assert [tuple(row) for row in found] == [
            ("c1", "genai-prices", "0.2.1"),
            ("c2", None, None),
            ("c3", "genai-prices", "0.2.1"),
        ]
