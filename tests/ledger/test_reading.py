"""What the books say: lists, lookups and glances, on one consistent view."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tallybook.database import Database
from tallybook.domain.errors import BadInput, LedgerUnavailable, NotFound
from tallybook.domain.run import OperationName, Status
from tallybook.domain.tally import Tally
from tallybook.ledger import read, snapshot, work
from tallybook.ledger.audit import audit
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import events, progress, starts
from tests.ledger.scenes import (
    LEAD_SCORING,
    Clock,
    asked,
    begun,
    called,
    client_of,
    closed,
    frozen,
    planned,
    recorded,
    scored,
    told,
    working,
)


def test_runs_are_listed_newest_first_a_page_at_a_time(database: Database) -> None:
    clock = Clock()
    ledger = Ledger(database, clock)
    started = []
    for n in range(7):
        started.append(ledger.do(starts.start, asked(stream=n % 2, queue_behind=True)).run_id)
        clock.pass_by(seconds=n % 3)
    seen: list[str] = []
    before = None
    while page := read.list_runs(database, before=before, limit=3):
        seen += [each.run_id for each in page]
        before = read.cursor_of(page[-1], database)
    assert seen == started[::-1]
    assert [each.run_id for each in read.list_runs(database, stream=1)] == started[5::-2]


def test_a_list_shows_the_same_totals_as_the_run_itself(ledger: Ledger) -> None:
    key = working(ledger, ["a", "b"])
    recorded(ledger, key, *scored("a"))
    called(ledger, key, "c")
    planned(ledger, "b", start=asked("b"))
    one, other = sorted(read.list_runs(ledger.database), key=lambda run: run.run_id)
    assert one.tally == told(ledger, key.run_id).tally
    assert other.tally == Tally()


def test_what_is_unknown_is_not_found(ledger: Ledger) -> None:
    for unknown in ("261123-000000", "261123-000000-acme"):
        with pytest.raises(NotFound):
            read.find_run(ledger.database, unknown)
    with pytest.raises(NotFound):
        read.run(ledger.database, "261123-000000")
    with pytest.raises(NotFound):
        read.status(ledger.database, "261123-000000")
    with pytest.raises(NotFound):
        snapshot.glance(ledger.database, "261123-000000")
    assert read.label(ledger.database, "261123-000000", "acme") is None
    assert read.why(ledger.database, "acme", "nobody") == []


def test_events_are_appended_and_read_on_from_the_last_one_seen(ledger: Ledger) -> None:
    """F38"""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: ledger.do(events.append, "note", f"line {n}", run_id="r"), range(40)))
    seen = read.events_of(ledger.database, "r")
    assert sorted(each.text for each in seen) == sorted(f"line {n}" for n in range(40))
    assert read.events_of(ledger.database, "r", after=seen[10].event_id, limit=5) == seen[11:16]


def test_an_event_that_may_be_said_once_is(ledger: Ledger) -> None:
    assert ledger.do(events.append, "mail", "told", run_id="r", once_key="k")
    assert not ledger.do(events.append, "mail", "told again", run_id="r", once_key="k")
    assert [each.text for each in read.events_of(ledger.database, "r")] == ["told"]


def test_events_that_differ_in_numbers_and_names_only_are_counted_together() -> None:
    """F24"""
    one = events.fingerprint("error", "lead 'ada' of run 261123-120000 failed 3 times (deadbeef01)")
    same = events.fingerprint("error", "lead 'bob' of run 261124-130000 failed 12 times (cafebabe99)")
    other = events.fingerprint("error", "the store of 'ada' broke")
    assert one == same != other


def test_a_glance_shows_what_is_done_and_who_works(ledger: Ledger) -> None:
    run_id = planned(ledger, "a", "b", start=asked("a", "b", operations=list(OperationName)))
    key = frozen(ledger, begun(ledger, run_id, "a"), ["x", "y"])
    recorded(ledger, key, *scored("x"))
    seen = snapshot.glance(ledger.database, run_id)
    assert (seen.status, seen.planned, seen.resting) == (Status.RUNNING, True, False)
    assert read.status(ledger.database, run_id) is Status.RUNNING
    assert seen.tally == Tally(found=2, scored=1) == told(ledger, run_id).tally
    first, second = seen.clients
    assert (first.client_id, first.doing, first.worked_on, second.doing) == ("a", LEAD_SCORING, True, None)
    recorded(ledger, key, *scored("y"))
    closed(ledger, key)
    assert snapshot.glance(ledger.database, run_id).clients[0].doing is None


def test_sums_are_those_of_one_moment_however_much_is_written_meanwhile(ledger: Ledger) -> None:
    key = working(ledger, [f"{n:03}" for n in range(400)])
    over = threading.Event()

    def write() -> None:
        for n in range(400):
            recorded(ledger, key, *scored(f"{n:03}"))
            called(ledger, key, f"c{n}")
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    audits = 0
    while not over.is_set():
        assert audit(ledger.database).differences == ()
        audits += 1
    writer.join()
    assert audits > 1


# A database that does not answer

READS: dict[str, Callable[[Database], object]] = {
    "find_run": lambda database: read.find_run(database, "261123-120000"),
    "run": lambda database: read.run(database, "261123-120000"),
    "list_runs": read.list_runs,
    "events_of": lambda database: read.events_of(database, "261123-120000"),
    "why": lambda database: read.why(database, "acme", "ada"),
    "unsaved": lambda database: list(work.unsaved(database, "acme")),
    "glance": lambda database: snapshot.glance(database, "261123-120000"),
    "audit": audit,
}


@pytest.mark.parametrize("what", READS)
@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/at/all.db", "sqlite:////etc/hostname", "postgresql://x@127.0.0.1:1/x"]
)
def test_a_database_that_does_not_answer_is_unavailable(url: str, what: str) -> None:
    database = Database(url)
    with pytest.raises(LedgerUnavailable, match="cannot be read") as caught:
        READS[what](database)
    assert caught.value.retryable
    database.close()


@pytest.mark.parametrize("what", READS)
def test_a_database_without_tables_is_unavailable(empty_database_url: str, what: str) -> None:
    database = Database(empty_database_url)
    with pytest.raises(LedgerUnavailable, match="cannot be read"):
        READS[what](database)
    database.close()


@pytest.mark.parametrize("odd", ["\ud800", "\0"], ids=["surrogate", "nul"])
def test_text_that_no_database_keeps_finds_nothing(database: Database, odd: str) -> None:
    try:
        found = read.why(database, odd, odd)
    except BadInput as error:
        assert "holds nothing of that kind" in str(error)  # noqa: PT017 -- SQLite looks for a NUL and finds none
    else:
        assert found == []


def test_an_operation_run_says_who_it_is_of(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    assert ledger.do(progress.open_operation, key) is Status.RUNNING
    assert client_of(key).client_id == "acme"
