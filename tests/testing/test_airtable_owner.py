"""What people do by hand to the bases of the look-alike of Airtable, and what it tells of its callers."""

import json
from http.client import HTTPConnection

import pytest

from tallybook.airtable.tables import CLIENT_TABLES, OPERATOR_TABLES
from tallybook.testing.airtable_demo import OPERATOR_ID, add_client, add_demo, add_operator, base_id_of, lead_row
from tallybook.testing.airtable_fields import NEEDED, formula, link, number, select, text
from tallybook.testing.airtable_log import CallLog
from tallybook.testing.airtable_server import AirtableServer, Call, OpenTable
from tallybook.testing.demo_data import demo_clients, many_leads
from tallybook.testing.lookalike_http import LINES
from tests.testing.airtables import Clock, api, ask, refusal, table


@pytest.fixture
def jobs(airtable: AirtableServer) -> OpenTable:
    return airtable.base("Operator").table("Jobs")


# -- by hand -----------------------------------------------------------------------------------------------------------


def test_a_row_is_added_edited_duplicated_and_deleted(airtable: AirtableServer, jobs: OpenTable) -> None:
    record_id = jobs.add({"Run ID": "r", "Status": "Odd", "Leads": "7"})
    jobs.edit(record_id, {"Notes": "mine", "Leads": None})
    twin = jobs.duplicate(record_id)
    assert jobs.by_id == {one: {"Run ID": "r", "Status": "Odd", "Notes": "mine"} for one in (record_id, twin)}
    assert jobs.options("Status") == ["Running", "Completed", "Odd"]
    jobs.delete(record_id)
    assert refusal(lambda: table(airtable, "Jobs").get(record_id))[0] == 404
    assert table(airtable, "Jobs").get(twin)["fields"] == jobs.row(twin)
    jobs.clear()
    assert len(jobs) == 0


def test_a_renamed_field_is_unknown_by_its_old_name_and_the_same_by_its_id(
    airtable: AirtableServer, jobs: OpenTable
) -> None:
    field_id = jobs.field_id("Leads")
    made = table(airtable, "Jobs").create({field_id: 1})
    jobs.rename_field("Leads", "People")
    assert refusal(lambda: table(airtable, "Jobs").update(made["id"], {"Leads": 2}))[1] == "UNKNOWN_FIELD_NAME"
    assert table(airtable, "Jobs").update(made["id"], {field_id: 3})["fields"] == {"People": 3}
    assert jobs.field_id("People") == field_id


def test_a_renamed_table_is_unknown_by_its_old_name_and_the_same_by_its_id(
    airtable: AirtableServer, jobs: OpenTable
) -> None:
    jobs.rename("Runs")
    assert refusal(lambda: table(airtable, "Jobs").all())[0] == 403
    assert table(airtable, "Runs").all() == table(airtable, jobs.id).all() == []
    assert airtable.base("Operator").table("Runs").id == jobs.id


def test_a_deleted_field_is_unknown_and_so_are_its_cells(airtable: AirtableServer, jobs: OpenTable) -> None:
    record_id = jobs.add({"Run ID": "r", "Leads": 1, "Results": ["a result"]})
    field_id = jobs.field_id("Leads")
    jobs.delete_field("Leads")
    jobs.delete_field("Results")
    assert jobs.row(record_id) == {"Run ID": "r"}
    assert "Job" not in airtable.base("Operator").table("Results").types
    assert refusal(lambda: table(airtable, "Jobs").update(record_id, {field_id: 1}))[1] == "UNKNOWN_FIELD_NAME"
    with pytest.raises(ValueError, match="Run ID is the primary field of Jobs"):
        jobs.delete_field("Run ID")


def test_a_retyped_field_keeps_what_can_be_converted(airtable: AirtableServer, jobs: OpenTable) -> None:
    first, second = jobs.add_many([{"Run ID": "12", "Leads": 5}, {"Run ID": "r", "Leads": 6}])
    field_id = jobs.field_id("Leads")
    jobs.retype_field("Leads", select("", "5"))
    assert (jobs.types["Leads"], jobs.field_id("Leads")) == ("singleSelect", field_id)
    assert (jobs.row(first)["Leads"], jobs.options("Leads")) == ("5", ["5", "6"])
    jobs.retype_field("Run ID", number(""))
    assert (jobs.row(first)["Run ID"], jobs.row(second)) == (12, {"Leads": "6"})
    jobs.retype_field("Leads", formula("", "{Run ID} + 1"))
    assert jobs.row(first)["Leads"] == 13
    assert refusal(lambda: table(airtable, "Jobs").update(first, {"Leads": 1}))[2].endswith("the field is computed")
    jobs.retype_field("Notes", link("", "Results"))
    assert list(airtable.base("Operator").table("Results").types) == ["Label", "Job", "Scored", "Jobs"]
    with pytest.raises(LookupError):
        jobs.retype_field("Mail", link("", "Nothing"))


def test_what_is_retyped_to_a_link_links_by_name(jobs: OpenTable, airtable: AirtableServer) -> None:
    record_id = jobs.add({"Notes": "a result"})
    jobs.retype_field("Notes", link("", "Results"))
    (result,) = airtable.base("Operator").table("Results").where("Label", "a result")
    assert jobs.row(record_id)["Notes"] == [result]


def test_an_option_is_added_once(airtable: AirtableServer, jobs: OpenTable) -> None:
    jobs.add_option("Status", "Paused")
    jobs.add_option("Status", "Paused")
    assert jobs.options("Status") == ["Running", "Completed", "Paused"]
    assert table(airtable, "Jobs").create({"Status": "Paused"})["fields"] == {"Status": "Paused"}


