"""Leads of Airtable become a copy: all of them once a day, what changed in between, and what people wish."""

import json
from dataclasses import replace

import pytest

from tallybook.domain.errors import StoreUnavailable
from tallybook.domain.lead import Position, Post
from tallybook.testing import airtable_fields as fields
from tallybook.testing.airtable_faults import AirtableFault
from tests.airtable.premises import AWKWARD
from tests.stores.embedded import harvested, lead, post, scored
from tests.stores.tenancy import ACME, BASES, LEAD_SCORING, POST_HARVESTING, POST_SCORING, Tenancy, client_row

# what is asked


def test_all_leads_are_listed_once_and_then_only_what_changed_is_asked_for(any_house: Tenancy) -> None:
    house = any_house
    ids = house.add(*(lead(f"{number:03}") for number in range(250)))
    house.minutes_pass()
    assert len(house.ids()) == 250
    assert house.calls() == {"schema": 1, "list": 3}
    house.server.log.clear()
    house.minutes_pass()
    house.leads().edit(ids[7], {"Headline": "Chief judge"})
    house.add(lead("new"))
    assert len(house.ids()) == 251
    assert house.calls() == {"list": 1}
    assert house.copy_of("007").lead.headline == "Chief judge"


def test_a_reading_of_what_changed_reads_nothing_else(house: Tenancy) -> None:
    """What is not asked for is seen by what it leaves as it was: a copy that somebody has altered here."""
    ids = house.add(*(lead(f"{number:03}") for number in range(150)))
    house.minutes_pass()
    house.ids()
    with house.local.connections.writing() as tx:
        tx.execute("UPDATE @leads SET full_name = 'Altered here'")
    house.minutes_pass()
    house.leads().edit(ids[3], {"Headline": "Chief judge"})
    house.ids()
    names = {each.lead.lead_id for each in house.local.leads(ACME) if each.lead.full_name != "Altered here"}
    assert names == {"003"}


def test_one_handle_reads_once_a_minute_unless_nothing_is_found(house: Tenancy) -> None:
    house.add(lead("a"))
    store = house.store()
    for _ in range(3):
        assert house.ids(store=store) == ["a"]
        assert store.candidates(LEAD_SCORING, "a", 9) == []
    assert house.calls()["list"] == 1
    assert house.ids(POST_SCORING, store) == []
    assert house.calls()["list"] == 2
    house.minutes_pass()
    house.ids(store=store)
    assert house.calls()["list"] == 3


def test_a_lead_that_was_deleted_is_gone_with_the_next_day(any_house: Tenancy) -> None:
    house = any_house
    _, second = house.add(lead("a"), lead("b", post(1)))
    assert house.ids() == ["a", "b"]
    house.leads().delete(second)
    house.minutes_pass()
    assert house.ids() == ["a", "b"]
    house.minutes_pass(24 * 60)
    assert house.ids() == ["a"]
    assert house.store().load(["b"]) == []


def test_a_listing_that_expires_is_begun_anew_and_ends_whole(house: Tenancy) -> None:
    house.add(*(lead(f"{number:03}") for number in range(350)))
    house.server.faults.then(AirtableFault.OK, AirtableFault.OK, AirtableFault.EXPIRED_OFFSET)
    assert len(house.ids()) == 350
    house.minutes_pass()
    assert len(house.ids()) == 350


def test_a_listing_that_is_cut_short_keeps_what_it_has_and_is_begun_anew(house: Tenancy) -> None:
    house.add(*(lead(f"{number:03}") for number in range(250)))
    house.server.faults.then(AirtableFault.OK, AirtableFault.OK, *[AirtableFault.SERVER_ERROR] * 3)
    with pytest.raises(StoreUnavailable):
        house.ids()
    assert len(house.local.leads(ACME)) == 100
    assert len(house.ids()) == 250


def test_a_field_renamed_or_deleted_between_readings_stops_none(house: Tenancy) -> None:
    """F09"""
    house.add(lead("a"))
    house.ids()
    house.minutes_pass()
    house.leads().rename_field("Headline", "What they say they are")
    house.leads().delete_field("Industry")
    house.leads().add({"LinkedIn Profile URL": "https://b", "What they say they are": "Chief"})
    assert house.ids() == ["a", "b"]
    assert (house.copy_of("b").lead.headline, house.copy_of("b").lead.industry) == ("Chief", "")


def test_the_schema_is_read_again_after_a_day(house: Tenancy) -> None:
    house.ids()
    house.minutes_pass(23 * 60)
    house.ids()
    assert house.calls()["schema"] == 1
    house.minutes_pass(2 * 60)
    house.ids()
    assert house.calls()["schema"] == 2


