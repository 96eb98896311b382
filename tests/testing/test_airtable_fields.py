"""The schema of the look-alike of Airtable, and what its cells take."""

from functools import partial
from typing import Any

import pytest
from pyairtable.models import schema as models

from tallybook.testing.airtable_fields import COMPUTED, link, text
from tallybook.testing.airtable_server import AirtableServer
from tests.testing.airtables import NOWHERE, api, jobs_of, refusal, results_of, table

BAD_OPTIONS = "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE"
NOT_SUPPORTED = "UNSUPPORTED_FIELD_TYPE_FOR_CREATE"
OPTIONS: dict[str, dict[str, Any]] = {"formula": {"formula": "1"}}


# -- the schema --------------------------------------------------------------------------------------------------------


def test_who_i_am_and_which_bases_there_are(airtable: AirtableServer) -> None:
    airtable.add_base("Client", {"Leads": [text("Name")]})
    assert api(airtable).whoami()["id"].startswith("usr")
    assert [(base.id, base.name, base.permission_level) for base in api(airtable).bases()] == [
        (base.id, base.name, "create") for base in airtable.bases
    ]


def test_the_schema_names_every_field_with_its_type_and_options(airtable: AirtableServer) -> None:
    found = api(airtable).base(airtable.base("Operator").id).schema()
    jobs, results = found.table("Jobs"), found.table("Results")
    assert {field.name: field.type for field in jobs.fields} == jobs_of(airtable).types
    assert jobs.primary_field_id == jobs.field("Run ID").id == jobs_of(airtable).field_id("Run ID")
    assert [view.type for view in jobs.views] == ["grid"]
    status, leads = jobs.field("Status"), jobs.field("Leads")
    assert isinstance(status, models.SingleSelectFieldSchema)
    assert [choice.name for choice in status.options.choices] == ["Running", "Completed"]
    assert isinstance(leads, models.NumberFieldSchema)
    assert leads.options.precision == 0
    there, back = results.field("Job"), jobs.field("Results")
    assert isinstance(there, models.MultipleRecordLinksFieldSchema)
    assert isinstance(back, models.MultipleRecordLinksFieldSchema)
    assert (there.options.linked_table_id, there.options.inverse_link_field_id) == (jobs.id, back.id)
    assert (back.options.linked_table_id, back.options.inverse_link_field_id) == (results.id, there.id)


def test_a_table_is_made_and_renamed(airtable: AirtableServer) -> None:
    base = api(airtable).base(airtable.base("Operator").id)
    fields: list[dict[str, Any]] = [
        {"name": "Name", "type": "singleLineText", "description": "who"},
        {"name": "Job", "type": "multipleRecordLinks", "options": {"linkedTableId": jobs_of(airtable).id}},
    ]
    made = base.create_table("Clients", fields, description="of ours")
    assert made.schema().description == "of ours"
    made.schema().name = "Tenants"
    made.schema().save()
    tenants = airtable.base("Operator").table("Tenants")
    assert (tenants.id, tenants.types) == (made.id, {"Name": "singleLineText", "Job": "multipleRecordLinks"})
    assert jobs_of(airtable).types["Clients"] == "multipleRecordLinks"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ([], "INVALID_TABLE"),
        (
            [{"name": "A", "type": "checkbox", "options": {"icon": "check", "color": "blueBright"}}],
            BAD_OPTIONS,
        ),
        ([{"name": "A", "type": "singleLineText"}, {"name": "a", "type": "email"}], "DUPLICATE_OR_EMPTY_FIELD_NAME"),
        ([{"name": "", "type": "singleLineText"}], "DUPLICATE_OR_EMPTY_FIELD_NAME"),
        ([{"name": "A", "type": "number"}], BAD_OPTIONS),
        ([{"name": "A", "type": "madeUp"}], "INVALID_REQUEST_UNKNOWN"),
        *(
            ([{"name": "A", "type": kind, "options": options}], BAD_OPTIONS)
            for kind, options in (
                ("singleSelect", {"choices": [{"name": 1}]}),
                ("singleSelect", {"choices": ["a"]}),
                ("singleSelect", {"choices": "a"}),
                ("singleSelect", {"choices": [{"name": "a"}, {"name": "A "}]}),
                ("singleSelect", {"choices": [{"name": " "}]}),
                ("number", {"precision": 0, "recordLinkFieldId": ["a"]}),
                ("email", [1]),
            )
        ),
        (["A"], "INVALID_REQUEST_UNKNOWN"),
        (
            [
                {"name": "A", "type": "singleLineText"},
                {"name": "B", "type": "multipleRecordLinks", "options": {"linkedTableId": "Jobs"}},
            ],
            BAD_OPTIONS,
        ),
        (
            [
                {"name": "A", "type": "singleLineText"},
                {"name": "B", "type": "multipleRecordLinks", "options": {"linkedTableId": "tblAAAAAAAAAAAAAA"}},
            ],
            BAD_OPTIONS,
        ),
    ],
)
def test_a_table_that_cannot_be_is_not_made(fields: Any, kind: str, airtable: AirtableServer) -> None:
    base = api(airtable).base(airtable.base("Operator").id)
    assert refusal(lambda: base.create_table("New", fields))[:2] == (422, kind)
    assert [one.name for one in airtable.base("Operator").tables] == ["Jobs", "Results"]


