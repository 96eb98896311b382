"""The rubric and the scoring formula. Totals are computed here, never by a model."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

FORMULA = 1
"""The version of `grade`. A change of any result is a new number."""


class Category(StrEnum):
    POSITIVE = "positive"
    NEGATIVE = "negative"


class Scale(StrEnum):
    """*scale*: any points up to the most; *fixed*: all of them or none."""

    SCALE = "scale"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One thing a lead or post is judged by. *points*: the most a positive gives, or the most a negative takes; > 0.

    *min_to_qualify*: fewer points exclude the lead. *disqualifying*: a negative that applies, or a positive that
    earns nothing, excludes the lead. *phrases* are what the offline scorer looks for.
    """

    id: str
    heading: str
    category: Category
    points: float
    min_to_qualify: float | None = None
    disqualifying: bool = False
    bonus: bool = False
    active: bool = True
    scale: Scale = Scale.SCALE
    instructions: str = ""
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rubric:
    """What a client's leads and posts are judged by."""

    attributes: tuple[Attribute, ...] = ()
    post_attributes: tuple[Attribute, ...] = ()

    @property
    def for_leads(self) -> tuple[Attribute, ...]:
        return tuple(each for each in self.attributes if each.active)

    @property
    def for_posts(self) -> tuple[Attribute, ...]:
        return tuple(each for each in self.post_attributes if each.active)


def rubric_version(attributes: Sequence[Attribute]) -> str:
    """Names what is judged: changes when any active attribute does, not with their order."""
    data = [asdict(each) for each in sorted(attributes, key=lambda each: each.id) if each.active]
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A scorer's word on one attribute. *points* None: it could not judge (`unscored`)."""

    points: float | None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Grade:
    """*total* in [0, 100], two decimals. *judged*: False when nothing could be. *flagged*: a verdict was out of range.

    *breakdown*: attribute id -> {"points", "max" or "penalty", "evidence"}; points None is unscored.
    """

    total: float
    judged: bool
    breakdown: Mapping[str, Mapping[str, object]]
    excluded_by: str | None = None
    flagged: bool = False


def points_of(attribute: Attribute, points: float | None) -> float | None:
    """*points* normalised: a positive to [0, points], a negative to [-points, 0] whatever its sign (F27).

    Anything that is not a finite number is unscored.
    """
    if points is None or not math.isfinite(points):
        return None
    size = abs(points) if attribute.category is Category.NEGATIVE else max(0.0, points)
    size = min(size, attribute.points)
    if attribute.scale is Scale.FIXED and size:
        size = attribute.points
    return -size if attribute.category is Category.NEGATIVE and size else size


def grade(attributes: Sequence[Attribute], verdicts: Mapping[str, Verdict]) -> Grade:
    """total = max(0, sum of points) / sum of what the judged positives could give * 100.

    Unscored attributes leave both sums; bonus points count in full in both. Sums are exact (`math.fsum`), so that
    no order of attributes changes a result (F25). An attribute without a verdict is unscored.
    """
    counted = {each.id: points_of(each, _said(verdicts, each)) for each in attributes}
    judged = [each for each in attributes if counted[each.id] is not None]
    most = math.fsum(each.points for each in judged if each.category is Category.POSITIVE)
    earned = math.fsum(points for points in counted.values() if points is not None)
    total = round(min(100.0, max(0.0, earned) / most * 100), 2) if most else 0.0
    return Grade(
        total=total,
        judged=bool(judged),
        breakdown={each.id: _line(each, counted[each.id], verdicts) for each in attributes},
        excluded_by=_excluded_by(judged, counted),
        flagged=any(_out_of_range(each, _said(verdicts, each)) for each in judged),
    )


def _said(verdicts: Mapping[str, Verdict], attribute: Attribute) -> float | None:
    verdict = verdicts.get(attribute.id)
    return verdict.points if verdict else None


def _line(attribute: Attribute, points: float | None, verdicts: Mapping[str, Verdict]) -> Mapping[str, object]:
    verdict = verdicts.get(attribute.id)
    bound = "max" if attribute.category is Category.POSITIVE else "penalty"
    return {"points": points, bound: attribute.points, "evidence": verdict.evidence if verdict else ""}


def _excluded_by(judged: Sequence[Attribute], counted: Mapping[str, float | None]) -> str | None:
    for attribute in sorted(judged, key=lambda each: each.id):
        if _excludes(attribute, counted[attribute.id] or 0.0):
            return attribute.id
    return None


def _excludes(attribute: Attribute, points: float) -> bool:
    if attribute.category is Category.NEGATIVE:
        return attribute.disqualifying and points < 0
    if attribute.disqualifying and points == 0:
        return True
    return attribute.min_to_qualify is not None and points < attribute.min_to_qualify


def _out_of_range(attribute: Attribute, points: float | None) -> bool:
    said = points or 0.0
    size = abs(said) if attribute.category is Category.NEGATIVE else said
    return not 0 <= size <= attribute.points
