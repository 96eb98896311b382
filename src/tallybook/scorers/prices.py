"""What tokens cost: by the operator's own table, else by genai-prices, which needs no network. Else nobody knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tallybook.domain.tally import NOTHING, Estimate, Money, PriceList, Usage

MILLION = 1_000_000
OWN = "settings"
ROUGH = 1_000
"""Tokens by which a rate is found out: fewer than any price list has a step at."""


@dataclass(frozen=True, slots=True)
class Rate:
    """US dollars per million tokens. *cached* None: as much as other input."""

    input: Money
    output: Money
    cached: Money | None = None

    @property
    def version(self) -> str:
        """Names these figures: '0.3/0.03/2.5'."""
        return "/".join(str(each) for each in (self.input, self.cached or self.input, self.output))

    def cost(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> Money:
        """Exact to the pico-dollar, rounded down. Input includes cached."""
        cached = self.cached if self.cached is not None else self.input
        pico = (input_tokens - cached_tokens) * self.input.pico_usd + cached_tokens * cached.pico_usd
        return Money((pico + output_tokens * self.output.pico_usd) // MILLION)


def _by_the_million(cost: Money) -> Money:
    return Money(cost.pico_usd * MILLION // ROUGH)


@dataclass(frozen=True)
class Prices:
    """Costs of one model of one provider. *own*: the operator's rates by `provider:model`."""

    provider: str
    model: str
    own: Mapping[str, Rate] = field(default_factory=dict)

    def usage(self, input_tokens: int, cached_tokens: int, output_tokens: int, *, cache_write_tokens: int = 0) -> Usage:
        """These tokens with their cost and the list it was reckoned by; without a cost when the model is in neither."""
        cached = min(cached_tokens, input_tokens)  # an answer that says otherwise is wrong about one of them
        cost = self._cost(input_tokens, cached, output_tokens, cache_write_tokens)
        prices = self._list if cost is not None else None
        return Usage(input_tokens, cached_tokens, output_tokens, cost, prices)

    def estimate(self, estimate: Estimate) -> Estimate:
        """*estimate* with its cost, as if nothing were cached."""
        rate = self._rough_rate
        cost = rate.cost(estimate.input_tokens, 0, estimate.output_tokens) if rate else NOTHING
        unpriced = 0 if rate else estimate.calls
        return Estimate(estimate.calls, estimate.input_tokens, estimate.output_tokens, cost, unpriced)

    @cached_property
    def _rough_rate(self) -> Rate | None:
        """What a small call costs by the million: looking each estimate up would take longer than making it."""
        if self._rate is not None:
            return self._rate
        of_input, of_output = self._cost(ROUGH, 0, 0, 0), self._cost(0, 0, ROUGH, 0)
        if of_input is None or of_output is None:
            return None
        return Rate(_by_the_million(of_input), _by_the_million(of_output))

    @cached_property
    def _rate(self) -> Rate | None:
        return self.own.get(f"{self.provider}:{self.model}")

    @cached_property
    def _list(self) -> PriceList:
        if self._rate is not None:
            return PriceList(OWN, self._rate.version)
        import genai_prices

        return PriceList("genai-prices", genai_prices.__version__)

    def _cost(self, input_tokens: int, cached: int, output_tokens: int, cache_write_tokens: int) -> Money | None:
        if self._rate is not None:
            return self._rate.cost(input_tokens, cached, output_tokens)
        import genai_prices

        used = genai_prices.Usage(
            input_tokens=input_tokens,
            cache_read_tokens=cached,
            cache_write_tokens=cache_write_tokens,
            output_tokens=output_tokens,
        )
        try:
            price = genai_prices.calc_price(used, self.model, provider_id=self.provider)
        except (LookupError, ValueError):  # in no list, or counts that cannot be
            return None
        return Money.usd(price.total_price)
