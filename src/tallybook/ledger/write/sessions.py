"""Sessions of the pages begin, go on and end here. What is written is the hash of their secret."""

from datetime import timedelta

from tallybook.database import Tx, read_stamp, stamp
from tallybook.domain.access import Access
from tallybook.domain.errors import Unauthenticated
from tallybook.ledger.write import audit_log

IDLE = timedelta(hours=12)
"""A session that is not used for so long has ended."""
LONGEST = timedelta(days=7)
"""However much it is used."""


def begin_session(tx: Tx, *, session_id: str, hash: str, access: Access) -> None:
    """Somebody signed in with the token of *access*. Raises Unauthenticated where that was revoked meanwhile."""
    good = "SELECT 1 FROM @api_tokens WHERE token_id = ? AND revoked_at IS NULL @lock"
    if tx.row(good, (access.token_id,)) is None:
        raise Unauthenticated("the token was revoked")
    tx.execute("DELETE FROM @sessions WHERE expires_at <= ?", (tx.stamp,))
    tx.execute(
        "INSERT INTO @sessions (session_id, hash, token_id, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
        (session_id, hash, access.token_id, tx.stamp, stamp(tx.now + IDLE)),
    )
    audit_log.note(tx, access.actor, "signed_in", f"session {session_id}")


def keep_session(tx: Tx, session_id: str) -> None:
    """It was used just now. One that has ended stays so."""
    row = tx.row("SELECT created_at FROM @sessions WHERE session_id = ?", (session_id,))
    began = read_stamp(row[0]) if row else None
    if began is not None:
        until = stamp(min(tx.now + IDLE, began + LONGEST))
        tx.execute(
            "UPDATE @sessions SET expires_at = ? WHERE session_id = ? AND expires_at > ?",
            (until, session_id, tx.stamp),
        )


def end_session(tx: Tx, session_id: str, by: str) -> None:
    """Somebody signed out. Once it has ended nothing more happens."""
    if tx.execute("DELETE FROM @sessions WHERE session_id = ?", (session_id,)):
        audit_log.note(tx, by, "signed_out", f"session {session_id}")
