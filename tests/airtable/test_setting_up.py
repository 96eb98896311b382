"""What a base lacks is made over the API as far as that goes, and told to people where it does not."""

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.resolved import Resolved, resolve
from tallybook.airtable.seen import ClientBase, OperatorBase
from tallybook.airtable.setting_up import CreateField, CreateTable, SetUp, missing
from tallybook.airtable.tables import CLIENT_RUN_RESULTS, JOB_TRACKING, LEADS
from tallybook.testing import airtable_fields as fields
from tallybook.testing.airtable_demo import add_client, add_operator
from tallybook.testing.airtable_owner import OpenBase
from tallybook.testing.airtable_server import AirtableServer
from tests.airtable.premises import Found


def lacking(door: AirtableDoor, base: OperatorBase) -> SetUp:
    tables = door.tables(base)
    return missing(resolve(base, tables), tables)


def make(door: AirtableDoor, base: OperatorBase) -> Resolved[OperatorBase]:
    """All that can be made, as often as there is something."""
    for _ in range(3):
        for each in lacking(door, base).create:
            if isinstance(each, CreateTable):
                door.create_table(base, each)
            else:
                door.create_field(base, each)
    return resolve(base, door.tables(base))


def test_an_empty_base_gets_both_tables_of_the_mirror_with_all_their_columns(
    door: AirtableDoor, server: AirtableServer
) -> None:
    base = OperatorBase(server.add_base("New", {"Clients": [fields.text("Client ID")]}).id)
    found = make(door, base)
    for schema in (JOB_TRACKING, CLIENT_RUN_RESULTS):
        assert not found.table(schema).missing
        assert not found.table(schema).left_out
    assert server.base(base.id).table("Job Tracking").types["Duration"] == "number"
    assert found.table(CLIENT_RUN_RESULTS).fields["job"].linked_to == found.table(JOB_TRACKING).id
    assert lacking(door, base) == SetUp((), ())


def test_an_older_base_gets_what_it_lacks_and_keeps_what_it_has(
    door: AirtableDoor, base: OpenBase, found: Found
) -> None:
    """F10: its formulas stay formulas."""
    before = base.table("Job Tracking").types
    made = make(door, OperatorBase(base.id))
    assert before.items() <= base.table("Job Tracking").types.items()
    assert not made.table(JOB_TRACKING).missing
    assert made.table(JOB_TRACKING).left_out == {"duration": "Airtable computes it (formula)"}
    assert made.table(JOB_TRACKING).fields["error"].name == "Error Details"
    assert {key: field.id for key, field in found.jobs.fields.items()}.items() <= {
        key: field.id for key, field in made.table(JOB_TRACKING).fields.items()
    }.items()


def test_options_that_are_missing_are_for_people_to_add(door: AirtableDoor, base: OpenBase, found: Found) -> None:
    by_hand = lacking(door, OperatorBase(base.id)).by_hand
    assert "Job Tracking.Status has no option Timed_out: add it in Airtable" in by_hand
    base.table("Job Tracking").add_option("Status", "timed_out")
    assert not any("Status" in each for each in lacking(door, OperatorBase(base.id)).by_hand)


def test_a_field_of_a_wrong_type_is_for_people_to_change(door: AirtableDoor, base: OpenBase, found: Found) -> None:
    base.table("Job Tracking").retype_field("Stream", fields.checkbox("Stream"))
    base.table("Client Run Results").delete_field("Job")
    base.table("Client Run Results").add_field(fields.text("Job"))
    told = lacking(door, OperatorBase(base.id))
    assert any(each.startswith("Job Tracking.Stream is not written: it is of type checkbox") for each in told.by_hand)
    assert any(each.startswith("Client Run Results.Job is of type singleLineText: rename it") for each in told.by_hand)
    assert not any(isinstance(each, CreateField) and each.field["name"] == "Job" for each in told.create)


def test_in_a_clients_base_only_what_we_write_is_made(door: AirtableDoor, server: AirtableServer) -> None:
    """And nothing of it where there are no leads: it may be the wrong base (F17)."""
    opened = server.add_base("Acme", {"Leads": [fields.text("Full Name")]})
    base = ClientBase(opened.id, "acme")
    tables = door.tables(base)
    told = missing(resolve(base, tables), tables)
    assert {each.field["name"] for each in told.create if isinstance(each, CreateField)} == {
        column.name for column in LEADS.columns if column.key in _written()
    }
    assert told.by_hand == (
        "Leads has no field LinkedIn Profile URL: add it, Tallybook needs it",
        f"there is no table Scoring Attributes: check that {base.id} is the right base",
    )


def _written() -> set[str]:
    return {column.key for column in LEADS.columns if column.owner.value == "ours"}


def test_the_bases_that_are_shipped_to_try_things_with_lack_nothing(door: AirtableDoor, server: AirtableServer) -> None:
    operator = OperatorBase(add_operator(server).id)
    assert lacking(door, operator) == SetUp((), ())
    clients = ClientBase(add_client(server, "Acme").id, "acme")
    tables = door.tables(clients)
    assert missing(resolve(clients, tables), tables) == SetUp((), ())
