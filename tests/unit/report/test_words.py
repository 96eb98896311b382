"""Figures and codes as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.outcome import FailReason, SkipReason
from tallybook.domain.tally import Money, Tally
from tallybook.report import words


@pytest.mark.parametrize("reason", [*SkipReason, *FailReason])
def test_every_reason_has_a_meaning(reason: str) -> None:
    assert words.meaning(reason) != words.plain(reason) or "_" not in reason


@pytest.mark.parametrize(
    ("number", "told"),
    [(0, "0"), (950, "950"), (999, "999"), (1_000, "1.0k"), (12_500, "12.5k"), (154_000, "154k"), (3_100_000, "3.1M")],
)
def test_short_counts(number: int, told: str) -> None:
    assert words.short(number) == told


@given(st.integers(0, 10**12))
def test_short_counts_are_short(number: int) -> None:
    assert len(words.short(number)) <= 6


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.4, "0.4 s"), (9.96, "10 s"), (59.6, "1 min 00 s"), (72, "1 min 12 s"), (3_720, "1 h 02 min")],
)
def test_durations(seconds: float, told: str) -> None:
    assert words.duration(seconds) == told


@pytest.mark.parametrize(("seconds", "told"), [(8, "0:08"), (760, "12:40"), (7_500, "2:05:00")])
def test_clocks(seconds: float, told: str) -> None:
    assert words.clock(seconds) == told


@pytest.mark.parametrize(
    ("rate", "told"),
    [(None, "–"), (0, "0 %"), (1, "100 %"), (0.975, "97.5 %"), (0.9999, ">99.9 %"), (0.0001, "<0.1 %")],
)
def test_rates_are_never_rounded_up_to_all_or_down_to_nothing(rate: float | None, told: str) -> None:
    assert words.percent(rate) == told


@pytest.mark.parametrize(
    ("tally", "told"),
    [
        (Tally(), "–"),
        (Tally(calls=2, unpriced=2), "unpriced"),
        (Tally(calls=2, cost_pico_usd=Money.usd("0.0123").pico_usd), "$0.0123"),
        (Tally(calls=2, unmeasured=1, cost_pico_usd=Money.usd("1.5").pico_usd), "$1.50+"),
        (Tally(calls=1, cost_pico_usd=1), "<$0.0001"),
    ],
)
def test_a_cost_nobody_knows_is_never_shown_as_nothing(tally: Tally, told: str) -> None:
    assert words.cost(tally) == told


def test_counts_add_up_to_what_was_found() -> None:
    """F15."""
    told = words.counts(Tally(found=60, scored=50, harvested=3, skipped=1, failed=2))
    assert told == "60 found = 50 scored + 3 harvested + 1 skipped + 2 failed + 4 pending"


def test_lists_of_words() -> None:
    assert [words.listed(each) for each in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
