"""The scoring formula, for any rubric and any answer."""

import json
import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.rubric import (
    Attribute,
    Category,
    Grade,
    Rubric,
    Scale,
    Verdict,
    grade,
    points_of,
    rubric_version,
)

Graded = tuple[list[Attribute], dict[str, Verdict]]

SOME_POINTS = st.one_of(st.none(), st.floats(), st.floats(-120, 120), st.integers(-50, 50).map(float))


def wanted(attribute_id: str = "a", points: float = 20, **facts: object) -> Attribute:
    return replace(Attribute(attribute_id, attribute_id, Category.POSITIVE, points), **facts)  # type: ignore[arg-type]  # its fields


def unwanted(attribute_id: str = "z", points: float = 10, **facts: object) -> Attribute:
    return replace(Attribute(attribute_id, attribute_id, Category.NEGATIVE, points), **facts)  # type: ignore[arg-type]  # its fields


def graded(*told: tuple[Attribute, float | None]) -> Grade:
    return grade([each for each, _ in told], {each.id: Verdict(points) for each, points in told})


@st.composite
def attributes(draw: st.DrawFn) -> list[Attribute]:
    made = st.builds(
        Attribute,
        id=st.text("abcdefgh", min_size=1, max_size=3),
        heading=st.just("heading"),
        category=st.sampled_from(Category),
        points=st.one_of(st.integers(1, 100).map(float), st.floats(0.01, 1_000)),
        min_to_qualify=st.one_of(st.none(), st.floats(0, 100)),
        disqualifying=st.booleans(),
        bonus=st.booleans(),
        scale=st.sampled_from(Scale),
    )
    return draw(st.lists(made, max_size=8, unique_by=lambda each: each.id))


@st.composite
def answered(draw: st.DrawFn) -> Graded:
    rubric = draw(attributes())
    return rubric, {each.id: Verdict(draw(SOME_POINTS), "quote") for each in rubric if draw(st.integers(0, 9))}


@given(answered())
def test_a_total_lies_between_0_and_100_and_has_two_decimals(case: Graded) -> None:
    total = grade(*case).total
    assert 0 <= total <= 100
    assert total == round(total, 2)


@given(answered())
def test_every_point_of_the_breakdown_lies_within_its_bound(case: Graded) -> None:
    for line in grade(*case).breakdown.values():
        points = line["points"]
        # plain JSON data, so no type says that these are numbers
        assert points is None or 0 <= points <= line.get("max", 0) or -line["penalty"] <= points <= 0  # type: ignore[operator]


@given(answered())
def test_a_breakdown_is_plain_json_with_a_line_for_every_attribute(case: Graded) -> None:
    breakdown = grade(*case).breakdown
    assert set(breakdown) == {each.id for each in case[0]}
    assert json.loads(json.dumps(breakdown, allow_nan=False)) == breakdown


@given(answered())
def test_negatives_never_raise_a_total(case: Graded) -> None:
    rubric, verdicts = case
    without = [each for each in rubric if each.category is Category.POSITIVE]
    assert grade(rubric, verdicts).total <= grade(without, verdicts).total


@given(answered(), st.floats(1, 10))
def test_a_harsher_penalty_never_raises_a_total(case: Graded, harsher: float) -> None:
    rubric, verdicts = case
    harsh = {
        each.id: Verdict(verdict.points * harsher)
        for each in rubric
        if each.category is Category.NEGATIVE and (verdict := verdicts.get(each.id)) and verdict.points is not None
    }
    finite = {key: verdict for key, verdict in harsh.items() if math.isfinite(verdict.points or 0)}
    assert grade(rubric, verdicts | finite).total <= grade(rubric, verdicts).total


@given(answered())
def test_the_sign_of_a_penalty_makes_no_difference(case: Graded) -> None:
    """F27"""
    rubric, verdicts = case
    negatives = {each.id for each in rubric if each.category is Category.NEGATIVE}
    turned = {
        key: Verdict(-verdict.points, verdict.evidence)
        for key, verdict in verdicts.items()
        if key in negatives and verdict.points is not None
    }
    assert grade(rubric, verdicts | turned) == grade(rubric, verdicts)


