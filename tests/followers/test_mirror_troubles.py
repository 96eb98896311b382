"""The mirror in trouble: what is owed is told later, once, and nothing else suffers."""

from datetime import timedelta

import pytest

from tallybook.airtable.errors import AirtableError
from tallybook.domain.telling import Standing
from tallybook.followers.mirror_window import Window
from tallybook.ledger import telling
from tallybook.testing.airtable_faults import AirtableFault
from tallybook.testing.airtable_limits import Limits
from tests.airtable.premises import AWKWARD
from tests.followers.office import Office
from tests.ledger import scenes


def test_an_answer_that_is_lost_makes_no_second_row(office: Office) -> None:
    """F03: the old server wrote three rows for one."""
    run_id = office.run("acme")
    office.server.faults.then(AirtableFault.LOST_ANSWER, AirtableFault.OK)
    again_at = office.tell(run_id)
    assert again_at == office.ledger.clock() + timedelta(seconds=30)
    assert (len(office.jobs), len(office.results)) == (1, 0)
    trouble = office.how_it_is().trouble
    assert trouble is not None
    assert office.how_it_is().owed == 2
    assert office.tell(run_id) is None
    assert (len(office.jobs), len(office.results)) == (1, 1)
    assert office.how_it_is().trouble is None
    assert not office.check().differences


@pytest.mark.parametrize(
    "fault", [AirtableFault.RATE_LIMIT, AirtableFault.BAD_GATEWAY, AirtableFault.UNAVAILABLE, AirtableFault.RESET]
)
def test_what_passes_is_waited_for(office: Office, fault: AirtableFault) -> None:
    run_id = office.run("acme")
    office.server.faults.then(fault)
    again_at = office.tell(run_id)
    assert again_at is not None
    assert again_at >= office.ledger.clock() + timedelta(seconds=30)
    assert office.tell(run_id) is None
    assert not office.check().differences


@pytest.mark.parametrize("fault", [AirtableFault.MONTHLY_LIMIT, AirtableFault.MONTHLY_LIMIT_LISTED])
def test_a_month_that_is_used_up_is_waited_out_and_then_caught_up(office: Office, fault: AirtableFault) -> None:
    run_id = office.run("acme", "north")
    office.server.faults.then(AirtableFault.OK, fault)
    until = office.tell(run_id)
    assert (until.day, until.month) == (1, 12)
    how = office.how_it_is()
    assert how.trouble is not None
    assert (how.trouble.kind, how.trouble.since, how.owed) == ("MonthUsedUp", office.ledger.clock(), 2)
    calls = len(office.server.log.all)
    office.clock.sleep(3600)
    assert office.tell(run_id) == until
    assert len(office.server.log.all) == calls  # nobody asked
    trouble = office.how_it_is().trouble
    assert trouble is not None
    assert trouble.since == how.trouble.since
    office.clock.sleep((until - office.ledger.clock()).total_seconds())
    assert office.tell(run_id) is None
    assert office.how_it_is().trouble is None
    assert not office.check().differences


def test_a_row_that_is_not_taken_is_parked_and_the_others_are_written(office: Office) -> None:
    run_id = office.run(*(f"client-{number}" for number in range(12)))
    bad = f"{run_id}-client-7"
    office.server.faults.rule(AirtableFault.BAD_ROW, lambda asked: bad in str(asked.said))
    assert office.tell(run_id) is None
    assert len(office.results) == 11
    ((part, why),) = office.how_it_is().parked
    assert part.client_id == "client-7"
    assert "INVALID_VALUE_FOR_COLUMN" in why
    calls = len(office.server.log.all)
    assert office.tell(run_id) is None
    assert len(office.server.log.all) == calls  # it is not tried again before it changes
    assert [part.client_id for part, _ in office.check().parked] == ["client-7"]


def test_a_parked_row_is_written_when_somebody_has_mended_what_was_wrong(office: Office) -> None:
    run_id = office.run("acme")
    office.server.faults.rule(AirtableFault.BAD_ROW, lambda asked: "acme" in str(asked.said), times=2)
    office.tell(run_id)
    assert [part.client_id for part, _ in office.check().parked] == ["acme"]
    office.repair()
    found = office.check()
    assert (found.parked, found.differences, len(office.results)) == ([], [], 1)


