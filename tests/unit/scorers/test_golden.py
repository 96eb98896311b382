"""How well the keyword scorer does on people whose truth is known. docs/scoring.md quotes these figures."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import pytest

from tallybook.domain.ports import Item, Judgement
from tallybook.domain.rubric import Attribute, Verdict, grade
from tallybook.scorers.keywords import KeywordScorer
from tallybook.testing.demo_data import DemoClient, demo_clients
from tallybook.testing.demo_people import Wording
from tests.unit.scorers.recording import RecordingMeter

SEEDS = range(1, 6)
Pair = tuple[float, bool]
"""The share of an attribute's points that was earned, and whether the attribute is really there."""


def verdicts(attributes: Sequence[Attribute], items: Sequence[Item]) -> Mapping[str, Mapping[str, Verdict]]:
    answers = asyncio.run(KeywordScorer().judge(attributes, items, RecordingMeter()))
    return {key: answer.verdicts for key, answer in answers.items() if isinstance(answer, Judgement)}


def lead_pairs(demo: DemoClient, wordings: Sequence[Wording]) -> Iterator[Pair]:
    attributes = demo.rubric.for_leads
    told = verdicts(attributes, [Item(lead.lead_id, lead) for lead in demo.leads])
    for lead_id, golden in demo.golden.items():
        if golden.wording in wordings:
            yield from pairs(attributes, told[lead_id], golden.matched)


def post_pairs(demo: DemoClient, wordings: Sequence[Wording]) -> Iterator[Pair]:
    attributes = demo.rubric.for_posts
    told = verdicts(attributes, [Item(post.url, lead, post) for lead in demo.leads for post in lead.posts])
    for golden in demo.golden.values():
        if golden.wording in wordings:
            for url, matched in golden.matched_by_post.items():
                yield from pairs(attributes, told[url], matched)


def pairs(attributes: Sequence[Attribute], told: Mapping[str, Verdict], matched: Iterable[str]) -> Iterator[Pair]:
    return ((abs(told[each.id].points or 0) / each.points, each.id in matched) for each in attributes)


def auc(known: Iterable[Pair]) -> float:
    """The chance that an attribute that is there earns more than one that is not; ties count half."""
    told = list(known)
    there = [share for share, is_there in told if is_there]
    absent = [share for share, is_there in told if not is_there]
    wins = sum((mine > other) + (mine == other) / 2 for mine in there for other in absent)
    return wins / (len(there) * len(absent))


def measured(wordings: Sequence[Wording]) -> float:
    demos = chain.from_iterable(demo_clients(seed) for seed in SEEDS)
    return auc(chain.from_iterable(lead_pairs(demo, wordings) for demo in demos))


@pytest.mark.parametrize(
    ("wordings", "expected"),
    [
        ([Wording.RUBRIC], 1.0),
        ([Wording.RUBRIC, Wording.MISLEADING], 0.992),
        ([Wording.HELD_OUT], 0.5),
        ([Wording.RUBRIC, Wording.MISLEADING, Wording.HELD_OUT], 0.891),
    ],
)
def test_leads_are_told_apart_by_the_rubrics_words_and_by_no_others(
    wordings: Sequence[Wording], expected: float
) -> None:
    assert measured(wordings) == pytest.approx(expected, abs=0.0005)


@pytest.mark.parametrize(("wording", "expected"), [(Wording.RUBRIC, 1.0), (Wording.HELD_OUT, 0.5)])
def test_posts_are_told_apart_by_the_rubrics_words_and_by_no_others(wording: Wording, expected: float) -> None:
    demos = chain.from_iterable(demo_clients(seed) for seed in SEEDS)
    assert auc(chain.from_iterable(post_pairs(demo, [wording]) for demo in demos)) == expected


GOLDEN_TOTALS: Mapping[str, Mapping[str, tuple[float, str | None]]] = {
    "acme-law": {
        "chiara-dufour-001": (28.75, None),
        "chiara-castro-002": (72.5, None),
        "mateo-dufour-005": (0.0, None),
        "otto-eriksen-012": (21.88, "competitor"),
        "nora-noabout": (25.0, None),
        "山田-花子": (25.0, None),
        "ivo-injection": (0.0, None),
    },
    "brightside-coaching": {
        "hana-farouk-003": (43.12, None),
        "priya-grant-004": (0.0, "is_coach"),
        "emil-emoji-🦊": (25.0, None),
        "zoe-nandu": (0.0, None),
    },
    "north-harbor-it": {
        "hana-eriksen-001": (48.75, None),
        "jonas-haddad-002": (9.38, "owns_security"),
        "dov-eriksen-012": (77.5, None),
        "hugo-huge": (25.0, None),
    },
}


def test_the_demos_leads_come_to_exactly_these_scores() -> None:
    """A change here is a change of every user's scores: raise the version of what changed and say so."""
    for demo in demo_clients():
        totals = GOLDEN_TOTALS[demo.client.client_id]
        found = {lead_id.removeprefix("linkedin.test/in/"): each for lead_id, each in totals_of(demo).items()}
        assert {lead_id: found[lead_id] for lead_id in totals} == totals


def totals_of(demo: DemoClient) -> Mapping[str, tuple[float, str | None]]:
    attributes = demo.rubric.for_leads
    told = verdicts(attributes, [Item(lead.lead_id, lead) for lead in demo.leads])
    graded = {lead_id: grade(attributes, each) for lead_id, each in told.items()}
    return {lead_id: (each.total, each.excluded_by) for lead_id, each in graded.items()}
