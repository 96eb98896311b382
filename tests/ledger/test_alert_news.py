"""What a run that has just ended tells: that it failed, that calls lack figures, that a client is far from its own."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from tallybook.domain.alert import Alarms, AlertKind, Condition
from tallybook.domain.tally import NO_USAGE, NOTHING, Money, Usage
from tallybook.domain.unusual import usual
from tallybook.ledger import alert_news
from tallybook.ledger.alert_news import News
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import claims
from tallybook.ledger.write.calls import settle_call
from tests.ledger.scenes import (
    NOON,
    Clock,
    asked,
    begun,
    called,
    closed,
    failed,
    frozen,
    planned,
    recorded,
    reported,
    scored,
    working,
)

GOOD = Usage(800, 0, 200, Money.usd("0.01"))


def told(books: Ledger, **settings: int) -> News:
    return alert_news.news(books.database, Alarms(**settings), NOON - timedelta(days=400), books.clock())  # type: ignore[arg-type]  # numbers


def of_kind(found: News, kind: AlertKind) -> list[Condition]:
    return [each for each in found.conditions if each.kind is kind]


def leads(count: int) -> Sequence[str]:
    return [f"lead {number}" for number in range(count)]


def ran(
    books: Ledger, clock: Clock, ok: int, bad: int = 0, *, tokens: int = 0, clients: Sequence[str] = ("acme",)
) -> str:
    """A run that has ended, the same for each client."""
    clock.pass_by(minutes=1)
    run_id = planned(books, *clients, start=asked(*clients))
    for client in clients:
        key = frozen(books, begun(books, run_id, client), leads(ok + bad))
        recorded(books, key, *scored(*leads(ok)), *failed(*leads(ok + bad)[ok:]))
        if tokens:
            called(books, key, f"{run_id} {client}", Usage(tokens, 0, 0, Money.usd(1)))
        closed(books, key)
    return run_id


def called_in_a_run(books: Ledger, *usages: Usage | None, result: str = "ok") -> OperationKey:
    key = working(books, ["a"])
    for number, usage in enumerate(usages):
        called(books, key, f"call {number}", None)
        if usage is not None:
            books.do(settle_call, f"call {number}", result, usage)
    recorded(books, key, *scored("a"))
    closed(books, key)
    return key


# The run


def test_a_run_that_failed_is_told_until_one_of_its_kind_does_better(books: Ledger, clock: Clock) -> None:
    run_id = ran(books, clock, 0, 3)
    found = told(books)
    (bad,) = of_kind(found, AlertKind.RUN_FAILED)
    assert bad.run_id == run_id
    assert bad.text.startswith(f"Run {run_id} of stream 1 failed after 0 of 3 leads: `tallybook run explain {run_id}`")
    assert found.over == []
    ran(books, clock, 3)
    assert bad.quiet_key in told(books).over
    ran(books, clock, 0, 3)
    assert bad.quiet_key not in told(books).over


def test_many_errors_are_told_and_a_few_are_not(books: Ledger, clock: Clock) -> None:
    ran(books, clock, 8, 2)
    (many,) = told(books).conditions
    assert many.kind is AlertKind.RUN_WITH_ERRORS
    assert "2 of 10 leads failed" in many.text
    assert told(books, errors_percent=21).conditions == []
    assert many.quiet_key in told(books, errors_percent=21).over


def test_a_reported_run_that_was_lost_is_told(books: Ledger, clock: Clock) -> None:
    run_id = reported(books, "acme")
    clock.pass_by(hours=7)
    books.do(claims.lose_silent_runs)
    (lost,) = told(books).conditions
    assert lost.text.startswith(f"Run {run_id} of all streams timed out (lost): ")


def test_what_ended_long_ago_is_no_news_and_of_many_runs_some_are_looked_at_at_once(
    books: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ran(books, clock, 0, 1), ran(books, clock, 0, 1)
    monkeypatch.setattr(alert_news, "MOST_RUNS", 1)
    found = told(books)
    assert ([each.run_id for each in found.conditions], found.more) == ([first], True)
    assert found.until is not None
    rest = alert_news.news(books.database, Alarms(), found.until + timedelta(seconds=1), clock.now)
    assert [each.run_id for each in rest.conditions] == [second]
    clock.pass_by(days=1, minutes=5)
    assert told(books) == News([], [])


# Its calls


def test_calls_of_unknown_usage_are_told(books: Ledger) -> None:
    key = called_in_a_run(books, Usage(), Usage(input_tokens=5), GOOD, Usage(cost=Money.usd(1)))
    (alert,) = told(books).conditions
    assert (alert.kind, alert.client_id, alert.run_id) == (AlertKind.UNMEASURED, "acme", key.run_id)
    assert "has 2 calls of unknown usage, maybe billed (acme): compare with the provider's bill" in alert.text


def test_paid_calls_without_tokens_and_tokens_that_cost_nothing_are_told(books: Ledger) -> None:
    """F07"""
    called_in_a_run(books, NO_USAGE, Usage(100, 0, 0, NOTHING), GOOD)
    assert [each.kind for each in told(books).conditions] == [AlertKind.ZERO_TOKENS, AlertKind.ZERO_COST]


def test_a_call_that_was_refused_used_nothing_and_that_is_no_alarm(books: Ledger) -> None:
    called_in_a_run(books, NO_USAGE, result="auth")
    assert told(books).conditions == []


def test_of_several_clients_it_is_said_together(books: Ledger, clock: Clock) -> None:
    clients = [f"client {number}" for number in range(7)]
    run_id = planned(books, *clients, start=asked(*clients))
    for client in clients:
        key = frozen(books, begun(books, run_id, client), ["a"])
        called(books, key, client, Usage())
        recorded(books, key, *scored("a"))
        closed(books, key)
    (alert,) = told(books).conditions
    assert alert.client_id is None
    assert "(client 0, client 1, client 2, client 3, client 4 and 2 more)" in alert.text


# Clients against their own past


def test_a_client_whose_success_is_far_below_its_own_is_told_and_what_is_near_again_is_over(
    books: Ledger, clock: Clock
) -> None:
    for ok in (10, 9, 10, 10, 9):
        ran(books, clock, ok, 10 - ok)
    assert of_kind(told(books), AlertKind.SUCCESS_RATE) == []
    run_id = ran(books, clock, 4, 6)
    found = told(books)
    (odd,) = of_kind(found, AlertKind.SUCCESS_RATE)
    assert (odd.client_id, odd.run_id) == ("acme", run_id)
    assert odd.text.startswith(
        f"acme: 40.0% of lead_scoring succeeded in run {run_id}; in its last 5 runs the median was 100.0%"
        " (deviation 0.0%)"
    )
    assert odd.quiet_key not in found.over
    ran(books, clock, 10)
    assert odd.quiet_key in told(books).over


def test_a_client_that_does_better_than_ever_is_no_alarm(books: Ledger, clock: Clock) -> None:
    for _ in range(5):
        ran(books, clock, 4, 6)
    ran(books, clock, 10)
    assert of_kind(told(books), AlertKind.SUCCESS_RATE) == []


def test_tokens_per_lead_are_held_against_the_clients_own_in_both_directions(books: Ledger, clock: Clock) -> None:
    for tokens in (1_000, 1_100, 900, 1_000, 1_050):
        ran(books, clock, 5, tokens=tokens)
    much, little = ran(books, clock, 5, tokens=5_000), ran(books, clock, 5, tokens=10)
    odd = of_kind(told(books), AlertKind.TOKENS_PER_LEAD)
    assert [each.run_id for each in odd] == [much, little]
    assert odd[0].text.startswith(
        f"acme: 1,000 tokens per lead of lead_scoring in run {much}; in its last 5 runs the median was 200"
        " (deviation 10)"
    )


def test_with_few_runs_or_few_leads_nobody_knows_what_is_usual(books: Ledger, clock: Clock) -> None:
    for _ in range(4):
        ran(books, clock, 10)
    ran(books, clock, 1, 9)
    ran(books, clock, 0, 4)
    found = told(books)
    assert of_kind(found, AlertKind.SUCCESS_RATE) == []
    assert usual([1.0] * 4) is None


def test_of_many_clients_that_are_off_in_one_run_it_is_said_once(books: Ledger, clock: Clock) -> None:
    clients = [f"client {number}" for number in range(6)]
    for _ in range(5):
        ran(books, clock, 5, clients=clients)
    ran(books, clock, 0, 5, clients=clients)
    (odd,) = of_kind(told(books), AlertKind.SUCCESS_RATE)
    assert odd.client_id is None
    assert (
        "success rate of 6 clients is far from their own (client 0, client 1, client 2, client 3, client 4 and 1"
        in (odd.text)
    )
