"""The inbox: deliveries are kept, applied once, and never believed."""

from dataclasses import replace

import pytest

from tallybook.domain.client import Client
from tallybook.domain.delivery import Delivery, News, State
from tallybook.domain.errors import BadInput, NotFound
from tallybook.domain.run import Status
from tallybook.ledger import external as reads
from tallybook.ledger import read
from tallybook.ledger.inbox import list_deliveries
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import external, inbox, standing_alone
from tallybook.ledger.write.inbox import Applied
from tallybook.ledger.write.starts import RunIdStyle
from tests.ledger.scenes import Clock, client_of, told
from tests.ledger.test_external import external_of, harvested, harvesting, started, taken

ACME = Client("acme", "Acme", stream=3)
OVER = Delivery("apify", "d1", "{}", {"user-agent": "test"}, "ACTOR.RUN.SUCCEEDED", News.OVER, "x1")


def received(books: Ledger, delivery: Delivery, client: Client | None = None) -> Applied:
    return books.do(inbox.receive, delivery, client, RunIdStyle())


def replayed(books: Ledger, delivery_id: str = "d1", client: Client | None = None) -> Applied:
    return books.do(inbox.replay, "apify", delivery_id, client, RunIdStyle())


def test_news_of_a_known_run_has_its_provider_asked_now(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    started(books, key, clock)
    assert received(books, OVER) == Applied(State.APPLIED, None, key.run_id, "acme")
    assert reads.any_due(books.database, clock.now)


def test_a_delivery_that_comes_again_does_nothing(books: Ledger, clock: Clock) -> None:
    """F31"""
    key = harvesting(books)
    each = started(books, key, clock)
    received(books, OVER)
    books.do(external.take_due, 8)
    books.do(external.look_again, each, None)
    assert received(books, OVER) == Applied(State.APPLIED, None, key.run_id, "acme", new=False)
    assert not reads.any_due(books.database, clock.now)


def test_the_tenant_is_that_of_our_record_whatever_the_sender_says(books: Ledger, clock: Clock) -> None:
    """F32"""
    key = harvesting(books)
    started(books, key, clock)
    for proof in ({"bound_to": "other"}, {"ours": (key.run_id, "other", "c")}):
        delivery = replace(OVER, delivery_id=str(proof), **proof)
        assert received(books, delivery, Client("other", "Other")).state is State.REFUSED
    assert not reads.any_due(books.database, clock.now)


def test_what_says_that_nothing_has_ended_is_noted(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    started(books, key, clock)
    created = replace(OVER, event="ACTOR.RUN.CREATED", news=News.OTHER)
    assert received(books, created).state is State.NOTED
    assert received(books, replace(created, delivery_id="d2", external_id="x9"), ACME).state is State.NOTED
    assert received(books, replace(created, delivery_id="d3", external_id=None)).state is State.NOTED
    assert not reads.any_due(books.database, clock.now)


def test_a_run_whose_start_we_lost_is_known_by_the_token_it_brings(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    applied = received(books, replace(OVER, ours=(key.run_id, "acme", "call of x1")))
    assert (applied.state, applied.run_id) == (State.APPLIED, key.run_id)
    (due,) = books.do(external.take_due, 8)
    assert (due.client_id, due.call_id, due.leads) == ("acme", "call of x1", None)
    taken(books, due, *harvested("a", "z"))
    assert told(books, key.run_id).tally.harvested == 1


def test_a_token_of_a_run_that_is_not_in_the_books_makes_an_orphan(books: Ledger) -> None:
    assert received(books, replace(OVER, ours=("261123-000000", "acme", "c"))).state is State.ORPHAN
    assert replayed(books).state is State.ORPHAN


def test_an_orphan_is_applied_when_its_run_appears(books: Ledger, clock: Clock) -> None:
    assert received(books, OVER).state is State.ORPHAN
    key = harvesting(books)
    started(books, key, clock)
    assert reads.any_due(books.database, clock.now)
    (kept,) = list_deliveries(books.database)
    assert (kept.state, kept.run_id, kept.client_id) == (State.APPLIED, key.run_id, "acme")


def test_a_run_that_nobody_here_started_becomes_a_run_of_its_own(books: Ledger, clock: Clock) -> None:
    applied = received(books, replace(OVER, bound_to="acme"), ACME)
    run = read.run(books.database, str(applied.run_id))
    assert (run.status, run.trigger, run.job_type, run.stream) == (Status.RUNNING, "api", "post_harvesting", 3)
    (due,) = books.do(external.take_due, 8)
    taken(books, due, *harvested("a", "b"), cost="0.3")
    books.do(standing_alone.finish, due, "")
    run = told(books, due.run_id)
    assert (run.status, run.clients[0].status, run.tally.found, run.tally.posts) == ("completed", "completed", 2, 4)
    assert (str(run.tally.cost), run.tally.calls) == ("0.3", 1)


def test_one_that_failed_and_found_nothing_is_a_failed_run(books: Ledger) -> None:
    """F29"""
    applied = received(books, replace(OVER, bound_to="acme"), ACME)
    (due,) = books.do(external.take_due, 8)
    taken(books, due)
    for _ in range(2):
        books.do(standing_alone.finish, due, "failed: the actor crashed")
    run = told(books, str(applied.run_id))
    assert (run.status, run.clients[0].operations[0].finish_reason) == ("failed", "failed")


def test_finishing_leaves_runs_of_ours_alone(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    books.do(standing_alone.finish, external_of(key, clock), "")
    assert told(books, key.run_id).status == "running"
    assert client_of(key).client_id == "acme"


def test_an_orphan_is_replayed_once_somebody_says_whose_it_is(books: Ledger) -> None:
    assert received(books, OVER).reason == "nobody knows whose run it is: its task is mapped to no client"
    assert received(books, replace(OVER, delivery_id="d2", bound_to="gone"), None).reason == "there is no client 'gone'"
    assert replayed(books, "d1", ACME).state is State.APPLIED
    assert replayed(books, "d1", ACME) == replace(replayed(books, "d1"), new=False)
    assert len(read.list_runs(books.database)) == 1
    with pytest.raises(NotFound, match="webhook list"):
        replayed(books, "none")


def test_the_inbox_is_listed_newest_first_page_by_page(books: Ledger, clock: Clock) -> None:
    for number in range(3):
        clock.pass_by(seconds=1)
        received(books, replace(OVER, delivery_id=f"d{number}", news=News.OTHER if number else News.OVER))
    first, second = list_deliveries(books.database, limit=2)
    assert (first.delivery_id, second.delivery_id) == ("d2", "d1")
    assert [each.delivery_id for each in list_deliveries(books.database, second.cursor)] == ["d0"]
    assert [each.delivery_id for each in list_deliveries(books.database, state=State.ORPHAN)] == ["d0"]
    with pytest.raises(BadInput, match="cursor"):
        list_deliveries(books.database, "nonsense")
