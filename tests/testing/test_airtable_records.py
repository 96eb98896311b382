"""Records of the look-alike of Airtable, read and written by the real client."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pyairtable.formulas import OR, RECORD_ID, match

from tallybook.testing.airtable_fields import auto_number, text
from tallybook.testing.airtable_listing import MOST_LISTINGS
from tallybook.testing.airtable_server import AirtableFault, AirtableServer
from tests.testing.airtables import AWKWARD, NOWHERE, Clock, api, ask, refusal, status, table

EVERY_CELL: dict[str, Any] = {
    "Run ID": "r1",
    "Status": "Running",
    "Tags": ["blue", "red"],
    "Leads": 7,
    "Rate": 0.25,
    "Cost": 1.5,
    "Seen": True,
    "Start": "2025-05-01T08:30:00.000Z",
    "Day": "2025-05-01",
    "Page": "https://page.test",
    "Mail": "ada@mail.test",
    "Notes": "two\nlines",
}


def count(server: AirtableServer, name: str = "Jobs") -> int:
    return len(server.base("Operator").table(name))


# -- one record --------------------------------------------------------------------------------------------------------


def test_what_was_written_is_read_back_and_stands_in_the_base(airtable: AirtableServer) -> None:
    made = table(airtable, "Jobs").create(EVERY_CELL)
    assert (made["fields"], made["createdTime"]) == (EVERY_CELL, "2025-05-01T12:00:00.000Z")
    assert len(made["id"]) == 17
    assert made["id"].startswith("rec")
    assert table(airtable, "Jobs").get(made["id"]) == made
    assert airtable.base("Operator").table("Jobs").rows == [EVERY_CELL]


def test_empty_cells_are_absent_whatever_emptied_them(airtable: AirtableServer) -> None:
    jobs = table(airtable, "Jobs")
    made = jobs.create(EVERY_CELL)
    empty: dict[str, Any] = {"Seen": False, "Tags": [], "Notes": "", "Leads": None, "Status": None, "Start": None}
    left = jobs.update(made["id"], empty)["fields"]
    assert left == {name: cell for name, cell in EVERY_CELL.items() if name not in empty}
    assert jobs.create({})["fields"] == {}
    assert jobs.update(made["id"], {"Leads": 0})["fields"]["Leads"] == 0


def test_patch_keeps_other_cells_and_put_clears_them(airtable: AirtableServer) -> None:
    jobs = table(airtable, "Jobs")
    made = jobs.create(EVERY_CELL)
    assert jobs.update(made["id"], {"Leads": 8})["fields"] == {**EVERY_CELL, "Leads": 8}
    assert jobs.batch_update([{"id": made["id"], "fields": {"Rate": 1}}], replace=True)[0]["fields"] == {"Rate": 1}
    assert jobs.update(made["id"], {"Leads": 1}, replace=True)["fields"] == {"Leads": 1}


def test_a_record_may_be_said_by_field_ids(airtable: AirtableServer) -> None:
    jobs = table(airtable, "Jobs")
    field_id = airtable.base("Operator").table("Jobs").field_id("Leads")
    made = jobs.create({field_id: 3}, use_field_ids=True)
    assert made["fields"] == {field_id: 3}
    assert jobs.get(made["id"], use_field_ids=True)["fields"] == {field_id: 3}
    assert jobs.all(use_field_ids=True)[0]["fields"] == {field_id: 3}
    assert jobs.update(made["id"], {field_id: 4})["fields"] == {"Leads": 4}


def test_a_single_record_that_is_none_is_not_found_in_so_many_words(airtable: AirtableServer) -> None:
    jobs = table(airtable, "Jobs")
    for do in (
        lambda: jobs.get(NOWHERE),
        lambda: jobs.update(NOWHERE, {"Leads": 1}),
        lambda: jobs.delete(NOWHERE),
    ):
        assert refusal(do) == (404, "NOT_FOUND", "")


def test_records_are_deleted_one_by_one_and_ten_at_a_time(airtable: AirtableServer) -> None:
    jobs = table(airtable, "Jobs")
    ids = [record["id"] for record in jobs.batch_create([{"Leads": number} for number in range(12)])]
    assert jobs.delete(ids[0]) == {"id": ids[0], "deleted": True}
    assert [gone["id"] for gone in jobs.batch_delete(ids[1:11])] == ids[1:11]
    assert airtable.base("Operator").table("Jobs").ids == ids[11:]
    assert refusal(lambda: jobs.batch_delete([ids[11], ids[0]]))[:2] == (422, "ROW_DOES_NOT_EXIST")
    assert count(airtable) == 1


# -- several at once ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_more_than_ten_records_are_refused(method: str, airtable: AirtableServer) -> None:
    records = [{"id": NOWHERE, "fields": {}}] * 11
    code, said = ask(airtable, method, f"/v0/{airtable.base('Operator').id}/Jobs", {"records": records})
    assert (code, said["error"]["type"], count(airtable)) == (422, "INVALID_RECORDS", 0)
    assert said["error"]["message"].endswith("per request but you have provided 11.")


@pytest.mark.parametrize(
    "body", [{"records": []}, {"records": 1}, {"records": [1]}, {"records": [{}]}, {}, {"fields": 1}]
)
def test_a_body_that_is_no_list_of_records_is_refused(body: dict[str, Any], airtable: AirtableServer) -> None:
    assert ask(airtable, "POST", f"/v0/{airtable.base('Operator').id}/Jobs", body)[0] == 422


def test_one_bad_record_keeps_all_of_a_request_from_being_written(airtable: AirtableServer) -> None:
    jobs = table(airtable, "Jobs")
    assert refusal(lambda: jobs.batch_create([{"Leads": 1}, {"Leads": "many"}]))[1] == "INVALID_VALUE_FOR_COLUMN"
    assert count(airtable) == 0
    made = jobs.create({"Leads": 1})
    updates: Any = [{"id": made["id"], "fields": {"Leads": 2}}, {"id": NOWHERE, "fields": {"Leads": 2}}]
    assert refusal(lambda: jobs.batch_update(updates)) == (
        422,
        "ROW_DOES_NOT_EXIST",
        f"Record ID {NOWHERE} does not exist in this table",
    )
    assert jobs.get(made["id"])["fields"] == {"Leads": 1}


# -- upsert ------------------------------------------------------------------------------------------------------------


def test_upsert_creates_what_is_not_there_and_updates_what_is(airtable: AirtableServer) -> None:
    jobs = table(airtable, "Jobs")
    first = jobs.batch_upsert([{"fields": {"Run ID": run_id, "Leads": 1}} for run_id in AWKWARD], ["Run ID"])
    assert first["createdRecords"] == [record["id"] for record in first["records"]]
    second = jobs.batch_upsert([{"fields": {"Run ID": run_id, "Rate": 1}} for run_id in AWKWARD], ["Run ID"])
    assert (second["createdRecords"], second["updatedRecords"]) == ([], first["createdRecords"])
    assert airtable.base("Operator").table("Jobs").rows == [
        {"Run ID": run_id, "Leads": 1, "Rate": 1} for run_id in AWKWARD
    ]


def test_many_who_upsert_one_key_at_once_make_one_record(airtable: AirtableServer) -> None:
    """F03"""
    key: dict[str, Any] = {"fields": {"Run ID": "r"}}
    with ThreadPoolExecutor(8) as pool:
        done = pool.map(lambda _: table(airtable, "Jobs").batch_upsert([key], ["Run ID"]), range(16))
        made = [said["createdRecords"] for said in done]
    assert [record_id for ids in made for record_id in ids] == airtable.base("Operator").table("Jobs").ids
    assert count(airtable) == 1


def test_upsert_can_merge_on_three_fields_and_by_id(airtable: AirtableServer) -> None:
    jobs = table(airtable, "Jobs")
    key: dict[str, Any] = {"Run ID": "r", "Leads": 1, "Day": "2025-05-01"}
    made = jobs.create(key)
    jobs.create({**key, "Leads": 2})
    names = airtable.base("Operator").table("Jobs").field_id("Run ID"), "Leads", "Day"
    told = [{"fields": {names[0]: "r", "Leads": 1, "Day": "2025-05-01", "Notes": "n"}}]
    assert jobs.batch_upsert(told, list(names))["updatedRecords"] == [made["id"]]
    by_id = jobs.batch_upsert([{"id": made["id"], "fields": {"Notes": "m"}}], ["Run ID"])
    assert (by_id["updatedRecords"], jobs.get(made["id"])["fields"]["Notes"]) == ([made["id"]], "m")
    blank: dict[str, Any] = {"Run ID": None, "Leads": 5}
    assert jobs.batch_upsert([{"fields": blank}], ["Run ID"])["createdRecords"] != []
    assert jobs.batch_upsert([{"fields": blank}], ["Run ID"])["createdRecords"] == []


def test_upsert_fails_as_a_whole_when_a_record_is_unknown_or_two_match(airtable: AirtableServer) -> None:
    jobs = table(airtable, "Jobs")
    new: dict[str, Any] = {"fields": {"Run ID": "new"}}
    by_id = [new, {"id": NOWHERE, "fields": {"Run ID": "x"}}]
    assert refusal(lambda: jobs.batch_upsert(by_id, ["Run ID"]))[1] == "ROW_DOES_NOT_EXIST"
    airtable.base("Operator").table("Jobs").add_many([{"Run ID": "twin"}, {"Run ID": "twin"}])
    code, _, why = refusal(lambda: jobs.batch_upsert([new, {"fields": {"Run ID": "twin"}}], ["Run ID"]))
    assert (code, "several records match" in why, count(airtable)) == (422, True, 2)
    assert status(lambda: jobs.batch_upsert([new, new], ["Run ID"])) == 422
    assert count(airtable) == 2


@pytest.mark.parametrize(
    ("merged_on", "kind"),
    [
        ([], "INVALID_REQUEST_UNKNOWN"),
        (["Run ID", "Leads", "Rate", "Cost"], "INVALID_REQUEST_UNKNOWN"),
        (["Nothing"], "UNKNOWN_FIELD_NAME"),
        (["Results"], "INVALID_REQUEST_UNKNOWN"),
        (["Page"], "INVALID_REQUEST_UNKNOWN"),
        (["Number"], "INVALID_VALUE_FOR_COLUMN"),
        (["Day"], "INVALID_REQUEST_UNKNOWN"),
        ("Run ID", "INVALID_REQUEST_UNKNOWN"),
    ],
)
def test_what_cannot_be_merged_on_is_refused(merged_on: object, kind: str, airtable: AirtableServer) -> None:
    airtable.base("Operator").table("Jobs").add_field(auto_number("Number"))
    body = {"records": [{"fields": {"Run ID": "r"}}], "performUpsert": {"fieldsToMergeOn": merged_on}}
    code, said = ask(airtable, "PATCH", f"/v0/{airtable.base('Operator').id}/Jobs", body)
    assert (code, said["error"]["type"], count(airtable)) == (422, kind, 0)


# -- lists -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def many(airtable: AirtableServer) -> AirtableServer:
    rows = [{"Run ID": f"r{number:03}", "Leads": number % 7, "Seen": number % 2 == 0} for number in range(250)]
    airtable.base("Operator").table("Jobs").add_many(rows)
    return airtable


def test_a_table_is_listed_page_by_page_in_the_order_of_creation(many: AirtableServer) -> None:
    jobs = table(many, "Jobs")
    assert [len(page) for page in jobs.iterate()] == [100, 100, 50]
    assert [record["fields"]["Run ID"] for record in jobs.all()] == [f"r{number:03}" for number in range(250)]
    assert [len(page) for page in jobs.iterate(page_size=60, max_records=130)] == [60, 60, 10]
    assert [len(page) for page in jobs.iterate(max_records=100)] == [100]
    assert many.log.by_kind()["list"] == 10


def test_only_the_fields_that_are_wanted_are_said(many: AirtableServer) -> None:
    jobs = table(many, "Jobs")
    assert jobs.first(fields=["Leads", "Seen"]) == {
        "id": many.base("Operator").table("Jobs").ids[0],
        "createdTime": "2025-05-01T12:00:00.000Z",
        "fields": {"Leads": 0, "Seen": True},
    }
    assert refusal(lambda: jobs.all(fields=["Leeds"])) == (422, "UNKNOWN_FIELD_NAME", 'Unknown field name: "Leeds"')


def test_a_list_is_sorted_by_several_fields_the_empty_first(many: AirtableServer) -> None:
    jobs = table(many, "Jobs")
    many.base("Operator").table("Jobs").add({"Run ID": "blank"})
    found = [
        (cells.get("Leads"), cells["Run ID"])
        for cells in (one["fields"] for one in jobs.all(sort=["-Leads", "Run ID"]))
    ]
    assert found[:2] == [(6, "r006"), (6, "r013")]
    assert found[-1] == (None, "blank")
    assert [one["fields"]["Run ID"] for one in jobs.all(sort=["Leads"])][:2] == ["blank", "r000"]
    assert refusal(lambda: jobs.all(sort=["Leeds"]))[1] == "UNKNOWN_FIELD_NAME"


def test_options_are_sorted_in_their_own_order_and_texts_whatever_their_case(airtable: AirtableServer) -> None:
    jobs = table(airtable, "Jobs")
    rows = [{"Run ID": "b", "Status": "Completed"}, {"Run ID": "A", "Status": "Running"}, {"Run ID": "C"}]
    airtable.base("Operator").table("Jobs").add_many([{**row, "Start": f"2025-01-0{len(row)}"} for row in rows])

    def by(name: str) -> str:
        return "".join(str(one["fields"]["Run ID"]) for one in jobs.all(sort=[name]))

    assert (by("Run ID"), by("Status"), by("Start"), by("-Status")) == ("AbC", "CAb", "CbA", "bAC")


def test_a_list_too_long_for_a_url_is_posted(many: AirtableServer) -> None:
    jobs = table(many, "Jobs")
    ids = many.base("Operator").table("Jobs").ids
    wanted = OR(*[RECORD_ID().eq(record_id) for record_id in [*ids, NOWHERE] * 3])
    assert len(jobs.all(formula=wanted, fields=["Leads"], sort=["-Leads"], page_size=90)) == 250
    assert {(call.method, call.what) for call in many.calls} == {("POST", "list")}
    path = f"/v0/{many.base('Operator').id}/Jobs?x={'y' * 16_000}"
    assert ask(many, "GET", path) == (414, None)


def test_an_offset_is_good_for_a_while_and_for_this_table_only(many: AirtableServer, clock: Clock) -> None:
    path = f"/v0/{many.base('Operator').id}/Jobs"
    first = ask(many, "GET", path)[1]
    ahead = f"{path}?offset={first['offset']}"
    assert ask(many, "GET", ahead) == ask(many, "GET", ahead)
    assert ask(many, "GET", f"{ahead}x")[0] == 422
    assert ask(many, "GET", ahead.replace("/Jobs", "/Results"))[0] == 422
    clock.move(301)
    code, said = ask(many, "GET", ahead)
    assert (code, said["error"]["type"]) == (422, "LIST_RECORDS_ITERATOR_NOT_AVAILABLE")


def test_a_listing_goes_on_however_many_others_begin_meanwhile(many: AirtableServer) -> None:
    jobs = table(many, "Jobs")
    pages = jobs.iterate(page_size=100)
    read = len(next(pages))
    for number in range(MOST_LISTINGS + 10):
        jobs.all(formula=match({"Leads": number}))
        if number % 30 == 0:
            read += len(next(pages))
        jobs.first(page_size=1)
    assert read + sum(map(len, pages)) == count(many)


def test_an_offset_can_be_made_to_expire(many: AirtableServer) -> None:
    jobs = table(many, "Jobs")
    pages = jobs.iterate()
    next(pages)
    many.expire_offsets()
    assert refusal(lambda: next(pages))[1] == "LIST_RECORDS_ITERATOR_NOT_AVAILABLE"
    many.faults.then(AirtableFault.EXPIRED_OFFSET, AirtableFault.EXPIRED_OFFSET)
    pages = jobs.iterate()
    assert len(next(pages)) == 100
    assert refusal(lambda: next(pages))[1] == "LIST_RECORDS_ITERATOR_NOT_AVAILABLE"


def test_a_page_says_what_is_true_now_of_the_records_that_were_found(many: AirtableServer) -> None:
    jobs = many.base("Operator").table("Jobs")
    pages = table(many, "Jobs").iterate(sort=["Run ID"])
    next(pages)
    jobs.delete(jobs.ids[100])
    jobs.edit(jobs.ids[100], {"Leads": 1_000})
    jobs.add({"Run ID": "r100a"})
    second = next(pages)
    assert (len(second), second[0]["fields"]["Run ID"], second[0]["fields"]["Leads"]) == (99, "r101", 1_000)


def test_a_view_is_ignored_and_cells_are_json(many: AirtableServer) -> None:
    jobs = table(many, "Jobs")
    assert len(jobs.all(view="Mine")) == 250
    assert status(lambda: jobs.all(cell_format="string", time_zone="utc", user_locale="en")) == 422


@pytest.mark.parametrize(
    "option",
    [
        "pageSize=101",
        "pageSize=0",
        "pageSize=many",
        f"pageSize={'9' * 5_000}",
        "sort[0][direction]=asc",
        "maxRecords=-1",
        "sort[0][x]=1&fields=1",
    ],
)
def test_an_option_that_is_none_is_refused(option: str, airtable: AirtableServer) -> None:
    code, _ = ask(airtable, "GET", f"/v0/{airtable.base('Operator').id}/Jobs?{option}")
    assert code == 422


@pytest.mark.parametrize("body", [{"sort": 1}, {"sort": [{}]}, {"fields": [1]}])
def test_an_option_that_is_none_is_refused_when_posted_too(body: dict[str, Any], airtable: AirtableServer) -> None:
    code, _ = ask(airtable, "POST", f"/v0/{airtable.base('Operator').id}/Jobs/listRecords", body)
    assert code == 422


def test_awkward_ids_are_found_by_the_clients_own_formulas(airtable: AirtableServer) -> None:
    """F16"""
    jobs = table(airtable, "Jobs")
    airtable.base("Operator").table("Jobs").add_many({"Run ID": run_id} for run_id in AWKWARD)
    for run_id in AWKWARD:
        found = jobs.all(formula=match({"Run ID": run_id}))
        assert [one["fields"]["Run ID"] for one in found] == [run_id]


def test_awkward_tables_and_fields_are_reached_by_name(airtable: AirtableServer) -> None:
    """F16"""
    base = airtable.base("Operator")
    for name in ("O'Brien & Söhne / 2?", 'a "b" {c', "50% #1 😀"):
        base.add_table(name, [text(name)])
        awkward = api(airtable).table(base.id, name)
        awkward.create({name: "x"})
        assert [one["fields"] for one in awkward.all(formula=match({name: "x"}))] == [{name: "x"}]
