"""Budgets: what a call may use is set aside before it is made, and let go of when it is known what it used."""

import re

import pytest
import sqlalchemy as sa

from tallybook.database import Tx
from tallybook.domain.budget import Budgets, Ceiling, Per
from tallybook.domain.errors import BadInput, BudgetExhausted, ProviderStop
from tallybook.domain.ports import UNKNOWN
from tallybook.domain.tally import Estimate, Money, Usage
from tallybook.ledger import budgets as standing
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.tables import reservations
from tallybook.ledger.write import budgets
from tallybook.ledger.write.budgets import Go
from tests.ledger.scenes import (
    NOON,
    Clock,
    closed,
    recorded,
    scored,
    told,
    working,
)
from tests.ledger.spending import (
    MIDNIGHT,
    day_of,
    refused,
    set_aside,
    settled,
    tokens,
    unpriced,
    used,
    wanting,
)

MONEY = Budgets(day=Ceiling(cost=Money.usd(1)))


# Without a budget


@pytest.mark.parametrize("estimate", [UNKNOWN, tokens(10**9), unpriced()])
def test_without_a_budget_a_call_is_booked_by_one_statement(
    ledger: Ledger, estimate: Estimate, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = working(ledger, ["a"])
    statements: list[str] = []
    for name in ("execute", "row", "rows"):
        real = getattr(Tx, name)

        def counted(tx: Tx, statement: str, parameters: object = (), real: object = real) -> object:
            statements.append(statement)
            return real(tx, statement, parameters)  # type: ignore[operator]  # the real one, as it was

        monkeypatch.setattr(Tx, name, counted)
    assert wanting(ledger, key, "c1", estimate, Budgets()) is Go.FREELY
    assert len(statements) == 1
    monkeypatch.undo()
    assert told(ledger, key.run_id).unsettled == 1
    assert set_aside(ledger) == {}


def test_a_call_that_is_booked_twice_without_a_budget_is_one_call(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    for _time in range(2):
        assert wanting(ledger, key, "c1", UNKNOWN, Budgets()) is Go.FREELY
    assert told(ledger, key.run_id).unsettled == 1


def test_another_clients_own_budget_holds_up_nobody(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    ledger.do(budgets.set_budget, "bolt", Per.DAY, Ceiling(0))
    assert wanting(ledger, key, "c1", tokens(10), Budgets()) is Go.FREELY


# Within it


def test_what_a_call_may_use_is_set_aside_until_it_is_known_what_it_used(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    assert wanting(ledger, key, "c1", tokens(60)) is Go.RESERVED
    assert (set_aside(ledger), day_of(ledger).left) == ({"c1": 60}, Ceiling(40))
    assert settled(ledger, "c1", used(25))
    assert (set_aside(ledger), day_of(ledger).left) == ({}, Ceiling(75))
    assert wanting(ledger, key, "c2", tokens(75)) is Go.RESERVED
    assert not settled(ledger, "c1", used(1))
    assert told(ledger, key.run_id).tally.input_tokens == 25


def test_a_start_that_is_repeated_sets_aside_once(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    for _time in range(2):
        assert wanting(ledger, key, "c1", tokens(60)) is Go.RESERVED
    assert set_aside(ledger) == {"c1": 60}


def test_a_call_that_would_fit_but_for_calls_in_flight_waits_for_them(books: Ledger, clock: Clock) -> None:
    key = working(books, ["a"])
    wanting(books, key, "c1", tokens(60))
    assert wanting(books, key, "c2", tokens(60)) is Go.LATER
    assert told(books, key.run_id).unsettled == 1
    settled(books, "c1", used(25))
    assert wanting(books, key, "c2", tokens(60)) is Go.RESERVED


def test_a_call_in_flight_for_too_long_is_not_waited_for(books: Ledger, clock: Clock) -> None:
    key = working(books, ["a"])
    wanting(books, key, "c1", tokens(60))
    clock.pass_by(seconds=119)
    assert wanting(books, key, "c2", tokens(60)) is Go.LATER
    clock.pass_by(seconds=1)
    assert isinstance(wanting(books, key, "c2", tokens(60)), BudgetExhausted)


def test_a_call_that_goes_beyond_the_ceiling_pauses_its_client_until_the_window_turns(
    books: Ledger, clock: Clock
) -> None:
    key = working(books, ["a"])
    wanting(books, key, "c1", tokens(60))
    settled(books, "c1", used(60))
    stop = refused(books, key, "c2", tokens(41))
    assert isinstance(stop, BudgetExhausted)
    assert (stop.reason, stop.blocked_reason, stop.whole_run, stop.wake_at) == (
        "quota", "budget_exhausted", False, MIDNIGHT,
    )  # fmt: skip
    assert str(stop) == (
        "the day's budget of client 'acme' is used up: 60 of 100 tokens, and the next call may take 41 tokens;"
        " it turns at 2026-11-24 00:00 UTC; `tallybook client budget acme` shows it and sets another,"
        " client_tokens_per_day under [budget] is for all"
    )
    assert told(books, key.run_id).unsettled == 0
    assert wanting(books, key, "c3", tokens(40)) is Go.RESERVED
    clock.now = stop.wake_at or NOON
    assert wanting(books, key, "c4", tokens(100)) is Go.RESERVED


def test_a_call_that_alone_is_too_large_is_refused_at_once(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    wanting(ledger, key, "c1", tokens(60))
    assert isinstance(wanting(ledger, key, "c2", tokens(101)), BudgetExhausted)


@pytest.mark.parametrize("estimate", [UNKNOWN, tokens(0), tokens(1)])
def test_a_ceiling_of_nothing_lets_nothing_be_spent(ledger: Ledger, estimate: Estimate) -> None:
    key = working(ledger, ["a"])
    assert isinstance(wanting(ledger, key, "c1", estimate, Budgets(month=Ceiling(tokens=0))), BudgetExhausted)


def test_a_call_of_which_nobody_knows_what_it_takes_is_made_while_something_is_left(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    assert wanting(ledger, key, "c1", UNKNOWN, Budgets(day=Ceiling(100, Money.usd(1)))) is Go.RESERVED
    assert settled(ledger, "c1", used(100, usd="0.5"))
    stop = refused(ledger, key, "c2", UNKNOWN)
    assert "is used up: 100 of 100 tokens; it turns" in str(stop)


def test_a_free_model_costs_nothing_of_a_budget_in_money(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    assert wanting(ledger, key, "c1", tokens(10**6), Budgets(day=Ceiling(cost=Money()))) is Go.RESERVED


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("1234.5", "$1,234.50"), ("0.0123", "$0.0123"), ("3", "$3.00")],
)
def test_money_is_shown_to_the_last_digit(ledger: Ledger, amount: str, shown: str) -> None:
    key = working(ledger, ["a"])
    holding = Budgets(day=Ceiling(cost=Money.usd(amount)))
    assert f"$0.00 of {shown}, and" in str(refused(ledger, key, "c1", tokens(1, usd="5000"), holding))


# What is kept, and what is let go of


def test_of_a_call_that_was_maybe_billed_the_estimate_stays_until_its_window_turns(books: Ledger, clock: Clock) -> None:
    key = working(books, ["a"])
    wanting(books, key, "c1", tokens(60))
    assert settled(books, "c1", Usage(), "timeout")
    assert set_aside(books) == {"c1": 60}
    stop = refused(books, key, "c2", tokens(60))
    assert "is used up: 60 of 100 tokens" in str(stop)
    clock.now = MIDNIGHT
    assert wanting(books, key, "c2", tokens(60)) is Go.RESERVED


def test_of_a_call_that_the_provider_refused_nothing_stays(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    wanting(ledger, key, "c1", tokens(60))
    assert settled(ledger, "c1", Usage(), "quota", refused=True)
    assert set_aside(ledger) == {}
    assert wanting(ledger, key, "c2", tokens(60)) is Go.RESERVED


def test_a_lost_call_keeps_its_estimate_until_it_is_answered_for_after_all(ledger: Ledger) -> None:
    """F02"""
    key = working(ledger, ["a"])
    wanting(ledger, key, "c1", tokens(60))
    recorded(ledger, key, *scored("a"))
    closed(ledger, key)
    assert (set_aside(ledger), day_of(ledger).left) == ({"c1": 60}, Ceiling(40))
    assert settled(ledger, "c1", used(25))
    assert (set_aside(ledger), day_of(ledger).left) == ({}, Ceiling(75))
    assert told(ledger, key.run_id).tally.input_tokens == 25


def test_what_was_set_aside_in_windows_long_gone_is_forgotten(books: Ledger, clock: Clock) -> None:
    key = working(books, ["a"])
    for call_id in ("lost", "open"):
        wanting(books, key, call_id, tokens(10))
    settled(books, "lost", Usage(), "timeout")
    clock.pass_by(days=62)
    books.do(budgets.forget_old)
    assert set(set_aside(books)) == {"lost", "open"}
    clock.pass_by(seconds=1)
    books.do(budgets.forget_old)
    assert set(set_aside(books)) == {"open"}


# A client's own budget


def test_a_clients_own_budget_stands_in_place_of_the_one_for_all(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    ledger.do(budgets.set_budget, "acme", Per.DAY, Ceiling(cost=Money.usd(2)))
    assert wanting(ledger, key, "c1", tokens(500, usd="1.5")) is Go.RESERVED
    stop = refused(ledger, key, "c2", tokens(1, usd="2.5"))
    assert str(stop).endswith("it turns at " + f"{stop.wake_at:%Y-%m-%d} 00:00 UTC; `tallybook client budget acme`"
        " shows it and sets another")  # fmt: skip
    assert ledger.do(budgets.clear_budget, "acme", Per.DAY)
    assert not ledger.do(budgets.clear_budget, "acme", Per.DAY)
    settled(ledger, "c1", used(100))
    assert isinstance(wanting(ledger, key, "c2", tokens(1)), BudgetExhausted)


def test_a_budget_is_set_again(ledger: Ledger) -> None:
    for ceiling in (Ceiling(5), Ceiling(cost=Money(7)), Ceiling(0, Money())):
        ledger.do(budgets.set_budget, "acme", Per.MONTH, ceiling)
        (found,) = standing.of_client(ledger.database, "acme", Budgets(), ledger.clock())
        assert (found.per, found.ceiling, found.own, found.left) == (Per.MONTH, ceiling, True, ceiling)


@pytest.mark.parametrize(
    ("per", "ceiling", "message"),
    [
        (Per.RUN, Ceiling(5), "for the day and for the month; what a run may use is under [budget]"),
        (Per.DAY, Ceiling(), "of tokens, of dollars, or of both"),
        (Per.DAY, Ceiling(-1), "of 0 to 1,000,000,000,000,000 tokens, of 0 to 1,000,000 dollars"),
        (Per.DAY, Ceiling(10**16), "of 0 to"),
        (Per.DAY, Ceiling(cost=Money(-1)), "of 0 to"),
        (Per.DAY, Ceiling(5, Money.usd(1_000_001)), "of 0 to"),
    ],
)
def test_what_is_no_budget_is_refused(ledger: Ledger, per: Per, ceiling: Ceiling, message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        ledger.do(budgets.set_budget, "acme", per, ceiling)
    assert standing.of_client(ledger.database, "acme", Budgets(), ledger.clock()) == []


def test_a_client_has_no_budget_for_a_run(ledger: Ledger) -> None:
    with pytest.raises(BadInput):
        ledger.do(budgets.clear_budget, "acme", Per.RUN)


@pytest.mark.parametrize("name", ["o'Neil {x}", "日本", "%s ? @runs"])
def test_a_budget_of_a_client_with_an_odd_name_holds_too(ledger: Ledger, name: str) -> None:
    """F16"""
    key = working(ledger, ["a"], name)
    ledger.do(budgets.set_budget, name, Per.DAY, Ceiling(10))
    assert wanting(ledger, key, "c1", tokens(10), Budgets()) is Go.RESERVED
    assert "client_tokens" not in str(refused(ledger, key, "c2", tokens(11), Budgets()))
    assert day_of(ledger, Budgets(), name).left == Ceiling(0)


# Models without a price


def test_a_model_without_a_price_is_refused_under_a_budget_in_money(ledger: Ledger) -> None:
    key = working(ledger, ["a"], "o'hara")
    stop = refused(ledger, key, "c1", unpriced(), MONEY)
    assert (type(stop), stop.reason, stop.blocked_reason) == (ProviderStop, "model_config", "unpriced_model")
    assert (stop.whole_run, stop.wake_at) == (False, None)
    assert str(stop) == (
        "gemini has no known price, and the day's budget of client \"o'hara\" is in dollars: give the model a price"
        " under [prices], or set a budget in tokens (`tallybook client budget 'o'\"'\"'hara' --tokens N`)"
    )
    assert told(ledger, key.run_id).unsettled == 0


@pytest.mark.parametrize(
    "holding",
    [
        Budgets(day=Ceiling(20, Money())),
        Budgets(day=Ceiling(cost=Money()), month=Ceiling(20)),
        Budgets(day=Ceiling(20), run=Ceiling(cost=Money())),
    ],
)
def test_a_model_without_a_price_goes_by_a_budget_in_tokens_where_there_is_one(
    ledger: Ledger, holding: Budgets
) -> None:
    key = working(ledger, ["a"])
    assert wanting(ledger, key, "c1", unpriced(10), holding) is Go.RESERVED
    assert isinstance(wanting(ledger, key, "c2", unpriced(21), holding), BudgetExhausted)
    with ledger.database.reading() as connection:
        assert connection.execute(sa.select(reservations.c.cost_pico_usd)).scalars().all() == [None]
