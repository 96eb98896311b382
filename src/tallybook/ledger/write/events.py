"""Events: append-only; what people read as System Notes is rendered from them (F24, F38)."""

import hashlib
import re

from tallybook.database import Tx
from tallybook.domain.fields import storable
from tallybook.ledger.tables import SCOPE_OF_RUN
from tallybook.ledger.write.changes import touch_ended


def append(
    tx: Tx,
    kind: str,
    text: str,
    *,
    run_id: str | None = None,
    client_id: str = SCOPE_OF_RUN,
    once_key: str | None = None,
) -> bool:
    """Note that something happened. A second event with the same *once_key* is not written: False."""
    text = storable(text)
    new = tx.execute(
        "INSERT INTO @events (run_id, client_id, at, kind, text, fingerprint, once_key) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (once_key) DO NOTHING",
        (run_id, client_id, tx.stamp, kind, text, fingerprint(kind, text), once_key),
    )
    if new and run_id is not None:
        touch_ended(tx, run_id)
    return bool(new)


def fingerprint(kind: str, text: str) -> str:
    """The same for events that differ only in numbers and ids, so that they can be counted together."""
    shape = re.sub(r"[0-9a-f]{8,}|[0-9]+|'[^']*'", "#", text)
    return hashlib.sha256(f"{kind} {shape}".encode()).hexdigest()[:12]
