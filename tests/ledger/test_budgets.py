"""Budgets: what a call may use is set aside before it is made, and let go of when it is known what it used."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tallybook.database import Database, Tx
from tallybook.domain.budget import Budgets, Ceiling, Per
from tallybook.domain.errors import BadInput, BudgetExhausted, ProviderStop
from tallybook.domain.ports import UNKNOWN
from tallybook.domain.tally import Estimate, Money, PriceList, Usage
from tallybook.ledger import budgets as standing
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.spending import Amount
from tallybook.ledger.tables import calls as calls_table
from tallybook.ledger.tables import reservations
from tallybook.ledger.write import budgets, calls, claims
from tallybook.ledger.write.budgets import Go
from tallybook.ledger.write.calls import Call
from tests.ledger.scenes import (
    LEAD_SCORING,
    NOON,
    POST_SCORING,
    Clock,
    begun,
    called,
    client_of,
    closed,
    frozen,
    planned,
    recorded,
    reported,
    scored,
    texts,
    told,
    working,
)

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
NEW_MONTH = datetime(2026, 12, 1, tzinfo=UTC)
DAY_100 = Budgets(day=Ceiling(tokens=100))
MONEY = Budgets(day=Ceiling(cost=Money.usd(1)))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def books(database: Database, clock: Clock) -> Iterator[Ledger]:
    """Empty books whose clock stands still."""
    ledger = Ledger(database, clock)
    yield ledger
    ledger.close()


def tokens(number: int, *, usd: str = "0") -> Estimate:
    return Estimate(1, number, 0, Money.usd(usd))


def unpriced(number: int = 10) -> Estimate:
    return Estimate(1, number, 0, unpriced=1)


def wanting(
    ledger: Ledger, key: OperationKey, call_id: str, estimate: Estimate, holding: Budgets = DAY_100
) -> Go | ProviderStop:
    return ledger.do(budgets.start_within, Call(call_id, key, "google", "gemini"), estimate, holding)


def refused(
    ledger: Ledger, key: OperationKey, call_id: str, estimate: Estimate, holding: Budgets = DAY_100
) -> ProviderStop:
    found = wanting(ledger, key, call_id, estimate, holding)
    assert isinstance(found, ProviderStop)
    return found


def used(number: int, *, usd: str = "0") -> Usage:
    return Usage(number, 0, 0, Money.usd(usd))


def settled(ledger: Ledger, call_id: str, usage: Usage, result: str = "ok", *, refused: bool = False) -> bool:
    return ledger.do(budgets.settle_reserved, call_id, result, usage, refused=refused)


def spent(ledger: Ledger, key: OperationKey, call_id: str, number: int) -> None:
    """A call that used so many tokens, whatever was set aside."""
    ledger.do(calls.record_call, Call(call_id, key, "google", "gemini"), "ok", used(number))


def set_aside(ledger: Ledger) -> dict[str, int]:
    with ledger.database.reading() as connection:
        rows = connection.execute(sa.select(reservations.c.reservation_id, reservations.c.tokens))
        return {row[0]: row[1] for row in rows}


def day_of(ledger: Ledger, holding: Budgets = DAY_100, client_id: str = "acme") -> standing.Standing:
    return standing.of_client(ledger.database, client_id, holding, ledger.clock())[0]


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
            return real(tx, statement, parameters)  # type: ignore[operator]

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


# Windows


def test_the_window_that_turns_last_is_waited_for(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    both = Budgets(day=Ceiling(tokens=50), month=Ceiling(tokens=60))
    day = refused(ledger, key, "c1", tokens(55), both)
    month = refused(ledger, key, "c1", tokens(61), both)
    assert (day.wake_at or NOON).hour == (month.wake_at or NOON).hour == 0
    assert str(day).startswith("the day's budget")
    assert str(month).startswith("the month's budget")
    assert (month.wake_at or NOON) > (day.wake_at or NOON)


def test_a_runs_budget_is_of_all_its_clients_and_pauses_it_whole(ledger: Ledger) -> None:
    run_id = planned(ledger, "acme", "bolt")
    acme, bolt = (frozen(ledger, begun(ledger, run_id, each), ["a"]) for each in ("acme", "bolt"))
    holding = Budgets(day=Ceiling(tokens=80), run=Ceiling(tokens=100, cost=Money.usd(9)))
    assert wanting(ledger, acme, "c1", tokens(60), holding) is Go.RESERVED
    assert wanting(ledger, bolt, "c2", tokens(60), holding) is Go.LATER
    settled(ledger, "c1", used(60))
    stop = refused(ledger, bolt, "c2", tokens(60), holding)
    assert (stop.whole_run, stop.wake_at) == (True, None)
    assert str(stop) == (
        f"the budget of run {run_id} is used up: 60 of 100 tokens, and the next call may take 60 tokens;"
        f" raise run_tokens under [budget], then `tallybook run resume {run_id}`"
    )
    assert [text.partition(":")[0] for text in texts(ledger, run_id, "budget_exhausted")] == [
        f"The budget of run {run_id} is used up"
    ]
    money = refused(ledger, bolt, "c2", tokens(1, usd="9.5"), holding)
    assert "raise run_usd under [budget]" in str(money)


def test_another_run_has_a_budget_of_its_own(books: Ledger, clock: Clock) -> None:
    holding = Budgets(run=Ceiling(tokens=100))
    first = working(books, ["a"])
    assert wanting(books, first, "c1", tokens(100), holding) is Go.RESERVED
    closed(books, first)
    clock.pass_by(seconds=1)
    assert wanting(books, working(books, ["a"]), "c2", tokens(100), holding) is Go.RESERVED


def test_a_day_begins_with_nothing_used_also_for_a_run_that_goes_on_over_midnight(books: Ledger, clock: Clock) -> None:
    clock.now = MIDNIGHT - timedelta(seconds=2)
    key = working(books, ["a"])
    spent(books, key, "before", 70)
    clock.now = MIDNIGHT
    spent(books, key, "after", 7)
    month = Budgets(day=Ceiling(100), month=Ceiling(100))
    day, whole = standing.of_client(books.database, "acme", month, clock.now)
    assert (day.spent.tokens, whole.spent.tokens) == (7, 77)
    closed(books, key)
    clock.pass_by(hours=5)
    assert day_of(books).spent.tokens == 7
    assert isinstance(wanting(books, working(books, ["b"]), "c", tokens(94)), BudgetExhausted)


def test_calls_booked_after_their_operation_run_ended_count_on_their_own_day(books: Ledger, clock: Clock) -> None:
    """F31"""
    run_id = reported(books, "acme")
    key = OperationKey(run_id, "acme", LEAD_SCORING)
    call = Call("c1", key, "apify", "actor")
    books.do(claims.record_call, call, "ok", used(5))
    books.do(claims.complete_client, client_of(key), None)
    clock.now = MIDNIGHT + timedelta(hours=1)
    assert day_of(books).spent.tokens == 0
    books.do(claims.record_call, Call("c2", key, "apify", "actor"), "ok", used(8))
    books.do(claims.record_call, Call("c3", key._replace(operation=POST_SCORING), "apify", "actor"), "ok", used(9))
    assert day_of(books).spent.tokens == 17
    clock.pass_by(days=1)
    assert day_of(books).spent.tokens == 0
    told(books, run_id)


def test_what_is_set_aside_belongs_to_the_day_on_which_the_call_began(books: Ledger, clock: Clock) -> None:
    clock.now = MIDNIGHT - timedelta(seconds=1)
    key = working(books, ["a"])
    wanting(books, key, "c1", tokens(60))
    clock.now = MIDNIGHT
    assert wanting(books, key, "c2", tokens(100)) is Go.RESERVED
    settled(books, "c1", used(60))
    assert (day_of(books).spent.tokens, day_of(books).set_aside.tokens) == (0, 100)


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


# What is said


def said(ledger: Ledger, key: OperationKey) -> list[list[str]]:
    return [texts(ledger, key.run_id, kind) for kind in ("budget_warning", "budget_exhausted")]


def test_at_four_fifths_of_a_budget_it_is_said_once_and_at_its_end_once_more(books: Ledger, clock: Clock) -> None:
    key = working(books, ["a"])
    wanting(books, key, "c1", tokens(79))
    assert said(books, key) == [[], []]
    for call_id in ("c2", "c3"):
        wanting(books, key, call_id, tokens(1))
    warned = (
        "The day's budget of client 'acme' is used to 80 %: 80 of 100 tokens, with what calls in flight may"
        " take; it turns at 2026-11-24 00:00 UTC"
    )
    assert said(books, key) == [[warned], []]
    clock.pass_by(seconds=120)
    for call_id in ("c4", "c5"):
        refused(books, key, call_id, tokens(30))
    ended = (
        "The day's budget of client 'acme' is used up: 81 of 100 tokens, and the next call may take 30 tokens;"
        " it turns at 2026-11-24 00:00 UTC"
    )
    assert said(books, key) == [[warned], [ended]]


def test_a_budget_that_was_raised_is_warned_of_again(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    for call_id, most in (("c1", 10), ("c2", 10), ("c3", 100)):
        ledger.do(budgets.set_budget, "acme", Per.DAY, Ceiling(most))
        assert wanting(ledger, key, call_id, tokens(most * 8 // 10)) in set(Go)
    assert len(texts(ledger, key.run_id, "budget_warning")) == 2


def test_the_next_window_is_warned_of_again(books: Ledger, clock: Clock) -> None:
    key = working(books, ["a"])
    wanting(books, key, "c1", tokens(90))
    clock.now = MIDNIGHT
    wanting(books, key, "c2", tokens(90))
    assert len(texts(books, key.run_id, "budget_warning")) == 2


# What people look at


def test_what_holds_for_a_client_is_shown_with_what_is_used_of_it(books: Ledger) -> None:
    key = working(books, ["a"])
    holding = Budgets(Ceiling(100, Money.usd(1)), Ceiling(cost=Money.usd(9)), Ceiling(5000))
    assert wanting(books, key, "c1", tokens(30, usd="0.25"), holding) is Go.RESERVED
    settled(books, "c1", used(20, usd="0.5"))
    assert wanting(books, key, "c2", tokens(30, usd="0.25"), holding) is Go.RESERVED
    books.do(budgets.set_budget, "acme", Per.MONTH, Ceiling(40))
    day, month = standing.of_client(books.database, "acme", holding, books.clock())
    half, quarter = Money.usd("0.5").pico_usd, Money.usd("0.25").pico_usd
    assert day == standing.Standing(Per.DAY, holding.day, False, Amount(20, half), Amount(30, quarter), MIDNIGHT)
    assert day.left == Ceiling(50, Money.usd("0.25"))
    assert (month.own, month.ceiling, month.left, month.turns_at) == (True, Ceiling(40), Ceiling(0), NEW_MONTH)


def test_where_no_budget_holds_there_is_nothing_to_show(ledger: Ledger) -> None:
    assert standing.of_client(ledger.database, "acme", Budgets(run=Ceiling(5)), ledger.clock()) == []


# Prices


def test_a_call_says_by_which_price_list_its_cost_was_reckoned(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    by_list = Usage(1, 0, 1, Money(5), PriceList("genai-prices", "0.2.1"))
    called(ledger, key, "c1", by_list)
    called(ledger, key, "c2", used(1))
    ledger.do(calls.record_call, Call("c3", key, "p", "m"), "ok", by_list)
    columns = (calls_table.c.call_id, calls_table.c.price_source, calls_table.c.price_version)
    with ledger.database.reading() as connection:
        assert [tuple(row) for row in connection.execute(sa.select(*columns).order_by(columns[0]))] == [
            ("c1", "genai-prices", "0.2.1"),
            ("c2", None, None),
            ("c3", "genai-prices", "0.2.1"),
        ]
