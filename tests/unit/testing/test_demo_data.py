"""The demo's people: as many as promised, as awkward as promised, and the same for the same seed."""

import csv
import hashlib
import io
import json
from collections import Counter
from itertools import islice

import pytest

from tallybook.domain.lead import Lead, lead_id_of_url
from tallybook.domain.rubric import Attribute, Category
from tallybook.scorers.phrases import phrase_book
from tallybook.testing import demo_words as words
from tallybook.testing.demo_awkward import INJECTION
from tallybook.testing.demo_data import DemoClient, demo_clients, many_leads
from tallybook.testing.demo_files import demo_files
from tallybook.testing.demo_people import Wording
from tallybook.testing.demo_scripts import SCRIPTS, Script
from tallybook.testing.demo_traits import Trait

BYTES_OF_SEED_1 = "8d58bc629d190c000db80eeef8aada7e2c3009a84aa290ede6ab29f6f2abeb41"

each_client = pytest.mark.parametrize("demo", demo_clients(), ids=lambda demo: demo.client.client_id)
each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.client.client_id)


def lead_named(demo: DemoClient, name: str) -> Lead:
    return next(lead for lead in demo.leads if lead.full_name.startswith(name))


def digest(seed: int) -> str:
    return hashlib.sha256("".join(f"{name}\n{text}" for name, text in demo_files(seed).items()).encode()).hexdigest()


def test_there_are_three_clients_of_one_stream_and_one_of_them_without_posts() -> None:
    clients = [demo.client for demo in demo_clients()]
    assert [client.client_id for client in clients] == ["acme-law", "brightside-coaching", "north-harbor-it"]
    assert [client.service_level for client in clients] == [2, 1, 3]
    assert {(client.stream, client.active) for client in clients} == {(1, True)}


@each_client
def test_each_client_has_sixty_leads_a_rubric_and_the_truth_about_everyone(demo: DemoClient) -> None:
    assert len({lead.lead_id for lead in demo.leads}) == len(demo.leads) == 60
    assert demo.golden.keys() == {lead.lead_id for lead in demo.leads}
    assert all(lead.lead_id == lead_id_of_url(lead.profile_url) for lead in demo.leads)
    assert len(demo.rubric.for_leads) == 8
    assert bool(demo.rubric.for_posts) == (demo.client.service_level > 1) == any(lead.posts for lead in demo.leads)


@each_client
def test_the_truth_is_told_in_the_rubrics_ids_and_about_every_post(demo: DemoClient) -> None:
    ids = {each.id for each in demo.rubric.attributes}
    post_ids = {each.id for each in demo.rubric.post_attributes}
    for lead in demo.leads:
        golden = demo.golden[lead.lead_id]
        assert golden.matched <= ids
        assert golden.matched_by_post.keys() == {post.url for post in lead.posts}
        assert all(matched <= post_ids for matched in golden.matched_by_post.values())


@each_client
def test_one_ordinary_lead_in_five_or_so_is_worded_outside_the_rubric(demo: DemoClient) -> None:
    shares = Counter(golden.wording for golden in demo.golden.values())
    assert shares == {Wording.RUBRIC: 35, Wording.HELD_OUT: 9, Wording.MISLEADING: 4, Wording.AWKWARD: 12}


def phrases_said(traits: tuple[Trait, ...], text: str) -> set[str]:
    attributes: tuple[Attribute, ...] = tuple(each.attribute for each in traits)
    return {hit.mark.attribute_id for hit in phrase_book(attributes).read(text).hits}


@each_script
def test_every_trait_is_said_by_its_own_phrases_or_by_none(script: Script) -> None:
    for traits in (script.traits, script.post_traits):
        for each in traits:
            for text in (*each.headlines, *each.said):
                assert phrases_said(traits, text) == {each.attribute.id}, text
            for text in each.held_out:
                assert phrases_said(traits, text) == set(), text


@each_script
def test_small_talk_says_nothing_that_any_rubric_looks_for(script: Script) -> None:
    names = (*words.PLACES, *words.INDUSTRIES, *words.COMPANIES, *words.TITLES, *words.SKILLS)
    for text in (*names, *words.SMALL_TALK, *words.CHORES, *words.POST_TALK, INJECTION):
        assert not phrases_said(script.traits, text), text
        assert not phrases_said(script.post_traits, text), text


@each_script
def test_what_misleads_and_what_is_foreign_is_as_it_says(script: Script) -> None:
    first = script.traits[0].attribute.id
    assert first in phrases_said(script.traits, script.misleading)
    assert phrases_said(script.traits, script.foreign_headline) == {first}
    assert phrases_said(script.traits, script.foreign_words) == set()


@each_client
def test_the_awkward_ones_are_there(demo: DemoClient) -> None:
    assert not lead_named(demo, "Nora Noabout").about
    assert "👩‍🚀" in lead_named(demo, "Emil Emoji").headline
    assert set("\"'\\{}<&") <= set(lead_named(demo, "Miles").headline)
    assert len(lead_named(demo, "Hugo Huge").about) > 20_000
    assert not lead_named(demo, "山田").headline.isascii()
    assert "Ignore all previous instructions" in lead_named(demo, "Ivo").about
    assert lead_named(demo, "Thea Thin").thin
    assert sum(lead.thin for lead in demo.leads) == 1
    assert lead_named(demo, "José").lead_id == "linkedin.test/in/josé-núñez"
    assert {lead.lead_id for lead in demo.superseded} == {lead_named(demo, "Dora Twice").lead_id}


