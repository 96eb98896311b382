"""What the door asks of Airtable, and what it is answered."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pyairtable
import pytest

from tallybook.airtable import formulas
from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.lanes import LanesInProcess
from tallybook.airtable.pacing import Pace
from tallybook.airtable.seen import ClientBase, OperatorBase
from tallybook.airtable.values import row_of, value_of
from tallybook.domain.errors import BadInput
from tallybook.domain.run import Status
from tallybook.testing.airtable_owner import OpenBase
from tallybook.testing.airtable_server import AirtableServer, Limits
from tests.airtable.premises import AWKWARD, TOKEN, Clock, Found, older_tables


def test_it_says_whose_token_it_is(door: AirtableDoor) -> None:
    assert door.whoami().startswith("usr")


def test_the_schema_tells_types_options_and_links(door: AirtableDoor, base: OpenBase) -> None:
    jobs, results, _ = door.tables(OperatorBase(base.id))
    by_name = {field.name: field for field in (*jobs.fields, *results.fields)}
    assert by_name["Triggered By"].options == ("Cron", "Manual", "API")
    assert by_name["Duration"].computed
    assert by_name["Job"].linked_to == jobs.id


def test_a_listing_is_read_page_by_page_as_it_is_asked_for(
    door: AirtableDoor, base: OpenBase, found: Found, server: AirtableServer
) -> None:
    """All records are never in memory at once (F22)."""
    base.table("Job Tracking").add_many({"Run ID": f"run {number}"} for number in range(250))
    listing = door.records(found.jobs, ["run_id"])
    assert server.log.by_kind()["list"] == 0
    next(listing)
    assert server.log.by_kind()["list"] == 1
    assert len(list(listing)) == 249
    assert server.log.by_kind()["list"] == 3


def test_only_the_columns_asked_for_are_read_and_they_come_by_field_id(
    door: AirtableDoor, base: OpenBase, found: Found
) -> None:
    table = base.table("Job Tracking")
    table.add({"Run ID": "a", "Stream": 2, "Head Count": 7, "Notes": "mine"})
    (record,) = door.records(found.jobs, ["stream", "notes", "apify_run_id"])
    assert record.cells == {table.field_id("Stream"): 2, table.field_id("Notes"): "mine"}
    (record,) = door.records(found.jobs)
    assert table.field_id("Head Count") not in record.cells


def test_records_are_found_by_their_ids_a_hundred_at_a_time(
    door: AirtableDoor, base: OpenBase, found: Found, server: AirtableServer
) -> None:
    ids = base.table("Job Tracking").add_many({"Run ID": f"run {number}"} for number in range(120))
    base.table("Job Tracking").delete(ids[3])
    assert {record.id for record in door.by_record_ids(found.jobs, [*ids, ids[0]])} == {*ids} - {ids[3]}
    assert server.log.by_kind()["list"] == 2


@pytest.mark.parametrize("key", AWKWARD)
def test_keys_with_awkward_letters_find_their_row_and_no_other(
    door: AirtableDoor, base: OpenBase, found: Found, key: str
) -> None:
    """F16"""
    ids = dict(zip(AWKWARD, base.table("Job Tracking").add_many({"Run ID": each} for each in AWKWARD), strict=True))
    assert [record.id for record in door.by_keys(found.jobs, "run_id", [key])] == [ids[key]]


def test_many_long_keys_are_posted_because_no_url_holds_them(
    door: AirtableDoor, base: OpenBase, found: Found, server: AirtableServer
) -> None:
    keys = [f"https://www.linkedin.test/in/{number}-{'ü' * 60}" for number in range(100)]
    base.table("Job Tracking").add_many({"Run ID": key} for key in keys)
    records = list(door.by_keys(found.jobs, "run_id", keys, ["stream"]))
    assert len(records) == 100
    assert [call.method for call in server.calls if call.what == "list"] == ["POST"]


def test_rows_changed_since_an_instant_are_found_by_a_field_or_without_one(
    door: AirtableDoor, base: OpenBase, found: Found, clock: Clock
) -> None:
    table = base.table("Job Tracking")
    table.add({"Run ID": "old"})
    clock.sleep(60)
    since = clock.today()
    new = table.add({"Run ID": "new"})
    for field_id in (table.field_id("Last Modified"), None):
        changed = formulas.changed_since(since, field_id)
        assert [record.id for record in door.records(found.jobs, formula=changed)] == [new]
        of_key = formulas.any_of(table.field_id("Run ID"), ["old"])
        assert not list(door.records(found.jobs, formula=formulas.both(changed, of_key)))
    later = formulas.changed_since(since + timedelta(seconds=1))
    assert not list(door.records(found.jobs, formula=later))


@pytest.mark.parametrize("key", AWKWARD)
def test_what_is_written_is_what_is_read(door: AirtableDoor, base: OpenBase, found: Found, key: str) -> None:
    """F16"""
    text = f"{key}\n{key[::-1]}"
    row = row_of(found.jobs, {"error": text})
    door.upsert(found.jobs, {key: row.cells})
    (record,) = door.by_keys(found.jobs, "run_id", [key])
    column, seen = found.jobs.schema.by_key["error"], found.jobs.fields["error"]
    assert value_of(column, seen, record.cells[seen.id]) == text


def test_an_upsert_creates_once_and_then_updates_and_leaves_other_cells_alone(
    door: AirtableDoor, base: OpenBase, found: Found
) -> None:
    table = base.table("Job Tracking")
    first = door.upsert(found.jobs, {"a": row_of(found.jobs, {"stream": 1}).cells, "b": {}})
    assert first.created == frozenset(first.ids.values())
    table.edit(first.ids["a"], {"Notes": "mine"})
    again = door.upsert(found.jobs, {"a": row_of(found.jobs, {"status": Status.RUNNING}).cells})
    assert again.ids == {"a": first.ids["a"]}
    assert not again.created
    row = table.row(first.ids["a"])
    assert (row["Stream"], row["Status"], row["Notes"]) == (1, "running", "mine")


def test_an_update_goes_by_record_id_and_can_empty_a_cell(door: AirtableDoor, base: OpenBase, found: Found) -> None:
    table = base.table("Job Tracking")
    ids = table.add_many([{"Run ID": "a", "Stream": 1, "Error Details": "old"}, {"Run ID": "b"}])
    door.update(found.jobs, {record_id: row_of(found.jobs, {"stream": 5, "error": None}).cells for record_id in ids})
    assert [row.get("Stream") for row in table.rows] == [5, 5]
    assert "Error Details" not in table.row(ids[0])


def test_rows_are_deleted_by_id(door: AirtableDoor, base: OpenBase, found: Found) -> None:
    table = base.table("Job Tracking")
    ids = table.add_many({"Run ID": name} for name in "abc")
    door.delete(found.jobs, ids[:2])
    assert table.ids == ids[2:]


def test_links_lead_to_the_run(door: AirtableDoor, base: OpenBase, found: Found) -> None:
    run = door.upsert(found.jobs, {"run": {}}).ids["run"]
    door.upsert(found.clients, {"run-acme": row_of(found.clients, {"job": [run], "client_id": "acme"}).cells})
    assert base.table("Client Run Results").rows[0]["Job"] == [run]


def test_nothing_is_ever_created_or_replaced_but_by_an_upsert(
    door: AirtableDoor, found: Found, server: AirtableServer
) -> None:
    ids = door.upsert(found.jobs, {"a": {}}).ids
    door.update(found.jobs, {ids["a"]: row_of(found.jobs, {"stream": 1}).cells})
    door.delete(found.jobs, list(ids.values()))
    assert set(server.log.by_kind()) == {"schema", "upsert", "update", "delete"}
    assert {call.method for call in server.calls} == {"GET", "PATCH", "DELETE"}


def test_more_than_ten_rows_none_and_one_without_a_key_are_refused(door: AirtableDoor, found: Found) -> None:
    with pytest.raises(BadInput, match="1 to 10 rows"):
        door.update(found.jobs, {f"rec{number:014}": {} for number in range(11)})
    with pytest.raises(BadInput, match="1 to 10 rows"):
        door.delete(found.jobs, [])
    with pytest.raises(BadInput, match="no Run ID"):
        door.upsert(found.jobs, {"": {}})


def test_a_field_of_one_table_is_not_written_to_another(
    door: AirtableDoor, found: Found, server: AirtableServer
) -> None:
    """F17"""
    with pytest.raises(BadInput, match="no field of Client Run Results"):
        door.upsert(found.clients, {"a": row_of(found.jobs, {"stream": 1}).cells})
    assert server.log.by_kind()["upsert"] == 0


@pytest.mark.parametrize("text", ["", "appTooShort", "tblLookAlike00001", "app0123456789abc/", "app 0123456789abc"])
def test_what_is_no_id_of_a_base_is_refused(text: str) -> None:
    """F17"""
    with pytest.raises(BadInput, match="no id of an Airtable base"):
        OperatorBase(text)
    with pytest.raises(BadInput, match="no id of an Airtable base"):
        ClientBase(text, "acme")


def test_a_thousand_rows_in_hundred_writes_never_go_too_fast_for_airtable(
    door: AirtableDoor, found: Found, server: AirtableServer, clock: Clock
) -> None:
    server.limit(Limits())
    before = clock.now()
    for batch in range(100):
        door.upsert(found.jobs, {f"{batch}/{number}": {} for number in range(10)})
    assert server.log.most_in_a_second() <= 5
    assert all(call.ok for call in server.calls)
    assert clock.now() - before == pytest.approx(100 / 4.5, rel=0.02)


def test_threads_share_one_pace_and_have_connections_of_their_own() -> None:
    """By real clocks, on both sides."""
    with AirtableServer(limits=Limits()) as server:
        base = OperatorBase(server.add_base("Operations", older_tables()).id)
        door = AirtableDoor(TOKEN, server.url, Pace(LanesInProcess(time.monotonic), TOKEN))
        with ThreadPoolExecutor(3) as threads:
            found = list(threads.map(lambda _: door.tables(base), range(7)))
        assert len(found) == 7
        assert all(call.ok for call in server.calls)
        assert server.log.most_in_a_second() <= 5


def test_what_takes_long_is_made_ready_before_it_is_ones_turn(
    door: AirtableDoor, base: OpenBase, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else those whose turn came meanwhile would all ask at once."""

    class SlowToMake(pyairtable.Api):
        def __init__(self, *args: Any, **options: Any) -> None:
            clock.sleep(1)
            super().__init__(*args, **options)

    monkeypatch.setattr(pyairtable, "Api", SlowToMake)
    lanes = LanesInProcess(clock.now)
    slow = AirtableDoor(TOKEN, door._calls._endpoint_url, Pace(lanes, TOKEN, sleep=clock.sleep), sleep=clock.sleep)
    slow.tables(OperatorBase(base.id))
    with lanes.open([f"base:{base.id}"]) as ((lane,), now):
        assert lane.passed_at == now == 1
