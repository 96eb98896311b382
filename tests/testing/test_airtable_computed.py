"""What the look-alike of Airtable computes."""

from typing import Any

import pytest
from pyairtable.models import schema as models

from tallybook.testing.airtable_fields import (
    COMPUTED,
    Column,
    auto_number,
    checkbox,
    count,
    created_time,
    date,
    formula,
    link,
    lookup,
    modified_time,
    number,
    rollup,
    select,
    text,
)
from tallybook.testing.airtable_server import AirtableServer
from tests.testing.airtables import Clock, api, jobs_of, refusal, results_of, table


@pytest.fixture
def computing(airtable: AirtableServer) -> AirtableServer:
    results, jobs = results_of(airtable), jobs_of(airtable)
    for column in (
        formula("Double", "{Scored} * 2", number("")),
        formula("Title", "{Label} & '/' & {Double}"),
        lookup("Runs", "Job", "Run ID"),
        auto_number("No"),
        created_time("Made"),
        modified_time("Changed"),
    ):
        results.add_field(column)
    for column in (
        count("Clients", "Results"),
        rollup("Total", "Results", "Double"),
        rollup("Most", "Results", "Scored", "max"),
        rollup("Mean", "Results", "Scored", "average"),
        lookup("Titles", "Results", "Title"),
    ):
        jobs.add_field(column)
    return airtable


def test_computed_fields_are_computed(computing: AirtableServer, clock: Clock) -> None:
    jobs, results = table(computing, "Jobs"), table(computing, "Results")
    job = jobs.create({"Run ID": "r"})
    assert job["fields"] == {"Run ID": "r", "Clients": 0, "Total": 0}
    first = results.create({"Label": "a", "Job": [job["id"]], "Scored": 3})
    results.create({"Label": "b", "Job": [job["id"]], "Scored": 4})
    at = "2025-05-01T12:00:00.000Z"
    own: dict[str, Any] = {"Label": "a", "Job": [job["id"]], "Scored": 3}
    assert first["fields"] == {**own, "Double": 6, "Title": "a/6", "Runs": ["r"], "No": 1, "Made": at, "Changed": at}
    seen = jobs.get(job["id"])["fields"]
    assert {name: seen[name] for name in ("Clients", "Total", "Most", "Mean", "Titles")} == {
        "Clients": 2,
        "Total": 14,
        "Most": 4,
        "Mean": 3.5,
        "Titles": ["a/6", "b/8"],
    }
    clock.move(60)
    changed = results.update(first["id"], {"Scored": 5})["fields"]
    assert (changed["Changed"], changed["Made"], changed["Title"]) == ("2025-05-01T12:01:00.000Z", at, "a/10")
    assert [one["fields"]["No"] for one in results.all(formula="{Double} > 8")] == [1]
    assert len(jobs.all(formula="AND({Total} = 18, FIND('b/8', {Titles}), {Clients} = 2)")) == 1


@pytest.mark.parametrize("name", ["Double", "Runs", "No", "Made", "Changed"])
def test_a_computed_field_takes_no_value(name: str, computing: AirtableServer) -> None:
    assert refusal(lambda: table(computing, "Results").create({name: 1})) == (
        422,
        "INVALID_VALUE_FOR_COLUMN",
        f'Field "{name}" cannot accept a value because the field is computed',
    )


def test_the_schema_tells_how_fields_are_computed(computing: AirtableServer) -> None:
    schema = api(computing).base(computing.base("Operator").id).schema()
    results, jobs = schema.table("Results"), schema.table("Jobs")
    assert {field.type for field in [*results.fields, *jobs.fields]} >= set(COMPUTED)
    double, titles = results.field("Double"), jobs.field("Titles")
    assert isinstance(double, models.FormulaFieldSchema)
    scored = results.field("Scored").id
    assert (double.options.formula, double.options.is_valid) == (f"{{{scored}}} * 2", True)
    assert double.options.referenced_field_ids == [scored]
    assert double.options.result is not None
    assert double.options.result.type == "number"
    assert isinstance(titles, models.MultipleLookupValuesFieldSchema)
    assert titles.options.field_id_in_linked_table == results.field("Title").id


def test_a_formula_goes_on_when_its_fields_are_renamed_and_shows_an_error_when_one_is_gone(
    computing: AirtableServer,
) -> None:
    results = results_of(computing)
    record_id = results.add({"Label": "a", "Job": ["r"], "Scored": 3})
    results.rename_field("Scored", "Done")
    assert results.row(record_id)["Title"] == "a/6"
    assert jobs_of(computing).rows[0]["Titles"] == ["a/6"]
    results.delete_field("Done")
    assert jobs_of(computing).rows[0]["Total"] == {"error": "#ERROR!"}
    results.delete_field("Double")
    assert jobs_of(computing).rows[0]["Total"] == {"error": "#ERROR!"}
    jobs_of(computing).delete_field("Results")
    row = table(computing, "Results").get(record_id)["fields"]
    assert (row["Title"], row["Runs"]) == ({"error": "#ERROR!"}, {"error": "#ERROR!"})
    assert jobs_of(computing).rows[0]["Clients"] == {"error": "#ERROR!"}
    schema = table(computing, "Results").schema()
    valid = {field.name: getattr(getattr(field, "options", None), "is_valid", None) for field in schema.fields}
    assert (valid["Title"], valid["Runs"]) == (False, False)
    assert table(computing, "Results").all(formula="{Title} = 'a/6'") == []
    assert len(table(computing, "Results").all(sort=["Title"])) == 1


def test_a_field_that_code_gets_wrong_is_an_error(airtable: AirtableServer) -> None:
    jobs = jobs_of(airtable)
    for column in (link("L", "Nothing"), count("C", "Nothing"), count("C", "Leads"), lookup("U", "Results", "Nothing")):
        with pytest.raises(LookupError):
            jobs.add_field(column)
    with pytest.raises(Exception, match="Unknown field names: nothing"):
        jobs.add_field(formula("F", "{Nothing}"))
    assert set(jobs.types) & {"L", "C", "U", "F"} == set()


def test_a_formula_may_be_of_a_checkbox_a_day_and_a_select(airtable: AirtableServer) -> None:
    base = airtable.base("Operator")
    columns = [
        text("Name"),
        checkbox("On"),
        date("Day"),
        select("Kind", "a"),
        formula("F", "IF({On}, {Kind}, 'off') & {Name}"),
        formula("Later", "DATEADD({Day}, 1, 'days')"),
        Column("Stars", "rating", {"icon": "star", "max": 5, "color": "yellowBright"}),
    ]
    made = base.add_table("Mixed", columns)
    made.add_many([{"On": True, "Day": "2025-01-01", "Kind": "a", "Stars": 3}, {"Name": "x"}])
    assert [row["F"] for row in made.rows] == ["a", "offx"]
    assert made.rows[0]["Later"] == "2025-01-02T00:00:00.000Z"
    assert made.rows[1]["Later"] == {"error": "#ERROR!"}
