"""A listing that expires is begun anew: nothing is given twice, and nothing is lost (F22)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.errors import ListingExpired
from tallybook.airtable.listing import MOST_RESTARTS, Page, Record, each_once
from tallybook.testing.airtable_owner import OpenBase
from tallybook.testing.airtable_server import AirtableFault, AirtableServer
from tests.airtable.premises import Found

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@given(st.integers(0, 40), st.integers(1, 7), st.sets(st.integers(0, 60), max_size=MOST_RESTARTS), st.data())
def test_however_often_it_expires_each_record_comes_once(
    number: int, size: int, expires_at: set[int], data: st.DataObject
) -> None:
    """Each new listing may have another order, and rows that were added meanwhile."""
    rows = [f"rec{each}" for each in range(number)]
    asked = iter(range(10_000))
    order: list[str] = []

    def page_at(offset: str | None) -> Page:
        nonlocal order
        if next(asked) in expires_at:
            raise ListingExpired("begin anew")
        if offset is None:
            order = data.draw(st.permutations([*rows, *order[number:], f"new{len(order)}"]))
        start = int(offset or 0)
        records = tuple(Record(each, NOW, {}) for each in order[start : start + size])
        return Page(records, str(start + size) if start + size < len(order) else None)

    given_ids = [record.id for record in each_once(page_at)]
    assert len(given_ids) == len(set(given_ids))
    assert set(rows) <= set(given_ids)


def test_one_that_expires_again_and_again_ends() -> None:
    asked = 0

    def page_at(_: str | None) -> Page:
        nonlocal asked
        asked += 1
        raise ListingExpired("begin anew")

    with pytest.raises(ListingExpired):
        list(each_once(page_at))
    assert asked == MOST_RESTARTS + 1


def test_airtable_forgets_a_listing_and_the_door_begins_it_anew(
    door: AirtableDoor, base: OpenBase, found: Found, server: AirtableServer
) -> None:
    table = base.table("Job Tracking")
    table.add_many({"Run ID": f"run {number}"} for number in range(250))
    listing = door.records(found.jobs, ["run_id"])
    ids = [next(listing).id for _ in range(150)]
    server.expire_offsets()
    table.delete(ids[0])
    table.add({"Run ID": "new"})
    server.faults.rule(AirtableFault.EXPIRED_OFFSET, lambda asked: "offset" in asked.said, times=1)
    ids += [record.id for record in listing]
    assert len(ids) == len(set(ids)) == 251
