"""How far a lead's score depends on who it is asked about with: spreads over rounds, and what they mean (F25)."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tallybook.domain.outcome import LeadId
from tallybook.domain.ports import Answer, Failure, Judgement
from tallybook.domain.rounds import Round
from tallybook.domain.rubric import Attribute, Category, Grade, grade
from tallybook.report import words

Facts = dict[str, object]
Heard = Mapping[LeadId, Answer]

FAR = 5.0
"""Points of 100. Leads whose score moves by more are counted."""
ROUND_HEADINGS = ("ROUND", "ASKED", "SCORED", "MEAN SCORE")
SPREAD_HEADINGS = ("ATTRIBUTE", "POINTS", "LEADS", "MEAN SPREAD", "LARGEST", "AT TIMES UNSCORED")


@dataclass(frozen=True, slots=True)
class Spread:
    """How far apart the most and the fewest points of a lead are. *leads*: how many were compared; *mean*, *largest*
    are None where none was.
    """

    leads: int
    mean: float | None
    largest: float | None

    @classmethod
    def over(cls, spreads: Sequence[float]) -> "Spread":
        return cls(len(spreads), fmean(spreads) if spreads else None, max(spreads, default=None))


@dataclass(frozen=True, slots=True)
class AttributeSpread:
    """*spread*: as a share of the attribute's points, over the leads it was judged for every time. *at_times*: for so
    many leads it was judged in some rounds, and unscored in others.
    """

    attribute: Attribute
    spread: Spread
    at_times: int


@dataclass(frozen=True, slots=True)
class RoundScores:
    """*scored*: how many leads had a score. *mean*: of those that had one in every round, None when there are none."""

    size: int
    shuffled: bool
    scored: int
    mean: float | None


@dataclass(frozen=True, slots=True)
class Stability:
    """What the rounds came to. A lead is compared over the rounds in which it came out, if these are two or more.

    *total*: the spread of scores, 0 to 100. *largest_lead*: whose is the largest, where any score moved. *moved*: by
    more than FAR points. *exclusion_changed*: excluded by something else, or by nothing, in another round. *failures*:
    reason -> answers. *unjudged*: answers that judged by no attribute. None of these is taken for a score of 0.
    """

    leads: int
    rounds: tuple[RoundScores, ...]
    attributes: tuple[AttributeSpread, ...]
    total: Spread
    largest_lead: LeadId | None
    moved: int
    exclusion_changed: int
    failures: Mapping[str, int]
    unjudged: int

    @property
    def steady(self) -> bool:
        """Nothing at all was different in another round."""
        still = all(not each.at_times and not each.spread.largest for each in self.attributes)
        return still and not self.total.largest and not self.exclusion_changed


def stability(attributes: Sequence[Attribute], rounds: Sequence[Round], heard: Sequence[Heard]) -> Stability:
    """*heard*: of each round, an answer for every lead."""
    graded = [_graded(attributes, answers) for answers in heard]
    leads = sorted(heard[0])
    judged = [[grades[lead] for grades in graded if lead in grades] for lead in leads]
    scored = {lead: [each.total for each in grades if each.judged] for lead, grades in zip(leads, judged, strict=True)}
    spreads = {lead: round(max(totals) - min(totals), 2) for lead, totals in scored.items() if len(totals) > 1}
    moving = {lead: spread for lead, spread in spreads.items() if spread}
    always = [lead for lead, totals in scored.items() if len(totals) == len(rounds)]
    return Stability(
        leads=len(leads),
        rounds=tuple(_scores_of(each, grades, always) for each, grades in zip(rounds, graded, strict=True)),
        attributes=tuple(_spread_of(each, judged) for each in attributes),
        total=Spread.over(list(spreads.values())),
        largest_lead=max(moving, key=lambda lead: moving[lead], default=None),
        moved=sum(spread > FAR for spread in moving.values()),
        exclusion_changed=sum(len({each.excluded_by for each in grades if each.judged}) > 1 for grades in judged),
        failures=_failures(heard),
        unjudged=sum(not each.judged for grades in judged for each in grades),
    )


def _graded(attributes: Sequence[Attribute], answers: Heard) -> Mapping[LeadId, Grade]:
    """Those that were judged, be it by no attribute; a failure is no grade."""
    return {
        lead: grade(attributes, answer.verdicts) for lead, answer in answers.items() if isinstance(answer, Judgement)
    }


def _scores_of(each: Round, grades: Mapping[LeadId, Grade], always: Sequence[LeadId]) -> RoundScores:
    scored = sum(graded.judged for graded in grades.values())
    mean = fmean(grades[lead].total for lead in always) if always else None
    return RoundScores(each.size, each.shuffled, scored, mean)


def _spread_of(attribute: Attribute, judged: Sequence[Sequence[Grade]]) -> AttributeSpread:
    """*judged*: the grades of each lead."""
    several = [[_points(each, attribute) for each in grades] for grades in judged if len(grades) > 1]
    told = [[points for points in each if points is not None] for each in several]
    full = [points for points, each in zip(told, several, strict=True) if len(points) == len(each)]
    shares = [(max(points) - min(points)) / attribute.points for points in full]
    return AttributeSpread(attribute, Spread.over(shares), sum(map(bool, told)) - len(full))


def _points(graded: Grade, attribute: Attribute) -> float | None:
    points = graded.breakdown[attribute.id]["points"]
    return points if isinstance(points, int | float) else None


def _failures(heard: Sequence[Heard]) -> Mapping[str, int]:
    """The most frequent reason first."""
    answers = (answer for answers in heard for answer in answers.values())
    return dict(Counter(answer.reason.value for answer in answers if isinstance(answer, Failure)).most_common())


# -- told --------------------------------------------------------------------------------------------------------------


def round_rows(found: Stability) -> list[tuple[str, ...]]:
    """A row for each round, under ROUND_HEADINGS."""
    return [
        (str(number), _asked(each), f"{each.scored:,}", _points_told(each.mean))
        for number, each in enumerate(found.rounds, start=1)
    ]


def _asked(each: RoundScores) -> str:
    if each.size == 1:
        return "each alone"
    return f"chunks of {each.size}{', shuffled' if each.shuffled else ''}"


def _points_told(points: float | None) -> str:
    return words.NOTHING if points is None else f"{points:.1f}"


def spread_rows(found: Stability) -> list[tuple[str, ...]]:
    """A row for each attribute, and one for the score, under SPREAD_HEADINGS."""
    rows = [
        (each.attribute.id, _bound(each.attribute), *_cells(each.spread), _at_times(each)) for each in found.attributes
    ]
    total = found.total
    of_score = Spread(total.leads, *(None if each is None else each / 100 for each in (total.mean, total.largest)))
    return [*rows, ("score", "100", *_cells(of_score), "")]


def _bound(attribute: Attribute) -> str:
    return f"{'+' if attribute.category is Category.POSITIVE else '-'}{attribute.points:g}"


def _cells(spread: Spread) -> tuple[str, ...]:
    return f"{spread.leads:,}", words.percent(spread.mean), words.percent(spread.largest)


def _at_times(each: AttributeSpread) -> str:
    return f"{each.at_times:,}" if each.at_times else ""


def remarks(found: Stability) -> Iterator[str]:
    """What the tables do not say, a sentence each."""
    if found.largest_lead is not None:
        yield f"The score of {found.largest_lead} moved most, by {_number(found.total.largest)} points."
        yield f"Moved by more than {FAR:g} points: {_of(found.moved, found)}."
    if found.exclusion_changed:
        yield f"Excluded in some rounds only, or by another attribute: {_of(found.exclusion_changed, found)}."
    for reason, number in found.failures.items():
        yield f"Failed, and left out: {words.count(number, 'answer')}, {reason} ({words.meaning(reason)})."
    if found.unjudged:
        yield f"Judged by no attribute, and without a score: {words.count(found.unjudged, 'answer')}."


def _of(number: int, found: Stability) -> str:
    return f"{number:,} of {words.count(found.total.leads, 'lead')}"


def _number(points: float | None) -> str:
    return f"{points or 0:.2f}".rstrip("0").rstrip(".")


def meaning(found: Stability, chunk_size: int) -> str:
    """What follows from it for whoever compares scores. *chunk_size*: of runs."""
    if not found.total.leads:
        return "No lead has a score from two rounds, so nothing can be said."
    alone = all(each.size == 1 for each in found.rounds)
    if found.steady:
        return "Scores do not move." if alone else "Scores do not depend on the chunk."
    if not found.total.largest:
        return "No score moves with its chunk mates, but what single attributes give, or exclude, does."
    moves = f"A lead's score moves by up to {_number(found.total.largest)} points"
    if alone:
        return f"{moves} though it is asked about alone: so unsteady is the model itself."
    cure = "lower engine.chunk_size" if chunk_size > 1 else "keep engine.chunk_size at 1"
    return f"{moves} with its chunk mates: compare only leads that are further apart than that, or {cure}."


def stability_facts(found: Stability) -> Facts:
    """As JSON data. Scores and their spreads in points of 100, spreads of attributes as shares of their points."""
    return {
        "leads": found.leads,
        "rounds": [_round_facts(each) for each in found.rounds],
        "attributes": [_attribute_facts(each) for each in found.attributes],
        "score": {
            **_spread_facts(found.total, 2),
            "largest_lead_id": found.largest_lead,
            "moved_more_than": FAR,
            "moved": found.moved,
            "exclusion_changed": found.exclusion_changed,
        },
        "failures": dict(found.failures),
        "unjudged": found.unjudged,
        "steady": found.steady,
    }


def _round_facts(each: RoundScores) -> Facts:
    mean = _rounded(each.mean, 2)
    return {"chunk_size": each.size, "shuffled": each.shuffled, "scored": each.scored, "mean_score": mean}


def _attribute_facts(each: AttributeSpread) -> Facts:
    known = {"id": each.attribute.id, "points": each.attribute.points}
    return {**known, **_spread_facts(each.spread, 4), "at_times_unscored": each.at_times}


def _spread_facts(spread: Spread, decimals: int) -> Facts:
    told = {"mean_spread": spread.mean, "largest_spread": spread.largest}
    return {"leads": spread.leads, **{name: _rounded(value, decimals) for name, value in told.items()}}


def _rounded(value: float | None, decimals: int) -> float | None:
    return None if value is None else round(value, decimals)
