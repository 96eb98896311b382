"""Tallies add, money is exact, rates cannot leave [0, 1]."""

from dataclasses import astuple
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.errors import BadInput
from tallybook.domain.tally import DEAREST_USD, MOST_TOKENS, PICO_PER_USD, Money, Tally, Usage, rate

COUNTS = st.integers(0, 10**9)
TALLIES = st.builds(Tally, *(COUNTS for _ in astuple(Tally())))
TOKENS = st.none() | st.integers(0, MOST_TOKENS)
USAGES = st.builds(Usage, TOKENS, TOKENS, TOKENS, st.none() | st.integers(0, PICO_PER_USD).map(Money))


@given(TALLIES, TALLIES, TALLIES)
def test_tallies_add_in_any_grouping_and_order(a: Tally, b: Tally, c: Tally) -> None:
    """F37"""
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a


@given(TALLIES)
def test_an_empty_tally_adds_nothing(tally: Tally) -> None:
    assert tally + Tally() == Tally() + tally == tally


@given(TALLIES)
def test_found_is_what_is_done_and_what_is_pending(tally: Tally) -> None:
    """F15"""
    assert tally.found == tally.scored + tally.harvested + tally.skipped + tally.failed + tally.pending
    assert (tally.ok, tally.done) == (tally.scored + tally.harvested, tally.found - tally.pending)


@given(TALLIES)
def test_a_success_rate_lies_between_0_and_1_or_is_unknown(tally: Tally) -> None:
    """F08"""
    found = tally.success_rate
    assert found is None if tally.ok + tally.failed == 0 else found is not None and 0 <= found <= 1


@given(COUNTS, COUNTS)
def test_a_rate_is_unknown_only_when_nothing_came_out_either_way(good: int, bad: int) -> None:
    """F08"""
    assert (rate(good, bad) is None) == (good == bad == 0)


@given(st.lists(USAGES))
def test_the_usage_of_calls_is_the_sum_of_what_is_known(usages: list[Usage]) -> None:
    """F07"""
    total = sum(map(Tally.of_call, usages), Tally())
    assert total.calls == len(usages)
    assert total.total_tokens == sum((each.input_tokens or 0) + (each.output_tokens or 0) for each in usages)
    assert total.cost == sum((each.cost for each in usages if each.cost is not None), Money())
    assert total.unmeasured + total.unpriced == sum(each.cost is None for each in usages)


@pytest.mark.parametrize(
    ("usage", "unmeasured", "unpriced"),
    [
        (Usage(), True, False),
        (Usage(input_tokens=10), True, False),
        (Usage(output_tokens=10), True, False),
        (Usage(10, None, 5), False, True),
        (Usage(10, None, 5, Money()), False, False),
        (Usage(cost=Money(1)), False, False),
    ],
)
def test_unknown_usage_is_counted_as_such_and_never_as_0(usage: Usage, unmeasured: bool, unpriced: bool) -> None:
    assert (usage.unmeasured, usage.unpriced) == (unmeasured, unpriced)


@pytest.mark.parametrize("tokens", [-1, MOST_TOKENS + 1])
def test_a_call_cannot_use_less_than_nothing_or_more_than_adds_up(tokens: int) -> None:
    with pytest.raises(BadInput, match="tokens of a call"):
        Usage(output_tokens=tokens)


@pytest.mark.parametrize("pico_usd", [-1, DEAREST_USD * PICO_PER_USD + 1])
def test_a_call_cannot_cost_less_than_nothing_or_more_than_adds_up(pico_usd: int) -> None:
    with pytest.raises(BadInput, match="a call costs 0 to"):
        Usage(cost=Money(pico_usd))


@given(st.integers(0, 10**24).map(Money))
def test_money_is_written_and_read_without_loss(money: Money) -> None:
    assert Money.usd(str(money)) == money
    assert "E" not in str(money).upper()


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0.0123", "0.0123"), (12, "12"), (0, "0"), ("1e-12", "0.000000000001"), ("0.0000000000005", "0"), (100, "100")],
)
def test_money_is_shown_as_a_decimal_string(amount: str | int, text: str) -> None:
    assert str(Money.usd(amount)) == text
    assert Money.usd(Decimal(amount)).as_decimal == Decimal(text)


@pytest.mark.parametrize("amount", ["NaN", "Infinity"])
def test_money_is_finite(amount: str) -> None:
    with pytest.raises(ValueError, match="no amount of money"):
        Money.usd(amount)
