"""Tallies, usage and money: what adds up."""

import operator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Self

from tallybook.domain.errors import BadInput

PICO_PER_USD = 10**12
MOST_TOKENS = 2**53
DEAREST_USD = 1_000_000
"""Of one call, so that the sums of any run stay whole numbers in every database."""


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """US dollars, exact to a millionth of a millionth, so that a token of a cheap model is no rounding error.

    Kept as a whole number of pico-dollars: sums are exact in every database.
    """

    pico_usd: int = 0

    @classmethod
    def usd(cls, amount: Decimal | int | str) -> Self:
        """*amount* in dollars, rounded half to even at the twelfth decimal. Raises ValueError when it is not finite."""
        value = Decimal(amount)
        if not value.is_finite():
            raise ValueError(f"{amount} is no amount of money")
        return cls(int((value * PICO_PER_USD).to_integral_value(ROUND_HALF_EVEN)))

    @property
    def as_decimal(self) -> Decimal:
        return Decimal(self.pico_usd) / PICO_PER_USD

    def __add__(self, other: "Money") -> "Money":
        return Money(self.pico_usd + other.pico_usd)

    def __str__(self) -> str:
        """A decimal string without exponent: '0.0123', '12', '0'."""
        text = format(self.as_decimal, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text


NOTHING = Money()
LOST = "lost"
"""The result of a call nobody answered for. Maybe billed; it is settled anew if that comes out after all."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """By what a cost was reckoned. Kept with the call, so that history is never silently priced anew."""

    source: str
    version: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call used. None means nobody can know; it is never 0.

    *input_tokens* includes the cached ones, *output_tokens* includes thinking.
    *cost* None with known tokens: unpriced. *prices*: by which list the cost was reckoned, None if it was billed.
    """

    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost: Money | None = None
    prices: PriceList | None = None

    def __post_init__(self) -> None:
        for tokens in (self.input_tokens, self.cached_tokens, self.output_tokens):
            if tokens is not None and not 0 <= tokens <= MOST_TOKENS:
                raise BadInput(f"the tokens of a call are 0 to {MOST_TOKENS}, got {tokens!r}")
        if self.cost is not None and not 0 <= self.cost.pico_usd <= DEAREST_USD * PICO_PER_USD:
            raise BadInput(f"a call costs 0 to {DEAREST_USD} dollars, got {self.cost}")

    @property
    def unmeasured(self) -> bool:
        """Neither both token counts nor a bill is known."""
        return self.cost is None and (self.input_tokens is None or self.output_tokens is None)

    @property
    def unpriced(self) -> bool:
        """The tokens are known, their price is not."""
        return self.cost is None and not self.unmeasured


NO_USAGE = Usage(0, 0, 0, NOTHING)
"""Of a call of which it is known that it used nothing, for it was refused or not made."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What calls would take, before they are made. Estimates add. *unpriced*: of the calls, those without a price."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Money = NOTHING
    unpriced: int = 0

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost + other.cost,
            self.unpriced + other.unpriced,
        )

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Tally:
    """What a set of leads and calls came to. Tallies add; nothing else changes them."""

    found: int = 0
    scored: int = 0
    harvested: int = 0
    skipped: int = 0
    failed: int = 0
    posts: int = 0
    calls: int = 0
    unmeasured: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_pico_usd: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*map(operator.add, self.figures, other.figures))

    @property
    def figures(self) -> tuple[int, ...]:
        """All of them, in the order above. Not `astuple`: that copies every number deeply, and is most of a sum."""
        figures: tuple[int, ...] = _FIGURES(self)
        return figures

    @classmethod
    def of_call(cls, usage: Usage) -> "Tally":
        """What one settled call adds."""
        return cls(
            calls=1,
            unmeasured=int(usage.unmeasured),
            unpriced=int(usage.unpriced),
            input_tokens=usage.input_tokens or 0,
            cached_tokens=usage.cached_tokens or 0,
            output_tokens=usage.output_tokens or 0,
            cost_pico_usd=usage.cost.pico_usd if usage.cost else 0,
        )

    @property
    def ok(self) -> int:
        return self.scored + self.harvested

    @property
    def done(self) -> int:
        """Leads with an outcome."""
        return self.ok + self.skipped + self.failed

    @property
    def pending(self) -> int:
        """Leads found that have no outcome (yet)."""
        return self.found - self.done

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def cost(self) -> Money:
        return Money(self.cost_pico_usd)

    @property
    def success_rate(self) -> float | None:
        return rate(self.ok, self.failed)


_FIGURES = operator.attrgetter(*Tally.__dataclass_fields__)


def rate(good: int, bad: int) -> float | None:
    """good / (good + bad): in [0, 1] by construction, None for 0/0. Skipped ones are neither."""
    return good / (good + bad) if good + bad else None