@pytest.mark.parametrize("broken", ["table", "key"])
def test_a_base_that_is_none_of_a_client_says_so(house: Tenancy, broken: str) -> None:
    base = house.server.base(BASES[ACME])
    base.delete_table("Leads")
    if broken == "key":
        base.add_table("Leads", [fields.text("Nothing")])
    with pytest.raises(StoreUnavailable, match="no table Leads" if broken == "table" else "LinkedIn Profile URL"):
        house.ids()


def test_another_base_is_read_from_the_beginning(any_house: Tenancy) -> None:
    """F17: nothing of the old one counts."""
    house = any_house
    house.add(lead("a"), lead("b"))
    house.ids()
    other = house.server.add_base("Other", {"Leads": [fields.url("LinkedIn Profile URL"), fields.text("Headline")]})
    other.table("Leads").add_many({"LinkedIn Profile URL": f"https://{each}", "Headline": "X"} for each in "bc")
    house.table.edit(house.table.where("Client ID", ACME)[0], {"Airtable Base ID": other.id})
    house.clients.of_stream(None, [])
    house.minutes_pass()
    assert house.ids() == ["b", "c"]
    assert house.notice().startswith("Fields: Leads has no field Scoring Status, ")


# who they are


def test_a_lead_is_read_with_all_that_stands_there(house: Tenancy) -> None:
    told = lead("a", Post("https://x.test/p/1", "Said so", "2025-09-01", is_repost=True), post(2))
    told = replace(told, positions=(*told.positions, Position("Clerk", "Court")), skills=("law", "chess"))
    house.add(told)
    house.ids()
    assert house.store().load(["a"]) == [told]
    assert house.copy_of("a").scored_at is None


def test_profiles_are_read_from_whichever_columns_there_are(house: Tenancy) -> None:
    table = house.leads()
    table.add_field(fields.text("First Name"))
    table.add_field(fields.text("Last Name"))
    table.add_field(fields.long_text("Raw Profile Data"))
    raw = {
        "headline": "From elsewhere",
        "summary": "Long",
        "location_name": "Porto",
        "organization_1": "Court",
        "organization_title_1": "Judge",
        "skills": "law;chess",
    }
    rows: dict[str, dict[str, object]] = {
        "a": {"First Name": "Ada", "Last Name": "Quill", "Job Title": "Judge", "Company Name": "Court"},
        "b": {"Raw Profile Data": json.dumps(raw)},
        "c": {"Raw Profile Data": "{broken", "Job History": '[{"title": "Clerk", "company": "Bar"}]', "Skills": "[1"},
        "d": {
            "Raw Profile Data": "[]",
            "Job History": "Judge at Court\nLong hours\n\nClerk, Bar, since 2011\n\n\nRest",
        },
        "e": {"Job History": "[half a list"},
    }
    for name, cells in rows.items():
        table.add({"LinkedIn Profile URL": f"https://www.people.test/in/{name}/?x=1", **cells})
    house.ids()
    held = {each.lead_id.rpartition("/")[2]: each for each in (each.lead for each in house.local.leads(ACME))}
    a, b, c, d, e = (held[name] for name in rows)
    assert (a.lead_id, a.full_name, a.headline) == ("people.test/in/a", "Ada Quill", "Judge")
    assert a.positions == b.positions == (Position("Judge", "Court"),)
    assert (b.headline, b.about, b.location, b.skills) == ("From elsewhere", "Long", "Porto", ("law", "chess"))
    assert (c.positions, c.skills) == ((Position("Clerk", "Bar"),), ())
    assert d.positions == (
        Position("Judge", "Court", "Long hours"),
        Position("Clerk", "Bar", "", "2011"),
        Position("Rest"),
    )
    assert e.positions == (Position(description="[half a list"),)


def test_what_is_emptied_in_the_base_is_empty_here_and_posts_stay(house: Tenancy) -> None:
    (record_id,) = house.add(lead("a", post(1)))
    house.ids()
    house.minutes_pass()
    house.leads().edit(record_id, {"About": None, "Posts Content": None})
    house.ids()
    assert (house.copy_of("a").lead.about, house.copy_of("a").lead.posts) == ("", (post(1),))


def test_posts_are_read_in_older_spellings_and_merged_by_url(house: Tenancy) -> None:
    old = [{"postUrl": "https://x.test/p/1", "postContent": "Said so", "postDate": "2025-09-01"}]
    (record_id,) = house.add(lead("a"), **{"Posts Content": json.dumps(old)})
    house.ids()
    house.minutes_pass()
    house.leads().edit(record_id, {"Posts Content": json.dumps([{"url": "https://x.test/p/2", "text": "Again"}])})
    house.ids()
    first = Post("https://x.test/p/1", "Said so", "2025-09-01")
    assert house.copy_of("a").lead.posts == (first, Post("https://x.test/p/2", "Again"))
    house.minutes_pass()
    house.leads().edit(record_id, {"Posts Content": '[{"url": "https://x.test/p/3", "text": ""}]'})
    house.ids()
    assert house.copy_of("a").lead.posts[2] == Post("https://x.test/p/3", "")
    assert house.notice() == "", "a picture alone is a post"


