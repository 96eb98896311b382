"""Formulas made ready to be asked about many records."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tallybook.testing.airtable_fields import TEXTS
from tallybook.testing.airtable_formula import (
    COMPARISONS,
    Invoked,
    Joined,
    Literal,
    Node,
    NotUnderstood,
    Reference,
    field_spans,
    invalid,
    parsed,
)
from tallybook.testing.airtable_functions import FUNCTIONS, Row
from tallybook.testing.airtable_tables import Table
from tallybook.testing.airtable_values import Failed, Value, equal, number_of, ordered, text_of, true


class Formula(Protocol):
    def __call__(self, row: Row) -> Value:
        """Raises Failed when there is none here, NotUnderstood when it is not certain."""


def compiled(text: str, table: Table) -> Formula:
    """Raises NotUnderstood, also for a field that is none and a function that is not known."""
    try:
        node = parsed(text)
        check_names(node, table)
        ready = _ready(node, table)
    except RecursionError:
        raise invalid() from None

    def reckoned(row: Row) -> Value:
        try:
            return _bounded(ready(row))
        except (ArithmeticError, ValueError) as why:  # a number or a time beyond all bounds
            raise Failed(str(why)) from None
        except RecursionError:  # it refers to itself, by way of another perhaps
            raise invalid() from None

    return reckoned


def _bounded(value: Value) -> Value:
    """Raises OverflowError."""
    if isinstance(value, float) and not math.isfinite(value):
        raise OverflowError("no number")
    return value


def with_ids(text: str, table: Table) -> str:
    """With every field in braces named by its id, so that renaming does no harm. Raises NotUnderstood."""
    said, at = [], 0
    for begin, end, name in field_spans(text):
        field = table.field(name)
        said += [text[at:begin], f"{{{field.id}}}" if field else text[begin:end]]
        at = end
    return "".join([*said, text[at:]])


@dataclass(frozen=True, slots=True)
class Candidates:
    """The records among which are all that a formula is true of, by id. *exact*: it is true of each of them."""

    ids: Mapping[str, None]
    exact: bool


def candidates(text: str, table: Table) -> Candidates | None:
    """As far as the indexes tell; None: it may be any. Raises NotUnderstood."""
    return _candidates(parsed(text), table)


def check_names(node: Node, table: Table) -> None:
    """Raises NotUnderstood."""
    unknown = [name for name in _references(node) if table.field(name) is None]
    if unknown:
        names = ", ".join(dict.fromkeys(name.lower() for name in unknown))
        raise NotUnderstood(f"Unknown field names: {names}")


def _references(node: Node) -> list[str]:
    if isinstance(node, Reference):
        return [node.name]
    if isinstance(node, Invoked):
        return [name for one in node.arguments for name in _references(one)]
    return [*_references(node.left), *_references(node.right)] if isinstance(node, Joined) else []


# -- asked about one record --------------------------------------------------------------------------------------------


def _ready(node: Node, table: Table) -> Formula:
    if isinstance(node, Literal):
        return _constant(node.value)
    if isinstance(node, Reference):
        return _field(node, table)
    if isinstance(node, Invoked):
        return _invoked(node, [_ready(one, table) for one in node.arguments])
    return _joined(node.sign, _ready(node.left, table), _ready(node.right, table))


def _constant(value: str | float) -> Formula:
    return lambda row: value


def _field(node: Reference, table: Table) -> Formula:
    field = table.field(node.name)
    assert field is not None  # the names were checked
    field_id = field.id
    return lambda row: row.value(field_id)


def _invoked(node: Invoked, arguments: Sequence[Formula]) -> Formula:
    if node.name == "IF":
        return _if(arguments)
    function = FUNCTIONS.get(node.name)
    if function is None:
        raise NotUnderstood(f"Unknown function names: {node.name}")
    if len(arguments) < function.least or (function.most is not None and len(arguments) > function.most):
        raise invalid()
    return lambda row: function.do(row, [argument(row) for argument in arguments])


def _if(arguments: Sequence[Formula]) -> Formula:
    if len(arguments) not in (2, 3):
        raise invalid()
    condition, then, *otherwise = arguments

    def chosen(row: Row) -> Value:
        if true(condition(row)):
            return then(row)
        return otherwise[0](row) if otherwise else None

    return chosen


def _joined(sign: str, left: Formula, right: Formula) -> Formula:
    if sign == "=":
        return lambda row: int(equal(left(row), right(row)))
    if sign == "!=":
        return lambda row: int(not equal(left(row), right(row)))
    if sign in COMPARISONS:
        return lambda row: int(ordered(sign, left(row), right(row)))
    if sign == "&":
        return lambda row: text_of(left(row)) + text_of(right(row))
    if sign == "/":
        return lambda row: _divided(number_of(left(row)), number_of(right(row)))
    reckon = _RECKONED[sign]
    return lambda row: reckon(number_of(left(row)), number_of(right(row)))


_RECKONED: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
}


def _divided(left: float, right: float) -> float:
    if right == 0:
        raise Failed("a division by 0")
    return left / right


# -- which records need to be asked about ------------------------------------------------------------------------------


def _candidates(node: Node, table: Table) -> Candidates | None:
    if isinstance(node, Joined) and node.sign == "=":
        ids = _equal(node.left, node.right, table)
        ids = _equal(node.right, node.left, table) if ids is None else ids
        return None if ids is None else Candidates(ids, exact=True)
    if not isinstance(node, Invoked) or node.name not in ("AND", "OR"):
        return None
    parts = [_candidates(one, table) for one in node.arguments]
    known = [one for one in parts if one is not None]
    if node.name == "AND":
        fewest = min((one.ids for one in known), key=len, default=None)
        return None if fewest is None else Candidates(fewest, exact=False)
    if len(known) < len(parts):
        return None
    return Candidates({name: None for one in known for name in one.ids}, all(one.exact for one in known))


def _equal(left: Node, right: Node, table: Table) -> Mapping[str, None] | None:
    """Of the id, or a field of text, against some text."""
    if not isinstance(right, Literal) or not isinstance(right.value, str) or not right.value:
        return None
    if left == Invoked("RECORD_ID", ()):
        return dict.fromkeys([right.value] if right.value in table.records else [])
    field = table.field(left.name) if isinstance(left, Reference) else None
    if field is None or field.type not in (*TEXTS, "singleSelect"):
        return None
    return {record.id: None for record in table.holding(field.id, right.value)}
