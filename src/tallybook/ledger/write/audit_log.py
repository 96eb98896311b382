"""The audit log: append-only; who did what, kept in the same transaction as the deed."""

import json

from tallybook.database import Tx
from tallybook.domain.fields import storable

CLI = "cli"
"""The actor of what is done at the command line."""


def note(tx: Tx, actor: str, action: str, subject: str | None, /, **facts: object) -> None:
    """*actor* did *action* (a code such as `token_created`) to *subject*.

    *facts* are kept as JSON. No secret may be among them, nor anything that a secret can be told from.
    """
    tx.execute(
        "INSERT INTO @audit_log (at, actor, action, subject, facts) VALUES (?, ?, ?, ?, ?)",
        (
            tx.stamp,
            storable(actor),
            action,
            None if subject is None else storable(subject),
            json.dumps(facts, default=str) if facts else None,
        ),
    )