@given(answered(), st.sampled_from(Category), st.sampled_from([None, math.nan, math.inf, -math.inf]))
def test_what_is_unscored_leaves_the_total_as_if_it_had_never_been_asked(
    case: Graded, category: Category, points: float | None
) -> None:
    rubric, verdicts = case
    extra = Attribute("unscored", "", category, 30, min_to_qualify=5, disqualifying=True)
    more = grade([*rubric, extra], verdicts | {extra.id: Verdict(points)})
    less = grade(rubric, verdicts)
    assert replace(more, breakdown={}) == replace(less, breakdown={})
    assert more.breakdown[extra.id]["points"] is None


@given(answered())
def test_an_attribute_without_an_answer_is_unscored(case: Graded) -> None:
    rubric, verdicts = case
    nothing_said = {each.id: Verdict(None) for each in rubric if each.id not in verdicts}
    assert grade(rubric, verdicts | nothing_said) == grade(rubric, verdicts)


@given(answered())
def test_bonus_points_count_in_full_on_both_sides(case: Graded) -> None:
    rubric, verdicts = case
    plain = [replace(each, bonus=False) for each in rubric]
    assert grade(plain, verdicts) == grade(rubric, verdicts)


@given(answered(), st.randoms())
def test_the_order_of_attributes_and_answers_changes_nothing(case: Graded, rng: random.Random) -> None:
    """F25"""
    rubric, verdicts = case
    shuffled, said = list(rubric), list(verdicts.items())
    rng.shuffle(shuffled)
    rng.shuffle(said)
    assert grade(shuffled, dict(said)) == grade(rubric, verdicts)


@given(answered())
def test_answers_about_attributes_nobody_asked_for_change_nothing(case: Graded) -> None:
    rubric, verdicts = case
    assert grade(rubric, verdicts | {"no such attribute": Verdict(1_000)}) == grade(rubric, verdicts)


@given(attributes())
def test_all_points_and_no_penalty_make_100(rubric: list[Attribute]) -> None:
    positives = [each for each in rubric if each.category is Category.POSITIVE]
    total = grade(rubric, {each.id: Verdict(each.points) for each in positives}).total
    assert total == (100 if positives else 0)


@pytest.mark.parametrize(
    ("told", "total"),
    [
        ([(wanted("a", 20), 15), (wanted("b", 15), 15), (unwanted("z", 10), 0)], 85.71),
        ([(wanted("a", 20), 15), (wanted("b", 15), 15), (unwanted("z", 10), -10)], 57.14),
        ([(wanted("a", 20), 15), (wanted("b", 15), 15), (unwanted("z", 10), 10)], 57.14),
        ([(wanted("a", 20), 15), (wanted("b", 15), None), (unwanted("z", 10), None)], 75.0),
        ([(wanted("a", 20), 20), (wanted("b", 10, bonus=True), 0)], 66.67),
        ([(wanted("a", 20), 20), (wanted("b", 10, bonus=True), 10)], 100.0),
        ([(wanted("a", 20), 5), (unwanted("z", 10), -10)], 0.0),
        ([(wanted("a", 20), -5)], 0.0),
        ([(wanted("a", 20), 200)], 100.0),
        ([(wanted("a", 20, scale=Scale.FIXED), 1), (wanted("b", 20), 0)], 50.0),
        ([(wanted("a", 20), 20), (unwanted("z", 8, scale=Scale.FIXED), 0.5)], 60.0),
        ([(unwanted("z", 10), -5)], 0.0),
        ([(wanted("a", 3), 1)], 33.33),
        ([(wanted("a", 20), 20), (wanted("b", 15), 10.5), (wanted("c", bonus=True), None), (unwanted("z"), 7)], 67.14),
        ([(wanted("a", 20), 20), (wanted("b", 15), 10.5), (wanted("c", 10, bonus=True), 0), (unwanted("z"), 7)], 52.22),
        ([], 0.0),
    ],
)
def test_totals_by_hand(told: list[tuple[Attribute, float | None]], total: float) -> None:
    assert graded(*told).total == total


