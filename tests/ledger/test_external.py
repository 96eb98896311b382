"""External runs: started, waited for, asked about, ended; and the client runs that wait for them."""

from dataclasses import replace

import pytest

from tallybook.domain.budget import Budgets, Ceiling
from tallybook.domain.run import Stop
from tallybook.domain.tally import LOST, Money
from tallybook.ledger import external as reads
from tallybook.ledger import work
from tallybook.ledger.budgets import left_for
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import dispatch, external, progress, stops, waiting
from tests.ledger.outside import MINUTE, at_work, external_of, harvested, harvesting, started, taken
from tests.ledger.scenes import (
    POST_HARVESTING,
    Clock,
    called,
    client_of,
    failed,
    told,
)


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
    assert at_work(books, key) == frozenset("ab")


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


def test_what_a_client_still_waits_for_is_said(books: Ledger, clock: Clock) -> None:
    key = harvesting(books, "abc")
    born = external_of(key, clock)
    books.do(external.start, born.unborn, clock.now + MINUTE)
    second = started(books, key, clock, "x2", "c")
    books.do(waiting.wait_for, client_of(key), "w1")
    assert said(books, key) == "waiting for a run that apify was asked to start and 1 more"
    taken(books, second, *harvested("c"))
    assert said(books, key) == "waiting for a run that apify was asked to start"


def said(books: Ledger, key: OperationKey) -> str | None:
    return told(books, key.run_id).clients[0].blocked_reason


def test_a_client_that_waits_is_not_put_back_by_whoever_finds_its_ticket_used_up(books: Ledger, clock: Clock) -> None:
    """F14: it would be worked on while its external runs are under way."""
    key = harvesting(books)
    (ticket,) = books.do(dispatch.tickets_out)
    started(books, key, clock)
    books.do(waiting.wait_for, client_of(key), "w1")
    assert not books.do(dispatch.reissue, ticket)


