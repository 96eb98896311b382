"""The mirror in Airtable: what a run writes there, and what it never does."""

from datetime import timedelta

from tallybook.airtable.schema import COMPUTED_TYPES
from tallybook.domain.tally import Money, Usage
from tallybook.ledger import telling
from tallybook.ledger.write import progress
from tallybook.testing import airtable_fields as fields
from tests.followers.office import Office
from tests.ledger import scenes


def test_set_up_makes_what_is_missing_and_twice_changes_nothing(bare_office: Office) -> None:
    done = bare_office.set_up()
    assert done.created[:2] == ("Job Tracking", "Client Run Results")
    assert "Client Run Results.Job" in done.created
    assert not done.left_out
    assert not done.by_hand
    before = {table.name: table.types for table in bare_office.base.tables}
    assert bare_office.set_up().created == ()
    assert {table.name: table.types for table in bare_office.base.tables} == before


def test_a_run_is_mirrored_with_its_figures_and_linked_clients(office: Office) -> None:
    run_id = office.run("acme", "north")
    assert office.sync() == 1
    job = office.job(run_id)
    assert (job["Status"], job["Total Clients"], job["Failed Clients"]) == ("Completed_with_errors", 2, 2)
    assert (job["Total Leads"], job["Successful Leads"], job["Failed Leads"], job["Items Processed"]) == (6, 4, 2, 6)
    assert job["Lead Success Rate"] == 4 / 6
    assert (job["Total Tokens"], job["Prompt Tokens"], job["Completion Tokens"]) == (2200, 2000, 200)
    assert job["Estimated Cost"] == 0.0246
    assert job["Duration"] == 2.0
    assert "Started" in job["System Notes"]
    result = office.result(run_id, "acme")
    assert (result["Client ID"], result["Client Name"]) == ("acme", "Acme")
    assert (result["Profiles Examined for Scoring"], result["Profiles Successfully Scored"]) == (3, 2)
    assert (result["Leads Processed"], result["Errors"], result["Average Tokens Per Lead"]) == (3, 1, 1100 / 3)
    assert result["Job"] == [office.jobs.where("Run ID", run_id)[0]]


def test_ten_rows_go_in_one_call_and_the_newest_version_only(office: Office) -> None:
    clients = [f"client-{number:03}" for number in range(25)]
    run_id = scenes.planned(office.ledger, *clients)
    assert office.tell(run_id) is None  # all wait in the queue: the run's own row alone
    assert office.server.log.by_kind() == {"upsert": 1}
    for client_id in clients:
        office.work(run_id, client_id)
        office.end(run_id, client_id)
    assert office.tell(run_id) is None
    assert office.server.log.by_kind() == {"upsert": 4, "update": 1}
    assert office.tell(run_id) is None  # nothing has changed
    assert len(office.server.log.all) == 5
    assert not office.check().differences


def test_what_comes_late_is_told_though_the_run_has_ended(office: Office) -> None:
    """F31: the books reopen nothing, and the mirror follows them."""
    run_id = scenes.planned(office.ledger, "acme")
    key = scenes.frozen(office.ledger, scenes.begun(office.ledger, run_id, "acme"), ("a", "b"))
    scenes.called(office.ledger, key, "call-1", None)
    scenes.recorded(office.ledger, key, *scenes.scored("a"))
    scenes.closed(office.ledger, key)
    office.sync()
    assert office.job(run_id)["Successful Leads"] == 1
    office.clock.sleep(3600)
    office.sync()
    assert not [each for each in office.book.changed() if each.run_id == run_id]
    office.ledger.do(progress.record, key, scenes.scored("b"))
    assert office.sync() == 1
    assert (office.job(run_id)["Successful Leads"], office.job(run_id)["Status"]) == (2, "Completed_with_errors")