def test_nothing_is_judged_when_every_attribute_is_unscored() -> None:
    nothing = graded((wanted(), None), (unwanted(), None))
    assert (nothing.judged, nothing.total) == (False, 0)
    assert not grade([], {}).judged
    assert graded((wanted(), 0)).judged


@pytest.mark.parametrize(
    ("attribute", "points", "excludes"),
    [
        (wanted(min_to_qualify=5), 4.99, True),
        (wanted(min_to_qualify=5), 5, False),
        (wanted(min_to_qualify=5), None, False),
        (wanted(disqualifying=True), 0, True),
        (wanted(disqualifying=True), 0.1, False),
        (wanted(disqualifying=True), None, False),
        (unwanted(disqualifying=True), -1, True),
        (unwanted(disqualifying=True), 1, True),
        (unwanted(disqualifying=True), 0, False),
        (unwanted(disqualifying=True), None, False),
        (unwanted(), -10, False),
        (wanted(), 0, False),
    ],
)
def test_who_is_excluded_keeps_the_score_and_is_told_why(
    attribute: Attribute, points: float | None, excludes: bool
) -> None:
    with_another = graded((attribute, points), (wanted("other", 100), 100))
    assert with_another.excluded_by == (attribute.id if excludes else None)
    assert with_another.total > 0


def test_of_several_reasons_to_exclude_the_same_one_is_always_named() -> None:
    both = ((wanted("b", disqualifying=True), 0.0), (wanted("a", min_to_qualify=1), 0.0))
    assert graded(*both).excluded_by == graded(*reversed(both)).excluded_by == "a"


@pytest.mark.parametrize(
    ("attribute", "points", "flagged"),
    [
        (wanted(), 20, False),
        (wanted(), 20.01, True),
        (wanted(), -0.01, True),
        (wanted(), None, False),
        (wanted(), math.nan, False),
        (unwanted(), -10, False),
        (unwanted(), 10, False),
        (unwanted(), -10.01, True),
    ],
)
def test_points_out_of_range_are_flagged(attribute: Attribute, points: float | None, flagged: bool) -> None:
    assert graded((attribute, points)).flagged is flagged


def test_no_points_are_never_minus_zero() -> None:
    for attribute in (wanted(), unwanted()):
        for nothing in (0.0, -0.0):
            assert math.copysign(1, points_of(attribute, nothing) or 0.0) == 1


def test_a_breakdown_names_the_bound_and_the_evidence() -> None:
    rubric = [wanted("a", 20), unwanted("z", 10)]
    found = grade(rubric, {"a": Verdict(15, "General Counsel"), "z": Verdict(3)})
    assert found.breakdown == {
        "a": {"points": 15, "max": 20, "evidence": "General Counsel"},
        "z": {"points": -3, "penalty": 10, "evidence": ""},
    }


def test_a_rubric_judges_by_its_active_attributes() -> None:
    rubric = Rubric((wanted("a"), wanted("b", active=False)), (wanted("c", active=False), wanted("d")))
    assert [each.id for each in rubric.for_leads] == ["a"]
    assert [each.id for each in rubric.for_posts] == ["d"]


def test_the_version_of_a_rubric_follows_what_is_judged_and_not_its_order() -> None:
    rubric = [wanted("a"), wanted("b")]
    version = rubric_version(rubric)
    assert rubric_version([*reversed(rubric)]) == version
    assert rubric_version([*rubric, wanted("c", active=False)]) == version
    assert rubric_version([wanted("a"), wanted("b", 21)]) != version
    assert rubric_version([wanted("a"), wanted("b", phrases=("x",))]) != version
