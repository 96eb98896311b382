"""What leads are judged by, as a table in the client's base."""

import pytest

from tallybook.domain.errors import StoreUnavailable
from tallybook.domain.rubric import Attribute, Category, Rubric, Scale
from tallybook.testing import airtable_fields as fields
from tests.stores.tenancy import ACME, BASES, Tenancy

POSITIVE, NEGATIVE = ({"Category": each, "Active": True} for each in ("Positive", "Negative"))
ROWS: list[dict[str, object]] = [
    {"Attribute ID": "a", "Heading": "Ä", "For": "Lead", **POSITIVE, "Max Points": 10.5, "Phrases": "x\nü"},
    {"Attribute ID": "b", "Heading": "B", **NEGATIVE, "Penalty": 5, "Scale": "Fixed", "Disqualifying": True},
    {"Attribute ID": "c", "Heading": "C", **POSITIVE, "Max Points": 3, "Active": False},
    {"Attribute ID": "p", "Heading": "P", "For": "Post", **NEGATIVE, "Max Points": -4},
    {"Attribute ID": "bad", "Heading": "Bad", "Category": "Sideways"},
    {},
]


def test_the_rubric_of_the_base_counts_and_is_shown_here(house: Tenancy) -> None:
    """F27: penalties may be positive numbers."""
    house.attributes().add_many(ROWS)
    store = house.store()
    found = store.rubric()
    assert found == Rubric(
        (
            Attribute("a", "Ä", Category.POSITIVE, 10.5, phrases=("x", "ü")),
            Attribute("b", "B", Category.NEGATIVE, 5.0, disqualifying=True, scale=Scale.FIXED),
            Attribute("c", "C", Category.POSITIVE, 3.0, active=False),
        ),
        (Attribute("p", "P", Category.NEGATIVE, 4.0),),
    )
    assert house.notice().startswith("Rubric: of Scoring Attributes these are left out: row 5: category must be")
    calls = len(house.server.calls)
    assert store.rubric() is found
    assert len(house.server.calls) == calls
    assert house.local.store(ACME).rubric() == found


def test_numbers_and_flags_of_a_rubric_may_be_text(house: Tenancy) -> None:
    base = house.server.base(BASES[ACME])
    base.delete_table("Scoring Attributes")
    columns = [fields.text(name) for name in ("Attribute ID", "Heading", "Category", "Max Points", "Active", "Bonus")]
    table = base.add_table("Scoring Attributes", columns)
    table.add({"Attribute ID": "a", "Heading": "A", "Category": "positive", "Max Points": "10.5", "Active": "Yes"})
    table.add({"Attribute ID": "b", "Heading": "B", "Category": "positive", "Max Points": "1", "Active": "no"})
    first, second = house.store().rubric().attributes
    assert (first.points, first.active, first.bonus, second.active) == (10.5, True, False, False)


def test_a_base_without_attributes_leaves_the_rubric_to_us(house: Tenancy) -> None:
    ours = Rubric((Attribute("a", "A", Category.POSITIVE, 1.0),))
    house.local.put_rubric(ACME, ours)
    assert house.store().rubric() == ours
    house.server.base(BASES[ACME]).delete_table("Scoring Attributes")
    house.minutes_pass(25 * 60)
    assert house.store().rubric() == ours


def test_a_field_of_the_rubric_that_is_gone_has_its_default(house: Tenancy) -> None:
    house.attributes().add({"Attribute ID": "a", "Heading": "A", "Category": "Positive", "Max Points": 3})
    assert not house.store().rubric().for_leads
    house.attributes().delete_field("Active")
    assert len(house.store().rubric().for_leads) == 1


def test_a_rubric_that_cannot_be_read_is_an_unanswered_store(house: Tenancy) -> None:
    house.ids()
    house.server.delete_base(BASES[ACME])
    with pytest.raises(StoreUnavailable, match="check the id of the base"):
        house.store().rubric()
