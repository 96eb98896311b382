"""Writing rows that are not told: the rows of runs first, since those of their clients are linked to them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from tallybook.airtable.batches import Written, write_in_tens
from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.errors import AirtableError, Cause, Misconfigured, RowGone, SeveralRows
from tallybook.airtable.listing import Record
from tallybook.airtable.resolved import Resolved
from tallybook.airtable.seen import OperatorBase
from tallybook.airtable.tables import JOB_TRACKING
from tallybook.domain.following import FollowerState
from tallybook.domain.telling import Part, Standing, Telling, Told
from tallybook.followers.mirror_rows import Cells, MirrorRow, RunRows, notes_in
from tallybook.followers.mirror_window import Window

RUNS_TOGETHER = 25
"""Whose rows are written with one another, and held at once."""
Rows = Mapping[str, MirrorRow]
AnswerT = TypeVar("AnswerT")
BAD_BATCHES = 3
"""Of ten rows each, not one of which is taken. With more, it does not lie in the rows."""
NOT_MADE_AGAIN = "it is made again only by `tallybook mirror repair --recreate`"


class Flush:
    """One pass. *park*: a row that is not taken is parked; else it is left owed, for the schema may be to blame.

    *unclear*: some rows are to be written once more, since something turned out otherwise than it was taken for.
    *full*: some were not made, for there is no room.
    """

    def __init__(
        self, door: AirtableDoor, base: Resolved[OperatorBase], book: FollowerState, window: Window, *, park: bool
    ) -> None:
        self.unclear = self.full = False
        self._door = door
        self._base = base
        self._book = book
        self._window = window
        self._park = park
        self._as_of = book.now()
        self._refs: dict[Part, str] = {}
        self._gone: set[Part] = set()

    def write(self, run_ids: Sequence[str]) -> None:
        """Raises AirtableError when the rest could not be written."""
        for start in range(0, len(run_ids), RUNS_TOGETHER):
            some = run_ids[start : start + RUNS_TOGETHER]
            self._as_of = self._book.now()
            tellings = self._book.tellings_of(some)
            self._write([RunRows(self._base, tellings[run_id], self._book.story) for run_id in some])

    def _write(self, runs: Sequence[RunRows]) -> None:
        self._send([run.row(run.whole, None) for run in runs if run.whole.behind])
        self._send([row for run in runs for row in self._rows_of_clients(run)])

    def _rows_of_clients(self, run: RunRows) -> Iterator[MirrorRow]:
        """All of them where the row they are linked to is a new one."""
        there = None if run.whole.part in self._gone else run.whole_ref
        made = self._refs.get(run.whole.part, there)
        anew = made is not None and made != there
        yield from (run.row(each, made, linked_anew=anew) for each in run.clients_due(linked_anew=anew))

    def _send(self, rows: Sequence[MirrorRow]) -> None:
        """All of one table. What is there is known by its record id; what is not is made by its key."""
        if not rows:
            return
        table = rows[0].table
        known = {row.telling.ref: row for row in rows if row.telling.ref}
        self._note(known, self._written(known, partial(self._door.update, table)), lambda records: records)
        new = {row.key: row for row in rows if not row.telling.ref}
        room = self._window.room(self._book) if new else 0
        made = dict(list(new.items())[:room])
        self.full = self.full or len(made) < len(new)
        self._note(made, self._written(made, partial(self._door.upsert, table)), lambda answer: answer.records)

    def _written(self, rows: Rows, write: Callable[[Mapping[str, Cells]], AnswerT]) -> Written[AnswerT]:
        cells = {key: row.cells for key, row in rows.items()}
        return write_in_tens(cells, write, bad_batches=BAD_BATCHES if self._park else 0)

    def _note(
        self, rows: Rows, written: Written[AnswerT], records_of: Callable[[AnswerT], Mapping[str, Record]]
    ) -> None:
        records = {key: record for answer in written.answers for key, record in records_of(answer).items()}
        told = [_told(rows[key], record, self._as_of) for key, record in records.items() if key in rows]
        if told:
            self._book.told(told)
            self._refs |= {each.part: each.ref for each in told}
        gone = [rows[key] for key, error in written.bad.items() if isinstance(error, RowGone)]
        if gone:
            self._note_gone(gone)
        for key, error in written.bad.items():
            if not isinstance(error, RowGone):
                self._note_bad(rows[key], error)
        if isinstance(written.stopped, Misconfigured) and written.stopped.cause is Cause.FULL:
            self.full = True
        elif written.stopped is not None:
            raise written.stopped

    def _note_gone(self, rows: Sequence[MirrorRow]) -> None:
        """A row that people deleted is not made again. Airtable does not say whether it is the row that is gone or the
        one it is linked to, so it is asked.
        """
        table = rows[0].table
        refs = [row.telling.ref for row in rows if row.telling.ref]
        there = {record.id for record in self._door.by_record_ids(table, refs, [])}
        for row in rows:
            if row.telling.ref and row.telling.ref not in there:
                self._stands_gone(row.telling, row.key, table.name)
            else:
                self.unclear = True
        if any(row.telling.ref is None or row.telling.ref in there for row in rows):
            self._look_for_whole({row.telling.part.run_id for row in rows})

    def _look_for_whole(self, run_ids: Iterable[str]) -> None:
        """Which of these runs' own rows are not there any more."""
        table = self._base.table(JOB_TRACKING)
        wholes = {run_id: self._book.tellings(run_id)[0] for run_id in run_ids}
        refs = [whole.ref for whole in wholes.values() if whole.ref]
        there = {record.id for record in self._door.by_record_ids(table, refs, [])}
        for run_id, whole in wholes.items():
            if whole.ref and whole.ref not in there:
                self._stands_gone(whole, run_id, table.name)

    def _stands_gone(self, telling: Telling, key: str, table: str) -> None:
        text = f"The row {key} of {table} was deleted in Airtable; {NOT_MADE_AGAIN}"
        self._book.stands({telling.part: text}, Standing.GONE)
        self._book.event("mirror_row_gone", text, once_key=f"gone {telling.ref}", part=telling.part)
        self._gone.add(telling.part)

    def _note_bad(self, row: MirrorRow, error: AirtableError) -> None:
        """Of several rows with one key the oldest is ours; the others are theirs to delete. A row that is not taken
        keeps no other from being told.
        """
        part = row.telling.part
        if isinstance(error, SeveralRows):
            self._refs[part] = error.rows[row.key][0]
            self._book.adopt({part: self._refs[part]})
            self._book.event("mirror_several_rows", str(error), once_key=f"several {row.table.id} {row.key}", part=part)
            self.unclear = True
        elif self._park:
            self._book.stands({part: str(error)}, Standing.PARKED, {part: row.telling.version})
        else:
            self.unclear = True


def _told(row: MirrorRow, record: Record, as_of: datetime) -> Told:
    return Told(row.telling.part, row.telling.version, record.id, notes_in(row.table, record), as_of)
