"""What the actor finds: the posts of each profile, from a table, from a function, or made up."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from tallybook.testing.demo_scripts import SCRIPTS
from tallybook.testing.demo_words import POST_TALK
from tallybook.testing.lookalike_plan import drawn

Item = Mapping[str, Any]
Posts = Callable[[str], Sequence[Item]]
"""The posts of the profile at a URL, newest first: url, text, postedAt, isRepost. An item may also be an error."""

MOST_MADE_UP = 4


def posts_of(profiles: Mapping[str, Sequence[Item]] | Posts | None) -> Posts:
    """None: made up for every profile. A table has no posts of those that are not in it."""
    if profiles is None:
        return made_up
    return profiles if callable(profiles) else lambda url: profiles.get(url, ())


def items_of(profile_urls: Sequence[str], posts: Posts, most_posts: int | None) -> tuple[Item, ...]:
    """As they stand in the dataset: profile by profile, each under its URL as it was given."""
    return tuple(
        {"inputUrl": url, "authorName": author_of(url), **post}
        for url in profile_urls
        for post in posts(url)[:most_posts]
    )


def author_of(url: str) -> str:
    """Read from the URL: …/in/ada-abara-001 is of Ada Abara."""
    slug = unquote(url.partition("?")[0].rstrip("/").rpartition("/")[2])
    return " ".join(word.capitalize() for word in re.split(r"[-_.]+", slug) if not word.isdigit())


def made_up(url: str) -> Sequence[Item]:
    """From 0 to 4 posts that follow from the URL alone."""
    return [_post(url, number) for number in range(int(drawn(url) * (MOST_MADE_UP + 1)))]


def _post(url: str, number: int) -> Item:
    chance = _chances(url, number)
    said = [trait.said[0] for script in SCRIPTS for trait in script.post_traits if next(chance) < 0.25]
    talk = POST_TALK[int(next(chance) * len(POST_TALK))]
    activity = int(next(chance) * 10**15)
    return {
        "url": f"https://linkedin.test/feed/update/urn:li:activity:7{activity:015}",
        "text": " ".join((*said, talk)),
        "postedAt": f"2025-{9 - number:02}-{1 + int(next(chance) * 28):02}T08:00:00.000Z",
        "isRepost": next(chance) < 0.15,
    }


def _chances(url: str, number: int) -> Iterator[float]:
    count = 0
    while True:
        yield drawn(url, str(number), str(count))
        count += 1
