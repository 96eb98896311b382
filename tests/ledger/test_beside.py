"""A run that a command drives by itself, for the calls it pays for: in the books like any other, and left alone."""

import pytest

from tallybook.domain.client import Client
from tallybook.domain.run import Basis, JobType, Run, Status, Stop, Trigger
from tallybook.ledger import read
from tallybook.ledger.audit import audit
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import beside, calls, claims, starts
from tallybook.ledger.write.starts import RunIdStyle
from tests.ledger.scenes import LEAD_SCORING, USED, Clock, asked, texts

ACME = Client("acme", "Acme Ltd", stream=3)


def opened(ledger: Ledger, style: RunIdStyle | None = None) -> OperationKey:
    return ledger.do(beside.open_run, ACME, LEAD_SCORING, "A look at the scorer", by="Ada", style=style or RunIdStyle())


def called(ledger: Ledger, key: OperationKey, call_id: str = "c1") -> None:
    ledger.do(calls.start_call, calls.Call(call_id, key, "google", "gemini"))


def closed(ledger: Ledger, key: OperationKey) -> Run:
    assert not audit(ledger.database).differences
    return read.run(ledger.database, key.run_id)


def test_its_calls_are_in_the_books_and_it_holds_no_lead(books: Ledger) -> None:
    key = opened(books)
    run = read.run(books.database, key.run_id)
    assert (run.status, run.job_type, run.trigger, run.stream) == (
        Status.RUNNING, JobType.LEAD_SCORING, Trigger.MANUAL, 3,
    )  # fmt: skip
    assert (run.requested_by, run.planned, run.clients[0].client_name) == ("Ada", False, "Acme Ltd")
    called(books, key)
    books.do(calls.settle_call, "c1", "ok", USED)
    books.do(beside.close_run, key)
    run = closed(books, key)
    assert (run.status, run.tally.calls, run.tally.cost, run.tally.found) == (Status.COMPLETED, 1, USED.cost, 0)
    (operation,) = run.clients[0].operations
    assert (operation.status, operation.basis, run.clients[0].claims) == (Status.COMPLETED, Basis.EXACT, {})
    assert texts(books, key.run_id, "note") == ["A look at the scorer"]


@pytest.mark.parametrize(
    ("ending", "status"),
    [({"stop": Stop.CANCEL}, Status.CANCELED), ({"error": "the key was refused"}, Status.FAILED)],
)
def test_all_of_it_ends_as_it_was_stopped(books: Ledger, ending: dict[str, object], status: Status) -> None:
    key = opened(books)
    called(books, key)
    books.do(beside.close_run, key, **ending)  # type: ignore[arg-type]  # see close_run
    run = closed(books, key)
    (client,) = run.clients
    assert {run.status, client.status, client.operations[0].status} == {status}
    assert (run.error, run.tally.unmeasured) == (ending.get("error"), 1)


def test_it_ends_once(books: Ledger) -> None:
    key = opened(books)
    books.do(beside.close_run, key)
    before = closed(books, key)
    books.do(beside.close_run, key, stop=Stop.CANCEL)
    assert closed(books, key) == before


def test_one_that_is_silent_is_closed_as_lost_and_stays_so(books: Ledger, clock: Clock) -> None:
    """F02"""
    key = opened(books)
    clock.pass_by(hours=7)
    assert books.do(claims.lose_silent_runs) == [key.run_id]
    books.do(beside.close_run, key)
    assert closed(books, key).finish_reason == "lost"


def test_its_id_is_minted_like_any_other(books: Ledger) -> None:
    """F06"""
    first, second = opened(books), opened(books)
    assert (first.run_id, second.run_id) == ("261123-120000", "261123-120001")
    assert opened(books, RunIdStyle(structured=True)).run_id == "SR-261123-001"


def test_it_keeps_no_run_of_the_engine_waiting(books: Ledger) -> None:
    opened(books)
    assert not books.do(starts.start, asked("acme", stream=3)).replayed
