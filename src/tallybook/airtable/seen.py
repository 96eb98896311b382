"""Bases, and what is seen in them. The operator's and a client's are different types, so that nothing meant for one can
be written to the other (F17).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tallybook.airtable.schema import COMPUTED_TYPES, LINK_TYPE, TableSchema
from tallybook.airtable.tables import CLIENT_TABLES, OPERATOR_TABLES
from tallybook.domain.client import ClientId
from tallybook.domain.errors import BadInput

_BASE_ID = re.compile(r"app[A-Za-z0-9]{14}")


@dataclass(frozen=True, slots=True)
class OperatorBase:
    """Where the mirror and the operator's list of clients are. Raises BadInput for what is no id of a base."""

    id: str

    def __post_init__(self) -> None:
        _check_base_id(self.id)

    @property
    def schema(self) -> tuple[TableSchema, ...]:
        return OPERATOR_TABLES


@dataclass(frozen=True, slots=True)
class ClientBase:
    """Where the leads of one client are. Raises BadInput for what is no id of a base."""

    id: str
    client_id: ClientId

    def __post_init__(self) -> None:
        _check_base_id(self.id)

    @property
    def schema(self) -> tuple[TableSchema, ...]:
        return CLIENT_TABLES


Base = OperatorBase | ClientBase
BaseT = TypeVar("BaseT", bound=Base)


def _check_base_id(text: str) -> None:
    if not _BASE_ID.fullmatch(text):
        raise BadInput(f"{text!r} is no id of an Airtable base; it begins with app and has 17 letters and digits")


# -- as Airtable describes them ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SeenField:
    """A field as it is in the base. *options*: the names of a select's. *linked_to*: of a link, the table's id."""

    id: str
    name: str
    type: str
    options: tuple[str, ...] = ()
    linked_to: str = ""

    @property
    def computed(self) -> bool:
        return self.type in COMPUTED_TYPES


@dataclass(frozen=True, slots=True)
class SeenTable:
    id: str
    name: str
    fields: tuple[SeenField, ...] = field(default_factory=tuple)

    def by_id(self, field_id: str) -> SeenField | None:
        return next((each for each in self.fields if each.id == field_id), None)


def seen_tables(answer: Mapping[str, Any]) -> tuple[SeenTable, ...]:
    """What the Meta API says of a base. Raises KeyError, TypeError or AttributeError for what is no such answer."""
    return tuple(seen_table(each) for each in answer["tables"])


def seen_table(form: Mapping[str, Any]) -> SeenTable:
    return SeenTable(form["id"], form["name"], tuple(seen_field(each) for each in form["fields"]))


def seen_field(form: Mapping[str, Any]) -> SeenField:
    options: Mapping[str, Any] = form.get("options") or {}
    choices: Sequence[Mapping[str, Any]] = options.get("choices") or ()
    linked_to = options.get("linkedTableId") if form["type"] == LINK_TYPE else None
    return SeenField(form["id"], form["name"], form["type"], tuple(each["name"] for each in choices), linked_to or "")