def test_a_client_that_waits_for_nothing_is_put_back(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    each = started(books, key, clock)
    books.do(waiting.wait_for, client_of(key), "w1")
    assert books.do(waiting.put_back_stranded) == []
    books.do(lambda tx: tx.execute("DELETE FROM @external_runs WHERE external_id = ?", (each.external_id,)))
    assert books.do(waiting.put_back_stranded) == [client_of(key)]
    assert books.do(waiting.put_back_stranded) == []
    assert told(books, key.run_id).clients[0].status == "queued"


# -- starts in doubt ---------------------------------------------------------------------------------------------------


def test_what_is_being_started_is_in_flight_and_goes_over_to_the_run_it_becomes(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    born = external_of(key, clock)
    books.do(external.start, born.unborn, clock.now + MINUTE)
    assert at_work(books, key) == frozenset("ab")
    assert books.do(external.start, replace(born, leads=None), clock.now)
    assert at_work(books, key) == frozenset("ab")
    (due,) = books.do(external.take_due, 8)
    assert (due.external_id, due.state) == ("x1", "started")


def test_a_start_that_was_refused_is_forgotten(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    books.do(external.start, external_of(key, clock).unborn, clock.now)
    books.do(external.forget, "call of x1", "apify")
    assert at_work(books, key) == frozenset()
    assert not books.do(waiting.wait_for, client_of(key), "w1")


def test_leads_of_a_start_of_which_nothing_was_heard_are_left_alone_for_a_day(books: Ledger, clock: Clock) -> None:
    """It may have been made: to make it again may be to pay twice."""
    key = harvesting(books)
    unborn = external_of(key, clock).unborn
    called(books, key, unborn.call_id, None)
    books.do(external.start, unborn, clock.now)
    books.do(external.book, unborn, failed("a", "b"), LOST, None)
    books.do(external.end, unborn, LOST, None)
    assert reads.in_flight(books.database, "acme", POST_HARVESTING, clock.now) == frozenset("ab")
    assert reads.in_flight(books.database, "acme", POST_HARVESTING, clock.now + 1441 * MINUTE) == frozenset()
    assert told(books, key.run_id).tally.unmeasured == 1


def test_a_start_in_doubt_waits_for_news(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    books.do(external.start, external_of(key, clock).unborn, clock.now)
    books.do(external.doubt, "call of x1", "apify", clock.now)
    (due,) = books.do(external.take_due, 8)
    assert (due.state, due.leads) == ("doubtful", ("a", "b"))
    assert books.do(waiting.wait_for, client_of(key), "w1")


def test_a_start_given_up_stays_so_though_its_answer_is_lost_then(books: Ledger, clock: Clock) -> None:
    """Else its leads waited for it for ever."""
    key = harvesting(books)
    unborn = external_of(key, clock).unborn
    called(books, key, unborn.call_id, None)
    books.do(external.start, unborn, clock.now + MINUTE)
    books.do(external.end, unborn, LOST, None)
    books.do(external.doubt, "call of x1", "apify", clock.now)
    assert not reads.any_due(books.database, clock.now)


def test_what_is_heard_of_late_may_take_as_long_as_it_was_given(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    born = replace(external_of(key, clock), until=clock.now + 300 * MINUTE)
    books.do(external.start, born.unborn, clock.now + MINUTE)
    books.do(external.start, replace(born, leads=None, until=clock.now + MINUTE), clock.now)
    (due,) = books.do(external.take_due, 8)
    assert (due.until, due.leads, due.ours) == (born.until, ("a", "b"), True)


@pytest.mark.parametrize("stop", [None, Stop.CANCEL])
def test_one_that_was_started_while_its_run_was_canceled_is_looked_at_at_once(
    books: Ledger, clock: Clock, stop: Stop | None
) -> None:
    """F40"""
    key = harvesting(books)
    born = external_of(key, clock)
    books.do(external.start, born.unborn, clock.now + MINUTE)
    if stop is not None:
        books.do(stops.stop_run, key.run_id, stop, "by Ada")
        books.do(stops.stop_client, client_of(key), stop, "by Ada")
        assert not reads.any_due(books.database, clock.now)
    books.do(external.start, born, clock.now + MINUTE)
    assert [each.abandoned for each in books.do(external.take_due, 8)] == ([True] if stop else [])


def test_a_lead_that_has_its_outcome_needs_no_start(books: Ledger, clock: Clock) -> None:
    """Its external run may end between the moment it was found pending and the moment it is started."""
    key = harvesting(books, "abc")
    each = started(books, key, clock)
    assert reads.taken(books.database, key, ["a", "c"]).runs == 1
    taken(books, each, *harvested("a", "b"))
    found = reads.taken(books.database, key, ["a", "c"])
    assert (found.runs, found.leads) == (0, frozenset("a"))


def test_leads_under_way_for_any_run_are_known(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    each = started(books, key, clock)
    assert reads.in_flight(books.database, "acme", POST_HARVESTING, clock.now) == frozenset("ab")
    assert reads.in_flight(books.database, "beta", POST_HARVESTING, clock.now) == frozenset()
    taken(books, each, *harvested("a", "b"))
    assert reads.in_flight(books.database, "acme", POST_HARVESTING, clock.now) == frozenset()


def test_what_a_lead_costs_is_known_from_the_last_bills(books: Ledger, clock: Clock) -> None:
    """F30"""
    key = harvesting(books, "abc")
    assert reads.cost_of_a_lead(books.database, "acme", "apify") is None
    taken(books, started(books, key, clock), *harvested("a", "b"), cost="0.1")
    taken(books, started(books, key, clock, "x2", "c"), *harvested("c"), cost="0.2")
    assert str(reads.cost_of_a_lead(books.database, "acme", "apify")) == "0.1"
    assert reads.cost_of_a_lead(books.database, "acme", "another") is None
    taken(books, started(books, key, clock, "x3", "c"), *harvested("c"), cost="0")
    assert str(reads.cost_of_a_lead(books.database, "acme", "apify")) == "0.1", "a bill of nothing says nothing"


def test_what_is_left_of_budgets_is_the_least_of_them(books: Ledger, clock: Clock) -> None:
    key = harvesting(books, "abc")
    day, run = Ceiling(cost=Money.usd("1")), Ceiling(cost=Money.usd("0.5"))
    assert left_for(books.database, key, Budgets(), clock.now) is None
    assert left_for(books.database, key, Budgets(month=Ceiling(tokens=5)), clock.now) is None
    taken(books, started(books, key, clock), *harvested("a", "b"), cost="0.2")
    assert str(left_for(books.database, key, Budgets(day=day), clock.now)) == "0.8"
    assert str(left_for(books.database, key, Budgets(day=day, run=run), clock.now)) == "0.3"


def test_the_input_of_each_lead_is_as_it_was_frozen(books: Ledger) -> None:
    key = harvesting(books, "abc")
    assert reads.hashes_of(books.database, key, None) == {each: f"hash of {each}" for each in "abc"}
    assert reads.hashes_of(books.database, key, ["b", "x"]) == {"b": "hash of b"}
