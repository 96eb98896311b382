"""Items of datasets, as actors of all sorts write them: understood, or else told by the names of their fields (F29)."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.external import Found
from tallybook.domain.lead import Post
from tallybook.harvesters.apify import found_in

ADA = "https://people.test/in/ada"
POST = "https://people.test/posts/1"
PROFILES: tuple[Mapping[str, Any], ...] = (
    {"inputUrl": ADA},
    {"inputUrl": f"  {ADA} "},
    {"inputUrl": "", "profileUrl": ADA},
    {"inputUrl": None, "target_url": ADA},
    {"query": ADA},
    {"query": {"targetUrl": ADA, "page": 1}},
    {"query": "people who sell", "author": {"name": "Ada", "linkedinUrl": ADA}},
    {"query": {"search": "pricing"}, "author": {"profile_url": ADA}},
    {"author": {"username": "ada", "profileUrl": "", "url": ADA}},
    {"authorProfileUrl": ADA},
    {"input": {"url": ADA}},
)


@pytest.mark.parametrize("item", PROFILES)
def test_a_profile_is_found_wherever_an_actor_puts_it(item: Mapping[str, Any]) -> None:
    """F29"""
    assert found_in({**item, "url": POST, "text": "On pricing"}) == Found(ADA, Post(POST, "On pricing"))


def test_a_name_in_place_of_an_address_is_a_profile_where_there_is_no_address() -> None:
    assert found_in({"inputUrl": "ada-abara", "url": POST}).profile_url == "ada-abara"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"text": "On pricing"}, "On pricing"),
        ({"text": " ", "content": "On pricing"}, "On pricing"),
        ({"text": 7, "commentary": {"text": "On pricing"}}, "On pricing"),
        ({"postText": ["On pricing"]}, ""),
        ({}, ""),
    ],
)
def test_the_first_text_that_says_something_is_that_of_the_post(more: Mapping[str, Any], text: str) -> None:
    post = found_in({"inputUrl": ADA, "url": POST, **more}).post
    assert post == Post(POST, text)


@pytest.mark.parametrize(
    ("more", "posted_at"),
    [
        ({"postedAt": "2026-11-01"}, "2026-11-01"),
        ({"posted_at": {"relative": "2d", "date": "2026-11-01 10:00", "timestamp": 1793527200000}}, "2026-11-01 10:00"),
        ({"postedAt": {"timestamp": 1793527200000, "postedAgoText": "2 days ago"}}, "2026-11-01T10:00:00+00:00"),
        ({"postedAt": "", "timestamp": 1793527200}, "2026-11-01T10:00:00+00:00"),
        ({"timestamp": 10**300}, None),
        ({"timestamp": float("nan")}, None),
        ({"timestamp": True}, None),
        ({"date": {"postedAgoText": "2 days ago"}}, None),
    ],
)
def test_a_time_is_read_from_texts_numbers_and_objects(more: Mapping[str, Any], posted_at: str | None) -> None:
    post = found_in({"inputUrl": ADA, "url": POST, **more}).post
    assert post == Post(POST, "", posted_at)


@pytest.mark.parametrize(
    "more",
    [{"url": "", "postUrl": POST}, {"url": ADA, "shareUrl": POST}, {"linkedinUrl": POST}, {"link": {"url": POST}}],
)
def test_the_address_of_a_post_is_not_that_of_its_profile(more: Mapping[str, Any]) -> None:
    assert found_in({"inputUrl": ADA, **more}) == Found(ADA, Post(POST, ""))


@pytest.mark.parametrize(("told", "is_repost"), [(True, True), ("true", False), (None, False)])
def test_a_post_is_a_repost_where_that_is_said(told: object, is_repost: bool) -> None:
    post = found_in({"inputUrl": ADA, "url": POST, "isRepost": None, "is_repost": told}).post
    assert post is not None
    assert post.is_repost is is_repost


@pytest.mark.parametrize("error", ["private", {"message": "private", "code": 3}])
def test_an_error_is_that_of_the_profile_unless_there_is_a_post(error: object) -> None:
    assert found_in({"inputUrl": ADA, "error": error}) == Found(ADA, error="private")
    assert found_in({"inputUrl": ADA, "error": error, "url": POST}) == Found(ADA, Post(POST, ""))


def test_an_item_that_is_not_understood_tells_the_names_of_its_fields_and_nothing_they_hold() -> None:
    """F29, F35"""
    secrets = {"headline": "secret", "author": {"name": "secret", "member_id": 5}, "media": {}, "a secret key!": 1}
    names = ("headline", "author.name", "author.member_id", "media", "?")
    assert found_in(secrets) == Found(fields=names)
    assert found_in({"inputUrl": ADA, "followers": 7}) == Found(ADA, fields=("inputUrl", "followers"))
    assert found_in({"error": "nobody knows of whom"}) == Found(fields=("error",))
    assert found_in(["no", "object"]) == Found()


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(ADA) | st.just(POST)
NAMES = st.sampled_from(["inputUrl", "query", "author", "url", "linkedinUrl", "text", "postedAt", "timestamp", "error"])
ITEMS = st.dictionaries(NAMES, SCALARS | st.lists(SCALARS) | st.dictionaries(NAMES | st.text(), SCALARS))


@given(ITEMS)
def test_no_item_breaks_anything(item: Mapping[str, Any]) -> None:
    """F29"""
    found = found_in(item)
    assert found.post is None or found.post.url.strip()
    assert bool(found.fields) <= (found.post is None and not found.error)
