"""A grade told in a sentence or two, for scorers that give none of their own."""

from collections.abc import Sequence

from tallybook.domain.rubric import Attribute, Grade


def assessment(attributes: Sequence[Attribute], grade: Grade) -> str:
    """What counted for and against, the weightiest first: 'In favour: Runs a company (20 of 20). Against: …'."""
    counted = [(each, points) for each in attributes if (points := _points(grade, each))]
    counted.sort(key=lambda pair: (-abs(pair[1]), pair[0].id))
    favour = [f"{each.heading} ({points:g} of {each.points:g})" for each, points in counted if points > 0]
    against = [f"{each.heading} ({points:g})" for each, points in counted if points < 0]
    sentences = _listed("In favour", favour) + _listed("Against", against)
    return " ".join(sentences) or "Nothing that the rubric looks for was found."


def _points(grade: Grade, attribute: Attribute) -> float | None:
    points = grade.breakdown[attribute.id]["points"]
    return points if isinstance(points, int | float) else None


def _listed(heading: str, things: Sequence[str]) -> list[str]:
    return [f"{heading}: {', '.join(things)}."] if things else []
