"""Cells of a file, read as text, numbers, flags and lists. What cannot be read raises BadInput and names its column."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tallybook.domain.errors import BadInput
from tallybook.stores.text import long_text, one_line

LONGEST_TEXT = 100_000
"""Characters of one text. LinkedIn ends an about at 2,600 and a post at 3,000."""
LONGEST_NAME = 200
"""Characters of a column name that count."""

_SEPARATORS = re.compile(r"[\s_\-\u200b\ufeff]+")
_LIST_SEPARATORS = re.compile(r"[;|\n]")
_FLAGS = {
    **dict.fromkeys(("true", "yes", "y", "1", "1.0", "x", "checked"), True),
    **dict.fromkeys(("false", "no", "n", "0", "0.0"), False),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file. *cells*: folded column name -> what the file has there. *line* counts from 1."""

    line: int
    cells: Mapping[str, object]

    def value(self, names: Iterable[str]) -> object:
        """The first of these (folded) columns that is not blank; None when all are."""
        return next((value for name in names if not blank(value := self.cells.get(name))), None)

    def text(self, names: Sequence[str], named: str, *, long: bool = False) -> str:
        """The same as clean text, "" when blank."""
        value = self.value(names)
        return "" if value is None else text_of(value, named, long=long)


@lru_cache(maxsize=4096)
def _folded(name: str) -> str:
    return _SEPARATORS.sub("", name).casefold()


def folded(name: str) -> str:
    """A column name as it is compared: case, spaces, underscores and hyphens do not count."""
    return _folded(name[:LONGEST_NAME])


def blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and (not value or value.isspace()))


def text_of(value: object, named: str, *, long: bool = False) -> str:
    """A cell as clean text; a JSON number is taken as it reads."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadInput(f"{named} must be text, got {shown(value)}")
    text = long_text(str(value)) if long else one_line(str(value))
    if len(text) > LONGEST_TEXT:
        raise BadInput(f"{named} has {len(text):,} characters; at most {LONGEST_TEXT:,} are taken")
    return text


def number_of(value: object, named: str) -> float:
    """A finite number."""
    try:
        number = math.nan if isinstance(value, bool) else float(text_of(value, named))
    except ValueError:  # BadInput is one
        number = math.nan
    if not math.isfinite(number):
        raise BadInput(f"{named} must be a number, got {shown(value)}")
    return number


def flag_of(value: object, named: str) -> bool:
    if isinstance(value, bool):
        return value
    found = _FLAGS.get(one_line(value if isinstance(value, str) else repr(value)).lower())
    if found is None:
        raise BadInput(f"{named} must be true or false, got {shown(value)}")
    return found


def texts_of(value: object, named: str) -> tuple[str, ...]:
    """A list, or text with ';', '|' or line ends between the parts: each part once, blank ones left out."""
    parts = value if isinstance(value, list) else _LIST_SEPARATORS.split(text_of(value, named, long=True))
    texts = (text_of(part, named) for part in parts if not blank(part))
    return tuple(dict.fromkeys(text for text in texts if text))


def list_of(value: object, named: str) -> Sequence[object]:
    """A list, or a cell that holds one as JSON."""
    data = _json_of(value, named) if isinstance(value, str) else value
    if not isinstance(data, list):
        raise BadInput(f"{named} must be a JSON list, got {shown(value)}")
    return data


def _json_of(text: str, named: str) -> object:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        raise BadInput(f"{named} must be a JSON list, got {shown(text)}") from None


def fields_of(value: object, named: str) -> Row:
    """An object inside a cell, its names folded."""
    if not isinstance(value, dict):
        raise BadInput(f"{named} must be an object, got {shown(value)}")
    return Row(0, {folded(name): held for name, held in value.items()})


def shown(value: object) -> str:
    """For a message: short, on one line."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = repr(one_line(value[:100])) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
