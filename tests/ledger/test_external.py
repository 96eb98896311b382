"""External runs: started, waited for, asked about, ended; and the client runs that wait for them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tallybook.domain.external import ExternalRun
from tallybook.domain.outcome import Kind, Outcome
from tallybook.domain.run import Stop
from tallybook.domain.tally import LOST, Money, Usage
from tallybook.ledger import external as reads
from tallybook.ledger import work
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import dispatch, external, progress, stops, waiting
from tests.ledger.scenes import (
    POST_HARVESTING,
    Clock,
    asked,
    begun,
    called,
    client_of,
    failed,
    frozen,
    planned,
    texts,
    told,
)

MINUTE = timedelta(minutes=1)


def harvesting(books: Ledger, leads: str = "ab", client_id: str = "acme") -> OperationKey:
    run_id = planned(books, client_id, start=asked(client_id, operations=(POST_HARVESTING,)))
    return frozen(books, begun(books, run_id, client_id), leads, POST_HARVESTING)


def external_of(key: OperationKey, clock: Clock, external_id: str = "x1", leads: str | None = "ab") -> ExternalRun:
    named = tuple(leads) if leads is not None else None
    return ExternalRun("apify", external_id, *key, f"call of {external_id}", clock.now + 60 * MINUTE, leads=named)


def started(
    books: Ledger, key: OperationKey, clock: Clock, external_id: str = "x1", leads: str | None = "ab"
) -> ExternalRun:
    made = external_of(key, clock, external_id, leads)
    called(books, key, made.call_id, None)
    assert books.do(external.start, made, clock.now + MINUTE)
    return made


def harvested(*leads: str) -> list[Outcome]:
    return [Outcome(each, Kind.HARVESTED, posts=2) for each in leads]


def taken(books: Ledger, each: ExternalRun, *outcomes: Outcome, cost: str | None = "0.1") -> bool:
    """Booked, saved, ended; True when the client run goes on."""
    books.do(external.book, each, outcomes, "succeeded", None if cost is None else Money.usd(cost))
    return books.do(external.end, each, "succeeded", None, [outcome.lead_id for outcome in outcomes])


def test_a_client_run_that_waits_is_in_nobodys_hands_and_says_for_what(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    started(books, key, clock)
    assert books.do(waiting.wait_for, client_of(key), "w1")
    run = told(books, key.run_id)
    assert (run.status, run.clients[0].status) == ("running", "running")
    assert run.clients[0].blocked_reason == "waiting for apify run x1"
    assert work.workers(books.database, key.run_id) == {}
    assert books.do(dispatch.tickets_out) == []
    assert not books.do(progress.begin_client, client_of(key), "w2").go
    assert reads.in_flight(books.database, key) == frozenset("ab")


def test_it_goes_on_with_the_last_of_its_external_runs(books: Ledger, clock: Clock) -> None:
    key = harvesting(books, "abc")
    first, second = started(books, key, clock), started(books, key, clock, "x2", "c")
    books.do(waiting.wait_for, client_of(key), "w1")
    assert told(books, key.run_id).clients[0].blocked_reason == "waiting for apify run x1 and 1 more"
    assert not taken(books, first, *harvested("a", "b"))
    assert taken(books, second, *harvested("c"))
    run = told(books, key.run_id)
    assert (run.clients[0].status, run.tally.harvested, run.tally.posts) == ("queued", 3, 6)
    assert (run.tally.calls, str(run.tally.cost), run.tally.unmeasured) == (2, "0.2", 0)
    assert [ticket.key for ticket in books.do(dispatch.dispatch, 4)] == [client_of(key)]
    assert books.do(progress.begin_client, client_of(key), "w2").go


def test_there_is_nothing_to_wait_for_once_all_have_ended(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    assert not taken(books, started(books, key, clock), *harvested("a", "b"))
    assert not books.do(waiting.wait_for, client_of(key), "w1")
    assert told(books, key.run_id).clients[0].status == "running"


def test_taking_a_result_twice_changes_nothing(books: Ledger, clock: Clock) -> None:
    """F31"""
    key = harvesting(books)
    first = started(books, key, clock)
    taken(books, first, *harvested("a", "b"))
    before = told(books, key.run_id)
    taken(books, first, *failed("a"), *harvested("b"), cost="9")
    assert told(books, key.run_id) == before


@pytest.mark.parametrize("stop", [Stop.PAUSE, Stop.CANCEL])
def test_a_run_told_to_stop_before_its_worker_let_go_stops_when_it_does(
    books: Ledger, clock: Clock, stop: Stop
) -> None:
    """F40"""
    key = harvesting(books)
    started(books, key, clock)
    books.do(stops.stop_run, key.run_id, stop, "by Ada")
    assert books.do(waiting.wait_for, client_of(key), "w1")
    assert told(books, key.run_id).status == ("paused" if stop is Stop.PAUSE else "canceled")


def test_a_canceled_run_has_its_external_runs_asked_about_at_once_and_books_what_they_cost(
    books: Ledger, clock: Clock
) -> None:
    """F40"""
    key = harvesting(books)
    started(books, key, clock)
    books.do(waiting.wait_for, client_of(key), "w1")
    books.do(stops.stop_run, key.run_id, Stop.CANCEL, "by Ada")
    run = told(books, key.run_id)
    assert (run.status, run.tally.unmeasured) == ("canceled", 1)
    (due,) = books.do(external.take_due, 8)
    assert due.abandoned
    assert not taken(books, due, *harvested("a"))
    run = told(books, key.run_id)
    assert (run.status, run.tally.harvested, run.tally.pending, run.tally.unmeasured) == ("canceled", 1, 1, 0)
    assert str(run.tally.cost) == "0.1"


def test_a_paused_run_takes_results_and_goes_on_only_when_it_is_resumed(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    first = started(books, key, clock)
    books.do(waiting.wait_for, client_of(key), "w1")
    books.do(stops.stop_run, key.run_id, Stop.PAUSE, "by Ada")
    assert not taken(books, first, *harvested("a", "b"))
    assert told(books, key.run_id).status == "paused"
    assert books.do(stops.resume_run, key.run_id)
    assert books.do(progress.begin_client, client_of(key), "w2").go


# -- starts in doubt ---------------------------------------------------------------------------------------------------


def test_what_is_being_started_is_in_flight_and_goes_over_to_the_run_it_becomes(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    born = external_of(key, clock)
    books.do(external.start, born.unborn, clock.now + MINUTE)
    assert reads.in_flight(books.database, key) == frozenset("ab")
    assert books.do(external.start, replace(born, leads=None), clock.now)
    assert reads.in_flight(books.database, key) == frozenset("ab")
    (due,) = books.do(external.take_due, 8)
    assert (due.external_id, due.state) == ("x1", "started")


def test_a_start_that_was_refused_is_forgotten(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    books.do(external.start, external_of(key, clock).unborn, clock.now)
    books.do(external.forget, "call of x1", "apify")
    assert reads.in_flight(books.database, key) == frozenset()
    assert not books.do(waiting.wait_for, client_of(key), "w1")


def test_leads_of_a_start_that_died_are_free_again_and_its_call_is_lost(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    unborn = external_of(key, clock).unborn
    called(books, key, unborn.call_id, None)
    books.do(external.start, unborn, clock.now)
    other = started(books, key, clock, "x2", "b")
    assert books.do(waiting.wait_for, client_of(key), "w1")
    assert not books.do(external.give_free, unborn)
    assert taken(books, other, *harvested("b"))
    run = told(books, key.run_id)
    assert (run.clients[0].status, run.tally.pending, run.tally.unmeasured) == ("queued", 1, 1)


def test_a_start_in_doubt_waits_for_news(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    books.do(external.start, external_of(key, clock).unborn, clock.now)
    books.do(external.doubt, "call of x1", "apify")
    (due,) = books.do(external.take_due, 8)
    assert (due.state, due.leads) == ("doubtful", ("a", "b"))
    assert books.do(waiting.wait_for, client_of(key), "w1")


# -- asking the provider -----------------------------------------------------------------------------------------------


def test_who_is_due_is_taken_once_and_again_should_nobody_come_back(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    each = started(books, key, clock)
    assert not reads.any_due(books.database, clock.now)
    assert books.do(external.take_due, 8) == []
    clock.pass_by(minutes=1)
    assert reads.any_due(books.database, clock.now)
    assert [found.external_id for found in books.do(external.take_due, 8)] == ["x1"]
    assert books.do(external.take_due, 8) == []
    clock.pass_by(minutes=1)
    assert [found.looks for found in books.do(external.take_due, 8)] == [1]
    books.do(external.look_again, each, clock.now + 5 * MINUTE)
    clock.pass_by(minutes=4)
    assert not reads.any_due(books.database, clock.now)


def test_news_that_comes_while_it_is_looked_at_is_not_forgotten(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    each = started(books, key, clock)
    clock.pass_by(minutes=1)
    books.do(external.take_due, 8)
    books.do(external.look_now, "apify", "x1")
    books.do(external.look_again, each, clock.now + 5 * MINUTE)
    assert reads.any_due(books.database, clock.now)


def test_started_twice_is_started_once_and_learns_its_leads(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    assert reads.in_flight(books.database, key) == frozenset()
    started(books, key, clock, leads=None)
    assert reads.in_flight(books.database, key) is None
    assert not books.do(external.start, external_of(key, clock), clock.now)
    assert reads.in_flight(books.database, key) == frozenset("ab")


def test_a_call_that_was_taken_for_lost_is_settled_with_what_was_billed(books: Ledger, clock: Clock) -> None:
    """F30"""
    key = harvesting(books)
    each = external_of(key, clock)
    called(books, key, each.call_id, Usage())
    books.do(lambda tx: tx.execute("UPDATE @calls SET result = ?", (LOST,)))
    books.do(external.start, each, clock.now)
    taken(books, each, *harvested("a"), cost="0.025")
    run = told(books, key.run_id)
    assert (str(run.tally.cost), run.tally.unmeasured, run.tally.calls) == ("0.025", 0, 1)


def test_time_in_which_all_of_a_run_waits_does_not_count_as_work(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    since = work.working_since(books.database, [key.run_id])[key.run_id]
    clock.pass_by(minutes=10)
    each = started(books, key, clock)
    books.do(waiting.wait_for, client_of(key), "w1")
    clock.pass_by(hours=5)
    taken(books, each, *harvested("a", "b"))
    assert work.working_since(books.database, [key.run_id])[key.run_id] == since + timedelta(hours=5)


def test_time_in_which_another_client_was_worked_on_counts(books: Ledger, clock: Clock) -> None:
    run_id = planned(books, "acme", "beta", start=asked("acme", "beta", operations=(POST_HARVESTING,)))
    key = frozen(books, begun(books, run_id, "acme"), "ab", POST_HARVESTING)
    begun(books, run_id, "beta")
    since = work.working_since(books.database, [run_id])[run_id]
    each = started(books, key, clock)
    books.do(waiting.wait_for, ClientKey(run_id, "acme"), "w1")
    clock.pass_by(hours=5)
    taken(books, each, *harvested("a", "b"))
    assert work.working_since(books.database, [run_id])[run_id] == since


# -- resurrected -------------------------------------------------------------------------------------------------------


def test_a_resurrected_run_is_another_attempt_that_costs_what_it_added(books: Ledger, clock: Clock) -> None:
    """F31"""
    key = harvesting(books)
    first = started(books, key, clock)
    books.do(waiting.wait_for, client_of(key), "w1")
    taken(books, first, *harvested("a"), *failed("b"), cost="0.1")
    books.do(external.look_now, "apify", "x1")
    (ended,) = books.do(external.take_due, 8)
    assert ended.ended_at is not None
    again = books.do(external.resurrect, ended, clock.now + MINUTE)
    assert books.do(external.resurrect, ended, clock.now + MINUTE) == again
    assert (again.attempt, again.leads) == (2, ("a", "b"))
    taken(books, again, *harvested("a", "b"), cost="0.16")
    run = told(books, key.run_id)
    assert (run.tally.harvested, run.tally.failed, str(run.tally.cost), run.tally.calls) == (1, 1, "0.16", 2)
    assert texts(books, key.run_id, "resurrected") == ["apify run x1 was resurrected; what it finds is added"]
    assert not reads.any_due(books.database, clock.now + 600 * MINUTE)


def test_a_second_attempt_whose_cost_nobody_says_is_unmeasured(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    first = started(books, key, clock)
    taken(books, first, *harvested("a", "b"))
    again = books.do(external.resurrect, first, clock.now)
    taken(books, again, cost=None)
    assert told(books, key.run_id).tally.unmeasured == 1


# -- the day's target --------------------------------------------------------------------------------------------------


def test_leads_of_a_day_are_those_found_by_open_runs_and_done_by_ended_ones(books: Ledger, clock: Clock) -> None:
    midnight = clock.now - timedelta(hours=12)
    first = harvesting(books, "abc")
    other = OperationKey("another", "acme", POST_HARVESTING)
    assert reads.taken_since(books.database, first, midnight) == 0
    assert reads.taken_since(books.database, other, midnight) == 3
    books.do(external.book, started(books, first, clock), harvested("a"), "succeeded", None)
    books.do(stops.stop_run, first.run_id, Stop.CANCEL, "by Ada")
    books.do(stops.stop_client, client_of(first), Stop.CANCEL, "by Ada")
    assert reads.taken_since(books.database, other, midnight) == 1
    assert reads.taken_since(books.database, other, clock.now + MINUTE) == 0
    assert reads.hashes_of(books.database, first) == {each: f"hash of {each}" for each in "abc"}
