"""The operator's Airtable mirrors the books: the newest version of each row, ten to a call, never in a run's way.

What people own there is never written: their `Notes` are read back, rows that they delete are not made again, and what
Airtable computes it computes itself.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.errors import AirtableError, BadRow, Cause, Misconfigured, MonthUsedUp, NotNow
from tallybook.airtable.formulas import not_empty
from tallybook.airtable.listing import MOST_PER_PAGE
from tallybook.airtable.resolved import Resolved
from tallybook.airtable.seen import OperatorBase
from tallybook.airtable.tables import CLIENT_RUN_RESULTS, JOB_TRACKING
from tallybook.domain.batches import batched
from tallybook.domain.following import FollowerState
from tallybook.followers.mirror_flush import Flush
from tallybook.followers.mirror_rows import notes_in
from tallybook.followers.mirror_schema import MirrorSchema
from tallybook.followers.mirror_window import Window

NAME = "airtable_mirror"
FLUSH_EVERY = timedelta(seconds=30)
AWAY_FOR = timedelta(seconds=30)
BROKEN_FOR = timedelta(minutes=5)
"""How soon what somebody has to mend is tried again."""
LOOK_ANEW = (Cause.UNKNOWN_FIELD, Cause.COMPUTED, Cause.UNKNOWN_OPTION, Cause.ACCESS)
"""Then the schema may not be as it was kept."""
NOTES_EVERY = timedelta(hours=1)
_TROUBLE, _NOTES = "trouble", "notes_read_at"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why nothing is told, since when, and when it is tried again. *kind*: the name of the error's class."""

    kind: str
    text: str
    since: datetime
    until: datetime


class AirtableMirror:
    """The follower. *door* may be used by others at the same time; this base is written by nobody else."""

    def __init__(self, door: AirtableDoor, base: OperatorBase, window: Window) -> None:
        self.door = door
        self.base = base
        self.window = window

    @property
    def name(self) -> str:
        return NAME

    @property
    def every(self) -> timedelta:
        return FLUSH_EVERY

    @property
    def ends_only(self) -> bool:
        return False

    @property
    def beats(self) -> bool:
        return False

    def tell(self, run_ids: Sequence[str], book: FollowerState) -> datetime | None:
        try:
            self.flush(run_ids, book)
        except AirtableError:
            trouble = trouble_in(book)
            return trouble.until if trouble else None
        return None

    def flush(self, run_ids: Sequence[str], book: FollowerState) -> None:
        """Write what of these runs is not told. Raises AirtableError when the rest could not be, and keeps why."""
        try:
            self._flush(run_ids, book)
        except AirtableError as error:
            note_trouble(error, book)
            raise
        if book.kept(_TROUBLE):
            book.keep(_TROUBLE, None)

    def _flush(self, run_ids: Sequence[str], book: FollowerState) -> None:
        """What a changed schema may be to blame for is tried once more with the schema as it is now."""
        schema = MirrorSchema(self.door, self.base, book)
        base = schema.resolved()
        self.window.tidy(self.door, base, book)
        flush = Flush(self.door, base, book, self.window, park=False)
        if self._is_unclear(flush, run_ids):
            flush = Flush(self.door, schema.look(), book, self.window, park=True)
            flush.write(run_ids)
        self._read_notes(base, book)
        if flush.full:
            raise Misconfigured(self.window.full, cause=Cause.FULL)

    def _is_unclear(self, flush: Flush, run_ids: Sequence[str]) -> bool:
        """Is it to be done once more?"""
        try:
            flush.write(run_ids)
        except BadRow:
            return True
        except Misconfigured as error:
            if error.cause not in LOOK_ANEW:
                raise
            return True
        return flush.unclear

    def _read_notes(self, base: Resolved[OperatorBase], book: FollowerState) -> None:
        """What people wrote since: with the rows that are written it comes by itself, of the others once an hour."""
        now, read = book.now(), book.kept(_NOTES)
        if read is None:
            book.keep(_NOTES, now.isoformat())
        if read is None or now - datetime.fromisoformat(read) < NOTES_EVERY:
            return
        for schema in (JOB_TRACKING, CLIENT_RUN_RESULTS):
            table = base.table(schema)
            if "notes" in table.fields:
                noted = self.door.records(table, ["notes"], not_empty(table.fields["notes"].id))
                for page in batched(noted, MOST_PER_PAGE):
                    parts = book.parts_of([record.id for record in page])
                    book.keep_notes({parts[each.id]: notes_in(table, each) for each in page if each.id in parts})
        book.keep(_NOTES, now.isoformat())


def note_trouble(error: AirtableError, book: FollowerState) -> None:
    """Keep why nothing goes, since when, and when it is tried again."""
    now, before = book.now(), trouble_in(book)
    until = now + BROKEN_FOR
    if isinstance(error, NotNow):
        until = now + max(AWAY_FOR, timedelta(seconds=error.retry_after_s))
    if isinstance(error, MonthUsedUp):
        until = error.until
    kept = {
        "kind": type(error).__name__,
        "text": str(error),
        "since": (before.since if before else now).isoformat(),
        "until": until.isoformat(),
    }
    book.keep(_TROUBLE, json.dumps(kept))


def trouble_in(book: FollowerState) -> Trouble | None:
    kept = json.loads(book.kept(_TROUBLE) or "{}")
    if not kept:
        return None
    since, until = (datetime.fromisoformat(kept[name]) for name in ("since", "until"))
    return Trouble(kept["kind"], kept["text"], since, until)
