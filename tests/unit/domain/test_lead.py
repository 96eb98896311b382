"""Leads: ids from profile URLs, thin profiles, and what names an input."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.errors import BadInput
from tallybook.domain.lead import (
    LONGEST_LEAD_ID,
    Lead,
    Position,
    Post,
    lead_id_of_url,
    posts_hash,
    profile_hash,
    read_lead_id,
)

FULL = Lead("ada", headline="CTO", about="a", location="l", industry="i", positions=(Position("CTO"),), skills=("x",))


@pytest.mark.parametrize(
    "url",
    [
        "https://www.linkedin.com/in/Jos%C3%A9-Müller/", "http://linkedin.com/in/josé-müller?trk=x#top",
        "linkedin.com/in/JOSÉ-MÜLLER", "  WWW.linkedin.com/in/jose%CC%81-mu%CC%88ller//  ",
    ],
)  # fmt: skip
def test_the_spellings_of_a_profile_url_are_one_lead(url: str) -> None:
    assert lead_id_of_url(url) == "linkedin.com/in/josé-müller"


@pytest.mark.parametrize("url", ["", "  ", None, 5, "https://", "https://www./", "?x", "http://a/b%00c", "a\nb"])
def test_what_is_no_profile_url_is_refused(url: object) -> None:
    """F39"""
    with pytest.raises(BadInput):
        lead_id_of_url(url)


@pytest.mark.parametrize("odd", ["x'y", 'a"b', "{x}", "a\\b", "🦊", "x" * LONGEST_LEAD_ID])
def test_a_lead_id_is_any_printable_text(odd: str) -> None:
    """F16"""
    assert read_lead_id(odd) == odd


@pytest.mark.parametrize("text", [None, 3, "", " ", "a\0b", "\ud800", "é" * LONGEST_LEAD_ID])
def test_a_lead_id_that_no_index_could_hold_is_refused(text: object) -> None:
    """F39"""
    with pytest.raises(BadInput, match="a lead id"):
        read_lead_id(text)


def test_a_lead_is_thin_when_headline_and_history_are_both_empty() -> None:
    assert Lead("ada", about="much", positions=(Position(" ", ""),)).thin
    assert not Lead("ada", headline="CTO").thin
    assert not Lead("ada", positions=(Position(company="Acme"),)).thin
    assert not Lead("ada", positions=(Position("CTO"),)).thin


@pytest.mark.parametrize("field", ["headline", "about", "location", "industry"])
def test_the_hash_of_a_profile_changes_with_every_judged_field(field: str) -> None:
    changed = {"headline": "", "about": "", "location": "", "industry": ""}[field]
    other = Lead(**{**{name: getattr(FULL, name) for name in FULL.__slots__}, field: changed})
    assert profile_hash(other) != profile_hash(FULL)


def test_the_hash_of_a_profile_changes_with_nothing_else() -> None:
    other = Lead("bob", "url", "Bob", "CTO", "a", "l", "i", (Position("CTO"),), ("x",), (Post("u", "t"),))
    assert profile_hash(other) == profile_hash(FULL)


@given(st.lists(st.builds(Post, st.text(), st.text()), unique_by=lambda post: post.url), st.randoms())
def test_the_hash_of_posts_knows_no_order(posts: list[Post], chance: random.Random) -> None:
    """F25"""
    shuffled = posts[:]
    chance.shuffle(shuffled)
    assert posts_hash(tuple(shuffled)) == posts_hash(tuple(posts))
