"""The inbox: deliveries are kept, applied once, and never believed."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from tallybook.database import Database, rows_of
from tallybook.domain.client import Client
from tallybook.domain.delivery import Delivery, News, State, is_run_id
from tallybook.domain.errors import BadInput, NotFound, RunIdsExhausted
from tallybook.domain.run import Status
from tallybook.ledger import external as reads
from tallybook.ledger import read
from tallybook.ledger.audit_log import list_entries
from tallybook.ledger.inbox import Left, left, list_deliveries
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import external, inbox, progress, standing_alone
from tallybook.ledger.write.inbox import Applied
from tallybook.ledger.write.starts import RunIdStyle
from tests.ledger.outside import external_of, harvested, harvesting, started, taken
from tests.ledger.scenes import Clock, called, client_of, told

ACME = Client("acme", "Acme", stream=3)
OVER = Delivery("apify", "d1", "{}", {"user-agent": "test"}, "ACTOR.RUN.SUCCEEDED", News.OVER, "x1")


def kept(books: Ledger, delivery: Delivery, style: RunIdStyle = RunIdStyle()) -> None:  # noqa: B008 -- it is frozen
    books.do(inbox.keep, delivery, style)


def received(books: Ledger, delivery: Delivery, client: Client | None = None) -> Applied:
    kept(books, delivery)
    return books.do(inbox.apply, delivery.source, delivery.delivery_id, client)


def replayed(books: Ledger, delivery_id: str = "d1", client: Client | None = None) -> Applied:
    return books.do(inbox.replay, "apify", delivery_id, client)


def with_token(key: OperationKey, call_id: str = "call of x1", **more: object) -> Delivery:
    return replace(OVER, ours=(key.run_id, key.client_id, call_id), **more)  # type: ignore[arg-type]  # its fields


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
    begun = external_of(key, clock)
    called(books, key, begun.call_id, None)
    books.do(external.start, begun.unborn, clock.now + timedelta(minutes=1))
    applied = received(books, with_token(key))
    assert (applied.state, applied.run_id) == (State.APPLIED, key.run_id)
    (due,) = books.do(external.take_due, 8)
    assert (due.external_id, due.call_id, due.leads) == ("x1", "call of x1", ("a", "b"))
    taken(books, due, *harvested("a", "b"))
    assert told(books, key.run_id).tally.harvested == 2


def test_one_of_whose_start_only_the_call_is_in_the_books_is_known_too_and_given_a_day(
    books: Ledger, clock: Clock
) -> None:
    """Books that were restored from yesterday's."""
    key = harvesting(books)
    called(books, key, "call of x1", None)
    assert received(books, with_token(key)).state is State.APPLIED
    (due,) = books.do(external.take_due, 8)
    assert (due.client_id, due.call_id, due.leads) == ("acme", "call of x1", None)
    assert due.until == clock.now + timedelta(days=1)
    taken(books, due, *harvested("a", "z"))
    assert told(books, key.run_id).tally.harvested == 1


def test_a_token_does_not_tie_another_run_to_the_call_it_was_made_for(books: Ledger, clock: Clock) -> None:
    """F32"""
    key = harvesting(books)
    started(books, key, clock)
    stranger = received(books, with_token(key, external_id="stranger"))
    assert (stranger.state, stranger.reason) == (State.REFUSED, "its token is that of apify run x1")
    assert not reads.any_due(books.database, clock.now)


@pytest.mark.parametrize("whose", ["nobody's", "another client's"])
def test_a_token_of_a_call_that_is_not_in_the_books_ties_nothing(books: Ledger, whose: str) -> None:
    """F32"""
    key, other = harvesting(books), harvesting(books, client_id="other")
    called(books, other, "call of other", None)
    call_id = "call of nobody" if whose == "nobody's" else "call of other"
    applied = received(books, with_token(key, call_id))
    assert (applied.state, applied.reason) == (
        State.REFUSED,
        "its token is that of a call which is not in the books",
    )


