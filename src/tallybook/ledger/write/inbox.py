"""The inbox: every delivery is kept before anything is done with it, and does what it does once (F31)."""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from tallybook.database import Tx, stamp
from tallybook.domain.client import Client, ClientId
from tallybook.domain.delivery import Delivery, News, State, is_run_id
from tallybook.domain.errors import BadInput, NotFound
from tallybook.domain.external import ExternalRun
from tallybook.domain.fields import storable
from tallybook.domain.run import OperationName
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.write import audit_log, external, standing_alone
from tallybook.ledger.write.endings import OF_OPERATION, lock_operation
from tallybook.ledger.write.starts import RunIdStyle

EXTERNAL_RUNS_TAKE = timedelta(days=1)
"""After so long an external run of whose start nothing is known is given up."""
KEPT = timedelta(days=90)
"""As idempotency keys are: by then nobody says anything a second time."""
THIS = "source = ? AND delivery_id = ?"


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a delivery. *new*: False where that was so before, and nothing was done."""

    state: State
    reason: str | None = None
    run_id: str | None = None
    client_id: ClientId | None = None
    new: bool = True


@dataclass(frozen=True, slots=True)
class _Kept:
    """A delivery as it stands in the inbox. *style*: of the id of the run that it may become."""

    delivery: Delivery
    style: RunIdStyle
    state: State


def keep(tx: Tx, delivery: Delivery, style: RunIdStyle) -> None:
    """Keep a delivery until it is applied. A second one with the same id changes nothing."""
    tx.execute(
        "INSERT INTO @inbox (source, delivery_id, received_at, body, headers, state, event, external_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            delivery.source, delivery.delivery_id, tx.stamp, storable(delivery.body), _facts_of(delivery, style),
            State.RECEIVED, storable(delivery.event), delivery.external_id and storable(delivery.external_id),
        ),
    )  # fmt: skip


def apply(tx: Tx, source: str, delivery_id: str, client: Client | None) -> Applied:
    """Apply a delivery that was kept, once. *client*: whom it is bound to, where it is and there is such a client.

    Raises NotFound, RunIdsExhausted.
    """
    kept = _in_turn(tx, source, delivery_id)
    return _apply_and_note(tx, kept, client) if kept.state is State.RECEIVED else _known(tx, kept.delivery)


def put_off(tx: Tx, source: str, delivery_id: str, reason: str) -> bool:
    """It could not be applied, and waits until that is tried again. False when that was known."""
    statement = f"UPDATE @inbox SET state_reason = ? WHERE {THIS} AND state = ? AND COALESCE(state_reason, '') <> ?"
    reason = storable(reason)
    return bool(tx.execute(statement, (reason, source, delivery_id, State.RECEIVED, reason)))


def replay(tx: Tx, source: str, delivery_id: str, client: Client | None, by: str = audit_log.CLI) -> Applied:
    """Apply a delivery that was not; *client*: whose it is, where somebody says so. *by*: who does.

    Raises NotFound, RunIdsExhausted, and BadInput where the delivery itself proves that it is another client's.
    """
    kept = _in_turn(tx, source, delivery_id)
    if kept.state is State.APPLIED:
        return _known(tx, kept.delivery)
    if client is not None:
        kept = replace(kept, delivery=_given_to(kept.delivery, client.client_id))
    applied = _apply_and_note(tx, kept, client)
    facts = {"source": source, "delivery_id": delivery_id, "state": applied.state, "client_id": applied.client_id}
    audit_log.note(tx, by, "delivery_replayed", applied.run_id, **facts)
    return applied


def forget_old(tx: Tx) -> None:
    """Drop what came long ago, whatever became of it."""
    states = ", ".join("?" for _ in State)
    tx.execute(
        f"DELETE FROM @inbox WHERE state IN ({states}) AND received_at < ?", (*list(State), stamp(tx.now - KEPT))
    )


# -- what is kept ------------------------------------------------------------------------------------------------------


def _facts_of(delivery: Delivery, style: RunIdStyle) -> str:
    proved = {"ours": delivery.ours, "bound_to": delivery.bound_to, "task": delivery.task}
    how = {"news": delivery.news, "style": (style.structured, str(style.zone))}
    return storable(json.dumps({"headers": dict(delivery.headers), **how, **proved}))


def _in_turn(tx: Tx, source: str, delivery_id: str) -> _Kept:
    """A delivery, once no other process applies one of the same external run. Raises NotFound."""
    kept = _read(tx, source, delivery_id)
    external.in_turn(tx, source, kept.delivery.external_id)
    return _read(tx, source, delivery_id)


def _read(tx: Tx, source: str, delivery_id: str) -> _Kept:
    known = storable(delivery_id) == delivery_id
    statement = f"SELECT body, headers, event, external_id, state FROM @inbox WHERE {THIS}"
    row = tx.row(statement, (source, delivery_id)) if known else None
    if row is None:
        raise NotFound(f"there is no delivery {delivery_id!r} in the inbox; `tallybook webhook list` shows them")
    body, told, event, external_id, state = row
    facts = json.loads(told)
    structured, zone = facts["style"]
    delivery = Delivery(
        source=source,
        delivery_id=delivery_id,
        body=body,
        headers=facts["headers"],
        event=event,
        news=News(facts["news"]),
        external_id=external_id,
        ours=tuple(facts["ours"]) if facts["ours"] else None,
        bound_to=facts["bound_to"],
        task=facts["task"],
    )
    return _Kept(delivery, RunIdStyle(structured, ZoneInfo(zone)), State(state))


def _given_to(delivery: Delivery, client_id: ClientId) -> Delivery:
    """Somebody who may says that it is this client's; what the sender claimed does not count any more."""
    if delivery.ours is not None and delivery.ours[1] != client_id:
        run_id, whose, _ = delivery.ours
        raise BadInput(
            f"delivery {delivery.delivery_id!r} brought the token of run {run_id} of client {whose!r}, so it cannot be"
            f" given to {client_id!r}; leave the client out, or say {whose!r}"
        )
    return replace(delivery, bound_to=client_id, task=None)


