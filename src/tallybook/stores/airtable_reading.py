"""Bringing the copy of a client's leads up to date: all of them once a day, what has changed in between."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from tallybook.airtable import formulas
from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.errors import Cause, Misconfigured
from tallybook.airtable.listing import MOST_PER_PAGE, Record
from tallybook.airtable.resolved import ResolvedTable
from tallybook.airtable.seen import ClientBase
from tallybook.domain.errors import BadInput
from tallybook.domain.outcome import LeadId
from tallybook.stores.airtable_base import FIELDS, REFUSED, ROWS, BaseBook, ClientSchema
from tallybook.stores.airtable_copy import AirtableCopy, Batch, Double
from tallybook.stores.airtable_rows import LeadReader, LeadRow, named

log = logging.getLogger(__name__)
LIST_AGAIN_AFTER = timedelta(days=1)
MARGIN = timedelta(minutes=1)
"""By so much Airtable's clock may differ from ours."""
_OF_FIELDS = (Cause.UNKNOWN_FIELD, Cause.FORMULA)


@dataclass
class _Met:
    """What was met that somebody has to mend, in one reading."""

    nameless: list[str] = field(default_factory=list)
    posts_unread: int = 0
    first_unread: str = ""
    doubles: list[Double] = field(default_factory=list)
    of_several: list[str] = field(default_factory=list)

    @property
    def notice(self) -> str:
        parts = []
        if self.nameless:
            parts.append(
                f"{len(self.nameless):,} rows without a readable profile URL are left out ({named(self.nameless)})"
            )
        if self.of_several:
            parts.append(f"of rows with one profile URL the oldest counts: {named(self.of_several)}")
        if self.posts_unread:
            parts.append(f"posts that cannot be read in {self.posts_unread:,} rows, such as {self.first_unread}")
        return "; ".join(parts)


class LeadReading:
    """Raises AirtableError, StoreUnavailable."""

    def __init__(self, door: AirtableDoor, schema: ClientSchema, copy: AirtableCopy, book: BaseBook) -> None:
        self._door = door
        self._schema = schema
        self._copy = copy
        self._book = book

    def bring_up_to_date(self) -> None:
        """Changes only what differs; a listing that is cut short is begun anew the next time."""
        if self._book.noted(FIELDS) or self._book.noted(REFUSED):
            self._schema.look()  # it may have been mended
        state, now = self._book.state, self._copy.now()
        listed_at = state.listed_at
        if state.read_until is None or listed_at is None or now - listed_at > LIST_AGAIN_AFTER:
            self._read(now, None)
        else:
            self._read(now, state.read_until)

    def read_changes(self, older_than: timedelta) -> None:
        """Unless they were read a moment ago, or a whole listing is due, for which a run's beginning is the time."""
        since = self._book.state.read_until
        now = self._copy.now()
        if since is not None and now - since > older_than:
            self._read(now, since)

    def _read(self, begun: datetime, since: datetime | None) -> None:
        try:
            self._read_with(self._schema.leads, begun, since)
        except Misconfigured as error:
            if error.cause not in _OF_FIELDS:
                raise
            self._read_with(self._schema.look(), begun, since)

    def _read_with(self, table: ResolvedTable[ClientBase], begun: datetime, since: datetime | None) -> None:
        formula = None if since is None else formulas.changed_since(since - MARGIN)
        reader, met = LeadReader(table), _Met()
        for batch in self._batches(self._door.records(table, formula=formula), reader, met, begun, whole=since is None):
            met.doubles += self._copy.put(batch, reader.rewritten)
        self._settle(table, reader, met)
        if since is None:
            gone = self._copy.drop_unseen(begun)
            log.info("all leads of client %s were read; %d are gone", table.base.client_id, gone)
        self._tell(met, whole=since is None)
        self._book.keep_read(begun, listed=since is None)

    def _batches(
        self, records: Iterator[Record], reader: LeadReader, met: _Met, begun: datetime, *, whole: bool
    ) -> Iterator[Batch]:
        """A page each, or the rest of one and the beginning of the next: so some of it may have been asked for when the
        batch before it was.
        """
        asked_at, now = begun, self._copy.now()
        while page := list(islice(records, MOST_PER_PAGE)):
            rows, unread = _rows(page, reader, met)
            yield Batch(rows, unread, asked_at, begun if whole else None)
            asked_at, now = now, self._copy.now()

    def _settle(self, table: ResolvedTable[ClientBase], reader: LeadReader, met: _Met) -> None:
        """Of several rows with one profile URL the oldest counts, if it is still there."""
        if not met.doubles:
            return
        ids = [each for double in met.doubles for each in (double.other_id, double.record_id)]
        asked_at = self._copy.now()
        rows, _ = _rows(self._door.by_record_ids(table, ids), reader, _Met())
        by_lead: dict[LeadId, list[LeadRow]] = {}
        for row in sorted(rows, key=lambda row: (row.created_at, row.record_id)):
            by_lead.setdefault(row.lead.lead_id, []).append(row)
        for of_one in by_lead.values():
            self._copy.put(Batch(of_one[:1], (), asked_at), reader.rewritten, settled=True)
        met.of_several = [_of_several(of_one) for of_one in by_lead.values() if len(of_one) > 1]

    def _tell(self, met: _Met, *, whole: bool) -> None:
        """A reading of what has changed does not know of the rest."""
        if whole or (met.notice and not self._book.noted(ROWS)):
            self._book.note(ROWS, met.notice)
        if whole:
            self._book.note(REFUSED, "")  # it is told again if it is so again


def _rows(
    records: Iterator[Record] | Sequence[Record], reader: LeadReader, met: _Met
) -> tuple[list[LeadRow], list[str]]:
    """Those that name somebody, and the ids of those that do not."""
    rows: list[LeadRow] = []
    unread: list[str] = []
    for record in records:
        try:
            row = reader.read(record)
        except BadInput:
            unread.append(record.id)
            met.nameless += [record.id] if record.cells else []  # in which nothing stands, nothing is to be mended
            continue
        rows.append(row)
        met.posts_unread += row.posts_unread
        met.first_unread = met.first_unread or (row.record_id if row.posts_unread else "")
    return rows, unread


def _of_several(rows: Sequence[LeadRow]) -> str:
    others = named([row.record_id for row in rows[1:]])
    return f"{rows[0].lead.lead_id} ({rows[0].record_id} and not {others})"
