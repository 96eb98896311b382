"""A base that people change while leads are written to it, and an Airtable that is not to be had."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tallybook.airtable.errors import MonthUsedUp, NotNow
from tallybook.domain.errors import StoreUnavailable
from tallybook.domain.outcome import Kind, Outcome
from tallybook.stores.airtable_writing import MOST_REFUSALS
from tallybook.testing import airtable_fields as fields
from tallybook.testing.airtable_faults import AirtableFault, Asked
from tests.stores.embedded import lead, scored
from tests.stores.tenancy import ACME, BASES, LEAD_SCORING, Tenancy

CHANGES: dict[str, Callable[[Tenancy], object]] = {
    "renamed": lambda house: house.leads().rename_field("AI Score", "Score of the machine"),
    "deleted": lambda house: house.leads().delete_field("AI Profile Assessment"),
    "computed": lambda house: house.leads().retype_field(
        "AI Attribute Breakdown", fields.formula("AI Attribute Breakdown", "1 + 1")
    ),
    "retyped": lambda house: house.leads().retype_field("Date Scored", fields.checkbox("Date Scored")),
    "option": lambda house: house.leads().retype_field(
        "Scoring Status", fields.select("Scoring Status", "To Be Scored")
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_field_changed_in_the_midst_of_a_run_leaves_the_rest_of_the_row_written(house: Tenancy, change: str) -> None:
    """F09, F10, F11"""
    names = [f"{number:02}" for number in range(25)]
    house.add(*map(lead, names))
    house.ids()
    CHANGES[change](house)
    house.server.log.clear()
    house.saved(*map(scored, names))
    for row in house.leads().rows:
        filled = {"Score of the machine", "AI Score", "AI Profile Assessment", "AI Attribute Breakdown", "Date Scored"}
        assert len(filled & row.keys()) >= 3
        assert change in ("option", "computed") or row["Scoring Status"] == "Scored"
    assert house.ids() == []
    notice = house.notice()
    assert len(notice.splitlines()) == (0 if change == "renamed" else 1)
    if change in ("deleted", "computed", "retyped"):
        assert notice.startswith("Fields: ")
        assert "make it there" in notice if change == "deleted" else "change their types" in notice
    if change == "option":
        assert "Scoring Status has no option 'Scored'; add the option" in notice
    halved = 19 if change == "retyped" else 1  # it may as well lie in the rows, so that is looked for first
    assert house.calls()["update"] <= halved + 3
    house.saved(*map(scored, names))
    assert house.notice() == notice


def test_what_is_mended_is_not_told_any_more(house: Tenancy) -> None:
    house.leads().delete_field("AI Profile Assessment")
    house.add(lead("a"))
    house.ids()
    assert "Leads has no field AI Profile Assessment: make it there; the rest" in house.notice()
    house.leads().add_field(fields.long_text("AI Profile Assessment"))
    house.minutes_pass()
    house.ids()
    house.saved(scored("a"))
    assert house.notice() == ""
    assert house.row_of("a")["AI Profile Assessment"]


def refused(house: Tenancy, column: str, *record_ids: str) -> Callable[[Asked], bool]:
    """When something is to be written in the column of one of these rows."""
    field_id = house.leads().field_id(column)
    return lambda asked: any(
        each["id"] in record_ids and field_id in each["fields"]
        for each in (asked.said.get("records", ()) if asked.what == "update" else ())
    )


def test_a_cell_that_is_refused_keeps_nothing_else_from_being_written(house: Tenancy) -> None:
    """Whatever the reason: it is told, and left; else all that the client is owed would wait for it."""
    ids = house.add(*(lead(f"{number:02}") for number in range(14)))
    house.ids()
    house.server.faults.rule(AirtableFault.BAD_ROW, when=refused(house, "Date Scored", ids[5]))
    house.saved(*(scored(f"{number:02}") for number in range(14)))
    assert house.leads().where("Scoring Status", "Scored") == ids
    assert [each for each, row in house.leads().by_id.items() if "Date Scored" not in row] == [ids[5]]
    assert house.notice().startswith(
        f"Refused: not taken: Date Scored of row {ids[5]} (Airtable refused updating 1 rows"
    )
    assert house.ids() == []


def test_a_field_that_takes_nothing_is_not_tried_with_every_row(any_house: Tenancy) -> None:
    house = any_house
    ids = house.add(*(lead(f"{number:02}") for number in range(14)))
    house.ids()
    house.server.faults.rule(AirtableFault.BAD_ROW, when=refused(house, "Scoring Status", *ids))
    house.saved(*(scored(f"{number:02}") for number in range(14)))
    assert house.leads().where("AI Score", 50) == ids
    assert house.notice().count("Scoring Status of row") == MOST_REFUSALS
    house.minutes_pass()
    assert house.ids() == [], "nobody wishes what stands there"
    house.leads().edit(ids[0], {"Scoring Status": "Scored"})
    house.minutes_pass()
    assert house.ids() == []
    house.leads().edit(ids[0], {"Scoring Status": "To Be Scored"})
    house.minutes_pass()
    assert house.ids() == ["00"]


def test_a_row_deleted_while_it_is_written_cell_by_cell_is_gone(house: Tenancy) -> None:
    (record_id,) = house.add(lead("a"))
    house.ids()

    def deleted_then(asked: Asked) -> bool:
        writes = asked.what == "update"
        if writes and len(asked.said["records"][0]["fields"]) == 1:
            house.leads().delete(record_id)
            return False
        return writes

    house.server.faults.rule(AirtableFault.BAD_ROW, when=deleted_then)
    house.saved(scored("a"))
    assert house.local.leads(ACME) == []


def test_trouble_while_a_row_is_written_cell_by_cell_is_trouble(house: Tenancy) -> None:
    (record_id,) = house.add(lead("a"))
    house.ids()
    house.server.faults.rule(AirtableFault.BAD_ROW, when=refused(house, "Date Scored", record_id))
    house.server.faults.rule(
        AirtableFault.SERVER_ERROR,
        when=lambda asked: asked.what == "update" and len(asked.said["records"][0]["fields"]) == 1,
    )
    with pytest.raises(StoreUnavailable):
        house.saved(scored("a"))
    assert house.ids() == ["a"]


def test_a_table_that_is_gone_is_an_unanswered_store(house: Tenancy) -> None:
    house.add(lead("a"))
    house.ids()
    house.server.base(BASES[ACME]).delete_table("Leads")
    with pytest.raises(StoreUnavailable):
        house.saved(scored("a"))
    assert house.copy_of("a").score is None


TROUBLES = {
    AirtableFault.SERVER_ERROR: NotNow,
    AirtableFault.UNAVAILABLE: NotNow,
    AirtableFault.RESET: NotNow,
    AirtableFault.LOST_ANSWER: NotNow,
    AirtableFault.RATE_LIMIT: NotNow,
    AirtableFault.MONTHLY_LIMIT: MonthUsedUp,
    AirtableFault.MONTHLY_LIMIT_LISTED: MonthUsedUp,
}


@pytest.mark.parametrize("fault", TROUBLES)
def test_what_airtable_did_not_take_is_not_saved_and_can_be_saved_again(house: Tenancy, fault: AirtableFault) -> None:
    names = [f"{number:02}" for number in range(25)]
    house.add(*map(lead, names))
    house.ids()
    due = set(house.local.store(ACME).candidates(LEAD_SCORING, None, 99))
    house.server.faults.then(AirtableFault.OK, fault)
    with pytest.raises(TROUBLES[fault]) as caught:
        house.saved(*map(scored, names))
    assert isinstance(caught.value, StoreUnavailable)
    assert set(house.local.store(ACME).candidates(LEAD_SCORING, None, 99)) == due
    house.clock.sleep(timedelta(days=32).total_seconds())
    house.saved(*map(scored, names))
    assert len(house.leads().where("Scoring Status", "Scored")) == 25
    assert house.ids() == []


def test_nothing_is_saved_where_there_is_nothing(house: Tenancy) -> None:
    house.saved()
    house.store().add_posts([])
    assert not house.server.calls
    house.ids()
    house.server.log.clear()
    house.saved(scored("nobody"), Outcome("b", Kind.SCORED, score=1.0))
    assert not house.server.calls
