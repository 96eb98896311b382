"""Errors are events at their source, each with a fingerprint; here they are counted by it (F24)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tallybook.database import Database, read_stamp, rows_of, stamp
from tallybook.ledger.tables import events

KINDS = (
    "alerts_maybe_told", "calls_lost", "claim_refused", "client_error", "clients_unreadable", "error", "lost",
    "mirror_drift", "missed_run", "provider_stop", "refused", "store_error", "unsaved",
)  # fmt: skip
"""Of events, those that tell of something that went wrong."""
_KINDS = ", ".join(f"'{kind}'" for kind in KINDS)
_COUNTED = (
    "SELECT MAX(fingerprint), MAX(kind), COUNT(*), COUNT(DISTINCT run_id), MIN(at), MAX(at), MAX(id) FROM @events"
    f" WHERE kind IN ({_KINDS}) AND at > ? GROUP BY kind, fingerprint ORDER BY 3 DESC, 6 DESC LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Errors that differ in numbers and names alone. *text*: of the newest; *runs*: in so many."""

    fingerprint: str
    kind: str
    count: int
    runs: int
    first_at: datetime | None
    last_at: datetime | None
    text: str


def troubles(database: Database, since: datetime, limit: int = 20) -> Sequence[Trouble]:
    """What went wrong after then, by fingerprint, the most frequent first."""
    with database.reading() as connection:
        rows = rows_of(connection, _COUNTED, (stamp(since), limit))
        newest = events.select().where(events.c.id.in_([row[6] for row in rows]))
        texts = {row.id: row.text for row in connection.execute(newest)}
    return [
        Trouble(str(fingerprint), kind, int(count), int(runs), read_stamp(first), read_stamp(last), texts[newest_id])
        for fingerprint, kind, count, runs, first, last, newest_id in rows
    ]
