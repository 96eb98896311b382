"""A bad row keeps no other from being written."""

from tallybook.airtable.batches import write_in_tens
from tallybook.airtable.client import AirtableDoor, Cells
from tallybook.airtable.errors import BadRow, LostAnswer, Misconfigured, RowGone, SeveralRows
from tallybook.airtable.values import row_of
from tallybook.testing import airtable_fields as fields
from tallybook.testing.airtable_owner import OpenBase
from tallybook.testing.airtable_server import AirtableFault, AirtableServer
from tests.airtable.premises import Found


def test_rows_are_written_ten_at_a_time(door: AirtableDoor, found: Found, server: AirtableServer) -> None:
    rows: dict[str, Cells] = {f"run {number}": {} for number in range(25)}
    written = write_in_tens(rows, lambda some: door.upsert(found.jobs, some))
    assert [call.records for call in server.calls if call.what == "upsert"] == [10, 10, 5]
    assert {key for answer in written.answers for key in answer.ids} == {*rows}
    assert not written.bad
    assert written.stopped is None


def test_a_row_that_was_deleted_is_found_and_the_others_are_updated(
    door: AirtableDoor, base: OpenBase, found: Found
) -> None:
    table = base.table("Job Tracking")
    ids = table.add_many({"Run ID": f"run {number}"} for number in range(12))
    gone = [ids[3], ids[11]]
    table.delete(*gone)
    cells = row_of(found.jobs, {"stream": 7}).cells
    written = write_in_tens(dict.fromkeys(ids, cells), lambda some: door.update(found.jobs, some))
    assert list(written.bad) == gone
    assert all(isinstance(error, RowGone) for error in written.bad.values())
    assert [row["Stream"] for row in table.rows] == [7] * 10


def test_rows_with_a_value_that_is_not_taken_and_with_a_doubled_key_are_parked(
    door: AirtableDoor, base: OpenBase, found: Found
) -> None:
    table = base.table("Job Tracking")
    table.duplicate(table.add({"Run ID": "doubled"}))
    stream = row_of(found.jobs, {"stream": 1}).cells
    table.retype_field("Stream", fields.text("Stream"))
    rows: dict[str, Cells] = {"a": {}, "bad": stream, "b": {}, "doubled": {}, "c": {}}
    written = write_in_tens(rows, lambda some: door.upsert(found.jobs, some))
    assert {key: type(error) for key, error in written.bad.items()} == {"bad": BadRow, "doubled": SeveralRows}
    assert {row["Run ID"] for row in table.rows} == {"a", "b", "c", "doubled"}


def test_what_lies_in_no_row_ends_it_and_says_what_is_left(
    door: AirtableDoor, base: OpenBase, found: Found, server: AirtableServer
) -> None:
    """F09"""
    rows: dict[str, Cells] = {f"run {number}": {} for number in range(25)}
    server.faults.then(AirtableFault.OK, AirtableFault.LOST_ANSWER)
    written = write_in_tens(rows, lambda some: door.upsert(found.jobs, some))
    assert isinstance(written.stopped, LostAnswer)
    assert written.left == [f"run {number}" for number in range(10, 25)]
    cells = row_of(found.jobs, {"stream": 1}).cells
    base.table("Job Tracking").delete_field("Stream")
    written = write_in_tens({"a": cells}, lambda some: door.upsert(found.jobs, some))
    assert isinstance(written.stopped, Misconfigured)
    assert written.left == ["a"]


def test_doubled_keys_are_known_at_once_and_the_rest_is_written_together(
    door: AirtableDoor, base: OpenBase, found: Found, server: AirtableServer
) -> None:
    table = base.table("Job Tracking")
    for name in ("run 2", "run 5"):
        table.duplicate(table.add({"Run ID": name}))
    rows: dict[str, Cells] = {f"run {number}": {} for number in range(10)}
    written = write_in_tens(rows, lambda some: door.upsert(found.jobs, some))
    assert list(written.bad) == ["run 2", "run 5"]
    assert server.log.by_kind()["upsert"] == 2
    assert len(table) == 12


def test_when_a_whole_batch_is_bad_it_is_the_base_and_no_row_is_blamed(
    door: AirtableDoor, base: OpenBase, found: Found, server: AirtableServer
) -> None:
    stream = row_of(found.jobs, {"stream": 1}).cells
    base.table("Job Tracking").retype_field("Stream", fields.text("Stream"))
    rows = {f"run {number}": stream for number in range(200)}
    written = write_in_tens(rows, lambda some: door.upsert(found.jobs, some))
    assert isinstance(written.stopped, BadRow)
    assert (written.bad, written.left) == ({}, list(rows))
    assert server.log.by_kind()["upsert"] < 20


def test_rows_that_are_all_gone_are_just_that(door: AirtableDoor, base: OpenBase, found: Found) -> None:
    table = base.table("Job Tracking")
    ids = table.add_many({"Run ID": f"run {number}"} for number in range(12))
    table.clear()
    written = write_in_tens({record_id: {} for record_id in ids}, lambda some: door.update(found.jobs, some))
    assert list(written.bad) == ids
    assert written.stopped is None
