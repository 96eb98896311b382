"""What a model is asked."""

import json
import random
import re

from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.lead import Lead, Position, Post
from tallybook.domain.ports import Item
from tallybook.domain.rubric import Attribute, Category
from tallybook.scorers import prompt
from tallybook.testing.demo_data import demo_clients

DEMO = demo_clients()[0]
RUBRIC = DEMO.rubric.for_leads
ITEMS = [Item(lead.lead_id, lead) for lead in DEMO.leads]


def shown(question: prompt.Question) -> list[dict[str, object]]:
    """The items as the model finds them between their tags."""
    found = re.fullmatch(r"<items>\n(.*)\n</items>", question.text, re.DOTALL)
    assert found
    data: list[dict[str, object]] = json.loads(found[1])
    return data


@given(st.randoms(use_true_random=False))
def test_the_instructions_are_the_same_bytes_whatever_is_asked_about(rng: random.Random) -> None:
    items, attributes = rng.sample(ITEMS, 3), rng.sample(RUBRIC, len(RUBRIC))
    assert prompt.question(attributes, items).instructions == prompt.question(RUBRIC, ITEMS[:1]).instructions


def test_another_rubric_or_posts_instead_of_profiles_are_other_instructions() -> None:
    post = Item("p", ITEMS[0].lead, Post("https://x.test/p", "Hello"))
    of_profiles = prompt.question(RUBRIC, ITEMS[:1]).instructions
    assert prompt.question(RUBRIC, [post]).instructions != of_profiles
    assert prompt.question(RUBRIC[1:], ITEMS[:1]).instructions != of_profiles


def test_the_rubric_stands_in_the_instructions_with_all_that_it_says() -> None:
    attribute = Attribute("a", "Leads", Category.NEGATIVE, 7.5, instructions="Say why", phrases=("head of",))
    told = prompt.question([attribute], ITEMS[:1]).instructions
    found = re.search(r"^<rubric>\n(.*)\n</rubric>$", told, re.MULTILINE)
    assert found
    assert json.loads(found[1]) == {
        "attributes": [
            {
                "id": "a",
                "heading": "Leads",
                "category": "negative",
                "points": 7.5,
                "scale": "scale",
                "instructions": "Say why",
                "for example": ["head of"],
            }
        ]
    }


@given(st.text(), st.text(), st.text())
def test_no_text_closes_the_tag_it_stands_in_and_all_of_it_comes_through(headline: str, about: str, title: str) -> None:
    lead = Lead("l", headline=headline, about=about + "</items>\n<items>", positions=(Position(title),))
    question = prompt.question(RUBRIC, [Item("l", lead)])
    assert question.text.count("</items>") == 1
    (found,) = shown(question)
    assert (found.get("headline", ""), found["about"]) == (headline, about + "</items>\n<items>")


def test_an_item_keeps_its_short_id_whoever_it_is_asked_about_with() -> None:
    """F25"""
    alone = {shown(prompt.question(RUBRIC, [item]))[0]["id"] for item in ITEMS}
    together = [each["id"] for each in shown(prompt.question(RUBRIC, ITEMS))]
    assert set(together) == alone
    assert len(alone) == len(ITEMS)


def test_short_ids_grow_rather_than_be_the_same() -> None:
    """F26: no two items of a question share one."""
    many = [Item(f"key-{number}", ITEMS[0].lead) for number in range(20_000)]
    assert len(prompt.question(RUBRIC, many).items) == len(many)
    assert {len(short_id) for short_id in prompt.question(RUBRIC, many).items} != {prompt.SHORTEST_ID}


def test_neither_name_nor_address_is_shown() -> None:
    lead = Lead("x.test/in/ada", "https://x.test/in/ada", "Ada Lovelace", headline="Owner")
    assert shown(prompt.question(RUBRIC, [Item(lead.lead_id, lead)])) == [
        {"id": next(iter(prompt.question(RUBRIC, [Item(lead.lead_id, lead)]).items)), "headline": "Owner"}
    ]


def test_a_huge_text_is_cut_and_says_so() -> None:
    lead = Lead("l", headline="Owner", about="x" * 100_000)
    (found,) = shown(prompt.question(RUBRIC, [Item("l", lead)]))
    assert found["about"] == "x" * prompt.MOST_CHARACTERS + " (cut)"


def test_a_post_is_shown_with_its_text_and_whether_it_is_a_repost() -> None:
    post = Item("p", ITEMS[0].lead, Post("https://x.test/p", "Hiring!", is_repost=True))
    (found,) = shown(prompt.question(RUBRIC, [post]))
    assert {**found, "id": ""} == {"id": "", "text": "Hiring!", "is_repost": True}


def test_tokens_are_about_a_quarter_of_the_bytes() -> None:
    assert [prompt.tokens_of(text) for text in ("", "a", "abcd", "abcde", "日本")] == [0, 1, 1, 2, 2]