def test_of_posts_that_were_cut_off_those_before_count(house: Tenancy) -> None:
    """Else they would be gone with the next that is written there."""
    whole = '[{"url": "https://x.test/p/1", "text": "Said so"}, {"url": "https://x.test/p/2", "te'
    house.add(lead("a"), **{"Posts Content": whole})
    house.add(lead("b"), **{"Posts Content": "None found"})
    house.ids()
    assert house.copy_of("a").lead.posts == (post(1),)
    assert house.notice().startswith("Rows: posts that cannot be read in 2 rows, such as rec")
    house.saved(harvested("a", post(3)), operation=POST_HARVESTING)
    assert {each["url"] for each in json.loads(house.row_of("a")["Posts Content"])} == {post(1).url, post(3).url}


def test_rows_that_cannot_be_read_are_left_out_and_told_once(
    any_house: Tenancy, caplog: pytest.LogCaptureFixture
) -> None:
    house = any_house
    bad = house.leads().add_many([{"Full Name": "Nobody"}, {"LinkedIn Profile URL": "nonsense"}])
    house.leads().add({})
    cut = house.add(lead("a"), **{"Posts Content": '[{"url": "https://x'})
    assert house.ids() == ["a"]
    assert house.notice() == (
        f"Rows: 2 rows without a readable profile URL are left out ({bad[0]}, {bad[1]}); "
        f"posts that cannot be read in 1 rows, such as {cut[0]}"
    )
    house.minutes_pass(25 * 60)
    house.ids()
    assert sum("without a readable profile URL" in each for each in caplog.messages) == 1
    house.leads().delete(*bad, *cut)
    house.minutes_pass(25 * 60)
    house.ids()
    assert house.notice() == ""
    house.leads().add({"Full Name": "Nobody"})
    house.minutes_pass()
    house.ids()
    assert house.notice().startswith("Rows: 1 rows without")


def test_of_rows_with_one_profile_url_the_oldest_counts(any_house: Tenancy) -> None:
    house = any_house
    (first,) = house.add(lead("a", headline="First"))
    house.minutes_pass()
    (second,) = house.add(lead("a", headline="Second"))
    house.minutes_pass()
    (third,) = house.add(lead("a", headline="Third"))
    house.minutes_pass()
    house.ids()
    assert house.copy_of("a").lead.headline == "First"
    assert (
        house.notice() == f"Rows: of rows with one profile URL the oldest counts: a ({first} and not {second}, {third})"
    )
    house.saved(scored("a"))
    assert house.leads().row(first)["Scoring Status"] == "Scored"
    assert house.leads().row(second)["Scoring Status"] == "To Be Scored"
    house.minutes_pass()
    house.leads().delete(first)
    house.leads().edit(third, {"Headline": "Third indeed"})
    house.ids()
    assert house.copy_of("a").lead.headline == "Third indeed", "the first is gone, and of the second nothing is new"
    house.minutes_pass(25 * 60)
    house.ids()
    assert house.copy_of("a").lead.headline == "Second"


def test_a_corrected_profile_url_is_another_person(any_house: Tenancy) -> None:
    house = any_house
    first, second, third = house.add(lead("a"), lead("b"), lead("c"))
    house.ids()
    house.minutes_pass()
    house.leads().edit(first, {"LinkedIn Profile URL": "https://b"})
    house.leads().edit(second, {"LinkedIn Profile URL": "https://a"})
    house.leads().edit(third, {"LinkedIn Profile URL": None})
    assert house.ids() == ["a", "b"]
    house.saved(scored("a"))
    assert house.leads().row(second)["Scoring Status"] == "Scored"


@pytest.mark.parametrize("awkward", AWKWARD)
def test_any_name_goes_the_whole_way(house: Tenancy, awkward: str) -> None:
    """F16: no filter is built from text, so no quote can hide a client or a lead."""
    client_id = awkward.replace("\t", " ").replace("\u202e", "")
    base_id = "appAwkward0000000"
    house.table.add(client_row(client_id, base_id))
    base = house.server.add_base(
        "Awkward", {"Leads": [fields.url("LinkedIn Profile URL"), fields.number("AI Score", 2)]}, base_id=base_id
    )
    url = f"https://people.test/in/{client_id.replace('?', '').replace('#', '').replace('%', '')}"
    record_id = base.table("Leads").add({"LinkedIn Profile URL": url})
    assert client_id in [each.client_id for each in house.clients.of_stream(None, [])]
    store = house.clients.store(client_id)
    (candidate,) = store.candidates(LEAD_SCORING, None, 9)
    store.save(LEAD_SCORING, [scored(candidate.lead_id, 61.25)])
    assert base.table("Leads").row(record_id) == {"LinkedIn Profile URL": url, "AI Score": 61.25}
    assert store.candidates(LEAD_SCORING, None, 9) == []
