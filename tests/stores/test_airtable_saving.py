"""What came of leads, written back to Airtable: only what is ours, ten to a call, whatever the base has become."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tallybook.domain.errors import BadInput, NotFound
from tallybook.domain.lead import Post
from tallybook.domain.outcome import FailReason, Outcome, SkipReason
from tallybook.domain.run import OperationName
from tallybook.testing import airtable_fields as fields
from tests.stores.embedded import harvested, lead, post, posts_scored, scored
from tests.stores.tenancy import ACME, LEAD_SCORING, POST_HARVESTING, POST_SCORING, Tenancy

GONE = Outcome.skipped("a", SkipReason.LEAD_GONE)


def test_a_score_stands_in_its_row_and_nothing_else_is_touched(any_house: Tenancy) -> None:
    house = any_house
    house.leads().add_field(fields.long_text("Notes"))
    (record_id,) = house.add(lead("a", post(1)), Notes="Mine")
    before = house.leads().row(record_id)
    house.ids()
    house.saved(scored("a", 61.25))
    held = house.copy_of("a")
    assert house.leads().row(record_id) == {
        **before,
        "Scoring Status": "Scored",
        "AI Score": 61.25,
        "AI Profile Assessment": "Excluded by seniority. Fits",
        "AI Attribute Breakdown": 'seniority: 5 of 10 – the "boss"',
        "Date Scored": (held.scored_at or "")[:23] + "Z",
    }
    assert (held.score, held.assessment) == (61.25, "Fits")


@pytest.mark.parametrize("leads", [1, 10, 11, 95])
def test_rows_are_written_ten_to_a_call(house: Tenancy, leads: int) -> None:
    names = [f"{number:03}" for number in range(leads)]
    house.add(*map(lead, names))
    house.ids()
    house.server.log.clear()
    house.saved(*map(scored, names))
    assert house.calls() == {"update": -(-leads // 10)}
    assert len(house.leads().where("Scoring Status", "Scored")) == leads


def outcomes() -> list[tuple[OperationName, Outcome]]:
    return [
        (LEAD_SCORING, scored("a")),
        (LEAD_SCORING, replace(scored("a"), breakdown=None, assessment=None, excluded_by=None, flagged=True)),
        (LEAD_SCORING, Outcome.skipped("a", SkipReason.INSUFFICIENT_PROFILE)),
        (LEAD_SCORING, Outcome.failed("a", FailReason.SAFETY_BLOCK, detail="no")),
        (POST_SCORING, posts_scored("a", [post(1), post(2)])),
        (POST_SCORING, Outcome.skipped("a", SkipReason.NO_CONTENT)),
        (POST_SCORING, Outcome.failed("a", FailReason.OUTPUT_TRUNCATED)),
        (POST_HARVESTING, harvested("a", post(3))),
        (POST_HARVESTING, Outcome.skipped("a", SkipReason.NO_POSTS, input_hash="never")),
        (POST_HARVESTING, Outcome.failed("a", FailReason.UNAVAILABLE, input_hash="never")),
    ]


@pytest.mark.parametrize(("operation", "outcome"), outcomes())
def test_saving_twice_leaves_the_base_and_the_copy_as_saving_once(
    house: Tenancy, operation: OperationName, outcome: Outcome
) -> None:
    house.add(lead("a", post(1), post(2)))
    house.ids()
    house.saved(outcome, operation=operation)
    once = (house.leads().rows, house.copy_of("a"))
    house.clock.sleep(20)
    house.saved(outcome, outcome, operation=operation)
    assert (house.leads().rows, house.copy_of("a")) == once


def test_an_attempt_is_not_a_result(house: Tenancy) -> None:
    """F28, F29"""
    house.add(*(lead(name, post(1)) for name in "abc"))
    house.ids()
    house.saved(
        Outcome.failed("a", FailReason.QUOTA), Outcome.skipped("b", SkipReason.INSUFFICIENT_PROFILE), scored("c")
    )
    house.saved(Outcome.failed("c", FailReason.QUOTA))
    assert [row["Scoring Status"] for row in house.leads().rows] == ["Failed", "Skipped", "Scored"]
    assert [row.get("Date Scored") is None for row in house.leads().rows] == [True, True, False]
    before = house.leads().rows
    house.saved(Outcome.failed("a", FailReason.QUOTA), operation=POST_SCORING)
    assert house.leads().rows == before
    house.saved(Outcome.failed("a", FailReason.UNAVAILABLE, input_hash="never"), operation=POST_HARVESTING)
    house.saved(Outcome.skipped("b", SkipReason.GAVE_UP, input_hash="never"), operation=POST_HARVESTING)
    for row, name in zip(house.leads().rows, "ab", strict=False):
        assert row["Posts Harvest Status"] == "Error"
        assert not {"Last Post Check At", "Posts Found (Last Run)"} & row.keys()
        assert house.copy_of(name).harvested_at is None
    assert house.ids() == ["a", "b"]


def test_scores_of_posts_stand_there_the_best_first(any_house: Tenancy) -> None:
    house = any_house
    (record_id,) = house.add(lead("a", post(1), post(2, "Said more")), **{"Posts Skip Reason": "no content"})
    house.ids()
    attributes = {"topic": {"points": 5, "max": 10, "evidence": "hiring"}, "rant": {"points": -2, "penalty": 6}}
    first, second = posts_scored("a", [post(1)], 40.0), posts_scored("a", [post(2, "Said more")], 70.5)
    breakdown = {
        post(2).url: {"total": 70.5, "attributes": {**attributes, "odd": {"points": None}}, "is_repost": False}
    }
    house.saved(first, operation=POST_SCORING)
    house.clock.sleep(5)
    house.saved(replace(second, breakdown=breakdown), operation=POST_SCORING)
    row = house.leads().row(record_id)
    assert row["Posts Relevance Score"] == 70.5
    assert row["Top Scoring Post"] == f"70.5  {post(2).url}\n\nSaid more"
    assert row["Posts AI Evaluation"] == (
        f"70.5  {post(2).url}\ntopic: 5 of 10 – hiring\nrant: -2 of -6\nodd: not judged\n\n40  {post(1).url}"
    )
    assert row["Date Posts Scored"] == (house.clock.today()).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert "Posts Skip Reason" not in row
    house.saved(Outcome.skipped("a", SkipReason.NO_CONTENT), operation=POST_SCORING)
    assert house.leads().row(record_id)["Posts Skip Reason"] == "no content"
    assert house.leads().row(record_id)["Posts Relevance Score"] == 70.5


def test_posts_that_were_found_are_merged_in_the_cell(any_house: Tenancy) -> None:
    house = any_house
    old = Post("https://x.test/p/1", "Said so", "2025-09-01")
    (record_id,) = house.add(lead("a", old))
    house.ids()
    house.saved(
        harvested("a", Post("https://x.test/p/2", 'The "new" 🙂\n{one}', "2025-10-01")), operation=POST_HARVESTING
    )
    row = house.leads().row(record_id)
    told = [(each["url"], each["text"]) for each in json.loads(row["Posts Content"])]
    assert told == [("https://x.test/p/2", 'The "new" 🙂\n{one}'), (old.url, old.text)]
    assert (row["Posts Harvest Status"], row["Posts Found (Last Run)"]) == ("Done", 1)
    assert row["Last Post Check At"] == (house.copy_of("a").harvested_at or "")[:23] + "Z"
    house.saved(Outcome.skipped("a", SkipReason.NO_POSTS), operation=POST_HARVESTING)
    row = house.leads().row(record_id)
    assert (row["Posts Harvest Status"], row["Posts Found (Last Run)"]) == ("No Posts", 0)
    assert len(json.loads(row["Posts Content"])) == 2


def test_posts_that_come_late_are_added_and_nothing_else(house: Tenancy) -> None:
    """F31"""
    (record_id,) = house.add(lead("a"))
    house.ids()
    before = house.leads().row(record_id)
    house.store().add_posts([harvested("a", post(1)), Outcome.skipped("b", SkipReason.NO_POSTS)])
    house.store().add_posts([GONE])
    after = house.leads().row(record_id)
    assert json.loads(after.pop("Posts Content"))[0]["url"] == post(1).url
    assert after == before


def test_posts_that_two_bring_at_the_same_time_are_all_there(house: Tenancy) -> None:
    """However far apart their handles are: what two had foreseen, only one would tell."""
    house.add(lead("a"))
    house.ids()

    def bring(number: int) -> None:
        house.store().add_posts([harvested("a", post(number))])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(bring, range(12)))
    assert len(json.loads(house.row_of("a")["Posts Content"])) == 12


@pytest.mark.parametrize("text", ["x" * 3_000, "🙂" * 1_500, '"\n' * 1_500, "x" * 99_990, "\\" * 99_000])
def test_a_cell_that_is_full_holds_the_newest_posts_and_is_whole(house: Tenancy, text: str) -> None:
    (record_id,) = house.add(lead("a"))
    house.ids()
    found = [Post(f"https://x.test/p/{number}", text, f"2025-10-{number:02}") for number in range(1, 31)]
    outcome = harvested("a", *found)
    house.saved(outcome, operation=POST_HARVESTING)
    cell = house.leads().row(record_id)["Posts Content"]
    urls = [each["url"] for each in json.loads(cell)]
    assert urls == [each.url for each in reversed(found)][: len(urls)]
    assert len(cell.encode("utf-16-le")) // 2 <= 100_000
    assert len(house.copy_of("a").lead.posts) == 30
    house.minutes_pass()
    house.ids()
    assert len(house.copy_of("a").lead.posts) == 30


# what people have done meanwhile


def test_who_was_excluded_while_the_run_went_on_stays_excluded(house: Tenancy) -> None:
    (record_id,) = house.add(lead("a"))
    house.ids()
    house.minutes_pass()
    house.leads().edit(record_id, {"Scoring Status": "Excluded"})
    house.saved(scored("a"))
    row = house.leads().row(record_id)
    assert (row["Scoring Status"], row["AI Score"]) == ("Excluded", 50)
    assert house.ids(POST_HARVESTING) == []


def test_a_lead_that_was_deleted_meanwhile_is_dropped_and_counts_as_saved(any_house: Tenancy) -> None:
    house = any_house
    ids = house.add(*(lead(f"{number:02}", post(1)) for number in range(12)))
    house.ids()
    house.leads().delete(ids[3], ids[11])
    house.saved(*(scored(f"{number:02}") for number in range(12)))
    assert len(house.leads().where("Scoring Status", "Scored")) == 10
    assert [each.lead.lead_id for each in house.local.leads(ACME)] == [f"{each:02}" for each in range(11) if each != 3]
    house.saved(*(scored(f"{number:02}") for number in range(12)))


def test_who_is_excluded_here_is_excluded_there(house: Tenancy) -> None:
    first, _ = house.add(lead("a", post(1)), lead("b"))
    house.ids()
    house.store().exclude("a", True)
    assert house.leads().row(first)["Scoring Status"] == "Excluded"
    house.minutes_pass()
    assert house.ids() == ["b"]
    house.store().exclude("a", False)
    assert house.leads().row(first)["Scoring Status"] == "To Be Scored"
    house.saved(scored("b"))
    house.store().exclude("b", False)
    house.minutes_pass()
    assert house.ids() == ["a"]
    house.leads().retype_field("Scoring Status", fields.select("Scoring Status", "To Be Scored"))
    with pytest.raises(BadInput, match="Scoring Status in Airtable does not take 'Excluded': add that option"):
        house.store().exclude("b", True)
    assert not house.copy_of("b").excluded_by_hand
    house.leads().delete_field("Scoring Status")
    house.store().exclude("b", True)
    house.minutes_pass()
    assert house.ids() == ["a"]
    for name in ("nobody", "a\x00"):
        with pytest.raises(NotFound, match="no lead"):
            house.store().exclude(name, True)