@pytest.mark.parametrize("client_id", AWKWARD)
def test_awkward_client_ids_go_round(office: Office, client_id: str) -> None:
    """F16: a quote in a filter formula hid all work for days."""
    if not client_id.isprintable():
        client_id = client_id.replace("\t", " ").replace("\u202e", "")
    run_id = office.run(client_id)
    office.server.faults.then(AirtableFault.OK, AirtableFault.LOST_ANSWER)
    office.tell(run_id)
    assert office.tell(run_id) is None
    (row,) = office.results.rows
    assert (row["Client ID"], row["Run ID"]) == (client_id, f"{run_id}-{client_id}")
    found = office.check()
    assert (found.differences, found.others, found.copies) == ([], 0, [])


def test_old_runs_leave_airtable_but_not_what_people_wrote_beside(office: Office) -> None:
    old = office.run("acme", "north")
    noted = office.run("south")
    office.sync()
    office.results.edit(office.results.where("Client ID", "south")[0], {"Notes": "keep this"})
    office.clock.sleep(timedelta(days=366).total_seconds())
    new = office.run("acme")
    office.sync()
    assert {row["Run ID"] for row in office.jobs.rows} == {noted, new}
    assert sorted(row["Client ID"] for row in office.results.rows) == ["acme", "south"]
    found = office.check()
    assert (found.differences, found.gone) == ([], [])
    assert office.how_it_is().retired == 3
    assert telling.count_by_standing(office.ledger.database, "airtable_mirror")[Standing.FOUND] == 1
    assert old not in {row["Run ID"] for row in office.jobs.rows}


def test_a_base_that_is_nearly_full_gets_no_new_rows_and_says_so(office: Office) -> None:
    office.window = Window(timedelta(days=365), 100)
    for _ in range(2):
        office.run("acme", *(f"c{number}" for number in range(30)))
    office.sync()
    assert office.how_it_is().used == 64
    more = office.run("acme", *(f"c{number}" for number in range(40)))
    with pytest.raises(AirtableError, match="95%"):
        office.sync()
    assert len(office.jobs) + len(office.results) == 95
    assert office.tell(more) is not None
    trouble = office.how_it_is().trouble
    assert trouble is not None
    assert "records_per_base" in trouble.text


def test_a_crowded_base_gives_up_its_oldest_runs(office: Office) -> None:
    office.window = Window(timedelta(days=365), 100)
    first = office.run(*(f"c{number}" for number in range(40)))
    office.sync()
    office.clock.sleep(timedelta(days=2).total_seconds())
    office.run(*(f"c{number}" for number in range(45)))
    office.sync()
    office.clock.sleep(7200)
    office.run("acme")
    office.sync()
    assert first not in {row["Run ID"] for row in office.jobs.rows}
    assert not office.check().differences


def test_no_more_than_five_requests_in_a_second_and_no_429_in_a_normal_run(office: Office) -> None:
    office.server.limit(Limits())
    office.tell(office.run(*(f"client-{number:03}" for number in range(100))))
    assert office.server.log.most_in_a_second() <= 5
    assert all(call.ok for call in office.server.log.all)
    assert office.server.log.by_kind() == {"schema": 1, "upsert": 11}
    assert not office.check().differences


def test_a_client_is_linked_though_the_run_had_no_row_when_it_was_told(office: Office) -> None:
    run_id = office.run("acme", "north")
    office.server.faults.rule(AirtableFault.BAD_ROW, lambda asked: asked.table == "Job Tracking", times=1)
    office.server.faults.rule(AirtableFault.RATE_LIMIT, lambda asked: asked.what == "update", times=1)
    assert office.tell(run_id) is not None
    assert "Job" not in office.result(run_id, "acme")
    assert office.tell(run_id) is None
    assert office.result(run_id, "acme")["Job"] == office.jobs.ids
    assert not office.check().differences


