"""What tokens cost, to the pico-dollar, and by which list."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.tally import Estimate, Money, PriceList, Usage
from tallybook.scorers.prices import Prices, Rate

FLASH = Prices("google", "gemini-2.5-flash")
OWN = Prices(
    "google",
    "gemini-2.5-flash",
    {"google:gemini-2.5-flash": Rate(Money.usd("0.3"), Money.usd("2.5"), Money.usd("0.03"))},
)
UNKNOWN_MODEL = Prices("openai", "no-such-model")


@pytest.mark.parametrize("prices", [FLASH, OWN])
def test_cached_input_is_cheaper_and_thinking_is_output(prices: Prices) -> None:
    usage = prices.usage(100, 40, 27)
    assert usage.cost == Money.usd(
        Decimal("60e-6") * Decimal("0.3") + Decimal("40e-6") * Decimal("0.03") + Decimal("27e-6") * Decimal("2.5")
    )
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens) == (100, 40, 27)


def test_each_usage_says_by_which_list_it_was_priced() -> None:
    assert OWN.usage(1, 0, 1).prices == PriceList("settings", "0.3/0.03/2.5")
    assert Prices("a", "b", {"a:b": Rate(Money.usd(1), Money.usd(2))}).usage(1, 0, 1).prices == PriceList(
        "settings", "1/1/2"
    )
    shown = FLASH.usage(1, 0, 1).prices
    assert shown is not None
    assert (shown.source, shown.version[0].isdigit()) == ("genai-prices", True)


def test_a_model_in_no_list_is_unpriced_and_never_free() -> None:
    usage = UNKNOWN_MODEL.usage(100, 0, 10)
    assert usage == Usage(100, 0, 10)
    assert usage.unpriced
    assert UNKNOWN_MODEL.estimate(Estimate(3, 100, 10)) == Estimate(3, 100, 10, unpriced=3)


def test_an_estimate_is_priced_as_if_nothing_were_cached() -> None:
    assert OWN.estimate(Estimate(2, 100, 10)) == Estimate(2, 100, 10, OWN.usage(100, 0, 10).cost or Money())


def test_an_own_price_without_a_cached_one_takes_the_other() -> None:
    rate = Rate(Money.usd(1), Money.usd(2))
    assert rate.cost(1_000_000, 400_000, 0) == Money.usd(1)


def test_what_was_written_to_the_provider_s_cache_costs_more() -> None:
    claude = Prices("anthropic", "claude-haiku-4-5")
    plain, written = claude.usage(1000, 0, 10).cost, claude.usage(1000, 0, 10, cache_write_tokens=900).cost
    assert plain is not None
    assert written is not None
    assert written > plain


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_own_rates_are_exact_whatever_the_numbers(input_tokens: int, cached: int, output_tokens: int) -> None:
    """An answer that calls more cached than there was is taken at its smaller word."""
    usage = OWN.usage(input_tokens, cached, output_tokens)
    cached = min(cached, input_tokens)
    exact = (input_tokens - cached) * 300_000 + cached * 30_000 + output_tokens * 2_500_000
    assert usage.cost == Money(exact)
