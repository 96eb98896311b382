"""The old system's two tables, read row by row as `domain.history` takes them. Nothing is written here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.listing import Record
from tallybook.airtable.resolved import ResolvedTable, resolve
from tallybook.airtable.schema import LINK_TYPE, Column, Kind, TableSchema
from tallybook.airtable.seen import OperatorBase
from tallybook.airtable.tables import CLIENT_RUN_RESULTS, JOB_TRACKING
from tallybook.airtable.values import value_of
from tallybook.domain.errors import BadInput
from tallybook.domain.fields import BY_NAME, Sort
from tallybook.domain.history_rows import OldRow, Table

SCHEMAS: Mapping[Table, TableSchema] = {Table.JOBS: JOB_TRACKING, Table.CLIENTS: CLIENT_RUN_RESULTS}
FIGURES = (Kind.NUMBER, Kind.MONEY)
MORE = {"run_id": "run_id", "label": "run_id", "client_id": "client_id", "notes": "notes"}
"""Columns that are no fields of runs, and how a row calls them."""

Progress = Callable[[str, int], object]
"""Is told the table's name and how many rows of it were read, now and then."""
TELL_EVERY = 500


def read_history(door: AirtableDoor, base: OperatorBase, progress: Progress = lambda name, rows: None) -> list[OldRow]:
    """Every row of both tables. Raises AirtableError, and BadInput for a base that has not both."""
    resolved = resolve(base, door.tables(base))
    tables = {table: _usable(resolved.table(schema)) for table, schema in SCHEMAS.items()}
    return [row for table, found in tables.items() for row in _rows(door, table, found, progress)]


def _usable(table: ResolvedTable[OperatorBase]) -> ResolvedTable[OperatorBase]:
    for column in (table.schema.columns[0], table.schema.by_key["status"]):
        if column.key not in table.fields:
            raise BadInput(
                f"table {table.name} of base {table.base.id} has no field {column.name}; is it the right base?"
            )
    return table


def _rows(door: AirtableDoor, table: Table, found: ResolvedTable[OperatorBase], progress: Progress) -> Iterator[OldRow]:
    wanted = [column for column in found.schema.columns if _is_wanted(column, found)]
    number = 0
    for number, record in enumerate(door.records(found, [column.key for column in wanted]), start=1):
        yield OldRow(table, record.id, record.created_at, _said(record, wanted, found))
        if number % TELL_EVERY == 0:
            progress(found.name, number)
    progress(found.name, number)


def _is_wanted(column: Column, table: ResolvedTable[OperatorBase]) -> bool:
    """What is derived is derived here too (F08, F11): by its meaning, or where Airtable itself reckons a figure."""
    seen = table.fields.get(column.key)
    if seen is None or (column.kind in FIGURES and seen.computed):
        return False
    field = BY_NAME.get(column.key)
    return column.key in MORE if field is None else field.sort is not Sort.COMPUTED


def _said(record: Record, wanted: Sequence[Column], table: ResolvedTable[OperatorBase]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for column in wanted:
        seen = table.fields[column.key]
        cell = record.cells.get(seen.id)
        value = None if seen.type == LINK_TYPE else value_of(column, seen, cell)
        if value is None and isinstance(cell, str):
            value = cell  # a figure that somebody keeps as text
        if value is not None:
            said[MORE.get(column.key, column.key)] = value
    return said