def _apply_and_note(tx: Tx, kept: _Kept, client: Client | None) -> Applied:
    applied = _apply(tx, kept, client)
    tx.execute(
        f"UPDATE @inbox SET state = ?, state_reason = ?, run_id = ?, client_id = ?, applied_at = ? WHERE {THIS}",
        (
            applied.state, applied.reason, applied.run_id, applied.client_id,
            tx.stamp if applied.state is State.APPLIED else None, kept.delivery.source, kept.delivery.delivery_id,
        ),
    )  # fmt: skip
    return applied


def _known(tx: Tx, delivery: Delivery) -> Applied:
    ((state, reason, run_id, client_id),) = tx.rows(
        f"SELECT state, state_reason, run_id, client_id FROM @inbox WHERE {THIS}",
        (delivery.source, delivery.delivery_id),
    )
    return Applied(State(state), reason, run_id, client_id, new=False)


# -- what it does ------------------------------------------------------------------------------------------------------


def _apply(tx: Tx, kept: _Kept, client: Client | None) -> Applied:
    """The tenant comes from our own record of the external run, or from what the sender proved (F32)."""
    delivery = kept.delivery
    if delivery.external_id is None:
        return Applied(State.NOTED, "it speaks of no run")
    if not is_run_id(delivery.external_id):
        return Applied(State.REFUSED, "what it gives as the id of a run is none: up to 64 letters and digits")
    found = _record_of(tx, delivery.source, delivery.external_id)
    if found is not None:
        return _apply_known(tx, delivery, found)
    if delivery.ours is None or (client is not None and not _is_booked(tx, _operation_of(delivery.ours))):
        return _stand_alone(tx, kept, delivery.external_id, client)
    return _adopt(tx, delivery, delivery.external_id, delivery.ours)


def _stand_alone(tx: Tx, kept: _Kept, external_id: str, client: Client | None) -> Applied:
    """It ended without us; where its client is known it becomes a run of its own."""
    delivery = kept.delivery
    if delivery.news is News.OTHER:
        return Applied(State.NOTED, "nothing has ended")
    if delivery.bound_to is None:
        return Applied(State.ORPHAN, "nobody knows whose run it is: its task is mapped to no client")
    if client is None:
        return Applied(State.ORPHAN, f"there is no client {delivery.bound_to!r}", client_id=delivery.bound_to)
    until = tx.now + EXTERNAL_RUNS_TAKE
    began = standing_alone.begin(
        tx, delivery.source, external_id, client, style=kept.style, until=until, task=delivery.task
    )
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


# -- a start that was not booked ---------------------------------------------------------------------------------------


Ours = tuple[str, ClientId, str]
"""Run, client and call of a token of ours."""


def _operation_of(ours: Ours) -> OperationKey:
    return OperationKey(ours[0], ours[1], OperationName.POST_HARVESTING)


def _is_booked(tx: Tx, key: OperationKey) -> bool:
    return tx.row(f"SELECT 1 FROM @operation_runs WHERE {OF_OPERATION}", key) is not None


def _adopt(tx: Tx, delivery: Delivery, external_id: str, ours: Ours) -> Applied:
    """We started it, and died, or lost the answer, before we had its id. What was known of it goes over to it."""
    key, call_id = _operation_of(ours), ours[2]
    if not _is_booked(tx, key):
        reason = f"there is no run {key.run_id} that harvests for it"
        return Applied(State.ORPHAN, reason, client_id=key.client_id)
    refused = _not_of_call(tx, delivery.source, key, call_id)
    if refused is not None:
        return Applied(State.REFUSED, refused, key.run_id, key.client_id)
    until = tx.now + EXTERNAL_RUNS_TAKE
    external.start(tx, ExternalRun(delivery.source, external_id, *key, call_id=call_id, until=until), tx.now)
    external.look_now(tx, delivery.source, external_id)  # who started it may have booked it in the same instant
    return Applied(State.APPLIED, "its start was not in the books", key.run_id, key.client_id)


def _not_of_call(tx: Tx, source: str, key: OperationKey, call_id: str) -> str | None:
    """Why a run that brings the token of this call is not the one which that call has started: one call, one run."""
    lock_operation(tx, key)
    rows = tx.rows(
        f"SELECT external_id FROM @external_runs WHERE {OF_OPERATION} AND source = ? AND call_id = ?",
        (*key, source, call_id),
    )
    named = [external_id for (external_id,) in rows if is_run_id(external_id)]
    if named:
        return f"its token is that of {source} run {named[0]}"
    called = rows or tx.row(f"SELECT 1 FROM @calls WHERE call_id = ? AND {OF_OPERATION}", (call_id, *key))
    return None if called else "its token is that of a call which is not in the books"
