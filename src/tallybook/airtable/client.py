"""The door: all that Tallybook asks of Airtable, by ids, within its pace, and each request with a deadline.

Nothing is ever created but by an upsert on a key, which finds what an earlier try has left; nothing is replaced whole.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tallybook.airtable import formulas
from tallybook.airtable.calls import Calls, Request
from tallybook.airtable.errors import AirtableError, BadRow, RowGone, SeveralRows
from tallybook.airtable.listing import MOST_PER_PAGE, Page, Record, each_once, page_in, record_in
from tallybook.airtable.pacing import Pace
from tallybook.airtable.resolved import ResolvedTable, WritableField
from tallybook.airtable.seen import Base, BaseT, SeenField, SeenTable, seen_field, seen_table, seen_tables
from tallybook.airtable.setting_up import CreateField, CreateTable
from tallybook.airtable.values import Cell, clean
from tallybook.domain.errors import BadInput

if TYPE_CHECKING:
    from pyairtable.formulas import Formula

MOST_PER_WRITE = 10
PATIENCE_S = 60.0
"""How long a request waits for its turn: longer than a rest lasts."""

Cells = Mapping[WritableField, Cell]


@dataclass(frozen=True, slots=True)
class Upserted:
    """*records*: the rows as they are now, by key. *created*: ids of those that were not there before."""

    records: Mapping[str, Record]
    created: frozenset[str]

    @property
    def ids(self) -> Mapping[str, str]:
        return {key: record.id for key, record in self.records.items()}


class AirtableDoor:
    """May be used from any thread. Every method raises AirtableError; and LedgerUnavailable where the pace is kept in a
    database that does not answer.

    *patience_s*: so long a request may wait for its turn before it is given up with Resting.
    """

    def __init__(
        self,
        token: str,
        endpoint_url: str,
        pace: Pace,
        *,
        patience_s: float = PATIENCE_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._calls = Calls(token, endpoint_url, pace, patience_s, sleep)

    # -- what there is -------------------------------------------------------------------------------------------------

    def whoami(self) -> str:
        """The id of the user the token belongs to."""
        return self._calls.ask(Request("asking whose token it is", "GET", ("meta", "whoami")), _id_of)

    def tables(self, base: Base) -> tuple[SeenTable, ...]:
        """The schema of a base. What is read of records says nothing about it: empty cells are left out there."""
        request = Request(f"reading the schema of base {base.id}", "GET", _schema(base), base.id)
        return self._calls.ask(request, seen_tables)

    def create_table(self, base: Base, wanted: CreateTable) -> SeenTable:
        said = {"name": wanted.name, "fields": [dict(field) for field in wanted.fields]}
        request = Request(f"creating table {wanted.name}", "POST", _schema(base), base.id, json=said, writes=True)
        return self._calls.ask(request, seen_table)

    def create_field(self, base: Base, wanted: CreateField) -> SeenField:
        what = f"creating field {wanted.field['name']} of {wanted.table_name}"
        path = (*_schema(base), wanted.table_id, "fields")
        request = Request(what, "POST", path, base.id, json=dict(wanted.field), writes=True)
        return self._calls.ask(request, seen_field)

    # -- reading -------------------------------------------------------------------------------------------------------

    def records(
        self,
        table: ResolvedTable[BaseT],
        columns: Sequence[str] | None = None,
        formula: "Formula | None" = None,
        page_size: int = MOST_PER_PAGE,
    ) -> Iterator[Record]:
        """Rows of a table, each once, read as they are asked for. *columns*: keys of those wanted, None: all of ours
        that are there. *formula*: of `airtable.formulas`.
        """
        keys = [key for key in columns if key in table.fields] if columns is not None else list(table.fields)
        options: dict[str, Any] = {
            "page_size": page_size,
            "use_field_ids": True,
            "fields": [table.fields[key].id for key in keys or table.fields],
        }
        if formula is not None:
            options["formula"] = str(formula)
        return each_once(lambda offset: self._page(table, options, offset))

    def by_record_ids(
        self, table: ResolvedTable[BaseT], record_ids: Sequence[str], columns: Sequence[str] | None = None
    ) -> Iterator[Record]:
        """In any order; those that are gone are left out."""
        for some in _chunks(list(dict.fromkeys(record_ids)), MOST_PER_PAGE):
            yield from self.records(table, columns, formulas.any_record(some))

    def by_keys(
        self, table: ResolvedTable[BaseT], column: str, keys: Sequence[str], columns: Sequence[str] | None = None
    ) -> Iterator[Record]:
        """Rows in whose *column* stands one of *keys*. Several may have the same."""
        field_id = table.fields[column].id
        wanted = None if columns is None else [column, *columns]
        for some in _chunks(list(dict.fromkeys(keys)), MOST_PER_PAGE):
            for record in self.records(table, wanted, formulas.any_of(field_id, some)):
                if record.cells.get(field_id) in some:  # whatever Airtable takes for equal
                    yield record

    def _page(self, table: ResolvedTable[BaseT], options: Mapping[str, Any], offset: str | None) -> Page:
        path = _records(table)
        request = Request(
            f"reading {table.name}",
            "GET",
            path,
            table.base.id,
            options={**options, "offset": offset} if offset else options,
            long_path=(*path, "listRecords"),
        )
        return self._calls.ask(request, page_in)

    # -- writing: at most ten rows at a time ---------------------------------------------------------------------------

    def update(self, table: ResolvedTable[BaseT], rows: Mapping[str, Cells]) -> Mapping[str, Record]:
        """Rows by their record id; cells that are not named stay as they are. All or none, and twice is as once.

        Gives the rows as they are now, with all that people have put there.
        """
        records = [{"id": record_id, "fields": _said(table, cells)} for record_id, cells in rows.items()]
        return self._calls.ask(_writing(table, "updating", records), lambda answer: _records_by_id(rows, answer))

    def upsert(self, table: ResolvedTable[BaseT], rows: Mapping[str, Cells]) -> Upserted:
        """Rows by their key: what is not there is created, what is there is updated. All or none; twice is as once.

        Raises SeveralRows when a key stands in several.
        """
        key = table.key
        records = [{"fields": {**_said(table, cells), key.id: clean(name, line=True)}} for name, cells in rows.items()]
        if not all(rows):
            raise BadInput(f"a row of {table.name} has no {key.seen.name}")
        merge = {"performUpsert": {"fieldsToMergeOn": [key.id]}}
        try:
            return self._calls.ask(
                _writing(table, "upserting", records, merge), lambda said: _upserted(key, rows, said)
            )
        except BadRow as error:
            raise self._several_rows(table, rows, error) from None

    def delete(self, table: ResolvedTable[BaseT], record_ids: Sequence[str]) -> None:
        """All or none. Raises RowGone when one is not there."""
        _check_number(len(record_ids))
        request = Request(
            f"deleting {len(record_ids)} rows of {table.name}",
            "DELETE",
            _records(table),
            table.base.id,
            params={"records[]": list(record_ids)},
            writes=True,
        )
        self._calls.ask(request, lambda answer: answer["records"])

    def _several_rows(self, table: ResolvedTable[BaseT], rows: Mapping[str, Cells], error: BadRow) -> AirtableError:
        """What Airtable calls an upsert that finds several rows is not documented, so the table itself is asked."""
        if isinstance(error, RowGone) or error.kind in ("INVALID_VALUE_FOR_COLUMN", "INVALID_RECORD_ID"):
            return error
        key = table.schema.columns[0].key
        found: dict[str, list[Record]] = {}
        try:
            for record in self.by_keys(table, key, list(rows), [key]):
                found.setdefault(record.cells[table.key.id], []).append(record)
        except AirtableError:
            return error  # which is what there is to tell
        several = {name: _oldest_first(records) for name, records in found.items() if len(records) > 1}
        if not several:
            return error
        names = ", ".join(f"{name} ({len(ids)} rows)" for name, ids in several.items())
        text = f"{table.name} has several rows with one {table.key.seen.name}: {names}; delete all but one of each"
        return SeveralRows(text, rows=several, kind=error.kind, status=error.status)


def _schema(base: Base) -> tuple[str, ...]:
    return "meta", "bases", base.id, "tables"


def _records(table: ResolvedTable[BaseT]) -> tuple[str, ...]:
    return table.base.id, table.id


def _id_of(answer: Any) -> str:
    return str(answer["id"])


def _writing(
    table: ResolvedTable[BaseT], verb: str, records: Sequence[Mapping[str, Any]], more: Mapping[str, Any] | None = None
) -> Request:
    _check_number(len(records))
    what = f"{verb} {len(records)} rows of {table.name}"
    said = {"records": records, "typecast": False, "returnFieldsByFieldId": True, **(more or {})}
    return Request(what, "PATCH", _records(table), table.base.id, json=said, writes=True)


def _said(table: ResolvedTable[BaseT], cells: Cells) -> dict[str, Cell]:
    for field in cells:
        if field.table_id != table.id:
            raise BadInput(f"{field.seen.name} is no field of {table.name}")
    return {field.id: cell for field, cell in cells.items()}


def _upserted(key: WritableField, rows: Mapping[str, Cells], answer: Mapping[str, Any]) -> Upserted:
    """By key where they come back as they were sent, else in their order."""
    records = list(map(record_in, answer["records"]))
    names = [record.cells.get(key.id) for record in records]
    if set(names) != set(rows):
        names = list(rows)
    by_key = {str(name): record for name, record in zip(names, records, strict=True)}
    return Upserted(by_key, frozenset(answer["createdRecords"]))


def _records_by_id(rows: Mapping[str, Cells], answer: Mapping[str, Any]) -> Mapping[str, Record]:
    """Raises ValueError for an answer that is of other rows."""
    records = {record.id: record for record in map(record_in, answer["records"])}
    if records.keys() != rows.keys():
        raise ValueError("it is an answer to something else")
    return records


def _oldest_first(records: Sequence[Record]) -> list[str]:
    return [record.id for record in sorted(records, key=lambda record: (record.created_at, record.id))]


def _check_number(rows: int) -> None:
    if not 1 <= rows <= MOST_PER_WRITE:
        raise BadInput(f"Airtable takes 1 to {MOST_PER_WRITE} rows at a time, not {rows}")


def _chunks(things: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (things[start : start + size] for start in range(0, len(things), size))
