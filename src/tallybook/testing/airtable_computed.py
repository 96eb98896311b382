"""What stands in the cells of a record, the computed ones computed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tallybook.testing.airtable_evaluation import Formula, compiled
from tallybook.testing.airtable_fields import DATES, LINK, Field
from tallybook.testing.airtable_formula import NotUnderstood, invalid
from tallybook.testing.airtable_tables import Base, Record, Table
from tallybook.testing.airtable_values import Failed, Value, number_of, text_of
from tallybook.testing.airtable_wire import time_text

BROKEN = {"error": "#ERROR!"}
_AGGREGATES: Mapping[str, Callable[[Sequence[float]], float | None]] = {
    "sum": sum,
    "min": lambda numbers: min(numbers, default=None),
    "max": lambda numbers: max(numbers, default=None),
    "average": lambda numbers: sum(numbers) / len(numbers) if numbers else None,
    "count": len,
}


class Row:
    """A record as formulas see it."""

    __slots__ = ("_base", "_record", "_table", "now")

    def __init__(self, base: Base, table: Table, record: Record, now: datetime) -> None:
        self._base = base
        self._table = table
        self._record = record
        self.now = now

    @property
    def id(self) -> str:
        return self._record.id

    @property
    def created_at(self) -> datetime:
        return self._record.created_at

    @property
    def modified_at(self) -> datetime:
        return self._record.modified_at

    def value(self, field_id: str) -> Value:
        """Raises Failed when it cannot be computed, NotUnderstood when it is not certain."""
        field = self._table.fields.get(field_id)
        if field is None:
            raise Failed("a field that is gone")
        if field.computed:
            return self._computed(field)
        cell = self._record.cells.get(field_id)
        if field.type in DATES and cell is not None:
            return _moment(cell)
        if field.type == "checkbox":
            return 1 if cell else 0
        names = self._titles(field) if field.type == LINK else cell
        return _certain(names) if isinstance(names, list) else names

    def cell(self, field: Field) -> Any:
        """As the API says it; None: it is empty."""
        if not field.computed:
            return self._record.cells.get(field.id)
        try:
            return _said(self._computed(field))
        except (Failed, NotUnderstood):
            return BROKEN

    def _titles(self, field: Field) -> list[Value]:
        return [row.title for row in self._linked(field)]

    @property
    def title(self) -> str:
        return text_of(self.value(self._table.primary.id))

    def _linked(self, field: Field) -> Iterable["Row"]:
        other = self._base.tables[field.options["linkedTableId"]]
        for record_id in self._record.cells.get(field.id, ()):
            yield Row(self._base, other, other.records[record_id], self.now)

    def _computed(self, field: Field) -> Value:
        match field.type:
            case "createdTime":
                return self.created_at
            case "lastModifiedTime":
                return self.modified_at
            case "autoNumber":
                return self._record.number
            case "formula":
                return _formula(self._table, field)(self)
        return self._over_link(field)

    def _over_link(self, field: Field) -> Value:
        over = self._table.fields.get(field.options["recordLinkFieldId"])
        if over is None or over.type != LINK:
            raise Failed("a link that is gone")
        if field.type == "count":
            return len(self._record.cells.get(over.id, ()))
        found = [row.value(field.options["fieldIdInLinkedTable"]) for row in self._linked(over)]
        values: list[Value] = [value for value in found if value is not None]
        if field.type == "multipleLookupValues":
            return values
        return _AGGREGATES[field.options.get("aggregate", "sum")]([number_of(value) for value in values])


def is_valid(table: Table, field: Field) -> bool:
    """Whether a field can be computed: of a formula, or over a link."""
    if field.type != "formula":
        over = table.fields.get(field.options["recordLinkFieldId"])
        return over is not None and over.type == LINK
    try:
        _formula(table, field)
    except Failed:
        return False
    return True


def _formula(table: Table, field: Field) -> Formula:
    """Made once for each state of the table. Raises Failed when what it needs is gone."""
    version, made = table.formulas.get(field.id, (-1, None))
    if made is not None and version == table.version:
        known: Formula = made
        return known
    try:
        ready = compiled(field.options["formula"], table)
    except NotUnderstood as why:
        raise Failed(str(why)) from None
    table.formulas[field.id] = (table.version, ready)
    return ready


def _certain(names: list[Value]) -> list[Value]:
    """Names as a formula joins them. Raises NotUnderstood for one that Airtable may put into quotes there."""
    if any(mark in text_of(name) for name in names for mark in ',"'):
        raise invalid()
    return names


def _moment(cell: str) -> datetime:
    moment = datetime.fromisoformat(cell)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _said(value: Value) -> Any:
    if isinstance(value, list):
        return [_said(one) for one in value] or None
    if isinstance(value, datetime):
        return time_text(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value
