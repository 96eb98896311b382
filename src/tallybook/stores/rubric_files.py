"""Rubric files: JSON or TOML with `attributes` and `post_attributes`, or CSV with a column `for`."""

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tallybook.domain.client import LONGEST_ID
from tallybook.domain.errors import BadInput, ImportRefused
from tallybook.domain.rubric import Attribute, Category, Rubric, Scale
from tallybook.stores.cells import Row, flag_of, folded, number_of, shown, texts_of
from tallybook.stores.json_rows import Part, elements, json_of, members
from tallybook.stores.tabular import BadRow, Imported, Wanted, checked, decoded, each_made, object_row, rows_of

MOST_POINTS = 1_000_000.0

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    ours: tuple(map(folded, names))
    for ours, names in {
        "id": ("id", "attribute_id"),
        "heading": ("heading", "criterion"),
        "category": ("category",),
        "max_points": ("max_points", "max"),
        "penalty": ("penalty",),
        "min_to_qualify": ("min_to_qualify",),
        "disqualifying": ("disqualifying",),
        "bonus": ("bonus", "bonus_points"),
        "active": ("active",),
        "scale": ("scale",),
        "instructions": ("instructions",),
        "phrases": ("phrases",),
        "for": ("for",),
    }.items()
}
_KNOWN = {column for columns in _COLUMNS.values() for column in columns}
_NEEDED = ("id", "heading", "category")
_SECTIONS = {"attributes": "lead", "postattributes": "post"}
_JUDGES = {"": "lead", "lead": "lead", "leads": "lead", "post": "post", "posts": "post"}
_TOML = re.compile(r"^[ \t]*(?:\[\[[ \t]*)?(?P<section>(?:post_)?attributes)[ \t]*(?:\]\]|=)", re.MULTILINE)


def _known(names: Collection[str]) -> int:
    there = set(names)
    if any(there.isdisjoint(_COLUMNS[ours]) for ours in _NEEDED):
        return 0
    return 0 if there.isdisjoint(_COLUMNS["max_points"] + _COLUMNS["penalty"]) else len(there & _KNOWN)


WANTED = Wanted(
    "attributes and post_attributes (JSON, TOML), or the columns id, heading, category and max_points or penalty (CSV)",
    _known,
)


@dataclass(frozen=True, slots=True)
class RubricRow:
    """An attribute, and what it judges: 'lead' or 'post'."""

    judges: str
    attribute: Attribute


def rubric_of_rows(rows: Iterable[RubricRow]) -> Rubric:
    by_kind: dict[str, list[Attribute]] = {"lead": [], "post": []}
    for row in rows:
        by_kind[row.judges].append(row.attribute)
    return Rubric(tuple(by_kind["lead"]), tuple(by_kind["post"]))


def read_rubric(data: bytes) -> Imported[RubricRow]:
    """The attributes of a file; `rubric_of_rows` makes the rubric of them. The same id twice is bad.

    Raises ImportRefused when nothing in the file can be used.
    """
    return checked(rubric_rows(_rows(decoded(data))), WANTED)


def rubric_rows(rows: Iterable[Row | BadRow]) -> Imported[RubricRow]:
    """The attributes in rows from wherever."""
    return _once_each(each_made(rows, _numbered))


# -- the shapes of a file ----------------------------------------------------------------------------------------------


def _rows(text: str) -> Iterator[Row | BadRow]:
    if text.lstrip().startswith("{"):
        return _json_rows(text)
    if _TOML.search(text):
        return _toml_rows(text)
    return rows_of(text, WANTED)


def _json_rows(text: str) -> Iterator[Row | BadRow]:
    json_of(text)  # complete, before anything is taken from it
    for part in members(text):
        if not isinstance(part.value, list):
            yield from _no_list(part)
        elif judges := _SECTIONS.get(folded(part.key)):
            yield from (_in_section(each, judges) for each in elements(text, part.at))


def _toml_rows(text: str) -> Iterator[Row | BadRow]:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ImportRefused(f"the file is broken TOML, or only a part of it: {error}") from None
    for section, value in document.items():
        if not isinstance(value, list):
            yield from _no_list(Part(_toml_lines(text, section, 1)[0], 0, value, section))
        elif judges := _SECTIONS.get(folded(section)):
            lines = _toml_lines(text, section, len(value))
            yield from (_in_section(Part(line, 0, each), judges) for line, each in zip(lines, value, strict=True))


def _no_list(part: Part) -> Iterator[BadRow]:
    """A complaint, if a list should stand here."""
    if folded(part.key) in _SECTIONS:
        yield BadRow(part.line, f"{part.key} must be a list, got {shown(part.value)}")


