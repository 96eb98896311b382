"""Writing to rows of a client's Leads: ten to a call, only what is ours, and whatever a base has become meanwhile."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from tallybook.airtable.batches import write_in_tens
from tallybook.airtable.client import AirtableDoor, Cells
from tallybook.airtable.errors import AirtableError, BadRow, Cause, Misconfigured, RowGone
from tallybook.airtable.resolved import ResolvedTable, WritableField
from tallybook.airtable.seen import ClientBase
from tallybook.airtable.values import row_of
from tallybook.stores.airtable_base import REFUSED, BaseBook, ClientSchema
from tallybook.stores.airtable_cells import Values
from tallybook.stores.airtable_rows import named

_OF_FIELDS = (Cause.UNKNOWN_FIELD, Cause.COMPUTED, Cause.UNKNOWN_OPTION)
MOST_REFUSALS = 3
"""Of one field, in one save. Then it lies in the field, and no more rows are tried."""

Rows = Mapping[str, Values]


@dataclass
class Done:
    """*gone*: ids of rows that are not there. *untold*: cells that could not be written, by row and column. *refused*:
    those that Airtable did not take, or would not, in words.
    """

    gone: set[str] = field(default_factory=set)
    untold: set[tuple[str, str]] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    refusals: dict[WritableField, int] = field(default_factory=dict)


class LeadWriter:
    """Raises AirtableError when not all could be written; then all of it is to be written again."""

    def __init__(self, door: AirtableDoor, schema: ClientSchema, book: BaseBook) -> None:
        self._door = door
        self._schema = schema
        self._book = book

    def write(self, rows: Rows) -> Done:
        """*rows*: values by record id.

        A cell that Airtable refuses keeps nothing else from being written, neither other rows nor the rest of its own:
        first the base is looked at again, for a field may have been changed, then its row is written cell by cell. What
        is refused even then is told in the notice, and left: waiting for it would hold up all that the client is owed.
        """
        done = Done()
        if not rows:
            return done
        table = self._schema.leads
        left = self._write(table, rows, done)
        if left:
            table = self._schema.look()
            left = self._write(table, left, done)
        for record_id, values in left.items():
            self._write_alone(table, record_id, values, done)
        if done.refused:
            self._book.note(REFUSED, f"not taken: {named(list(dict.fromkeys(done.refused)))}")
        return done

    def _write(self, table: ResolvedTable[ClientBase], rows: Rows, done: Done) -> Rows:
        """Gives those that something of their own, or a field, keeps from being written."""
        cells = {
            record_id: made for record_id, values in rows.items() if (made := _cells(table, record_id, values, done))
        }
        written = write_in_tens(cells, partial(self._door.update, table))
        done.gone |= {record_id for record_id, error in written.bad.items() if isinstance(error, RowGone)}
        if written.stopped is not None and not _of_a_field(written.stopped):
            raise written.stopped
        refused = [record_id for record_id, error in written.bad.items() if not isinstance(error, RowGone)]
        return {record_id: rows[record_id] for record_id in (*refused, *written.left)}

    def _write_alone(self, table: ResolvedTable[ClientBase], record_id: str, values: Values, done: Done) -> None:
        for written, cell in _cells(table, record_id, values, done).items():
            try:
                if done.refusals.get(written, 0) < MOST_REFUSALS:
                    self._door.update(table, {record_id: {written: cell}})
                    continue
            except RowGone:
                done.gone.add(record_id)
                return
            except AirtableError as error:
                if not _of_a_field(error):
                    raise
                done.refusals[written] = done.refusals.get(written, 0) + 1
                done.refused.append(f"{written.seen.name} of row {record_id} ({error})")
            done.untold.add((record_id, written.column.key))


def _cells(table: ResolvedTable[ClientBase], record_id: str, values: Values, done: Done) -> Cells:
    """What of *values* has a place. Fields that are missing altogether are told elsewhere."""
    row = row_of(table, values)
    done.untold |= {(record_id, key) for key in row.left_out}
    done.refused += [why for key, why in row.left_out.items() if key in table.writable]
    return row.cells


def _of_a_field(error: AirtableError) -> bool:
    return isinstance(error, BadRow) or (isinstance(error, Misconfigured) and error.cause in _OF_FIELDS)
