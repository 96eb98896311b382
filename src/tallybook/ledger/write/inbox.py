"""The inbox: every delivery is kept before anything is done with it, and does what it does once (F31)."""

import json
from dataclasses import dataclass
from datetime import timedelta

from tallybook.database import Tx
from tallybook.domain.client import Client, ClientId
from tallybook.domain.delivery import Delivery, News, State
from tallybook.domain.errors import NotFound
from tallybook.domain.external import ExternalRun
from tallybook.domain.fields import storable
from tallybook.domain.run import OperationName
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.write import external, standing_alone
from tallybook.ledger.write.endings import OF_OPERATION
from tallybook.ledger.write.starts import RunIdStyle

EXTERNAL_RUNS_TAKE = timedelta(hours=1)
"""After so long an external run that we did not start is given up."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a delivery. *new*: False for one that was in the inbox already."""

    state: State
    reason: str | None = None
    run_id: str | None = None
    client_id: ClientId | None = None
    new: bool = True


def receive(tx: Tx, delivery: Delivery, client: Client | None, style: RunIdStyle) -> Applied:
    """Keep a delivery and apply it. *client*: whom it is bound to, where it is and there is such a client.

    A second one with the same id does nothing.
    """
    new = tx.execute(
        "INSERT INTO @inbox (source, delivery_id, received_at, body, headers, state, event, external_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            delivery.source, delivery.delivery_id, tx.stamp, storable(delivery.body), _kept(delivery),
            State.NOTED, storable(delivery.event), delivery.external_id and storable(delivery.external_id),
        ),
    )  # fmt: skip
    return _apply_and_note(tx, delivery, client, style) if new else _known(tx, delivery)


def replay(tx: Tx, source: str, delivery_id: str, client: Client | None, style: RunIdStyle) -> Applied:
    """Apply a delivery that was not; *client*: whose it is, where somebody says so. Raises NotFound."""
    row = tx.row(
        "SELECT body, headers, event, external_id, state FROM @inbox WHERE source = ? AND delivery_id = ?",
        (source, delivery_id),
    )
    if row is None:
        raise NotFound(f"there is no delivery {delivery_id!r} in the inbox; `tallybook webhook list` shows them")
    body, kept, event, external_id, state = row
    facts = json.loads(kept)
    delivery = Delivery(
        source=source,
        delivery_id=delivery_id,
        body=body,
        headers=facts["headers"],
        event=event,
        news=News(facts["news"]),
        external_id=external_id,
        ours=tuple(facts["ours"]) if facts["ours"] else None,
        bound_to=client.client_id if client else facts["bound_to"],
    )
    return _known(tx, delivery) if state == State.APPLIED else _apply_and_note(tx, delivery, client, style)


def _kept(delivery: Delivery) -> str:
    proved = {"news": delivery.news, "ours": delivery.ours, "bound_to": delivery.bound_to}
    return storable(json.dumps({"headers": dict(delivery.headers), **proved}))


def _apply_and_note(tx: Tx, delivery: Delivery, client: Client | None, style: RunIdStyle) -> Applied:
    applied = _apply(tx, delivery, client, style)
    tx.execute(
        "UPDATE @inbox SET state = ?, state_reason = ?, run_id = ?, client_id = ?, applied_at = ?"
        " WHERE source = ? AND delivery_id = ?",
        (
            applied.state, applied.reason, applied.run_id, applied.client_id,
            tx.stamp if applied.state is State.APPLIED else None, delivery.source, delivery.delivery_id,
        ),
    )  # fmt: skip
    return applied


def _known(tx: Tx, delivery: Delivery) -> Applied:
    ((state, reason, run_id, client_id),) = tx.rows(
        "SELECT state, state_reason, run_id, client_id FROM @inbox WHERE source = ? AND delivery_id = ?",
        (delivery.source, delivery.delivery_id),
    )
    return Applied(State(state), reason, run_id, client_id, new=False)


def _apply(tx: Tx, delivery: Delivery, client: Client | None, style: RunIdStyle) -> Applied:
    """The tenant comes from our own record of the external run, or from what the sender proved (F32)."""
    if delivery.external_id is None:
        return Applied(State.NOTED, "it speaks of no run")
    found = _record_of(tx, delivery.source, delivery.external_id)
    if found is not None:
        return _apply_known(tx, delivery, found)
    if delivery.ours is not None:
        return _adopt(tx, delivery, delivery.external_id, delivery.ours)
    if delivery.news is News.OTHER:
        return Applied(State.NOTED, "nothing has ended")
    return _stand_alone(tx, delivery, client, style)


def _stand_alone(tx: Tx, delivery: Delivery, client: Client | None, style: RunIdStyle) -> Applied:
    """It ended without us; where its client is known it becomes a run of its own."""
    if delivery.bound_to is None:
        return Applied(State.ORPHAN, "nobody knows whose run it is: its task is mapped to no client")
    if client is None:
        return Applied(State.ORPHAN, f"there is no client {delivery.bound_to!r}", client_id=delivery.bound_to)
    external_id = delivery.external_id or ""
    until = tx.now + EXTERNAL_RUNS_TAKE
    began = standing_alone.begin(tx, delivery.source, external_id, client, style=style, until=until)
    return Applied(State.APPLIED, "a run of its own", began.run_id, began.client_id)


def _record_of(tx: Tx, source: str, external_id: str) -> tuple[str, ClientId] | None:
    row = tx.row(
        "SELECT run_id, client_id FROM @external_runs WHERE source = ? AND external_id = ? ORDER BY attempt LIMIT 1",
        (source, external_id),
    )
    return (row[0], row[1]) if row else None


def _apply_known(tx: Tx, delivery: Delivery, found: tuple[str, ClientId]) -> Applied:
    run_id, client_id = found
    claimed = delivery.ours[1] if delivery.ours else delivery.bound_to
    if claimed not in (None, client_id):
        return Applied(State.REFUSED, "the run belongs to another client than the token", run_id)
    if delivery.news is News.OTHER:
        return Applied(State.NOTED, "nothing has ended", run_id, client_id)
    external.look_now(tx, delivery.source, delivery.external_id or "")
    return Applied(State.APPLIED, None, run_id, client_id)


def _adopt(tx: Tx, delivery: Delivery, external_id: str, ours: tuple[str, ClientId, str]) -> Applied:
    """We started it, and died, or lost the answer, before we had its id."""
    run_id, client_id, call_id = ours
    key = OperationKey(run_id, client_id, OperationName.POST_HARVESTING)
    if tx.row(f"SELECT 1 FROM @operation_runs WHERE {OF_OPERATION}", key) is None:
        return Applied(State.ORPHAN, f"there is no run {run_id} that harvests for it", client_id=client_id)
    until = tx.now + EXTERNAL_RUNS_TAKE
    external.start(tx, ExternalRun(delivery.source, external_id, *key, call_id=call_id, until=until), tx.now)
    return Applied(State.APPLIED, "its start was not in the books", run_id, client_id)