def _toml_lines(text: str, section: str, count: int) -> Sequence[int]:
    """Where each `[[section]]` stands; the parser does not tell. A list written otherwise has the line of its start."""
    lines = [
        text.count("\n", 0, found.start()) + 1 for found in _TOML.finditer(text) if found.group("section") == section
    ]
    return lines if len(lines) == count else [lines[0] if lines else 1] * count


def _in_section(part: Part, judges: str) -> Row | BadRow:
    row = object_row(part)
    return row if isinstance(row, BadRow) else Row(row.line, {**row.cells, "for": judges})


# -- one attribute -----------------------------------------------------------------------------------------------------


def _once_each(read: Iterable[tuple[int, RubricRow] | BadRow]) -> Imported[RubricRow]:
    rows: dict[tuple[str, str], tuple[int, RubricRow]] = {}
    bad = []
    for each in read:
        if isinstance(each, BadRow):
            bad.append(each)
            continue
        line, row = each
        first, kept = rows.setdefault((row.judges, row.attribute.id), each)
        if kept is not row:
            bad.append(
                BadRow(line, f"the {row.judges} attribute {row.attribute.id!r} was given in line {first} already")
            )
    return Imported([row for _, row in rows.values()], bad)


def _numbered(row: Row) -> tuple[int, RubricRow]:
    judges = _JUDGES.get(row.text(_COLUMNS["for"], "for").lower())
    if not judges:
        raise BadInput(f"for must be lead or post, got {shown(row.value(_COLUMNS['for']))}")
    return row.line, RubricRow(judges, _attribute_of(row))


def _attribute_of(row: Row) -> Attribute:
    category = _category_of(row)
    points = _points_of(row, category)
    phrases = row.value(_COLUMNS["phrases"])
    return Attribute(
        id=_id_of(row),
        heading=_needed(row, "heading"),
        category=category,
        points=points,
        min_to_qualify=_min_to_qualify_of(row, points),
        disqualifying=_flag_of(row, "disqualifying", default=False),
        bonus=_flag_of(row, "bonus", default=False),
        active=_flag_of(row, "active", default=True),
        scale=_scale_of(row),
        instructions=row.text(_COLUMNS["instructions"], "instructions", long=True),
        phrases=() if phrases is None else texts_of(phrases, "phrases"),
    )


def _needed(row: Row, ours: str) -> str:
    text = row.text(_COLUMNS[ours], ours)
    if not text:
        raise BadInput(f"{ours} is empty")
    return text


def _id_of(row: Row) -> str:
    attribute_id = _needed(row, "id")
    if not attribute_id.isprintable() or len(attribute_id) > LONGEST_ID:
        raise BadInput(f"id must be printable text of at most {LONGEST_ID} characters, got {shown(attribute_id)}")
    return attribute_id


def _category_of(row: Row) -> Category:
    text = _needed(row, "category")
    try:
        return Category(text.lower())
    except ValueError:
        raise BadInput(f"category must be positive or negative, got {shown(text)}") from None


def _points_of(row: Row, category: Category) -> float:
    """A positive has max_points, a negative a penalty, in older files max_points; its sign says nothing (F27)."""
    names = ("max_points",) if category is Category.POSITIVE else ("penalty", "max_points")
    given = ((name, row.value(_COLUMNS[name])) for name in names)
    name, value = next(((name, value) for name, value in given if value is not None), (names[0], None))
    if value is None:
        raise BadInput(f"{name} is empty")
    number = number_of(value, name)
    points = abs(number) if category is Category.NEGATIVE else number
    if not 0 < points <= MOST_POINTS:
        raise BadInput(f"{name} must be above 0 and at most {MOST_POINTS:,.0f}, got {shown(value)}")
    return points


def _min_to_qualify_of(row: Row, points: float) -> float | None:
    value = row.value(_COLUMNS["min_to_qualify"])
    if value is None:
        return None
    number = number_of(value, "min_to_qualify")
    if not 0 <= number <= points:
        raise BadInput(f"min_to_qualify must be from 0 to the most points, {points:g}, got {shown(value)}")
    return number


def _flag_of(row: Row, ours: str, *, default: bool) -> bool:
    value = row.value(_COLUMNS[ours])
    return default if value is None else flag_of(value, ours)


def _scale_of(row: Row) -> Scale:
    text = row.text(_COLUMNS["scale"], "scale").lower()
    try:
        return Scale(text) if text else Scale.SCALE
    except ValueError:
        raise BadInput(f"scale must be scale or fixed, got {shown(text)}") from None
