"""Budgets over time: days and months, runs that go on over midnight, what is said when one runs out, what is shown."""

from datetime import UTC, datetime, timedelta

from tallybook.domain.budget import Budgets, Ceiling, Per
from tallybook.domain.errors import BudgetExhausted
from tallybook.domain.tally import Money
from tallybook.ledger import budgets as standing
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.spending import Amount
from tallybook.ledger.write import budgets, claims
from tallybook.ledger.write.budgets import Go
from tallybook.ledger.write.calls import Call
from tests.ledger.scenes import (
    LEAD_SCORING,
    NOON,
    POST_SCORING,
    Clock,
    begun,
    client_of,
    closed,
    frozen,
    planned,
    reported,
    texts,
    told,
    working,
)
from tests.ledger.spending import (
    MIDNIGHT,
    day_of,
    refused,
    settled,
    spent,
    tokens,
    used,
    wanting,
)

NEW_MONTH = datetime(2026, 12, 1, tzinfo=UTC)


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
