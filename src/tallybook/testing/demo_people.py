"""The ordinary people of the demo, each built from traits that are then known: the golden labels."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tallybook.domain.lead import Lead, Position, Post, lead_id_of_url
from tallybook.testing import demo_words as words
from tallybook.testing.demo_scripts import Script
from tallybook.testing.demo_traits import Trait

HELD_OUT_EVERY = 5
MISLEADING_EVERY = 12


class Wording(StrEnum):
    """How a lead's traits are said: in the rubric's phrases, in these plus misleading ones, or in none of them."""

    RUBRIC = "rubric"
    MISLEADING = "misleading"
    HELD_OUT = "held_out"
    AWKWARD = "awkward"


@dataclass(frozen=True, slots=True)
class Golden:
    """What is true of a lead: the ids of the attributes it has, and by post URL those that the post has."""

    matched: frozenset[str]
    wording: Wording
    matched_by_post: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Person:
    lead: Lead
    golden: Golden


def people(script: Script, rng: random.Random, count: int) -> Iterator[Person]:
    return (_person(script, rng, number) for number in range(count))


def wording_of(number: int) -> Wording:
    """One in five is worded outside the rubric's phrases; one in twelve of all, at most, misleads."""
    if number % HELD_OUT_EVERY == HELD_OUT_EVERY - 1:
        return Wording.HELD_OUT
    return Wording.MISLEADING if number % MISLEADING_EVERY == MISLEADING_EVERY - 1 else Wording.RUBRIC


def url_of(slug: str) -> str:
    return f"https://linkedin.test/in/{slug}"


def _person(script: Script, rng: random.Random, number: int) -> Person:
    wording = wording_of(number)
    traits = _drawn(rng, script.traits, rng.choice((0.1, 0.4, 0.9)))
    name = f"{rng.choice(words.FIRST_NAMES)} {rng.choice(words.LAST_NAMES)}"
    url = url_of(f"{name.lower().replace(' ', '-')}-{number + 1:03}")
    posts = _posts(script, rng, url, wording)
    lead = _lead(rng, traits, wording, script.misleading if wording is Wording.MISLEADING else "")
    lead = Lead(
        lead_id_of_url(url),
        url,
        name,
        lead.headline,
        lead.about,
        rng.choice(words.PLACES),
        rng.choice(words.INDUSTRIES),
        lead.positions,
        tuple(rng.sample(words.SKILLS, 3)),
        tuple(post for post, _ in posts),
    )
    return Person(lead, Golden(_ids(traits), wording, {post.url: _ids(said) for post, said in posts}))


def _drawn(rng: random.Random, traits: Sequence[Trait], fit: float) -> Sequence[Trait]:
    """Each trait by chance: the better the *fit*, the more of what is wanted and the less of what is not."""
    return [each for each in traits if rng.random() < (fit if each.wanted else (1 - fit) / 4)]


def _ids(traits: Sequence[Trait]) -> frozenset[str]:
    return frozenset(each.attribute.id for each in traits)


def _lead(rng: random.Random, traits: Sequence[Trait], wording: Wording, misleading: str) -> Lead:
    """A lead's texts: what says its traits, scattered among talk that says nothing."""
    company = rng.choice(words.COMPANIES)
    fragments = [] if wording is Wording.HELD_OUT else [rng.choice(each.headlines) for each in traits if each.headlines]
    boast = fragments[0] if fragments and rng.random() < 0.6 else rng.choice(words.TITLES)
    said = [_sentence(rng, each, wording) for each in traits] + ([misleading] if misleading else [])
    about = [sentence for sentence in said if rng.random() < 0.65]
    history = [sentence for sentence in said if sentence not in about]
    about += rng.sample(words.SMALL_TALK, 4)
    rng.shuffle(about)
    return Lead("", headline=f"{boast} | {company}", about=" ".join(about), positions=_positions(rng, company, history))


def _sentence(rng: random.Random, trait: Trait, wording: Wording) -> str:
    return rng.choice(trait.held_out if wording is Wording.HELD_OUT else trait.said)


def _positions(rng: random.Random, company: str, history: Sequence[str]) -> tuple[Position, ...]:
    chores = rng.sample(words.CHORES, 5)
    now = " ".join((*chores[:2], *history, chores[2]))
    return (
        Position(rng.choice(words.TITLES), company, now, f"{rng.randint(2018, 2024)}-03"),
        Position(rng.choice(words.TITLES), rng.choice(words.COMPANIES), " ".join(chores[3:]), "2014-09"),
    )


def _posts(script: Script, rng: random.Random, url: str, wording: Wording) -> Sequence[tuple[Post, Sequence[Trait]]]:
    if not script.post_traits:
        return ()
    return [_post(script, rng, f"{url}/posts/{number + 1}", wording) for number in range(rng.randint(0, 4))]


def _post(script: Script, rng: random.Random, url: str, wording: Wording) -> tuple[Post, Sequence[Trait]]:
    traits = _drawn(rng, script.post_traits, 0.35)
    text = " ".join((*(_sentence(rng, each, wording) for each in traits), rng.choice(words.POST_TALK)))
    posted_at = f"2025-{rng.randint(1, 9):02}-{rng.randint(1, 28):02}T08:00:00Z"
    return Post(url, text, posted_at, is_repost=rng.random() < 0.15), traits
