"""The functions of Airtable's formulas, as far as they are certain."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from tallybook.testing.airtable_formula import invalid
from tallybook.testing.airtable_values import Failed, Value, number_of, text_of, time_of, true


class Row(Protocol):
    """The record that a formula is about."""

    @property
    def id(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def modified_at(self) -> datetime: ...

    now: datetime

    def value(self, field_id: str) -> Value: ...


Do = Callable[[Row, Sequence[Value]], Value]


@dataclass(frozen=True, slots=True)
class Function:
    """*least* and *most*: how many arguments; most None: any number."""

    do: Do
    least: int = 1
    most: int | None = 1


def _find(text: Value, start: Sequence[Value], within: Value, *, same_case: bool) -> int:
    """From 1; 0: it is not there. Raises NotUnderstood for the empty text."""
    needle, hay = text_of(text), text_of(within)
    if not needle:
        raise invalid()
    if not same_case:
        needle, hay = needle.lower(), hay.lower()
    return hay.find(needle, max(int(number_of(start[0])) - 1, 0) if start else 0) + 1


def _value(text: str) -> Value:
    """Raises NotUnderstood: what Airtable makes of signs, shares and words is not certain."""
    if not re.fullmatch(r"\s*[-+]?[0-9,]*\.?[0-9]+\s*", text):
        raise invalid()
    number = float(text.replace(",", ""))
    return int(number) if number.is_integer() else number


def _time(text: Value) -> datetime | None:
    """Raises NotUnderstood: Airtable reads more ways to write a time than one."""
    if isinstance(text, datetime) or text is None:
        return text
    try:
        moment = datetime.fromisoformat(text_of(text))
    except ValueError:
        raise invalid() from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_STEPS: Mapping[str, timedelta] = {
    "milliseconds": timedelta(milliseconds=1),
    "seconds": timedelta(seconds=1),
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
    "weeks": timedelta(weeks=1),
}
"""Months and years differ in length: those are not certain."""


def _step(unit: Value) -> timedelta:
    """Raises NotUnderstood."""
    name = text_of(unit).lower()
    for known, step in _STEPS.items():
        if name in (known, known[:-1]):
            return step
    raise invalid()


def _between(arguments: Sequence[Value]) -> Value:
    later, earlier = time_of(arguments[0]), time_of(arguments[1])
    if later is None or earlier is None:
        raise Failed("no time")
    step = _step(arguments[2]) if len(arguments) > 2 else timedelta(seconds=1)
    return math.trunc((later - earlier) / step)


def _later(arguments: Sequence[Value]) -> Value:
    moment = time_of(arguments[0])
    if moment is None:
        raise Failed("no time")
    return moment + number_of(arguments[1]) * _step(arguments[2])


def _compared(arguments: Sequence[Value], holds: Callable[[datetime, datetime], bool]) -> int:
    """No time is neither before nor after any."""
    left, right = time_of(arguments[0]), time_of(arguments[1])
    return int(left is not None and right is not None and holds(left, right))


def _same(arguments: Sequence[Value]) -> int:
    unit = text_of(arguments[2]).lower() if len(arguments) > 2 else "millisecond"
    if unit in ("day", "days"):
        return _compared(arguments, lambda left, right: _day(left) == _day(right))
    if unit not in ("millisecond", "milliseconds"):
        raise invalid()
    return _compared(arguments, lambda left, right: left == right)


def _day(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


_OF_ONE_DIALECT = re.compile(r"\(\?|\\[^dDsSwWbtnr.\\/^$|?*+(){}\[\]-]|\[\[:|[*+?}]\+")
"""Groups with a question mark, back references, classes by name: what Airtable takes otherwise, or not at all."""


def _matches(text: Value, pattern: Value) -> int:
    """Raises NotUnderstood."""
    said = text_of(pattern)
    if _OF_ONE_DIALECT.search(said):
        raise invalid()
    try:
        return int(re.search(said, text_of(text), re.ASCII) is not None)
    except re.error:
        raise invalid() from None


def _letters(text: Value) -> str:
    """To be counted. Raises NotUnderstood where some may count as two."""
    said = text_of(text)
    if any(letter > "\uffff" for letter in said):
        raise invalid()
    return said


def _substituted(text: str, old: str, new: str) -> str:
    """Raises NotUnderstood for nothing that is to be replaced."""
    if not old:
        raise invalid()
    return text.replace(old, new)


def _round(number: Value, places: Sequence[Value]) -> float:
    """A half goes away from 0, as in a sheet."""
    scale: float = 10.0 ** int(number_of(places[0]) if places else 0)
    scaled = number_of(number) * scale
    return math.copysign(math.floor(abs(scaled) + 0.5), scaled) / scale


def _numbers(arguments: Sequence[Value]) -> list[float]:
    flat = [one for each in arguments for one in (each if isinstance(each, list) else [each])]
    return [number_of(one) for one in flat if one is not None]


def _array_text(arguments: Sequence[Value]) -> str:
    values, separator = arguments[0], text_of(arguments[1]) if len(arguments) > 1 else ", "
    return separator.join(map(text_of, values if isinstance(values, list) else [values]))


def _mid(arguments: Sequence[Value]) -> str:
    start = max(int(number_of(arguments[1])) - 1, 0)
    return _letters(arguments[0])[start : start + max(int(number_of(arguments[2])), 0)]


def _right(arguments: Sequence[Value]) -> str:
    text, length = _letters(arguments[0]), max(int(number_of(arguments[1])), 0)
    return text[max(len(text) - length, 0) :]


FUNCTIONS: Mapping[str, Function] = {
    "AND": Function(lambda _, of: int(all(map(true, of))), 1, None),
    "OR": Function(lambda _, of: int(any(map(true, of))), 1, None),
    "XOR": Function(lambda _, of: sum(map(true, of)) % 2, 1, None),
    "NOT": Function(lambda _, of: int(not true(of[0]))),
    "BLANK": Function(lambda _, of: None, 0, 0),
    "TRUE": Function(lambda _, of: 1, 0, 0),
    "FALSE": Function(lambda _, of: 0, 0, 0),
    "FIND": Function(lambda _, of: _find(of[0], of[2:], of[1], same_case=True), 2, 3),
    "SEARCH": Function(lambda _, of: _find(of[0], of[2:], of[1], same_case=False) or None, 2, 3),
    "LOWER": Function(lambda _, of: text_of(of[0]).lower()),
    "UPPER": Function(lambda _, of: text_of(of[0]).upper()),
    "TRIM": Function(lambda _, of: text_of(of[0]).strip()),
    "LEN": Function(lambda _, of: len(_letters(of[0]))),
    "LEFT": Function(lambda _, of: _letters(of[0])[: max(int(number_of(of[1])), 0)], 2, 2),
    "RIGHT": Function(lambda _, of: _right(of), 2, 2),
    "MID": Function(lambda _, of: _mid(of), 3, 3),
    "SUBSTITUTE": Function(lambda _, of: _substituted(*map(text_of, of)), 3, 3),
    "ARRAYJOIN": Function(lambda _, of: _array_text(of), 1, 2),
    "CONCATENATE": Function(lambda _, of: "".join(map(text_of, of)), 1, None),
    "EXACT": Function(lambda _, of: int(text_of(of[0]) == text_of(of[1])), 2, 2),
    "REGEX_MATCH": Function(lambda _, of: _matches(of[0], of[1]), 2, 2),
    "VALUE": Function(lambda _, of: _value(text_of(of[0]))),
    "ABS": Function(lambda _, of: abs(number_of(of[0]))),
    "INT": Function(lambda _, of: math.floor(number_of(of[0]))),
    "ROUND": Function(lambda _, of: _round(of[0], of[1:]), 1, 2),
    "SUM": Function(lambda _, of: sum(_numbers(of)), 1, None),
    "MIN": Function(lambda _, of: min(_numbers(of), default=0), 1, None),
    "MAX": Function(lambda _, of: max(_numbers(of), default=0), 1, None),
    "RECORD_ID": Function(lambda row, of: row.id, 0, 0),
    "CREATED_TIME": Function(lambda row, of: row.created_at, 0, 0),
    "LAST_MODIFIED_TIME": Function(lambda row, of: row.modified_at, 0, 0),
    "NOW": Function(lambda row, of: row.now, 0, 0),
    "TODAY": Function(lambda row, of: _day(row.now), 0, 0),
    "DATETIME_PARSE": Function(lambda _, of: _time(of[0])),
    "DATETIME_DIFF": Function(lambda _, of: _between(of), 2, 3),
    "DATEADD": Function(lambda _, of: _later(of), 3, 3),
    "IS_AFTER": Function(lambda _, of: _compared(of, lambda left, right: left > right), 2, 2),
    "IS_BEFORE": Function(lambda _, of: _compared(of, lambda left, right: left < right), 2, 2),
    "IS_SAME": Function(lambda _, of: _same(of), 2, 3),
}
