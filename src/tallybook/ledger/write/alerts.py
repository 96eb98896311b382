"""Alerts are raised once, told once to each channel, taken notice of, and over.

What a channel is still owed is kept in `follower_state`: a channel that is down holds up no other.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from tallybook.database import Tx, stamp
from tallybook.domain.alert import Condition
from tallybook.domain.errors import NotFound
from tallybook.domain.fields import storable
from tallybook.ledger.write import telling

FOLLOWER = "alerts"
FACT_FOR = timedelta(days=7)
KEPT_FOR = timedelta(days=90)
_FACT = "fact "
_RAISE = (
    "INSERT INTO @alerts (alert_id, kind, fingerprint, run_id, client_id, text, raised_at, about)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_OVER = "UPDATE @alerts SET cleared_at = ?{} WHERE cleared_at IS NULL AND {}"
_FREED = ", fingerprint = fingerprint || ' ' || alert_id"
"""So that the same can be raised anew."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What one channel is to be told. *sending*: it is being told just now; *next_at*: when it is tried again.

    *since*: when it first failed, *error*: how it failed last.
    """

    alerts: tuple[str, ...] = ()
    tries: int = 0
    next_at: str | None = None
    since: str | None = None
    error: str | None = None
    sending: bool = field(default=False)

    @classmethod
    def read(cls, kept: str) -> "Owed":
        found = json.loads(kept)
        return cls(**{**found, "alerts": tuple(found["alerts"])})


# -- what is so --------------------------------------------------------------------------------------------------------


def note(tx: Tx, states: Sequence[Condition], news: Sequence[Condition], over: Sequence[str]) -> int:
    """Raise what is new, end what is over; gives how many are new. *states*: all that hold. *over*: of facts."""
    tx.serialize("alerts")
    new = sum(_raise(tx, each) for each in (*states, *news))
    holding = {storable(each.fingerprint) for each in states}
    for fingerprint, about in tx.rows("SELECT fingerprint, about FROM @alerts WHERE cleared_at IS NULL"):
        if fingerprint.startswith(_FACT) and about in over:
            tx.execute(_OVER.format("", "fingerprint = ?"), (tx.stamp, fingerprint))
        elif not fingerprint.startswith(_FACT) and fingerprint not in holding:
            tx.execute(_OVER.format(_FREED, "fingerprint = ?"), (tx.stamp, fingerprint))
    old = stamp(tx.now - FACT_FOR)
    tx.execute(_OVER.format("", "raised_at < ? AND fingerprint LIKE ?"), (tx.stamp, old, f"{_FACT}%"))
    return new


def _raise(tx: Tx, found: Condition) -> int:
    about, text = storable(found.quiet_key), storable(found.text)
    alert_id = hashlib.sha256(f"{found.fingerprint} {tx.stamp}".encode("utf-8", "replace")).hexdigest()[:10]
    return tx.execute(
        _RAISE,
        (
            alert_id,
            found.kind.value,
            storable(found.fingerprint),
            found.run_id,
            found.client_id,
            text,
            tx.stamp,
            about,
        ),
    )


def look_from(tx: Tx, at: datetime) -> None:
    """Runs that changed before then were looked at."""
    telling.look_from(tx, FOLLOWER, at)


def acknowledge(tx: Tx, alert_id: str, client_id: str | None = None) -> bool:
    """Somebody has taken notice; it is not told any more. False: somebody had before. *client_id*: who may see that
    client's alone. Raises NotFound.
    """
    row = tx.row("SELECT acknowledged_at, client_id FROM @alerts WHERE alert_id = ? @lock", (alert_id,))
    if row is None or (client_id is not None and row[1] != client_id):
        raise NotFound(f"there is no alert {alert_id}; `tallybook alert list --all` names them")
    if row[0] is not None:
        return False
    tx.execute("UPDATE @alerts SET acknowledged_at = ? WHERE alert_id = ?", (tx.stamp, alert_id))
    return True


def forget_old(tx: Tx) -> None:
    tx.execute("DELETE FROM @alerts WHERE cleared_at < ?", (stamp(tx.now - KEPT_FOR),))


# -- what is told ------------------------------------------------------------------------------------------------------


def owe(tx: Tx, channel: str, owed: Owed | None) -> None:
    """What the channel is to be told. None: nothing."""
    kept = None if owed is None else json.dumps(asdict(owed))
    telling.keep(tx, FOLLOWER, f"channel {channel}", kept)


def took(tx: Tx, channel: str, alerts: Sequence[str]) -> None:
    """The channel has them."""
    owe(tx, channel, None)
    tx.many(
        "UPDATE @alerts SET told_at = ? WHERE alert_id = ? AND told_at IS NULL", [(tx.stamp, each) for each in alerts]
    )