def test_a_call_settled_late_is_told(office: Office) -> None:
    from tallybook.ledger.write import calls

    run_id = scenes.planned(office.ledger, "acme")
    key = scenes.frozen(office.ledger, scenes.begun(office.ledger, run_id, "acme"), ("a",))
    scenes.called(office.ledger, key, "call-1", None)
    scenes.recorded(office.ledger, key, *scenes.scored("a"))
    scenes.closed(office.ledger, key)
    office.sync()
    office.clock.sleep(3600)
    office.sync()
    office.ledger.do(calls.settle_call, "call-1", "ok", Usage(10, 0, 5, Money.usd("0.5")))
    assert office.sync() == 1
    assert office.job(run_id)["Total Tokens"] == 15


def test_a_row_is_known_by_its_record_id_from_the_first_write_on(office: Office) -> None:
    run_id = scenes.planned(office.ledger, "acme")
    office.tell(run_id)
    (record_id,) = office.jobs.where("Run ID", run_id)
    office.jobs.edit(record_id, {"Run ID": "renamed by somebody"})
    office.work(run_id, "acme")
    office.end(run_id, "acme")
    office.tell(run_id)
    assert office.jobs.ids == [record_id]
    assert office.job(run_id)["Status"] == "Completed_with_errors"


def test_a_deleted_row_is_not_made_again_until_somebody_asks(office: Office) -> None:
    run_id = scenes.planned(office.ledger, "acme", "north")
    office.work(run_id, "acme")
    office.tell(run_id)
    office.results.delete(office.results.where("Client ID", "acme")[0])
    office.end(run_id, "acme")
    office.work(run_id, "north")
    office.end(run_id, "north")
    assert office.tell(run_id) is None
    assert [row["Client ID"] for row in office.results.rows] == ["north"]
    assert scenes.texts(office.ledger, run_id, "mirror_row_gone")
    found = office.check()
    assert (found.differences, [part.client_id for part in found.gone]) == ([], ["acme"])
    assert office.how_it_is().gone == 1
    office.repair(recreate=True)
    assert sorted(row["Client ID"] for row in office.results.rows) == ["acme", "north"]
    found = office.check()
    assert (found.differences, found.gone) == ([], [])


def test_a_deleted_run_row_that_is_made_again_is_linked_again(office: Office) -> None:
    run_id = office.run("acme", "north")
    office.sync()
    office.jobs.delete(*office.jobs.ids)
    assert "Job" not in office.result(run_id, "acme")
    assert len(office.check().gone) == 1
    office.repair()
    assert not office.jobs.rows
    assert not office.check().differences
    office.repair(recreate=True)
    assert office.result(run_id, "acme")["Job"] == office.jobs.ids
    assert not office.check().differences


def test_people_own_their_notes_which_are_read_back(office: Office) -> None:
    run_id = scenes.planned(office.ledger, "acme")
    office.tell(run_id)
    (record_id,) = office.jobs.ids
    office.jobs.edit(record_id, {"Notes": "called the client"})
    office.work(run_id, "acme")
    office.end(run_id, "acme")
    office.tell(run_id)
    assert office.job(run_id)["Notes"] == "called the client"
    assert telling.notes_of_people(office.ledger.database, run_id) == {"": "called the client"}
    office.results.edit(office.results.ids[0], {"Notes": "paid"})
    office.check()
    assert telling.notes_of_people(office.ledger.database, run_id) == {"": "called the client", "acme": "paid"}


def test_two_rows_with_one_key_the_oldest_is_ours_and_the_other_is_named(office: Office) -> None:
    """F03."""
    run_id = scenes.planned(office.ledger, "acme")
    first = office.jobs.add({"Run ID": run_id, "Notes": "mine"})
    office.clock.sleep(1)
    second = office.jobs.add({"Run ID": run_id})
    assert office.tell(run_id) is None
    assert office.jobs.row(first)["Status"] == "Running"
    assert "Status" not in office.jobs.row(second)
    assert scenes.texts(office.ledger, run_id, "mirror_several_rows")
    found = office.check()
    assert ([each.record_id for each in found.copies], found.differences) == ([second], [])
    office.repair(remove_copies=True)
    assert office.jobs.ids == [first]


