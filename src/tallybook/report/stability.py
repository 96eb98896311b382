"""How far a lead's score depends on who it is asked about with: spreads over rounds, and what they mean (F25)."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tallybook.domain.outcome import LeadId
from tallybook.domain.ports import Answer, Failure, Judgement
from tallybook.domain.rounds import Round
from tallybook.domain.rubric import Attribute, Category, Grade, grade, points_of
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
    leads = list(heard[0])
    judged = {lead: [each[lead] for each in heard if isinstance(each[lead], Judgement)] for lead in leads}
    grades = [{lead: _graded(attributes, answer) for lead, answer in each.items()} for each in heard]
    scores = {lead: [graded for each in grades if (graded := each[lead]) is not None] for lead in leads}
    spreads = {lead: _spread([each.total for each in found]) for lead, found in scores.items() if len(found) > 1}
    furthest = max(spreads, key=lambda lead: spreads[lead], default=None)
    answers = [answer for each in heard for answer in each.values()]
    return Stability(
        leads=len(leads),
        rounds=tuple(_round_scores(rounds, grades)),
        attributes=tuple(_of_attribute(each, list(judged.values())) for each in attributes),
        total=Spread.over(list(spreads.values())),
        largest_lead=furthest if furthest is not None and spreads[furthest] else None,
        moved=sum(spread > FAR for spread in spreads.values()),
        exclusion_changed=sum(len({each.excluded_by for each in found}) > 1 for found in scores.values()),
        failures=Counter(answer.reason.value for answer in answers if isinstance(answer, Failure)),
        unjudged=sum(len(judged[lead]) - len(scores[lead]) for lead in leads),
    )
