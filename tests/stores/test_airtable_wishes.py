"""What people say in the base of leads is heeded, and what was known there before; what is nobody's word is not."""

from datetime import UTC, datetime

import pytest

from tallybook.domain.errors import StoreUnavailable
from tallybook.domain.lead import Lead, Post
from tallybook.domain.outcome import Kind, Outcome, SkipReason
from tallybook.stores.airtable_copy import Batch
from tallybook.stores.airtable_rows import LeadReader
from tallybook.testing.airtable_faults import AirtableFault
from tests.stores.embedded import harvested, lead, post, posts_scored, scored
from tests.stores.tenancy import ACME, BOLT, LEAD_SCORING, POST_HARVESTING, POST_SCORING, Tenancy

# what people wish


def test_who_is_excluded_in_the_base_is_excluded_here_until_that_is_taken_back(any_house: Tenancy) -> None:
    house = any_house
    (record_id,) = house.add(lead("a", post(1)), **{"Scoring Status": "Excluded"})
    for operation in (LEAD_SCORING, POST_HARVESTING, POST_SCORING):
        assert house.ids(operation) == []
    house.minutes_pass()
    house.leads().edit(record_id, {"Scoring Status": "To Be Scored"})
    assert house.ids() == ["a"]


def test_who_is_set_back_is_scored_again_and_only_then(any_house: Tenancy) -> None:
    house = any_house
    first, _ = house.add(lead("a"), lead("b"))
    house.ids()
    house.saved(scored("a"), scored("b"))
    house.minutes_pass()
    assert house.ids() == []
    house.minutes_pass()
    house.leads().edit(first, {"Scoring Status": "To Be Scored"})
    assert house.ids() == ["a"]
    assert (house.copy_of("a").score, house.copy_of("a").score_status) == (None, None)
    house.saved(scored("a"))
    assert house.ids() == []
    assert house.leads().row(first)["Scoring Status"] == "Scored"


def test_a_score_that_only_a_deleted_row_had_is_reached_again(house: Tenancy) -> None:
    """The other row of the same person says Scored, and has no score."""
    (first,) = house.add(lead("a"))
    house.minutes_pass()
    (second,) = house.add(lead("a"), **{"Scoring Status": "Scored"})
    assert house.ids() == ["a"]
    house.saved(scored("a"))
    house.leads().delete(first)
    house.minutes_pass(25 * 60)
    assert house.ids() == ["a"]
    house.saved(scored("a"))
    assert house.leads().row(second)["AI Score"] == 50
    house.minutes_pass()
    assert house.ids() == []


def test_what_airtable_was_not_told_is_no_wish(house: Tenancy) -> None:
    """The base says To Be Scored, for nobody has told it yet; then it is, and the score counts."""
    house.add(lead("a"))
    house.ids()
    house.server.faults.then(*[AirtableFault.SERVER_ERROR] * 1)
    with pytest.raises(StoreUnavailable):
        house.saved(scored("a"))
    assert house.copy_of("a").scored_at is None
    house.minutes_pass()
    assert house.ids() == ["a"]
    house.saved(scored("a"))
    house.minutes_pass()
    assert house.ids() == []


def test_a_page_asked_for_before_a_score_was_written_does_not_undo_it(house: Tenancy) -> None:
    house.add(lead("a"))
    house.ids()
    late, store = house.store(), house.store()
    table = late._schema.leads
    asked_at = house.clock.today()
    records = list(house.door.records(table))
    house.minutes_pass()
    store.save(LEAD_SCORING, [scored("a")])
    reader = LeadReader(table)
    rows = [reader.read(each) for each in records]
    assert rows[0].marks.status == "to be scored"
    late._copy.put(Batch(rows, (), asked_at), reader.rewritten)
    assert house.copy_of("a").score == 50.0


def test_who_was_scored_before_we_knew_of_it_is_not_due(any_house: Tenancy) -> None:
    house = any_house
    at = datetime(2025, 5, 1, 12, tzinfo=UTC)
    cells = {
        "Scoring Status": "Scored",
        "AI Score": 72.5,
        "AI Profile Assessment": "Fits",
        "Date Scored": at.isoformat(),
        "Posts Relevance Score": 40,
        "Date Posts Scored": at.isoformat(),
        "Posts Harvest Status": "Done",
        "Last Post Check At": at.isoformat(),
    }
    old, new = Post("https://x.test/p/1", "Old", "2025-04-01"), Post("https://x.test/p/2", "New", "2025-06-01")
    house.add(lead("a", old, new), **cells)
    house.add(
        lead("b", old), **{**cells, "AI Score": None, "Posts Relevance Score": None, "Posts Harvest Status": "No Posts"}
    )
    assert house.ids() == ["b"]
    held = house.copy_of("a")
    assert (held.score, held.assessment, held.score_status) == (72.5, "Fits", "scored")
    assert held.scored_at == held.harvested_at == "2025-05-01T12:00:00.000000Z"
    assert (held.post_score, held.post_status, held.harvest_status) == (40.0, "scored", "harvested")
    assert [each.scored for each in held.lead.posts] == [True, False]
    other = house.copy_of("b")
    assert (other.harvest_status, other.harvest_reason, other.post_score) == ("skipped", "no_posts", None)
    assert house.ids(POST_SCORING) == ["a", "b"]


def test_what_we_know_better_is_not_taken_from_the_base(house: Tenancy) -> None:
    (record_id,) = house.add(lead("a", post(1)))
    house.ids()
    house.saved(scored("a", 61.0))
    house.saved(posts_scored("a", [post(1)], 30.0), operation=POST_SCORING)
    house.saved(harvested("a", post(2)), operation=POST_HARVESTING)
    before = house.copy_of("a")
    house.minutes_pass()
    house.leads().edit(record_id, {"AI Score": 5, "Posts Relevance Score": 99, "Last Post Check At": "2020-01-01"})
    house.ids()
    assert house.copy_of("a") == before


# whose they are


def test_two_clients_that_know_the_same_people_know_nothing_of_each_other(house: Tenancy) -> None:
    """F17, F32"""
    house.add(lead("a"))
    house.leads(BOLT).add({"LinkedIn Profile URL": "https://a", "Full Name": "Ada Quill"})
    house.ids()
    assert house.ids(store=house.store(BOLT)) == ["a"]
    before = house.leads(BOLT).rows
    house.saved(scored("a"), Outcome("b", Kind.SCORED, score=1.0), Outcome.skipped("c", SkipReason.LEAD_GONE))
    assert house.leads(BOLT).rows == before
    assert house.local.lead(BOLT, "a").score is None


def test_leads_that_are_only_here_are_worked_on_here(house: Tenancy) -> None:
    house.local.put_leads(ACME, [lead("mine"), Lead("other")])
    assert house.ids() == ["mine", "other"]
    house.server.log.clear()
    house.saved(scored("mine"))
    house.store().exclude("other", True)
    assert house.ids() == []
    assert "update" not in house.calls()
    house.minutes_pass(25 * 60)
    assert house.ids(POST_HARVESTING) == ["mine"]