def test_ten_rows_that_are_not_taken_hold_up_no_other(office: Office) -> None:
    bad = office.run(*(f"bad-{number}" for number in range(10)))
    good = office.run("good")
    office.server.faults.rule(AirtableFault.BAD_ROW, lambda asked: f"{bad}-bad-" in str(asked.said))
    assert office.tell(bad, good) is None
    assert office.result(good, "good")["Status"]
    assert len(office.how_it_is().parked) == 10


def test_a_base_that_takes_no_row_at_all_is_not_asked_for_each_of_them(office: Office) -> None:
    run_id = office.run(*(f"c{number}" for number in range(60)))
    office.server.faults.rule(AirtableFault.BAD_ROW, lambda asked: asked.table == "Client Run Results")
    assert office.tell(run_id) is not None
    assert len(office.server.log.all) < 120


def test_notes_are_read_back_though_the_row_is_not_written_any_more(office: Office) -> None:
    old = office.run("acme")
    office.sync()
    office.results.edit(office.results.ids[0], {"Notes": "said after"})
    office.clock.sleep(2 * 3600)
    office.run("north")
    office.sync()
    assert telling.notes_of_people(office.ledger.database, old) == {"acme": "said after"}


def test_whatever_stands_in_notes_keeps_the_row(office: Office) -> None:
    from tallybook.testing import airtable_fields as fields

    office.run("acme")
    office.sync()
    office.results.retype_field("Notes", fields.number("Notes"))
    office.results.edit(office.results.ids[0], {"Notes": 42})
    office.clock.sleep(timedelta(days=400).total_seconds())
    office.run("north")
    office.sync()
    assert sorted(row["Client ID"] for row in office.results.rows) == ["acme", "north"]


def test_links_that_people_add_stay(office: Office) -> None:
    run_id = scenes.planned(office.ledger, "acme")
    office.work(run_id, "acme")
    office.tell(run_id)
    mine = office.jobs.add({"Run ID": "mine"})
    ours = office.jobs.where("Run ID", run_id)[0]
    office.results.edit(office.results.ids[0], {"Job": [ours, mine]})
    office.end(run_id, "acme")
    office.tell(run_id)
    assert office.result(run_id, "acme")["Job"] == [ours, mine]
    assert not office.check().differences


def test_what_a_run_that_goes_on_has_not_told_yet_is_no_difference(office: Office) -> None:
    run_id = scenes.planned(office.ledger, "acme", "north")
    office.work(run_id, "acme")
    office.tell(run_id)
    office.work(run_id, "north")
    found = office.check()
    assert (found.differences, found.owed > 0) == ([], True)
    for client_id in ("acme", "north"):
        office.end(run_id, client_id)
    assert office.check().differences


def test_a_run_that_was_never_told_is_found_whenever_it_changed(office: Office) -> None:
    """Clocks may be wrong: rule 7 of the mirror does not ask them."""
    run_id = office.run("acme")
    office.clock.sleep(24 * 3600)
    office.book.told_until(office.ledger.clock())
    assert not office.book.changed()
    assert {each.part.run_id for each in office.check().differences} == {run_id}
    office.repair()
    assert not office.check().differences


def test_a_run_of_an_older_system_is_never_taken_for_ours(office: Office) -> None:
    run_id = scenes.reported(office.ledger, "acme")
    office.ledger.do(
        lambda tx: tx.execute("UPDATE @runs SET changed_at = NULL, ended_at = created_at, status = 'completed'")
    )
    record_id = office.jobs.add({"Run ID": run_id, "Total Leads": 7})
    found = office.check()
    assert (found.differences, found.others) == ([], 1)
    office.repair()
    assert office.jobs.row(record_id)["Total Leads"] == 7


def test_a_row_that_was_parked_is_linked_when_it_is_made_after_all(office: Office) -> None:
    run_id = scenes.planned(office.ledger, "acme")
    office.server.faults.rule(AirtableFault.BAD_ROW, lambda asked: "acme" in str(asked.said), times=2)
    office.work(run_id, "acme")
    assert office.tell(run_id) is None
    assert office.how_it_is().parked
    office.end(run_id, "acme")
    assert office.tell(run_id) is None
    assert office.result(run_id, "acme")["Job"] == office.jobs.ids
    assert not office.check().differences
