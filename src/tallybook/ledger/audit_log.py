"""The audit log as it is read: who did what, newest first."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from tallybook.database import Database, read_stamp
from tallybook.domain.errors import BadInput
from tallybook.ledger.server_tables import audit_log


@dataclass(frozen=True, slots=True)
class Entry:
    """*actor* did *action* to *subject*."""

    entry_id: int
    at: datetime | None
    actor: str
    action: str
    subject: str | None
    facts: Mapping[str, object]

    @property
    def cursor(self) -> str:
        """Where `list_entries` goes on after it."""
        return str(self.entry_id)


def list_entries(database: Database, after: str | None = None, limit: int = 50) -> Sequence[Entry]:
    """Newest first. *after*: the cursor of the last one seen. Raises BadInput for what is none."""
    newest_first = sa.select(audit_log).order_by(audit_log.c.id.desc()).limit(limit)
    if after is not None:
        if not re.fullmatch("[0-9]{1,18}", after):
            raise BadInput(f"{after!r} is no cursor; give the next_cursor of the page before")
        newest_first = newest_first.where(audit_log.c.id < int(after))
    with database.reading() as connection:
        return [_entry(row) for row in connection.execute(newest_first).mappings()]


def _entry(row: sa.RowMapping) -> Entry:
    facts = json.loads(row["facts"]) if row["facts"] else {}
    return Entry(row["id"], read_stamp(row["at"]), row["actor"], row["action"], row["subject"], facts)
