"""What formulas reckon with: texts, numbers, times, lists, nothing. Where Airtable's answer is not certain: none."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Union

from tallybook.testing.airtable_formula import NotUnderstood, invalid
from tallybook.testing.airtable_wire import time_text

Value = Union[str, int, float, datetime, list["Value"], None]  # noqa: UP007 -- it holds itself
_ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}


class Failed(Exception):
    """A formula that is right but has no value here: Airtable shows #ERROR! and leaves the record out of a filter."""


def text_of(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(text_of, value))
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def number_of(value: Value) -> float:
    """Nothing counts 0. Raises NotUnderstood for what is not a number."""
    value = single(value)
    if value is None:
        return 0
    if isinstance(value, int | float):
        return value
    raise invalid()


def time_of(value: Value) -> datetime | None:
    """Raises NotUnderstood for what is not a time."""
    value = single(value)
    if value is None or isinstance(value, datetime):
        return value
    raise invalid()


def single(value: Value) -> Value:
    """A list of one stands for the one, of none for nothing."""
    if isinstance(value, list) and len(value) <= 1:
        return value[0] if value else None
    return value


def true(value: Value) -> bool:
    return value not in (None, 0, "", [])


def equal(left: Value, right: Value) -> bool:
    """Nothing equals 0 and the empty text. Raises NotUnderstood for a time or number against a text."""
    left, right = _side(left), _side(right)
    if left is None or right is None:
        return left in (None, 0, "") and right in (None, 0, "")
    if "" in (left, right):
        return left == right
    if _kind(left) is not _kind(right):
        raise NotUnderstood("Invalid formula. A comparison of different types is not certain.")
    return left == right


def ordered(sign: str, left: Value, right: Value) -> bool:
    """Of numbers, nothing being 0, and of times. Raises NotUnderstood."""
    left, right = single(left), single(right)
    if isinstance(left, datetime) or isinstance(right, datetime):
        earlier, later = time_of(left), time_of(right)
        if earlier is None or later is None:
            raise NotUnderstood("Invalid formula. A comparison with an empty time is not certain.")
        return _ORDERS[sign](earlier.timestamp(), later.timestamp())
    return _ORDERS[sign](number_of(left), number_of(right))


def _side(value: Value) -> Value:
    value = single(value)
    return text_of(value) if isinstance(value, list) else value


def _kind(value: Value) -> type:
    return float if isinstance(value, int | float) else type(value)
