"""The offline scorer: a keyword baseline. It finds wordings, not meanings; docs/scoring.md says what that costs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tallybook.domain.lead import Lead
from tallybook.domain.ports import Answer, Item, Judgement, Meter
from tallybook.domain.rubric import Attribute, Category, Verdict
from tallybook.domain.tally import Estimate
from tallybook.scorers.phrases import PhraseBook, phrase_book
from tallybook.scorers.words import quote

HEADLINE_WEIGHT = 1.0
ABOUT_WEIGHT = 0.7
EXPERIENCE_WEIGHT = 0.5
POST_WEIGHT = 0.4
"""The share of an attribute's points that one of its phrases earns there. Shares add up, to at most 1."""

THIN_WORDS = 4
"""In a profile of fewer words a phrase that is not there says nothing."""


class KeywordScorer:
    """Judges by the phrases of the rubric. Deterministic; no key, no network, no call to book.

    A lead is judged by what `profile_hash` names: its profile without its posts. A post is judged by its text.
    """

    @property
    def model(self) -> str:
        return "keywords"

    @property
    def prompt_version(self) -> str | None:
        return None

    async def judge(self, attributes: Sequence[Attribute], items: Sequence[Item], meter: Meter) -> Mapping[str, Answer]:
        """A judgement for every item; never fails."""
        book = phrase_book(tuple(attributes))
        return {item.key: _judgement(book, attributes, item) for item in items}

    def estimate(self, attributes: Sequence[Attribute], items: Sequence[Item]) -> Estimate:
        """No call, no cost."""
        return Estimate()


@dataclass(slots=True)
class _Trace:
    """What speaks for an attribute: the weight of each of its phrases, and the first quote of the weightiest field."""

    weights: dict[str, float] = field(default_factory=dict)
    evidence: str = ""


def _judgement(book: PhraseBook, attributes: Sequence[Attribute], item: Item) -> Judgement:
    traces: dict[str, _Trace] = {}
    words = 0
    for weight, text in _fields(item):
        reading = book.read(text)
        words += reading.word_count
        for hit in reading.hits:
            trace = traces.setdefault(hit.mark.attribute_id, _Trace())
            trace.weights.setdefault(hit.mark.phrase, weight)
            trace.evidence = trace.evidence or quote(text, hit.start, hit.end)
    absent = _points_of_absence(item, words, found=bool(traces))
    return Judgement(
        {
            each.id: _verdict(each, traces.get(each.id), absent if each.id in book.covers else None)
            for each in attributes
        }
    )


def _fields(item: Item) -> Sequence[tuple[float, str]]:
    """The texts to read, weightiest first."""
    if item.post:
        return ((POST_WEIGHT, item.post.text),)
    lead = item.lead
    return (HEADLINE_WEIGHT, lead.headline), (ABOUT_WEIGHT, lead.about), (EXPERIENCE_WEIGHT, _experience(lead))


def _experience(lead: Lead) -> str:
    """One thing a line, so that no phrase reaches from one into the next."""
    lines = [text for each in lead.positions for text in (each.title, each.company, each.description)]
    return "\n".join((*lines, *lead.skills, lead.industry, lead.location))


def _points_of_absence(item: Item, words: int, *, found: bool) -> float | None:
    """What an attribute earns that nothing speaks for: 0, or None in a profile too thin to say.

    A short profile that says nothing at all the rubric looks for is judged by that, so that no lead with a headline
    is passed over as insufficient.
    """
    if item.post or words >= THIN_WORDS:
        return 0.0
    return None if found or not words else 0.0


def _verdict(attribute: Attribute, trace: _Trace | None, absent: float | None) -> Verdict:
    """*absent*: the points of an attribute nothing speaks for."""
    if trace is None:
        return Verdict(absent)
    share = min(1.0, math.fsum(trace.weights.values()))
    points = round(attribute.points * share, 4)
    return Verdict(-points if attribute.category is Category.NEGATIVE else points, trace.evidence)