def test_two_tables_have_two_names(airtable: AirtableServer) -> None:
    base = api(airtable).base(airtable.base("Operator").id)
    name: list[dict[str, Any]] = [{"name": "A", "type": "singleLineText"}]
    assert refusal(lambda: base.create_table("jobs", name))[1] == "DUPLICATE_TABLE_NAME"
    assert refusal(lambda: base.create_table(" ", name))[1] == "INVALID_REQUEST_UNKNOWN"


def test_a_field_is_made_renamed_and_described(airtable: AirtableServer) -> None:
    jobs = table(airtable, "Jobs")
    made = jobs.create_field("Stream", "number", "which", {"precision": 0})
    jobs.create({"Stream": 3})
    made.name, made.description = "Strand", "of clients"
    made.save()
    assert jobs.first() == {**jobs.all()[0], "fields": {"Strand": 3}}
    assert jobs.schema(force=True).field(made.id).description == "of clients"
    made.description = "again"
    made.save()
    jobs.api.patch(jobs.urls.fields / made.id, json={"description": "at last"})
    assert jobs.schema(force=True).field("Strand").description == "at last"
    made.name = "status"
    assert refusal(made.save)[1] == "DUPLICATE_OR_EMPTY_FIELD_NAME"
    assert refusal(lambda: jobs.create_field("status", "email"))[1] == "DUPLICATE_OR_EMPTY_FIELD_NAME"
    for nowhere in ("tblAAAAAAAAAAAAAA", 1):
        led: dict[str, Any] = {"name": "L", "type": "multipleRecordLinks", "options": {"linkedTableId": nowhere}}
        assert refusal(partial(jobs.api.post, jobs.urls.fields, json=led))[:2] == (422, BAD_OPTIONS)


@pytest.mark.parametrize("kind", sorted(COMPUTED))
def test_a_computed_field_cannot_be_made_by_the_api(kind: str, airtable: AirtableServer) -> None:
    code, said, why = refusal(lambda: table(airtable, "Jobs").create_field("Odd", kind, options=OPTIONS.get(kind)))
    assert (code, said) == (422, NOT_SUPPORTED)
    assert why == f"Invalid options for Jobs.Odd: Creating {kind} fields is not supported at this time"


def test_a_base_is_made(airtable: AirtableServer) -> None:
    made = api(airtable).create_base(
        "wspX", "New", [{"name": "T", "fields": [{"name": "A", "type": "singleLineText"}]}]
    )
    assert airtable.base(made.id).table("T").types == {"A": "singleLineText"}
    assert refusal(lambda: api(airtable).create_base("wspX", "None", []))[0] == 422
    assert [base.name for base in airtable.bases] == ["Operator", "New"]


# -- what cells take ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Run ID", 1),
        ("Run ID", "x" * 100_001),
        ("Leads", "7"),
        ("Leads", True),
        ("Leads", 10**400),
        ("Rate", [1]),
        ("Seen", "yes"),
        ("Seen", 1),
        ("Status", 1),
        ("Tags", "red"),
        ("Tags", [1]),
        ("Start", 5),
        ("Day", 5),
        ("Day", "2025-05-01T08:00:00.000Z"),
        ("Results", "x"),
        ("Results", [1]),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: Any, airtable: AirtableServer) -> None:
    assert refusal(lambda: table(airtable, "Jobs").create({name: value})) == (
        422,
        "INVALID_VALUE_FOR_COLUMN",
        f'Field "{name}" cannot accept the provided value',
    )


