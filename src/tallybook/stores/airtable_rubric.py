"""What a client's leads and posts are judged by, as a table in its base."""

from collections.abc import Iterator, Mapping

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.errors import Cause, Misconfigured
from tallybook.airtable.resolved import ResolvedTable
from tallybook.airtable.seen import ClientBase
from tallybook.domain.rubric import Rubric
from tallybook.stores.airtable_base import RUBRIC, BaseBook, ClientSchema
from tallybook.stores.airtable_rows import named, plain
from tallybook.stores.cells import Row, folded
from tallybook.stores.rubric_files import rubric_of_rows, rubric_rows

_NAMES: Mapping[str, str] = {"attribute_id": "id", "judges": "for"}
"""Columns that files call otherwise."""


def read_attributes(door: AirtableDoor, schema: ClientSchema, book: BaseBook) -> Rubric | None:
    """None: there is no such table, or nothing in it that can be used. Raises AirtableError, StoreUnavailable.

    A row that cannot be used is left out, and told with the reason.
    """
    try:
        return _read(door, schema.attributes, book)
    except Misconfigured as error:
        if error.cause is not Cause.UNKNOWN_FIELD:
            raise
        schema.look()
        return _read(door, schema.attributes, book)


def _read(door: AirtableDoor, table: ResolvedTable[ClientBase] | None, book: BaseBook) -> Rubric | None:
    if table is None or not table.fields:
        return None
    read = rubric_rows(_rows(door, table))
    bad = [f"row {each.line}: {each.reason}" for each in read.bad]
    book.note(RUBRIC, f"of {table.name} these are left out: {named(bad)}" if bad else "")
    return rubric_of_rows(read.rows) if read.rows else None


def _rows(door: AirtableDoor, table: ResolvedTable[ClientBase]) -> Iterator[Row]:
    """As those of a file. A row in which nothing stands is none."""
    columns = table.schema.by_key
    for line, record in enumerate(door.records(table), start=1):
        if record.cells:
            cells = {
                folded(_NAMES.get(key, key)): plain(columns[key], seen, record.cells.get(seen.id))
                for key, seen in table.fields.items()
            }
            yield Row(line, cells)
