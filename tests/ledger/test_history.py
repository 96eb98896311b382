"""Runs of an older system in the books: ended, as claims, told to nobody, and never twice."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from tallybook.database import read_stamp, rows_of
from tallybook.domain.history import NO_ROW, PastRun, plan
from tallybook.domain.history_report import Written
from tallybook.domain.history_rows import OldRow
from tallybook.domain.run import Basis, JobType, OperationName, Origin, Status, Trigger
from tallybook.ledger import misreports, read
from tallybook.ledger.following import FollowerBook
from tallybook.ledger.history import would_write
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.tables import runs
from tallybook.ledger.write import claims, starts
from tallybook.ledger.write.history import import_run
from tests.ledger.dumping import dump
from tests.ledger.scenes import Clock, planned, reported, texts, told
from tests.unit.domain.old_rows import BEGAN, ENDED, NOW, RUN, client, ended, job

SOURCE = "Airtable base appOldBooks000001"


def past(*rows: OldRow) -> tuple[PastRun, ...]:
    return plan(rows, NOW).runs


def imported(books: Ledger, *rows: OldRow) -> list[Written]:
    """As a dry run had said that it would be."""
    found = past(*rows)
    expected = list(would_write(books.database, found).values())
    written = [books.do(import_run, run, SOURCE) for run in found]
    assert written == expected
    return written


FULL = (
    job(**ended(job_type="post-scoring", stream=2, triggered_by="Cron", total_leads=40, error="one broke",
                notes="Ask Ada", system_notes="Started")),
    client(**ended(client_name="Ada Ltd", posts_examined=12, estimated_cost_usd=0.5, notes="Paid", error="no credit")),
    client(f"{RUN}-Guy-Wilson-Guy-Wilson", "recG", status="No Leads To Score"),
)  # fmt: skip


def test_an_old_run_is_shown_as_it_was_and_marked_as_claimed(books: Ledger) -> None:
    assert imported(books, *FULL) == [Written(frozenset(["", "Ada", "Guy-Wilson"]))]
    run = told(books, RUN)
    assert (run.job_type, run.stream, run.trigger) == (JobType.POST_SCORING, 2, Trigger.CRON)
    assert (run.status, run.planned, run.error) == (Status.COMPLETED, False, "one broke")
    assert (run.created_at, run.started_at, run.ended_at) == (read_stamp(BEGAN), read_stamp(BEGAN), read_stamp(ENDED))
    assert run.claims == {"status": "completed", "total_leads": 40}
    ada, guy = run.clients
    assert (ada.client_name, ada.origin, ada.error, ada.errors) == ("Ada Ltd", Origin.REPORTED, "no credit", 1)
    assert ada.claims == {"status": "completed", "posts_examined": 12, "estimated_cost_usd": "0.5"}
    (operation,) = ada.operations
    assert (operation.operation, operation.basis) == (OperationName.POST_SCORING, Basis.REPORTED)
    assert (operation.status, operation.ended_at, operation.tally.found) == (Status.COMPLETED, read_stamp(ENDED), 0)
    assert (guy.label, guy.status, guy.finish_reason) == (f"{RUN}-Guy-Wilson", Status.COMPLETED, "no_work")
    assert read.list_runs(books.database)[0].run_id == RUN


def test_notes_are_kept_once_each_with_whom_they_are_of(books: Ledger) -> None:
    """F38"""
    imported(books, *FULL)
    said = [(each.client_id, each.kind, each.text) for each in read.events_of(books.database, RUN)]
    assert said == [
        ("", "imported", f"Imported from {SOURCE}: Job Tracking recJ"),
        ("", "notes_of_people", "Ask Ada"),
        ("", "imported_notes", "Started"),
        ("", "error", "one broke"),
        ("Ada", "imported", f"Imported from {SOURCE}: Client Run Results recC"),
        ("Ada", "notes_of_people", "Paid"),
        ("Ada", "error", "no credit"),
        ("Guy-Wilson", "imported", f"Imported from {SOURCE}: Client Run Results recG"),
    ]


def test_no_follower_takes_history_for_news(books: Ledger, clock: Clock) -> None:
    imported(books, *FULL)
    follower = FollowerBook(books, "mirror")
    clock.pass_by(hours=1)
    assert list(follower.changed()) == []
    assert list(follower.made_since(clock.now - timedelta(days=3000))) == []
    assert [(each.told_version, each.behind) for each in follower.tellings(RUN)] == [(None, False)] * 3
    with books.database.reading() as connection:
        assert connection.execute(sa.select(runs.c.changed_at)).all() == [(None,)]


OLD_IDS = [
    ("250924-001234-Guy-Wilson-Guy-Wilson", "250924-001234"),
    ("SR-250924-001-T3304-S1", "SR-250924-001"),
    ("job_post_scoring_stream1_20250929094802", "job_post_scoring_stream1_20250929094802"),
    ("job_post_scoring_bypass_1758715200123", "job_post_scoring_bypass_1758715200123"),
    ("smart_resume_1758715200123_n3rke", "smart_resume_1758715200123_n3rke"),
    ("post_batch_standalone_1758715200123", "post_batch_standalone_1758715200123"),
]


def test_a_run_is_found_by_whatever_it_was_ever_called_and_its_id_is_never_given_again(books: Ledger) -> None:
    """F05, F06"""
    imported(books, *(job(text, f"rec{n}", **ended()) for n, (text, _) in enumerate(OLD_IDS)))
    for text, run_id in OLD_IDS:
        assert read.find_run(books.database, text) == run_id
        assert read.find_run(books.database, f"{run_id}-Eve" if len(run_id) == 13 else run_id) == run_id
        assert not books.do(claims.keep_run_id, run_id)
    imported(books, client("smart_resume_1758715200123_n3rke-Ada", client_id="Ada", **ended()))
    assert read.find_run(books.database, "smart_resume_1758715200123_n3rke-Ada") == "smart_resume_1758715200123_n3rke"


def test_importing_twice_changes_nothing(books: Ledger, clock: Clock) -> None:
    """F03: not a row of any table."""
    rows = (*FULL, client("251003-080000-Ada", "recM", **ended()))
    imported(books, *rows)
    before = dump(books.database)
    clock.pass_by(hours=1)
    assert imported(books, *rows) == [Written(frozenset())] * 2
    assert dump(books.database) == before


def test_runs_that_came_otherwise_are_not_touched(books: Ledger, clock: Clock) -> None:
    own = planned(books, "acme")
    live = reported(books, "acme", run_id="261123-130000")
    before = dump(books.database)
    rows = [client(f"{run_id}-Ada", f"rec{run_id}", **ended()) for run_id in (own, live)]
    assert imported(books, *rows) == [Written(frozenset(), ours=True)] * 2
    assert dump(books.database) == before


def test_a_run_made_for_its_clients_is_completed_when_its_own_row_comes(books: Ledger) -> None:
    """F36"""
    rows = (client(**ended()), client(f"{RUN}-Eve", "recE", **ended(status="failed")))
    imported(books, *rows)
    run = told(books, RUN)
    assert (run.status, run.claims, run.job_type) == (Status.COMPLETED_WITH_ERRORS, {}, JobType.SMART_RESUME)
    assert made_because(books) == NO_ROW
    assert misreports.auto_created(books.database) == {}  # nobody has forgotten to create it
    assert texts(books, RUN, "imported")[0] == f"Imported from {SOURCE}, where it has no row of its own"
    assert imported(books, *rows, job(**ended(job_type="lead_scoring", total_leads=7))) == [Written(frozenset([""]))]
    run = told(books, RUN)
    assert (run.status, run.job_type) == (Status.COMPLETED, JobType.LEAD_SCORING)
    assert (run.claims["total_leads"], made_because(books)) == (7, None)
    assert imported(books, *rows, job(**ended())) == [Written(frozenset())]


def made_because(books: Ledger) -> str | None:
    with books.database.reading() as connection:
        ((reason,),) = rows_of(connection, "SELECT origin_reason FROM @runs WHERE run_id = ?", (RUN,))
    return None if reason is None else str(reason)


def test_clients_that_come_later_join_their_run(books: Ledger) -> None:
    imported(books, *FULL)
    assert imported(books, *FULL, client(f"{RUN}-Eve", "recE", **ended())) == [Written(frozenset(["Eve"]))]
    assert [each.client_id for each in told(books, RUN).clients] == ["Ada", "Eve", "Guy-Wilson"]


def test_a_label_that_two_client_runs_would_have_is_given_to_the_first(books: Ledger) -> None:
    """F04: labels are looked up by equality, so no two are the same."""
    long = "job_a_stream1_20250929094802"
    longer = f"{long}-b_stream1_20250929094802"
    first = client(long, client_id="b_stream1_20250929094802-Ada", record="recA", **ended())
    imported(books, first, job(longer, **ended()))
    (run,) = past(client(f"{longer}-Ada", client_id="Ada", record="recB", **ended(posts_examined=1)))
    assert books.do(import_run, run, SOURCE) == Written(frozenset())
    assert told(books, run.run_id).clients == ()


@pytest.mark.parametrize("text", ["250924-001234", "250924-001234-Ada"])
def test_what_a_program_still_says_of_an_old_run_opens_nothing_again(books: Ledger, text: str) -> None:
    """F31"""
    imported(books, *FULL)
    assert books.do(claims.create_run, text, claims.Job()) == RUN
    assert told(books, RUN).status is Status.COMPLETED
    assert books.do(starts.reserve_run_id, starts.RunIdStyle()) != RUN