def test_what_is_not_there_is_an_error(airtable: AirtableServer, jobs: OpenTable) -> None:
    for do in (
        lambda: airtable.base("Nothing"),
        lambda: airtable.base("Operator").table("Nothing"),
        lambda: jobs.field_id("Nothing"),
        lambda: jobs.row("Nothing"),
        lambda: airtable.delete_base("Nothing"),
    ):
        with pytest.raises(LookupError):
            do()


def test_a_table_whose_field_cannot_be_is_gone_again(airtable: AirtableServer) -> None:
    with pytest.raises(LookupError):
        airtable.base("Operator").add_table("New", [text("A"), link("B", "Nothing")])
    fields = [
        {"name": "A", "type": "singleLineText"},
        {"name": "B", "type": "multipleRecordLinks", "options": {"linkedTableId": "tblA"}},
    ]
    path = f"/v0/meta/bases/{airtable.base('Operator').id}/tables"
    assert ask(airtable, "POST", path, {"name": "New2", "fields": fields})[0] == 422
    assert [one.name for one in airtable.base("Operator").tables] == ["Jobs", "Results"]


# -- the log -----------------------------------------------------------------------------------------------------------


def test_the_log_says_who_asked_what_of_which_base_and_when(airtable: AirtableServer, clock: Clock) -> None:
    base_id = airtable.base("Operator").id
    jobs = table(airtable, "Jobs")
    jobs.batch_create([{"Leads": 1}, {"Leads": 2}])
    clock.move(0.5)
    jobs.all()
    api(airtable).whoami()
    clock.move(0.5)
    jobs.batch_upsert([{"fields": {"Leads": 1}}], ["Leads"])
    assert airtable.calls[0] == Call(
        1, airtable.calls[0].at, "POST", f"/v0/{base_id}/Jobs", "create", base_id, "Jobs", 2, "", 200
    )
    assert airtable.log.by_kind() == {"create": 1, "list": 1, "whoami": 1, "upsert": 1}
    assert airtable.log.by_kind(base_id) == {"create": 1, "list": 1, "upsert": 1}
    assert (airtable.log.most_in_a_second(), airtable.log.most_in_a_second(base_id)) == (3, 2)
    assert [call.what for call in airtable.log.of(base_id)] == ["create", "list", "upsert"]
    airtable.log.clear()
    assert (airtable.calls, airtable.log.most_in_a_second()) == ((), 0)


def test_only_so_many_calls_are_kept_and_they_can_be_fetched() -> None:
    with AirtableServer(keep=2) as server:
        for _ in range(3):
            api(server).whoami()
        assert [call.number for call in server.calls] == [2, 3]
        line = HTTPConnection("127.0.0.1", server.port, timeout=20)
        line.request("GET", "/log")
        response = line.getresponse()
        told = [json.loads(one) for one in response.read().decode().splitlines()]
        line.close()
    assert response.headers["Content-Type"] == LINES
    assert [(one["number"], one["what"], one["status"]) for one in told] == [(2, "whoami", 200), (3, "whoami", 200)]
    assert CallLog().all == ()


# -- the demo ----------------------------------------------------------------------------------------------------------


def test_the_demo_has_an_operators_base_and_one_for_each_client() -> None:
    with AirtableServer() as server:
        operator = add_demo(server)
        clients = operator.table("Clients").rows
        assert operator.id == OPERATOR_ID
        for demo, row in zip(demo_clients(), clients, strict=True):
            base = server.base(row["Airtable Base ID"])
            assert (row["Client ID"], base.name, len(base.id)) == (demo.client.client_id, demo.client.name, 17)
            assert len(base.table("Leads")) == len(demo.leads)
            attributes = base.table("Scoring Attributes").rows
            assert len(attributes) == len(demo.rubric.attributes) + len(demo.rubric.post_attributes)
            assert {one["Category"] for one in attributes} == {"Positive", "Negative"}
            first = base.table("Leads").rows[0]
            assert (first["LinkedIn Profile URL"], first["Scoring Status"]) == (
                demo.leads[0].profile_url,
                "To Be Scored",
            )
        assert [len(operator.table(name)) for name in ("Job Tracking", "Client Run Results")] == [0, 0]
        for base in server.bases:
            for one in api(server).base(base.id).schema().tables:
                kinds = {field.type: field for field in one.fields}
                assert all(getattr(kinds[kind], "options", None) for kind in kinds if kind in NEEDED)


def test_the_demo_has_the_columns_that_tallybook_keeps() -> None:
    with AirtableServer() as server:
        bases = [(add_operator(server), OPERATOR_TABLES), (add_client(server, "Acme Law"), CLIENT_TABLES)]
        missing = [
            f"{table.name}.{column.name}"
            for base, tables in bases
            for table in tables
            for column in table.columns
            if base.table(table.name).types.get(column.name) not in column.kind.types
        ]
    assert set(missing) <= {"Leads.First Name", "Leads.Last Name", "Leads.Raw Profile Data"}


def test_bases_without_leads_can_be_filled_with_many() -> None:
    with AirtableServer() as server:
        add_operator(server)
        base = add_client(server, "Acme Law")
        leads = list(many_leads(1_500))
        ids = base.table("Leads").add_many(map(lead_row, leads))
        found = api(server).table(base.id, "Leads").all(fields=["Full Name"])
        assert [one["id"] for one in found] == ids
        assert [one["fields"]["Full Name"] for one in found] == [lead.full_name for lead in leads]


@pytest.mark.parametrize(
    ("client_id", "base_id"), [("acme-law", "appAcmeLaw0000000"), ("brightside-coaching", "appBrightsideCoac")]
)
def test_a_client_has_the_same_base_every_time(client_id: str, base_id: str) -> None:
    assert base_id_of(client_id) == base_id