@pytest.mark.parametrize("name", ["Start", "Day"])
@pytest.mark.parametrize("value", ["soon", "2025-02-30", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_refused(name: str, value: str, airtable: AirtableServer) -> None:
    code, kind, why = refusal(lambda: table(airtable, "Jobs").create({name: value}))
    assert (code, kind, why) == (422, "INVALID_VALUE_FOR_COLUMN", f'Cannot parse date value "{value}" for field {name}')


@pytest.mark.parametrize(("name", "value"), [("Status", "Done"), ("Status", ""), ("Tags", ["red", "Done"])])
def test_an_option_that_is_not_there_is_refused(name: str, value: Any, airtable: AirtableServer) -> None:
    code, kind, why = refusal(lambda: table(airtable, "Jobs").create({name: value}))
    option = "Done" if value else ""
    assert (code, kind) == (422, "INVALID_MULTIPLE_CHOICE_OPTIONS")
    assert why == f'Insufficient permissions to create new select option ""{option}""'


def test_an_unknown_field_and_an_unknown_linked_record_are_refused(airtable: AirtableServer) -> None:
    results = table(airtable, "Results")
    assert refusal(lambda: results.create({"Nothing": 1})) == (
        422,
        "UNKNOWN_FIELD_NAME",
        'Unknown field name: "Nothing"',
    )
    assert refusal(lambda: results.create({"Job": [NOWHERE]}))[1] == "ROW_DOES_NOT_EXIST"
    assert refusal(lambda: results.create({"Job": ["job 1"]}))[1] == "INVALID_RECORD_ID"
    assert len(results_of(airtable)) == 0


@pytest.mark.parametrize(
    ("name", "told", "kept"),
    [
        ("Run ID", 1.5, "1.5"),
        ("Leads", " 7 ", 7),
        ("Leads", "7.5", 7.5),
        ("Leads", "many", None),
        ("Leads", "inf", None),
        ("Seen", "true", True),
        ("Seen", "no", None),
        ("Status", " Done ", "Done"),
        ("Status", "", None),
        ("Tags", "red,green", ["red", "green"]),
        ("Day", "2025-05-01T08:00:00Z", "2025-05-01"),
        ("Start", "2025-05-01", "2025-05-01T00:00:00.000Z"),
        ("Start", "2025-05-01T08:00:00.123456+02:00", "2025-05-01T06:00:00.123Z"),
    ],
)
def test_with_typecast_values_are_converted_and_options_made(
    name: str, told: Any, kept: object, airtable: AirtableServer
) -> None:
    made = table(airtable, "Jobs").create({name: told}, typecast=True)
    assert made["fields"].get(name) == kept
    if name in ("Status", "Tags") and kept:
        assert jobs_of(airtable).options(name)[2:] == [{"Status": "Done", "Tags": "green"}[name]]


# -- links -------------------------------------------------------------------------------------------------------------


def test_a_link_is_kept_on_both_sides(airtable: AirtableServer) -> None:
    jobs, results = table(airtable, "Jobs"), table(airtable, "Results")
    one, two = (record["id"] for record in jobs.batch_create([{"Run ID": "one"}, {"Run ID": "two"}]))
    first = results.create({"Label": "a", "Job": [one]})["id"]
    second = results.create({"Label": "b", "Job": [one, two]})["id"]
    assert [row.get("Results") for row in jobs_of(airtable).rows] == [[first, second], [second]]
    results.update(second, {"Job": [two]})
    assert [row.get("Results") for row in jobs_of(airtable).rows] == [[first], [second]]
    jobs.update(two, {"Results": [first]})
    assert [row.get("Job") for row in results_of(airtable).rows] == [[one, two], None]
    jobs.delete(one)
    assert results_of(airtable).row(first)["Job"] == [two]
    results.delete(first)
    assert "Results" not in jobs_of(airtable).row(two)


def test_two_links_to_one_table_lead_back_under_two_names(airtable: AirtableServer) -> None:
    results_of(airtable).add_field(link("Second Job", "Jobs"))
    assert list(jobs_of(airtable).types)[-2:] == ["Results", "Results 2"]
    results_of(airtable).add({"Job": ["a"], "Second Job": ["b"]})
    assert [set(row) for row in jobs_of(airtable).rows] == [{"Run ID", "Results"}, {"Run ID", "Results 2"}]


def test_with_typecast_a_link_is_made_by_name(airtable: AirtableServer) -> None:
    known = table(airtable, "Jobs").create({"Run ID": "known"})["id"]
    table(airtable, "Results").create({"Job": ["known", "new"]}, typecast=True)
    table(airtable, "Results").create({"Job": "new"}, typecast=True)
    gone = refusal(lambda: table(airtable, "Results").create({"Job": [NOWHERE]}, typecast=True))
    assert gone[1] == "ROW_DOES_NOT_EXIST"
    assert [row["Run ID"] for row in jobs_of(airtable).rows] == ["known", "new"]
    assert len(jobs_of(airtable).row(known)["Results"]) == 1
    assert len(jobs_of(airtable).rows[1]["Results"]) == 2


def test_a_table_may_be_linked_to_itself(airtable: AirtableServer) -> None:
    made = airtable.base("Operator").add_table("People", [text("Name"), link("Boss", "People")])
    boss = made.add({"Name": "Ada"})
    worker = made.add({"Name": "Bea", "Boss": ["Ada"]})
    assert (made.row(worker)["Boss"], made.row(boss)["People"]) == ([boss], [worker])
    airtable.base("Operator").delete_table("People")
    assert [one.name for one in airtable.base("Operator").tables] == ["Jobs", "Results"]
