"""The old system's two tables, read through the door."""

import pytest

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.errors import AirtableError
from tallybook.airtable.history import read_history
from tallybook.airtable.seen import OperatorBase
from tallybook.domain.errors import BadInput
from tallybook.domain.history import plan
from tallybook.domain.history_report import Written, report
from tallybook.domain.history_rows import OldRow, Table
from tallybook.testing import airtable_fields as fields
from tallybook.testing.airtable_faults import AirtableFault
from tallybook.testing.airtable_owner import OpenBase
from tallybook.testing.airtable_server import AirtableServer
from tests.airtable import old_books
from tests.airtable.premises import Clock


@pytest.fixture
def books(server: AirtableServer, clock: Clock) -> OpenBase:
    base = server.add_base("Old", old_books.tables())
    old_books.fill(base, lambda: clock.sleep(1))
    return base


def rows_of(door: AirtableDoor, base: OpenBase) -> list[OldRow]:
    return read_history(door, OperatorBase(base.id))


def test_every_row_is_read_with_its_record_and_its_age_and_nothing_is_written(
    door: AirtableDoor, server: AirtableServer, books: OpenBase
) -> None:
    rows = rows_of(door, books)
    assert [each.record for each in rows] == [*books.table("Job Tracking").ids, *books.table("Client Run Results").ids]
    assert [each.table for each in rows].count(Table.CLIENTS) == len(old_books.CLIENTS)
    assert rows[0].created_at < rows[1].created_at
    assert {call.method for call in server.calls} == {"GET"}


def test_names_of_older_bases_are_read_and_what_is_derived_is_not(door: AirtableDoor, books: OpenBase) -> None:
    """F08, F09, F11: durations, rates, and sums that Airtable reckons itself."""
    rows = rows_of(door, books)
    assert rows[1].said.keys() == {
        "run_id", "status", "job_type", "triggered_by", "started_at", "ended_at", "total_clients", "prompt_tokens",
        "completion_tokens", "estimated_cost_usd", "system_notes", "notes",
    }  # fmt: skip
    assert rows[2].said["error"] == "one broke"
    client = rows[len(old_books.JOBS) + 1].said
    assert (client["run_id"], client["client_id"], client["total_tokens"]) == ("250924-001234-Ada-Ada", "Ada", 1000)
    assert client["posts_examined"] == "12"
    assert "job" not in client


def test_a_client_id_that_is_a_link_says_nothing_by_the_ids_of_records(
    server: AirtableServer, door: AirtableDoor
) -> None:
    tables = old_books.tables()
    tables["Client Run Results"][2] = fields.link("Client ID", "Job Tracking")
    base = server.add_base("Linked", tables)
    base.table("Client Run Results").add(
        {"Run ID": "250924-001234-Ada", "Client ID": [base.table("Job Tracking").add({})]}
    )
    assert rows_of(door, base)[-1].said == {"run_id": "250924-001234-Ada"}


def test_long_tables_are_read_page_by_page_and_their_progress_is_told(
    server: AirtableServer, door: AirtableDoor
) -> None:
    base = server.add_base("Long", old_books.tables())
    base.table("Job Tracking").add_many({"Run ID": f"25{n:04d}"} for n in range(501))
    told: list[tuple[str, int]] = []
    rows = read_history(door, OperatorBase(base.id), lambda name, number: told.append((name, number)))
    assert len(rows) == 501
    assert told == [("Job Tracking", 500), ("Job Tracking", 501), ("Client Run Results", 0)]


def test_another_base_is_refused_before_a_row_is_read(server: AirtableServer, door: AirtableDoor) -> None:
    tables = old_books.tables()
    empty = server.add_base("Other", {"Things": [fields.text("Name")]})
    half = server.add_base("Half", {"Job Tracking": tables["Job Tracking"]})
    bare = server.add_base(
        "Bare",
        {**tables, "Job Tracking": [fields.text("Run ID")]}
        | {"Client Run Results": [fields.text("Run ID"), fields.select("Status")]},
    )
    with pytest.raises(BadInput, match="has no table Job Tracking; is it the right base"):
        rows_of(door, empty)
    with pytest.raises(BadInput, match="has no table Client Run Results"):
        rows_of(door, half)
    with pytest.raises(BadInput, match="has no field Status"):
        rows_of(door, bare)
    assert {call.what for call in server.calls} == {"schema"}


def test_a_base_that_cannot_be_read_to_the_end_is_not_read_at_all(
    server: AirtableServer, door: AirtableDoor, books: OpenBase
) -> None:
    server.faults.rule(AirtableFault.MONTHLY_LIMIT, lambda asked: asked.table == "Client Run Results")
    with pytest.raises(AirtableError):
        rows_of(door, books)


def test_the_counts_of_a_whole_base_reconcile_to_the_row(door: AirtableDoor, books: OpenBase, clock: Clock) -> None:
    """F03, F04, F05"""
    found = plan(rows_of(door, books), clock.today())
    done = report(
        found, {run.run_id: Written(frozenset(part.part.client_id for part in run.parts)) for run in found.runs}
    )
    jobs, clients = done.counts[Table.JOBS], done.counts[Table.CLIENTS]
    assert (jobs.rows, jobs.imported_as_run, jobs.merged, jobs.refused) == (12, 7, 2, 3)
    assert (clients.rows, clients.imported_as_client_run, clients.merged, clients.refused) == (12, 8, 1, 3)
    assert done.runs_made == 2
