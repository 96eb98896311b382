"""What of the books Airtable holds: so long, and so many rows. What people have written beside stays."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tallybook.airtable.batches import write_in_tens
from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.errors import RowGone
from tallybook.airtable.resolved import Resolved
from tallybook.airtable.seen import OperatorBase
from tallybook.airtable.tables import CLIENT_RUN_RESULTS, JOB_TRACKING
from tallybook.domain.following import FollowerState
from tallybook.domain.telling import Part, Standing, Telling
from tallybook.followers.mirror_rows import Table, notes_in

WARN_AT, STOP_AT = 0.80, 0.95
"""Of the records that the base may hold."""
TIDY_EVERY = timedelta(hours=1)
RUNS_A_TIME = 50
YOUNG = timedelta(days=1)
"""So long no run leaves, however crowded the base is."""
THERE = (Standing.TOLD, Standing.PARKED)
TIDIED, OTHERS = "tidied_at", "rows_of_others"


@dataclass(frozen=True, slots=True)
class Window:
    """*keep*: so long a run is held after it was made. *most_records*: the plan's, in the base over all its tables."""

    keep: timedelta
    most_records: int

    def used(self, book: FollowerState) -> int:
        """Our rows, those of before whose they are is known, and those of others as they were counted last."""
        counts = book.counts()
        return counts.get(Standing.TOLD, 0) + counts.get(Standing.FOUND, 0) + int(book.kept(OTHERS) or 0)

    def room(self, book: FollowerState) -> int:
        """How many rows may be made."""
        return max(0, int(self.most_records * STOP_AT) - self.used(book))

    def crowded(self, book: FollowerState) -> bool:
        return self.used(book) >= self.most_records * WARN_AT

    @property
    def full(self) -> str:
        return (
            f"the base has {STOP_AT:.0%} of the {self.most_records:,} records that its plan allows"
            " (airtable.records_per_base), so no row is made any more; delete old rows there, or change the plan"
        )

    def tidy(self, door: AirtableDoor, base: Resolved[OperatorBase], book: FollowerState) -> int:
        """Take out some of what is older than the window; at most once an hour. Gives how many rows that were.

        Raises AirtableError.
        """
        now, tidied = book.now(), book.kept(TIDIED)
        if tidied and now - datetime.fromisoformat(tidied) < TIDY_EVERY:
            return 0
        gone = sum(_retire(door, base, book, run_id) for run_id in book.told_before(now - self.keep, RUNS_A_TIME))
        too_many = self.used(book) - int(self.most_records * WARN_AT)
        for run_id in book.told_before(now - YOUNG, RUNS_A_TIME) if too_many > 0 else ():
            if too_many <= 0:
                break
            taken = _retire(door, base, book, run_id)
            gone, too_many = gone + taken, too_many - taken
        book.keep(TIDIED, now.isoformat())
        return gone


def _retire(door: AirtableDoor, base: Resolved[OperatorBase], book: FollowerState, run_id: str) -> int:
    """Its clients first: a row that people wrote beside keeps that of the run as well."""
    whole, *clients = book.tellings(run_id)
    gone = _take_out(door, base.table(CLIENT_RUN_RESULTS), book, clients)
    if gone == sum(each.ref is not None and each.standing in THERE for each in clients):
        return gone + _take_out(door, base.table(JOB_TRACKING), book, [whole])
    book.stands({whole.part: None}, Standing.FOUND)
    return gone


def _take_out(door: AirtableDoor, table: Table, book: FollowerState, tellings: Sequence[Telling]) -> int:
    """Nobody's notes are lost: they are read before."""
    there = {each.ref: each.part for each in tellings if each.ref and each.standing in THERE}
    notes: dict[str, str | None] = {
        record.id: notes_in(table, record) for record in door.by_record_ids(table, list(there), ["notes"])
    }
    book.keep_notes({there[ref]: text for ref, text in notes.items() if text})
    old = {ref: part for ref, part in there.items() if not notes.get(ref)}
    written = write_in_tens(dict.fromkeys(old, ()), lambda some: door.delete(table, list(some)))
    left = {*written.left, *(ref for ref, error in written.bad.items() if not isinstance(error, RowGone))}
    retired: dict[Part, str | None] = {part: None for ref, part in old.items() if ref not in left}
    if retired:
        book.stands(retired, Standing.RETIRED)
    if written.stopped is not None:
        raise written.stopped
    return len(retired)