@each_client
def test_the_posts_are_awkward_too(demo: DemoClient) -> None:
    if demo.rubric.for_posts:
        posts = [post for lead in demo.leads for post in lead.posts]
        assert any(not post.text.strip() for post in posts)
        assert any(len(post.text) > 20_000 for post in posts)
        assert any(post.is_repost for post in posts)
        assert any(not lead.posts for lead in demo.leads)
        assert len({post.url for post in posts}) == len(posts)


def test_everything_lives_in_the_test_domain() -> None:
    for demo in demo_clients():
        assert all(".test/" in lead.profile_url for lead in demo.leads)
        assert all(".test/" in post.url for lead in demo.leads for post in lead.posts)


def test_the_same_seed_gives_the_same_bytes_in_every_process() -> None:
    assert digest(1) == BYTES_OF_SEED_1
    assert digest(2) == digest(2) != digest(1)


def test_the_files_are_what_an_operator_would_import() -> None:
    files = demo_files()
    assert list(files) == [
        "clients.csv",
        "acme-law-leads.csv",
        "acme-law-rubric.json",
        "acme-law-posts.json",
        "brightside-coaching-leads.csv",
        "brightside-coaching-rubric.json",
        "north-harbor-it-leads.csv",
        "north-harbor-it-rubric.json",
        "north-harbor-it-posts.json",
    ]
    assert files["clients.csv"].splitlines() == [
        "client_id,client_name,stream,service_level,status,timezone",
        "acme-law,Acme Law,1,2-Lead Scoring + Post Scoring,Active,Europe/London",
        "brightside-coaching,Brightside Coaching,1,1-Lead Scoring,Active,America/Chicago",
        "north-harbor-it,North Harbor IT,1,3-Lead Scoring + Post Scoring + Support,Active,Europe/Oslo",
    ]


@each_client
def test_a_lead_file_has_linkedhelpers_columns_and_the_later_row_of_whoever_comes_twice(demo: DemoClient) -> None:
    rows = list(csv.DictReader(io.StringIO(demo_files()[f"{demo.client.client_id}-leads.csv"])))
    assert len(rows) == 61
    by_id = {lead_id_of_url(row["profile_url"]): row for row in rows}
    for lead in demo.leads:
        row = by_id[lead.lead_id]
        assert (row["full_name"], row["headline"], row["summary"]) == (lead.full_name, lead.headline, lead.about)
        assert (row["location_name"], row["industry"], row["skills"]) == (
            lead.location,
            lead.industry,
            ", ".join(lead.skills),
        )
        for number, position in enumerate(lead.positions, start=1):
            names = ("organization_title", "organization", "organization_description", "organization_start")
            told = tuple(row[f"{name}_{number}"] for name in names)
            assert told == (position.title, position.company, position.description, position.started)


@each_client
def test_a_rubric_file_has_the_fields_of_every_attribute(demo: DemoClient) -> None:
    told = json.loads(demo_files()[f"{demo.client.client_id}-rubric.json"])
    for section, attributes in (
        ("attributes", demo.rubric.attributes),
        ("post_attributes", demo.rubric.post_attributes),
    ):
        for row, attribute in zip(told[section], attributes, strict=True):
            bound = "max_points" if attribute.category is Category.POSITIVE else "penalty"
            assert (row["id"], row[bound], row["phrases"]) == (attribute.id, attribute.points, list(attribute.phrases))
            assert row.get("min_to_qualify") == attribute.min_to_qualify


@each_client
def test_a_posts_file_has_every_post_that_says_something_by_profile_url(demo: DemoClient) -> None:
    told = json.loads(demo_files().get(f"{demo.client.client_id}-posts.json", "{}"))
    for lead in demo.leads:
        expected = [
            {"url": post.url, "text": post.text, "posted_at": post.posted_at, "is_repost": post.is_repost}
            for post in lead.posts
            if post.text.strip()
        ]
        assert told.get(lead.profile_url, []) == expected


def test_any_number_of_leads_of_realistic_length_can_be_had() -> None:
    leads = list(many_leads(400, seed=7))
    assert len({lead.lead_id for lead in leads}) == 400
    assert leads == list(many_leads(400, seed=7)) != list(many_leads(400, seed=8))
    lengths = [word_count(lead) for lead in leads]
    assert 100 < sum(lengths) / len(lengths) < 200
    assert not any(lead.posts or lead.thin for lead in leads)


def word_count(lead: Lead) -> int:
    history = [text for each in lead.positions for text in (each.title, each.company, each.description)]
    return len(" ".join((lead.headline, lead.about, *history)).split())


def test_leads_are_made_one_at_a_time() -> None:
    assert len(list(islice(many_leads(10**12), 3))) == 3