def test_a_token_of_a_run_that_is_not_in_the_books_makes_an_orphan(books: Ledger) -> None:
    assert received(books, replace(OVER, ours=("261123-000000", "acme", "c"))).state is State.ORPHAN
    assert replayed(books).state is State.ORPHAN
    with pytest.raises(BadInput, match="brought the token of run 261123-000000 of client 'acme'"):
        replayed(books, client=Client("other", "Other"))
    applied = replayed(books, client=ACME)
    assert (applied.state, applied.reason, applied.client_id) == (State.APPLIED, "a run of its own", "acme")


def test_naming_its_client_again_leaves_a_delivery_to_the_run_that_its_token_names(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    assert received(books, with_token(key)).state is State.REFUSED
    called(books, key, "call of x1", None)
    applied = replayed(books, client=ACME)
    assert (applied.state, applied.run_id) == (State.APPLIED, key.run_id)


@pytest.mark.parametrize("external_id", ["../../users/me?x=", "a/b", "a~b", "x" * 65, "é", "x 1", "?call"])
def test_what_is_no_id_of_a_run_goes_no_further(books: Ledger, external_id: str) -> None:
    """F32"""
    assert not is_run_id(external_id)
    of_client = replace(OVER, external_id=external_id, bound_to="acme")
    for delivery in (of_client, replace(of_client, delivery_id="d2", ours=("261123-000000", "acme", "c"))):
        applied = received(books, delivery, ACME)
        assert (applied.state, applied.run_id) == (State.REFUSED, None)
        assert "letters and digits" in str(applied.reason)
    assert read.list_runs(books.database) == []


def test_two_processes_that_apply_news_of_one_unknown_run_make_one_run(books: Ledger, database: Database) -> None:
    """F31"""
    for number in (1, 2):
        kept(books, replace(OVER, delivery_id=f"d{number}", bound_to="acme"))
    with ThreadPoolExecutor(1) as another_process:
        with database.writing(books.clock) as tx:
            first = inbox.apply(tx, "apify", "d1", ACME)
            second = another_process.submit(books.do, inbox.apply, "apify", "d2", ACME)
            _until_it_waits(database, second)
        assert second.result(30) == Applied(State.APPLIED, None, first.run_id, "acme")
    assert [run.run_id for run in read.list_runs(books.database)] == [first.run_id]


def _until_it_waits(database: Database, for_it: "Future[Applied]") -> None:
    """On SQLite there is one writer anyway."""
    waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
    deadline = time.monotonic() + 30
    while not database.sqlite and not for_it.done() and time.monotonic() < deadline:
        with database.reading() as connection:
            if rows_of(connection, waits, ()):
                return


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
    books.do(progress.mark_saved, OperationKey(due.run_id, due.client_id, due.operation), ["a", "b"])
    books.do(standing_alone.finish, due, None, "")
    run = told(books, due.run_id)
    assert (run.status, run.clients[0].status, run.tally.found, run.tally.posts) == ("completed", "completed", 2, 4)
    assert (str(run.tally.cost), run.tally.calls) == ("0.3", 1)


def test_one_that_failed_and_found_nothing_is_a_failed_run(books: Ledger) -> None:
    """F29"""
    applied = received(books, replace(OVER, bound_to="acme"), ACME)
    (due,) = books.do(external.take_due, 8)
    taken(books, due)
    for _ in range(2):
        books.do(standing_alone.finish, due, "failed", "the actor crashed")
    run = told(books, str(applied.run_id))
    assert (run.status, run.clients[0].operations[0].finish_reason) == ("failed", "failed")


def test_finishing_leaves_runs_of_ours_alone(books: Ledger, clock: Clock) -> None:
    key = harvesting(books)
    books.do(standing_alone.finish, external_of(key, clock), None, "")
    assert told(books, key.run_id).status == "running"
    assert client_of(key).client_id == "acme"


def test_an_orphan_is_replayed_once_somebody_says_whose_it_is(books: Ledger) -> None:
    assert received(books, OVER).reason == "nobody knows whose run it is: its task is mapped to no client"
    assert received(books, replace(OVER, delivery_id="d2", bound_to="gone"), None).reason == "there is no client 'gone'"
    assert replayed(books, "d1", ACME).state is State.APPLIED
    assert replayed(books, "d1", ACME) == replace(replayed(books, "d1"), new=False)
    assert len(read.list_runs(books.database)) == 1
    for unknown in ("none", "no\0ne"):
        with pytest.raises(NotFound, match="webhook list"):
            replayed(books, unknown)


def test_who_replays_what_is_noted(books: Ledger, clock: Clock) -> None:
    received(books, OVER)
    applied = replayed(books, "d1", ACME)
    replayed(books, "d1", ACME)
    (entry,) = list_entries(books.database)
    assert (entry.actor, entry.action, entry.subject) == ("cli", "delivery_replayed", applied.run_id)
    assert entry.facts == {"source": "apify", "delivery_id": "d1", "state": "applied", "client_id": "acme"}


def test_a_task_that_names_its_client_is_kept_as_a_claim_until_somebody_vouches_for_the_client(books: Ledger) -> None:
    """F32"""
    claim = replace(OVER, bound_to="acme", task="t1")
    received(books, claim, ACME)
    received(books, replace(claim, delivery_id="d2", external_id="x2"))
    replayed(books, "d2", ACME)
    tasks = "SELECT external_id, task FROM @external_runs ORDER BY external_id"
    assert books.do(lambda tx: tx.rows(tasks)) == [("x1", "t1"), ("x2", None)]


# -- kept, and applied later -------------------------------------------------------------------------------------------


def test_what_cannot_be_applied_is_kept_and_applied_later_as_it_would_have_been(books: Ledger, clock: Clock) -> None:
    style = RunIdStyle(structured=True, zone=ZoneInfo("Pacific/Auckland"))
    _take_all_numbers(books, "261124")
    kept(books, replace(OVER, bound_to="acme"), style)
    with pytest.raises(RunIdsExhausted) as error:
        books.do(inbox.apply, "apify", "d1", ACME)
    assert books.do(inbox.put_off, "apify", "d1", str(error.value))
    assert not books.do(inbox.put_off, "apify", "d1", str(error.value)), "that is known"
    (listed,) = list_deliveries(books.database, state=State.RECEIVED)
    assert "all 999 structured run ids" in str(listed.reason)
    assert left(books.database, clock.now) == []
    clock.pass_by(days=1)
    assert left(books.database, clock.now) == [Left("apify", "d1", "acme")]
    assert books.do(inbox.apply, "apify", "d1", ACME).run_id == "SR-261125-001"
    assert not books.do(inbox.put_off, "apify", "d1", "too late")
    assert left(books.database, clock.now) == []


def _take_all_numbers(books: Ledger, day: str) -> None:
    taken = "INSERT INTO @run_ids (run_id, reserved_at, day, number) VALUES (?, ?, ?, 999)"
    books.do(lambda tx: tx.execute(taken, (f"{day}-999", tx.stamp, day)))


def test_what_came_a_quarter_of_a_year_ago_is_forgotten_whatever_became_of_it(books: Ledger, clock: Clock) -> None:
    received(books, OVER)
    received(books, replace(OVER, delivery_id="d2", external_id=None))
    received(books, replace(OVER, delivery_id="d3", external_id="x3", bound_to="acme"), ACME)
    kept(books, replace(OVER, delivery_id="d4"))
    clock.pass_by(days=90)
    received(books, replace(OVER, delivery_id="d5"))
    books.do(inbox.forget_old)
    assert len(list_deliveries(books.database)) == 5
    clock.pass_by(seconds=1)
    books.do(inbox.forget_old)
    assert [each.delivery_id for each in list_deliveries(books.database)] == ["d5"]


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
