"""External runs: when their provider is asked, by whom, and what else may come of the answer."""

import asyncio
import sys
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import make_url

from tallybook import migrations
from tallybook.database import Database
from tallybook.domain.budget import Budgets
from tallybook.domain.errors import LedgerUnavailable, WriterDied
from tallybook.domain.run import OperationName
from tallybook.domain.tally import LOST, Usage
from tallybook.ledger import external as reads
from tallybook.ledger import work
from tallybook.ledger.external import ExternalBook
from tallybook.ledger.keys import ClientKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import dispatch, endings, external, waiting
from tests.ledger.outside import MINUTE, at_work, external_of, harvested, harvesting, started, taken
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


def test_what_is_in_hand_is_held_and_not_taken_again(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    each = started(books, key, clock)
    clock.pass_by(minutes=1)
    books.do(external.take_due, 8)
    clock.pass_by(seconds=8)
    books.do(external.hold, [each.this])
    clock.pass_by(seconds=8)
    assert books.do(external.take_due, 8) == []
    books.do(external.look_now, "apify", "x1")
    books.do(external.hold, [each.this])
    assert books.do(external.take_due, 8, None, [each.this]) == []
    assert [due.external_id for due in books.do(external.take_due, 8)] == ["x1"]


def test_a_process_gets_what_it_can_ask_for_and_if_it_is_told_to_what_is_forsaken(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    started(books, key, clock)
    clock.pass_by(minutes=1)
    others, ours = frozenset({("another", POST_HARVESTING)}), frozenset({("apify", POST_HARVESTING)})
    for whose in (others, frozenset[tuple[str, OperationName]]()):
        assert not reads.any_due(books.database, clock.now, whose)
        assert books.do(external.take_due, 8, whose) == []
    assert len(books.do(external.take_due, 8, ours)) == 1
    clock.pass_by(hours=25, minutes=1)
    assert not reads.any_due(books.database, clock.now, others)
    assert reads.any_due(books.database, clock.now, others, forsaken=True)
    (due,) = books.do(external.take_due, 8, others, forsaken=True)
    books.do(external.end, due, "succeeded", None)
    books.do(external.look_now, "apify", "x1")
    assert books.do(external.take_due, 8, others, forsaken=True) == [], "news of what has ended is for who can ask"


def test_one_that_was_given_up_for_lost_is_asked_about_once_more(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    each = started(books, key, clock)
    clock.pass_by(minutes=1)
    books.do(external.take_due, 8)
    books.do(external.book, each, failed("a", "b"), LOST, None)
    books.do(external.end, each, LOST, None, look_at=clock.now + 60 * MINUTE)
    clock.pass_by(hours=1)
    (due,) = books.do(external.take_due, 8)
    assert (due.state, due.ended_at) == ("ended", None)
    taken(books, due, *harvested("a", "b"), cost="0.3")
    run = told(books, key.run_id)
    assert (run.tally.failed, run.tally.harvested, str(run.tally.cost), run.tally.unmeasured) == (2, 0, "0.3", 0)
    assert not reads.any_due(books.database, clock.now + 600 * MINUTE)


def test_news_that_comes_while_its_result_is_taken_is_looked_at_then(books: Ledger, clock: Clock) -> None:
    """F31: it may have been resurrected."""
    key = harvesting(books)
    each = started(books, key, clock)
    clock.pass_by(minutes=1)
    books.do(external.take_due, 8)
    books.do(external.look_now, "apify", "x1")
    taken(books, each, *harvested("a", "b"))
    assert len(books.do(external.take_due, 8)) == 1


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
    assert at_work(books, key) == frozenset()
    started(books, key, clock, leads=None)
    assert at_work(books, key) is None
    assert not books.do(external.start, external_of(key, clock), clock.now)
    assert at_work(books, key) == frozenset("ab")


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
    begun(books, key.run_id, "acme", "w2")
    assert work.working_since(books.database, [key.run_id])[key.run_id] == since + timedelta(hours=5)


def test_time_in_which_two_clients_waited_is_left_out_once(books: Ledger, clock: Clock) -> None:
    run_id = planned(books, "acme", "beta", start=asked("acme", "beta", operations=(POST_HARVESTING,)))
    both = [frozen(books, begun(books, run_id, each), "ab", POST_HARVESTING) for each in ("acme", "beta")]
    since = work.working_since(books.database, [run_id])[run_id]
    runs = [started(books, key, clock, f"x of {key.client_id}") for key in both]
    books.do(waiting.wait_for, ClientKey(run_id, "acme"), "w1")
    clock.pass_by(hours=1)
    books.do(waiting.wait_for, ClientKey(run_id, "beta"), "w1")
    clock.pass_by(hours=5)
    for each in runs:
        taken(books, each, *harvested("a", "b"))
        begun(books, run_id, each.client_id, "w2")
    assert work.working_since(books.database, [run_id])[run_id] == since + timedelta(hours=5)


def test_time_in_which_another_client_was_worked_on_counts(books: Ledger, clock: Clock) -> None:
    run_id = planned(books, "acme", "beta", start=asked("acme", "beta", operations=(POST_HARVESTING,)))
    key = frozen(books, begun(books, run_id, "acme"), "ab", POST_HARVESTING)
    begun(books, run_id, "beta")
    since = work.working_since(books.database, [run_id])[run_id]
    each = started(books, key, clock)
    books.do(waiting.wait_for, ClientKey(run_id, "acme"), "w1")
    clock.pass_by(hours=5)
    taken(books, each, *harvested("a", "b"))
    begun(books, key.run_id, "acme", "w2")
    assert work.working_since(books.database, [run_id])[run_id] == since


def test_time_in_which_all_that_is_left_of_a_run_is_queued_does_not_count_as_work(books: Ledger, clock: Clock) -> None:
    """Another run has the client, and waits for the outside itself."""
    run_id = planned(books, "acme", "beta", start=asked("acme", "beta"))
    begun(books, run_id, "acme")
    since = work.working_since(books.database, [run_id])[run_id]
    clock.pass_by(minutes=1)
    books.do(endings.close_client, ClientKey(run_id, "acme"))
    clock.pass_by(hours=5)
    begun(books, run_id, "beta")
    assert work.working_since(books.database, [run_id])[run_id] == since + timedelta(hours=5)


def test_time_in_which_a_client_was_put_back_does_not_count_as_work(books: Ledger, clock: Clock) -> None:
    run_id = planned(books, "acme", start=asked("acme"))
    key = begun(books, run_id, "acme")
    since = work.working_since(books.database, [run_id])[run_id]
    clock.pass_by(minutes=10)
    books.do(dispatch.hand_back, key, "w1")
    clock.pass_by(hours=5)
    begun(books, run_id, "acme", "w2")
    assert work.working_since(books.database, [run_id])[run_id] == since + timedelta(hours=5)


# -- a ledger that is away --------------------------------------------------------------------------------------------


def test_how_a_run_is_called_is_written_as_soon_as_the_ledger_is_back(
    postgres_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F30: it is paid for, and would be started once more."""
    monkeypatch.setattr(reads, "AGAIN_AFTER_S", 0.05)
    database = Database(postgres_url)
    migrations.ensure(database)
    ledger = Ledger(database, clock)
    key = harvesting(ledger)
    book = ExternalBook(ledger, key, "apify", MINUTE, Budgets())
    admin = make_url(postgres_url).set(drivername="postgresql", database="postgres").render_as_string(False)

    async def away_for_a_while() -> None:
        _let_in(admin, postgres_url, False)
        writing = asyncio.ensure_future(book.started("x1", "call of x1", ["a"], clock.now + MINUTE))
        for _ in range(2):  # one before it, and one after it
            with pytest.raises(LedgerUnavailable):
                await ledger.wait(external.forget, "nothing", "apify")
        assert not writing.done()
        _let_in(admin, postgres_url, True)
        await asyncio.wait_for(writing, 20)

    try:
        asyncio.run(away_for_a_while())
        assert at_work(ledger, key) == frozenset("a")
    finally:
        _let_in(admin, postgres_url, True)
        ledger.close()


def _let_in(admin: str, url: str, allowed: bool) -> None:
    name = make_url(url).database
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {str(allowed).lower()}')
        if not allowed:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))


def test_where_nothing_can_be_written_any_more_that_is_said(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    book = ExternalBook(books, key, "apify", MINUTE, Budgets())
    with pytest.raises(LedgerUnavailable):
        books.do(lambda tx: sys.exit("out of memory"))
    with pytest.raises(WriterDied):
        asyncio.run(book.started("x1", "call of x1", ["a"], clock.now + MINUTE))


# -- resurrected -------------------------------------------------------------------------------------------------------


def test_a_resurrected_run_is_another_attempt_that_costs_what_it_added(books: Ledger, clock: Clock) -> None:
    """F31"""
    key = harvesting(books)
    first = started(books, key, clock)
    books.do(waiting.wait_for, client_of(key), "w1")
    taken(books, first, *harvested("a"), *failed("b"), cost="0.1")
    books.do(external.look_now, "apify", "x1")
    (ended,) = books.do(external.take_due, 8)
    assert (ended.ended_at is not None, ended.ours) == (True, True)
    again = books.do(external.resurrect, ended, clock.now + MINUTE)
    assert books.do(external.resurrect, ended, clock.now + MINUTE) == again
    assert (again.attempt, again.leads) == (2, ("a", "b"))
    (due,) = books.do(external.take_due, 8)
    assert (due.this, due.ours) == (again.this, False)
    taken(books, due, *harvested("a", "b"), cost="0.16")
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
