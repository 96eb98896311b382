"""The operator's base as it was found, kept between runs: fields by their ids, and what has become of them since."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.drift import Change, Drift, diff
from tallybook.airtable.errors import Cause, Misconfigured
from tallybook.airtable.resolved import Resolved, read_document, resolve
from tallybook.airtable.seen import OperatorBase, SeenTable
from tallybook.airtable.tables import CLIENT_RUN_RESULTS, JOB_TRACKING
from tallybook.domain.errors import BadInput
from tallybook.domain.following import FollowerState

LOOK_AGAIN_AFTER = timedelta(hours=1)
_SCHEMA, _DRIFT = "schema", "drift"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that became of the base. *at*: when it was seen, RFC 3339."""

    change: str
    table: str
    column: str
    text: str
    at: str


class MirrorSchema:
    """What of our tables the base has. *book*: where it is kept."""

    def __init__(self, door: AirtableDoor, base: OperatorBase, book: FollowerState) -> None:
        self._door = door
        self._base = base
        self._book = book

    def resolved(self) -> Resolved[OperatorBase]:
        """As it was seen within the hour. Raises AirtableError; Misconfigured where the tables are not there."""
        known, seen_at = self._kept()
        if known is None or seen_at is None or self._book.now() - seen_at > LOOK_AGAIN_AFTER:
            return self.look()
        return _with_tables(known)

    def look(self) -> Resolved[OperatorBase]:
        """Look at the base now; what has become of it is told once, with the cure (F09, F10)."""
        return self.match(self._door.tables(self._base))

    def match(self, tables: Sequence[SeenTable]) -> Resolved[OperatorBase]:
        """Our schema in *tables*, which is kept. Nothing is kept where our tables are not there. In another base than
        before there is nothing of what was told.
        """
        known, _ = self._kept()
        if known is None and self._book.kept(_SCHEMA):
            self._book.start_over()
        drifts = () if known is None else diff(known, tables)
        now = _with_tables(resolve(self._base, tables, known))
        self._note([each for each in drifts if each.table in MIRRORED], now)
        at = self._book.now().isoformat()
        self._book.keep(_SCHEMA, json.dumps({"at": at, "document": now.document}))
        return now

    @property
    def known(self) -> Resolved[OperatorBase] | None:
        """As it was kept. None: our tables were never found there."""
        return self._kept()[0]

    def notices(self) -> Sequence[Notice]:
        """What became of the base since it was set up, and still is so."""
        kept = self._book.kept(_DRIFT)
        return [Notice(**each) for each in json.loads(kept)] if kept else []

    def set_up(self, tables: Sequence[SeenTable]) -> Resolved[OperatorBase]:
        """As `match`; and what was told before is over."""
        now = self.match(tables)
        self._book.keep(_DRIFT, None)
        return now

    def _kept(self) -> tuple[Resolved[OperatorBase] | None, datetime | None]:
        kept = json.loads(self._book.kept(_SCHEMA) or "{}")
        document = read_document(self._base, kept.get("document", {}))
        return document, datetime.fromisoformat(kept["at"]) if document else None

    def _note(self, drifts: Sequence[Drift], now: Resolved[OperatorBase]) -> None:
        if not drifts and not self._book.kept(_DRIFT):
            return
        at = self._book.now().isoformat()
        new = [Notice(each.change, each.table, each.column, each.text, at) for each in drifts]
        known = [each for each in self.notices() if not _mended(each, now)]
        self._book.keep(_DRIFT, json.dumps([asdict(each) for each in (*known, *new)]))
        for each in new:
            once_key = f"drift {self._base.id} {each.at} {each.text}"
            self._book.event("mirror_drift", f"In Airtable, {each.text}", once_key=once_key)


MIRRORED = (JOB_TRACKING.key, CLIENT_RUN_RESULTS.key)


def _mended(notice: Notice, now: Resolved[OperatorBase]) -> bool:
    """Of what is written again there is nothing to tell. A new name is not news for ever."""
    table = now.tables.get(notice.table)
    if table is None or notice.change in (Change.RENAMED, Change.OPTION_GONE):
        return False
    return not notice.column or notice.column in table.writable


def _with_tables(found: Resolved[OperatorBase]) -> Resolved[OperatorBase]:
    """Raises Misconfigured."""
    for schema in (JOB_TRACKING, CLIENT_RUN_RESULTS):
        try:
            _ = found.table(schema).key  # raises where it cannot be written
        except BadInput as error:
            text = f"{error}; `tallybook mirror setup` makes what is missing"
            raise Misconfigured(text, cause=Cause.SCHEMA) from None
    return found
