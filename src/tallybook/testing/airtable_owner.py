"""A base as its owner has it open: what is true of it, and what people do to it by hand, without limits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tallybook.testing.airtable_cells import accepted
from tallybook.testing.airtable_computed import Row
from tallybook.testing.airtable_evaluation import compiled, with_ids
from tallybook.testing.airtable_fields import Column, Field
from tallybook.testing.airtable_formula import NotUnderstood
from tallybook.testing.airtable_tables import Base, Record, Table
from tallybook.testing.airtable_values import text_of
from tallybook.testing.airtable_writes import Draft, checked, done
from tallybook.testing.lookalike_http import Refused


@dataclass(frozen=True, slots=True)
class Desk:
    """What whoever works by hand shares with the API: one at a time, and what time it is."""

    lock: AbstractContextManager[object]
    now: Callable[[], datetime]


class OpenBase:
    """May be used from any thread."""

    def __init__(self, base: Base, desk: Desk) -> None:
        self._base = base
        self._desk = desk

    @property
    def id(self) -> str:
        return self._base.id

    @property
    def name(self) -> str:
        return self._base.name

    @property
    def records(self) -> int:
        """Of all tables together."""
        return self._base.records

    @property
    def tables(self) -> tuple["OpenTable", ...]:
        with self._desk.lock:
            return tuple(OpenTable(self._base, table, self._desk) for table in self._base.tables.values())

    def table(self, name_or_id: str) -> "OpenTable":
        """Raises LookupError."""
        with self._desk.lock:
            found = self._base.table(name_or_id)
        if found is None:
            raise LookupError(f"there is no table {name_or_id!r} in base {self.name}")
        return OpenTable(self._base, found, self._desk)

    def add_table(self, name: str, columns: Iterable[Column]) -> "OpenTable":
        """The first column is the primary field. Raises LookupError, NotUnderstood."""
        with self._desk.lock:
            first, *others = columns
            table = self._base.add_table(name, [first])
            made = OpenTable(self._base, table, self._desk)
            try:
                for column in others:
                    made.add_field(column)
            except (LookupError, NotUnderstood):
                self._base.remove_table(table)
                raise
        return made

    def delete_table(self, name_or_id: str) -> None:
        with self._desk.lock:
            self._base.remove_table(self.table(name_or_id)._table)


class OpenTable:
    """May be used from any thread. LookupError for a record or field that is none."""

    def __init__(self, base: Base, table: Table, desk: Desk) -> None:
        self._base = base
        self._table = table
        self._desk = desk

    @property
    def id(self) -> str:
        return self._table.id

    @property
    def name(self) -> str:
        return self._table.name

    # -- what is true --------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> list[dict[str, Any]]:
        """By field name, in the order of their creation; empty cells are not there, computed ones are."""
        return list(self.by_id.values())

    @property
    def by_id(self) -> dict[str, dict[str, Any]]:
        with self._desk.lock:
            return {record.id: self._row(record) for record in self._table.records.values()}

    @property
    def ids(self) -> list[str]:
        with self._desk.lock:
            return list(self._table.records)

    def row(self, record_id: str) -> dict[str, Any]:
        with self._desk.lock:
            return self._row(self._table.records[record_id])

    def where(self, name: str, value: object) -> list[str]:
        """The ids of the records in whose cell stands *value*."""
        return [record_id for record_id, row in self.by_id.items() if row.get(name) == value]

    @property
    def types(self) -> dict[str, str]:
        """Of the fields, by name."""
        with self._desk.lock:
            return {field.name: field.type for field in self._table.fields.values()}

    def field_id(self, name: str) -> str:
        with self._desk.lock:
            return self._field(name).id

    def options(self, name: str) -> list[str]:
        """Of a select."""
        with self._desk.lock:
            return self._field(name).option_names

    def __len__(self) -> int:
        return len(self._table.records)

    # -- what people do ------------------------------------------------------------------------------------------------

    def add(self, row: Mapping[str, Any]) -> str:
        """Gives the id. Options that are not there are made. Raises Refused."""
        return self.add_many([row])[0]

    def add_many(self, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        with self._desk.lock:
            return [self._write(None, row).id for row in rows]

    def edit(self, record_id: str, row: Mapping[str, Any]) -> None:
        """None empties a cell. Raises Refused."""
        with self._desk.lock:
            self._write(self._table.records[record_id], row)

    def duplicate(self, record_id: str) -> str:
        """Gives the id of the new one."""
        with self._desk.lock:
            record = self._table.records[record_id]
            cells = [(self._table.fields[field_id], cell) for field_id, cell in record.cells.items()]
            return done(self._base, self._table, Draft(None, cells), self._desk.now()).id

    def delete(self, *record_ids: str) -> None:
        with self._desk.lock:
            for record_id in record_ids:
                self._base.remove_record(self._table, self._table.records[record_id])

    def clear(self) -> None:
        self.delete(*self.ids)

    def rename(self, name: str) -> None:
        with self._desk.lock:
            self._table.name = name

    def add_field(self, column: Column) -> str:
        """Gives the id. Raises LookupError, NotUnderstood."""
        with self._desk.lock:
            return self._base.add_field(self._table, self._named_by_ids(column)).id

    def rename_field(self, name: str, new_name: str) -> None:
        with self._desk.lock:
            self._field(name).name = new_name
            self._table.touch()

    def retype_field(self, name: str, column: Column) -> None:
        """Keeps its id and name; cells are converted as far as that goes, else emptied."""
        with self._desk.lock:
            field = self._field(name)
            texts = {record: text_of(record.cells[field.id]) for record in self._having(field)}
            self._base.retype_field(self._table, field, self._named_by_ids(column))
            for record, text in texts.items():
                self._convert(field, record, text)

    def delete_field(self, name: str) -> None:
        """Raises ValueError for the primary field, which nobody can delete."""
        with self._desk.lock:
            field = self._field(name)
            if field is self._table.primary:
                raise ValueError(f"{name} is the primary field of {self.name}")
            self._base.remove_field(self._table, field)

    def add_option(self, name: str, option: str) -> None:
        with self._desk.lock:
            self._field(name).add_option(option)

    def _row(self, record: Record) -> dict[str, Any]:
        row = Row(self._base, self._table, record, self._desk.now())
        cells = ((field.name, row.cell(field)) for field in self._table.fields.values())
        return {name: cell for name, cell in cells if cell is not None}

    def _field(self, name: str) -> Field:
        found = self._table.field(name)
        if found is None:
            raise LookupError(f"there is no field {name!r} in table {self.name}")
        return found

    def _write(self, record: Record | None, row: Mapping[str, Any]) -> Record:
        cells = [checked(self._base, self._table, name, value, typecast=True) for name, value in row.items()]
        return done(self._base, self._table, Draft(record, cells), self._desk.now())

    def _named_by_ids(self, column: Column) -> Column:
        if column.type != "formula":
            return column
        compiled(column.options["formula"], self._table)
        return replace(column, options={**column.options, "formula": with_ids(column.options["formula"], self._table)})

    def _having(self, field: Field) -> Sequence[Record]:
        return [record for record in self._table.records.values() if field.id in record.cells]

    def _convert(self, field: Field, record: Record, text: str) -> None:
        try:
            value = accepted(field, text, typecast=True)
        except Refused:
            return
        self._base.set_cell(self._table, record, field, value)
