"""What is known of a client's base: its tables as they were found, how far it was read, what somebody has to mend."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.drift import diff
from tallybook.airtable.errors import Cause, Misconfigured
from tallybook.airtable.resolved import Resolved, ResolvedTable, read_document, resolve
from tallybook.airtable.schema import Owner
from tallybook.airtable.seen import ClientBase
from tallybook.airtable.tables import LEADS, SCORING_ATTRIBUTES
from tallybook.database import read_stamp, stamp
from tallybook.stores.connections import Connections

log = logging.getLogger(__name__)
LOOK_AGAIN_AFTER = timedelta(days=1)
FIELDS, ROWS, REFUSED, RUBRIC = "Fields", "Rows", "Refused", "Rubric"
"""What the lines of a notice are about."""

_COLUMNS = ("document", "read_until", "listed_at", "notice")
_NEW_BASE = """
    UPDATE @airtable_bases SET base_id = ?, document = '{}', read_until = NULL, listed_at = NULL, notice = NULL
    WHERE client_id = ? AND base_id <> ?"""


@dataclass(frozen=True, slots=True)
class BaseState:
    """*read_until*: what was changed before then has been read. *listed_at*: when all leads were read last."""

    document: Mapping[str, Any] = field(default_factory=dict)
    read_until: datetime | None = None
    listed_at: datetime | None = None
    notice: str = ""


class BaseBook:
    """Where that is kept. Nothing of another base counts. Raises StoreUnavailable."""

    def __init__(self, connections: Connections, base: ClientBase) -> None:
        self._connections = connections
        self._base = base

    def now(self) -> datetime:
        return self._connections.now()

    @property
    def state(self) -> BaseState:
        found = f"SELECT {', '.join(_COLUMNS)} FROM @airtable_bases WHERE client_id = ? AND base_id = ?"
        with self._connections.reading() as tx:
            row = tx.row(found, (self._base.client_id, self._base.id))
        if row is None:
            return BaseState()
        document, read_until, listed_at, notice = row
        return BaseState(json.loads(document), read_stamp(read_until), read_stamp(listed_at), notice or "")

    def keep(self, column: str, text: str | None) -> None:
        key = (self._base.client_id, self._base.id)
        put = (
            f"INSERT INTO @airtable_bases (client_id, base_id, {column}) VALUES (?, ?, ?) "
            f"ON CONFLICT (client_id) DO UPDATE SET {column} = excluded.{column}"
        )
        with self._connections.writing() as tx:
            tx.execute(_NEW_BASE, (self._base.id, *key))
            tx.execute(put, (*key, text))

    def keep_read(self, until: datetime, *, listed: bool) -> None:
        self.keep("read_until", stamp(until))
        if listed:
            self.keep("listed_at", stamp(until))

    def note(self, about: str, text: str) -> None:
        """What somebody has to mend, told once; an empty *text*: nothing any more."""
        text = " ".join(text.split())
        lines = self._lines
        if lines.get(about, "") == text:
            return
        if text:
            log.warning("client %s, base %s: %s", self._base.client_id, self._base.id, text)
        said = [f"{name}: {line}" for name, line in {**lines, about: text}.items() if line]
        self.keep("notice", "\n".join(said) or None)

    def noted(self, about: str) -> str:
        return self._lines.get(about, "")

    @property
    def _lines(self) -> dict[str, str]:
        split = (line.partition(": ") for line in self.state.notice.splitlines())
        return {about: text for about, _, text in split}


class ClientSchema:
    """What of our tables the base has: fields by their ids, whatever they are called now. Raises AirtableError."""

    def __init__(self, door: AirtableDoor, base: ClientBase, book: BaseBook) -> None:
        self._door = door
        self._base = base
        self._book = book

    @property
    def leads(self) -> ResolvedTable[ClientBase]:
        """As it was seen within the day. Raises Misconfigured where there is no such table."""
        return self._leads_of(self._resolved())

    @property
    def attributes(self) -> ResolvedTable[ClientBase] | None:
        return self._resolved().tables.get(SCORING_ATTRIBUTES.key)

    def look(self) -> ResolvedTable[ClientBase]:
        """Look at the base now; gives its leads. What has become of it is told, with the cure (F09, F10)."""
        return self._leads_of(self._look())

    def _resolved(self) -> Resolved[ClientBase]:
        known, seen_at = self._kept()
        if known is None or seen_at is None or self._book.now() - seen_at > LOOK_AGAIN_AFTER:
            return self._look()
        return known

    def _look(self) -> Resolved[ClientBase]:
        known, _ = self._kept()
        tables = self._door.tables(self._base)
        now = resolve(self._base, tables, known)
        for drift in diff(known, tables) if known is not None else ():
            log.warning("client %s: in Airtable, %s", self._base.client_id, drift.text)
        self._book.keep("document", json.dumps({"at": stamp(self._book.now()), "document": now.document}))
        if LEADS.key in now.tables:
            self._book.note(FIELDS, _not_written(now.tables[LEADS.key]))
        return now

    def _kept(self) -> tuple[Resolved[ClientBase] | None, datetime | None]:
        kept = self._book.state.document
        return read_document(self._base, kept.get("document", {})), read_stamp(kept.get("at"))

    def _leads_of(self, found: Resolved[ClientBase]) -> ResolvedTable[ClientBase]:
        table = found.tables.get(LEADS.key)
        if table is None:
            text = f"base {self._base.id} of client {self._base.client_id} has no table Leads; is it the right base?"
            raise Misconfigured(text, cause=Cause.SCHEMA)
        key = LEADS.columns[0]
        if key.key not in table.fields:
            text = f"{table.name} in base {self._base.id} has no field {key.name}; without it nobody is known there"
            raise Misconfigured(text, cause=Cause.SCHEMA)
        return table


def _not_written(table: ResolvedTable[ClientBase]) -> str:
    """What is ours and cannot be written, and the cure; empty: all can."""
    missing = [column.name for column in table.missing if column.owner is Owner.OURS]
    whys = [f"{table.schema.by_key[key].name} ({why})" for key, why in table.left_out.items()]
    parts = [f"{table.name} has no field {', '.join(missing)}: make it there"] if missing else []
    parts += [f"these are not written: {', '.join(whys)}: change their types"] if whys else []
    return f"{'; '.join(parts)}; the rest of each row is written" if parts else ""