def test_a_copy_beside_which_people_wrote_stays(office: Office) -> None:
    office.run("acme")
    office.sync()
    copy = office.jobs.duplicate(office.jobs.ids[0])
    office.jobs.edit(copy, {"Notes": "mine alone"})
    office.repair(remove_copies=True)
    assert office.jobs.row(copy)["Notes"] == "mine alone"
    assert [each.notes for each in office.check().copies] == ["mine alone"]


def test_a_field_that_airtable_computes_is_never_written(bare_office: Office) -> None:
    """F11: older bases have durations and rates as formulas."""
    bare_office.base.add_table(
        "Job Tracking",
        [
            fields.text("Run ID"),
            fields.date_time("Start Time"),
            fields.date_time("End Time"),
            fields.formula("Duration", "DATETIME_DIFF({End Time}, {Start Time}, 'minutes')"),
        ],
    )
    done = bare_office.set_up()
    assert done.left_out[0][0] == "Job Tracking.Duration"
    run_id = bare_office.run("acme")
    bare_office.sync()
    assert bare_office.job(run_id)["Duration"] == 1
    assert bare_office.jobs.types["Duration"] in COMPUTED_TYPES
    assert not bare_office.check().differences


def test_a_renamed_field_is_written_on_by_its_id_and_told_once(office: Office) -> None:
    """F09, F10."""
    run_id = scenes.planned(office.ledger, "acme")
    office.tell(run_id)
    office.jobs.rename_field("Total Tokens", "All the tokens")
    office.work(run_id, "acme")
    office.end(run_id, "acme")
    assert office.tell(run_id) is None
    assert office.job(run_id)["All the tokens"] == 1100
    found = office.check()
    assert not found.differences
    assert [each.change for each in found.notices] == ["renamed"]
    assert len(office.check().notices) == 1


def test_the_rest_of_a_row_is_written_when_a_field_was_deleted(office: Office) -> None:
    """F09: metrics of 895 posts were lost with one field."""
    run_id = scenes.planned(office.ledger, "acme")
    office.tell(run_id)
    office.jobs.delete_field("Total Tokens")
    office.work(run_id, "acme")
    office.end(run_id, "acme")
    assert office.tell(run_id) is None
    assert office.job(run_id)["Status"] == "Completed_with_errors"
    assert [(each.change, each.column) for each in office.how_it_is().notices] == [("deleted", "total_tokens")]
    assert not office.check().differences
    assert office.set_up().created == ("Job Tracking.Total Tokens",)
    assert office.how_it_is().notices == []
    assert [each.column for each in office.check().differences] == ["Total Tokens"]
    office.repair()
    assert office.job(run_id)["Total Tokens"] == 1100


def test_a_field_of_another_type_is_left_out_and_no_row_is_parked_for_it(office: Office) -> None:
    run_id = scenes.planned(office.ledger, "acme")
    office.tell(run_id)
    office.jobs.retype_field("Total Leads", fields.checkbox("Total Leads"))
    office.work(run_id, "acme")
    office.end(run_id, "acme")
    assert office.tell(run_id) is None
    assert office.job(run_id)["Failed Leads"] == 1
    assert not office.how_it_is().parked
    assert [each.change for each in office.how_it_is().notices] == ["retyped"]


def test_nothing_is_told_where_nothing_was_set_up_and_it_says_what_to_do(bare_office: Office) -> None:
    run_id = bare_office.run("acme")
    again_at = bare_office.tell(run_id)
    assert again_at == bare_office.ledger.clock() + timedelta(minutes=5)
    trouble = bare_office.how_it_is().trouble
    assert trouble is not None
    assert "tallybook mirror setup" in trouble.text
