"""How much of the books Airtable holds, and another base in place of the first."""

from datetime import timedelta

import pytest

from tallybook.airtable.errors import Misconfigured
from tallybook.domain.telling import Part
from tallybook.followers import mirror_care
from tallybook.followers.mirror_window import Window
from tests.followers.office import Office
from tests.ledger import scenes

YEAR = timedelta(days=365)


def crowd(office: Office, rows: int) -> None:
    office.base.table("Clients").add_many({"Client ID": f"other-{number}"} for number in range(rows))


def test_no_young_run_leaves_a_base_that_others_have_filled(office: Office) -> None:
    office.window = Window(YEAR, 100)
    office.book.keep("rows_of_others", "85")
    run_id = office.run("acme")
    office.sync()
    office.clock.sleep(7200)
    office.run("north")
    office.sync()
    assert office.job(run_id)["Status"]
    assert office.how_it_is().retired == 0
    assert office.how_it_is().crowded


def test_only_so_many_old_runs_leave_as_are_too_many(office: Office) -> None:
    office.window = Window(YEAR, 100)
    runs = [office.run(*(f"c{number}" for number in range(9))) for _ in range(8)]
    office.sync()
    office.book.keep("rows_of_others", "5")
    office.clock.sleep(timedelta(days=2).total_seconds())
    office.run("acme")
    office.sync()
    left = {row["Run ID"] for row in office.jobs.rows}
    assert runs[0] not in left
    assert {*runs[1:]} <= left


def test_a_full_base_is_still_kept_up(office: Office) -> None:
    """What is there is written though nothing can be made."""
    run_id = scenes.planned(office.ledger, "acme", "north")
    office.work(run_id, "acme")
    office.tell(run_id)
    office.window = Window(YEAR, 2)
    office.end(run_id, "acme")
    office.work(run_id, "north")
    with pytest.raises(Misconfigured, match="records_per_base"):
        office.mirror.flush([run_id], office.book)
    assert office.result(run_id, "acme")["Status"] == "Completed_with_errors"
    assert len(office.results) == 1


def test_rows_of_before_are_counted_once(office: Office) -> None:
    for number in range(50):
        office.jobs.add({"Run ID": f"25010{number // 60}-1{number // 60}{number % 60:02}00"})
    keys = [scenes.reported(office.ledger, run_id=f"250101-10{number:02}00") for number in range(50)]
    office.ledger.do(
        lambda tx: tx.execute("UPDATE @runs SET changed_at = NULL, ended_at = created_at, status = 'completed'")
    )
    office.book.found({Part(key, ""): record_id for key, record_id in zip(keys, office.jobs.ids, strict=True)})
    office.check()
    assert office.how_it_is().used == 50


def test_another_base_has_nothing_of_what_was_told(office: Office) -> None:
    run_id = office.run("acme")
    office.sync()
    office.base = office.server.add_base("Another")
    office.set_up()
    assert office.how_it_is().told == 0
    assert office.how_it_is().gone == 0
    again = office.run("north")
    office.sync()
    assert office.job(again)["Status"]
    mirror_care.rebuild(office.mirror, office.book)
    assert office.job(run_id)["Status"]
    assert not office.check().differences
