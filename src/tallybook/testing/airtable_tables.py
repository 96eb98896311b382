"""The bases and what is in them: tables, fields, records and their cells, with the links kept on both sides."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as made_by
from datetime import datetime
from typing import Any, TypeVar

from tallybook.testing.airtable_fields import LINK, SELECTS, Column, Field, choice
from tallybook.testing.airtable_wire import is_record_id, new_id, unknown_record

FoundT = TypeVar("FoundT")


@dataclass(slots=True, eq=False)
class Record:
    """*cells* by field id; an empty one is not there. *number*: of its creation, from 1."""

    id: str
    created_at: datetime
    modified_at: datetime
    number: int
    cells: dict[str, Any] = made_by(default_factory=dict)


def key_of(value: object) -> Hashable:
    """As which an index knows a value."""
    return tuple(value) if isinstance(value, list) else value


class Table:
    """Its first field is the primary one. *version* grows whenever its fields change."""

    def __init__(self, name: str, description: str = "", table_id: str | None = None) -> None:
        self.id = table_id or new_id("tbl")
        self.name = name
        self.description = description
        self.view_id = new_id("viw")
        self.fields: dict[str, Field] = {}
        self.records: dict[str, Record] = {}
        self.version = 0
        self.formulas: dict[str, tuple[int, Any]] = {}
        """What was made of its formula fields, and at which version."""
        self._numbered = 0
        self._indexes: dict[str, dict[Hashable, dict[str, None]]] = {}

    @property
    def primary(self) -> Field:
        return next(iter(self.fields.values()))

    def field(self, name_or_id: str) -> Field | None:
        found = self.fields.get(name_or_id)
        return found or next((one for one in self.fields.values() if one.name == name_or_id), None)

    def touch(self) -> None:
        self.version += 1

    def new_record(self, at: datetime, record_id: str | None = None) -> Record:
        self._numbered += 1
        record = Record(record_id or new_id("rec"), at, at, self._numbered)
        self.records[record.id] = record
        return record

    def write(self, record: Record, field_id: str, value: Any) -> None:
        """None empties the cell. Links are written on this side only."""
        index = self._indexes.get(field_id)
        if index is not None:
            self._unindex(index, record, field_id)
        if value is None:
            record.cells.pop(field_id, None)
            return
        record.cells[field_id] = value
        if index is not None:
            index[key_of(value)][record.id] = None

    def remove(self, record: Record) -> None:
        for field_id in list(record.cells):
            self.write(record, field_id, None)
        del self.records[record.id]

    def drop_cells(self, field_id: str) -> None:
        self._indexes.pop(field_id, None)
        for record in self.records.values():
            record.cells.pop(field_id, None)

    def holding(self, field_id: str, value: object) -> list[Record]:
        """The records in whose cell stands just *value*. The first time for a field makes an index of it."""
        if field_id not in self._indexes:
            self._indexes[field_id] = self._index(field_id)
        return [self.records[record_id] for record_id in self._indexes[field_id].get(key_of(value), ())]

    def _index(self, field_id: str) -> dict[Hashable, dict[str, None]]:
        index: dict[Hashable, dict[str, None]] = defaultdict(dict)
        for record in self.records.values():
            if field_id in record.cells:
                index[key_of(record.cells[field_id])][record.id] = None
        return index

    def _unindex(self, index: dict[Hashable, dict[str, None]], record: Record, field_id: str) -> None:
        if field_id not in record.cells:
            return
        key = key_of(record.cells[field_id])
        index[key].pop(record.id, None)
        if not index[key]:
            del index[key]


class Base:
    """*workspace_id*: whose months are counted together."""

    def __init__(self, name: str, workspace_id: str, base_id: str | None = None) -> None:
        self.id = base_id or new_id("app")
        self.name = name
        self.workspace_id = workspace_id
        self.tables: dict[str, Table] = {}

    @property
    def records(self) -> int:
        """Of all tables: what the plan's cap counts."""
        return sum(len(table.records) for table in self.tables.values())

    def table(self, name_or_id: str) -> Table | None:
        found = self.tables.get(name_or_id)
        return found or next((one for one in self.tables.values() if one.name == name_or_id), None)

    # -- fields --------------------------------------------------------------------------------------------------------

    def add_table(self, name: str, columns: Iterable[Column], description: str = "") -> Table:
        """Raises LookupError, as `add_field` does; then there is no such table."""
        table = Table(name, description)
        self.tables[table.id] = table
        try:
            for column in columns:
                self.add_field(table, column)
        except LookupError:
            self.remove_table(table)
            raise
        return table

    def remove_table(self, table: Table) -> None:
        for field in list(table.fields.values()):
            if field.id in table.fields:  # else it was the other side of a link to itself
                self.remove_field(table, field)
        del self.tables[table.id]

    def add_field(self, table: Table, column: Column, field_id: str | None = None) -> Field:
        """A link gets its other side too. Raises LookupError for a table or field that its options name in vain."""
        made = Field(field_id or new_id("fld"), column.name, column.type, {}, column.description)
        made.options = self._options(table, column)
        table.fields[made.id] = made
        table.touch()
        if made.type == LINK:
            self._lead_back(table, made)
        return made

    def remove_field(self, table: Table, field: Field) -> None:
        """With the other side of a link."""
        self._empty(table, field)
        del table.fields[field.id]

    def retype_field(self, table: Table, field: Field, column: Column) -> None:
        """Its cells are lost, and so is the other side of a link. Raises LookupError as `add_field` does."""
        options = self._options(table, column)
        self._empty(table, field)
        field.type, field.options = column.type, options
        if field.type == LINK:
            self._lead_back(table, field)

    def _empty(self, table: Table, field: Field) -> None:
        table.drop_cells(field.id)
        table.touch()
        if field.type == LINK:
            other, back = self._other_side(field)
            other.drop_cells(back.id)
            del other.fields[back.id]
            other.touch()

    def _options(self, table: Table, column: Column) -> dict[str, Any]:
        """With ids in place of names."""
        options = dict(column.options)
        if column.type in SELECTS:
            options["choices"] = [{**choice(one["name"]), **one} for one in options.get("choices", [])]
        if column.type == LINK:
            options["linkedTableId"] = _needed(self.table(options["linkedTableId"])).id
            options = {"isReversed": False, "prefersSingleRecordLink": False, **options}
        if "recordLinkFieldId" in options:
            options |= self._link_options(table, options)
        return options

    def _link_options(self, table: Table, options: Mapping[str, Any]) -> dict[str, Any]:
        over = _needed(table.field(options["recordLinkFieldId"]))
        named = {"recordLinkFieldId": over.id}
        if over.type != LINK:
            raise LookupError(f"{over.name} is no link")
        if "fieldIdInLinkedTable" in options:
            linked = self.tables[over.options["linkedTableId"]]
            named["fieldIdInLinkedTable"] = _needed(linked.field(options["fieldIdInLinkedTable"])).id
        return named

    def _lead_back(self, table: Table, made: Field) -> None:
        other = self.tables[made.options["linkedTableId"]]
        name, number = table.name, 2
        while other.field(name):
            name, number = f"{table.name} {number}", number + 1
        options = {"linkedTableId": table.id, "isReversed": True, "prefersSingleRecordLink": False}
        back = Field(new_id("fld"), name, LINK, {**options, "inverseLinkFieldId": made.id})
        other.fields[back.id] = back
        other.touch()
        made.options["inverseLinkFieldId"] = back.id

    def _other_side(self, field: Field) -> tuple[Table, Field]:
        other = self.tables[field.options["linkedTableId"]]
        return other, other.fields[field.options["inverseLinkFieldId"]]

    # -- records -------------------------------------------------------------------------------------------------------

    def set_cell(self, table: Table, record: Record, field: Field, value: Any) -> None:
        """What `accepted` gave. Options and linked records that are not there are made."""
        if field.type in SELECTS and value is not None:
            for name in value if isinstance(value, list) else [value]:
                field.add_option(name)
        if field.type == LINK:
            self._set_links(table, record, field, value or [])
            return
        table.write(record, field.id, value)

    def remove_record(self, table: Table, record: Record) -> None:
        """With all links to it."""
        for field in table.fields.values():
            if field.type == LINK and field.id in record.cells:
                self._set_links(table, record, field, [])
        table.remove(record)

    def _set_links(self, table: Table, record: Record, field: Field, wanted: list[str]) -> None:
        before = record.cells.get(field.id, [])
        linked = self.tables[field.options["linkedTableId"]]
        now = [self._linked(linked, each, record.modified_at) for each in wanted]
        table.write(record, field.id, now or None)
        other, back = self._other_side(field)
        for record_id in {*before, *now}:
            self._set_back(other, back, record_id, record.id, there=record_id in now)

    def _set_back(self, other: Table, back: Field, record_id: str, to: str, *, there: bool) -> None:
        target = other.records[record_id]
        kept = [each for each in target.cells.get(back.id, []) if each != to]
        if there and to in target.cells.get(back.id, []):
            return
        other.write(target, back.id, ([*kept, to] if there else kept) or None)

    def _linked(self, linked: Table, named: str, at: datetime) -> str:
        """The id of the record that *named* is, or whose primary field says so; else one is made."""
        if named in linked.records:
            return named
        found = linked.holding(linked.primary.id, named)
        if found:
            return found[0].id
        made = linked.new_record(at)
        linked.write(made, linked.primary.id, named)
        return made.id

    def check_links(self, field: Field, value: object) -> None:
        """Raises Refused for an id of no record."""
        linked = self.tables[field.options["linkedTableId"]]
        for record_id in value if isinstance(value, list) else []:
            if is_record_id(record_id) and record_id not in linked.records:
                raise unknown_record(record_id)


def _needed(found: FoundT | None) -> FoundT:
    if found is None:
        raise LookupError("no such table or field")
    return found
