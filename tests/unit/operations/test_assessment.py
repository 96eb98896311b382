"""A grade told in words."""

import pytest

from tallybook.domain.rubric import Attribute, Category, Verdict, grade
from tallybook.operations.assessment import assessment

RUBRIC = (
    Attribute("b", "Writes", Category.POSITIVE, 10),
    Attribute("a", "Runs a company", Category.POSITIVE, 20),
    Attribute("c", "Travels", Category.POSITIVE, 10),
    Attribute("y", "Seeks a job", Category.NEGATIVE, 10),
    Attribute("z", "Is a coach", Category.NEGATIVE, 15),
)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (
            {"a": 20, "b": 7.5, "c": 7.5, "y": -10, "z": 15},
            "In favour: Runs a company (20 of 20), Writes (7.5 of 10), Travels (7.5 of 10). "
            "Against: Is a coach (-15), Seeks a job (-10).",
        ),
        ({"b": 10}, "In favour: Writes (10 of 10)."),
        ({"y": 3}, "Against: Seeks a job (-3)."),
        ({"a": 0, "z": 0}, "Nothing that the rubric looks for was found."),
        ({}, "Nothing that the rubric looks for was found."),
    ],
)
def test_what_counted_is_told_the_weightiest_first(points: dict[str, float], words: str) -> None:
    verdicts = {key: Verdict(value) for key, value in points.items()}
    assert assessment(RUBRIC, grade(RUBRIC, verdicts)) == words
    assert assessment(RUBRIC[::-1], grade(RUBRIC[::-1], verdicts)) == words
