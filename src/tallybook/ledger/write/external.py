"""External runs in the books: started, looked after, ended. Whoever ends the last one lets the client run go on, in the
same transaction.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tallybook.database import Row, Tx, read_stamp, stamp
from tallybook.domain.external import ExternalRun, ExternalState
from tallybook.domain.outcome import LeadId, Outcome
from tallybook.domain.ports import Candidate
from tallybook.domain.run import OperationName, Status
from tallybook.domain.tally import LOST, NOTHING, Money, Usage
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.write import calls, events, progress
from tallybook.ledger.write.endings import OF_CLIENT, OF_OPERATION, lock_operation, lock_run

LOOKED_AT_FOR = timedelta(seconds=10)
"""Whoever takes a look in hand has so long; then another does, should the first have died."""
STARTED = ExternalState.STARTED
THIS = "source = ? AND external_id = ? AND attempt = ?"
WAITING = "status = 'running' AND worker IS NULL"
"""Of a client run: external runs work for it, and nobody here does."""
_COLUMNS = (
    "e.source, e.external_id, e.run_id, e.client_id, e.operation, e.call_id, e.until, e.attempt, e.leads, e.looks,"
    " o.status, e.ended_at, e.state"
)
_WITH_OPERATION = (
    f"SELECT {_COLUMNS} FROM @external_runs e JOIN @operation_runs o ON o.run_id = e.run_id"
    " AND o.client_id = e.client_id AND o.operation = e.operation"
)


def _this(external: ExternalRun) -> Row:
    return external.source, external.external_id, external.attempt


def of_row(row: Row) -> ExternalRun:
    """*row* in the order of _COLUMNS."""
    source, external_id, run_id, client_id, operation, call_id, until, attempt, leads, looks, status, *more = row
    return ExternalRun(
        source=source,
        external_id=external_id,
        run_id=run_id,
        client_id=client_id,
        operation=OperationName(operation),
        call_id=call_id,
        until=datetime.fromisoformat(until),
        attempt=attempt,
        leads=None if leads is None else tuple(json.loads(leads)),
        looks=looks,
        abandoned=status in (Status.CANCELED, Status.TIMED_OUT),
        ended_at=read_stamp(more[0]),
        state=ExternalState(more[1]),
    )


def start(tx: Tx, external: ExternalRun, look_at: datetime) -> bool:
    """Book that an external run works for one of ours. False when it is in the books: then it only learns its leads.

    What was known of it before it had an id goes over to it. A delivery that came before this was written waits in the
    inbox; it counts now.
    """
    external = _born(tx, external)
    leads = None if external.leads is None else json.dumps(list(external.leads))
    early = _early_deliveries(tx, external)
    new = tx.execute(
        "INSERT INTO @external_runs (source, external_id, attempt, run_id, client_id, operation, call_id, state, leads,"
        " started_at, until, look_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            *_this(external), external.run_id, external.client_id, external.operation, external.call_id,
            external.state, leads, tx.stamp, stamp(external.until), tx.stamp if early else stamp(look_at),
        ),
    )  # fmt: skip
    if not new:
        tx.execute(f"UPDATE @external_runs SET leads = COALESCE(leads, ?) WHERE {THIS}", (leads, *_this(external)))
    return bool(new)


def _born(tx: Tx, external: ExternalRun) -> ExternalRun:
    """It has an id now; for whom it works may have been known before."""
    if external.state is not STARTED:
        return external
    row = tx.row(f"SELECT leads FROM @external_runs WHERE {THIS}", _this(external.unborn))
    forget(tx, external.call_id, external.source)
    known = tuple(json.loads(row[0])) if row and row[0] else None
    return replace(external, leads=known if external.leads is None else external.leads)


def forget(tx: Tx, call_id: str, source: str) -> None:
    """What was to be started was not."""
    tx.execute("DELETE FROM @external_runs WHERE source = ? AND external_id = ?", (source, f"?{call_id}"))


def doubt(tx: Tx, call_id: str, source: str) -> None:
    """The answer to its start was lost. Its leads wait for news of it."""
    statement = "UPDATE @external_runs SET state = 'doubtful' WHERE source = ? AND external_id = ?"
    tx.execute(statement, (source, f"?{call_id}"))


def give_free(tx: Tx, unborn: ExternalRun) -> bool:
    """Its process died while it was started, and no news came. Its leads may be taken again: True if they waited."""
    key = ClientKey(unborn.run_id, unborn.client_id)
    lock_run(tx, key.run_id)
    statement = f"UPDATE @external_runs SET state = 'ended', result = ?, look_at = NULL WHERE {THIS}"
    tx.execute(statement, (LOST, *_this(unborn)))  # it stays: should it be heard of after all, its leads are known
    calls.settle_call(tx, unborn.call_id, LOST, Usage())
    return _go_on_if_last(tx, key)


def _early_deliveries(tx: Tx, external: ExternalRun) -> int:
    return tx.execute(
        "UPDATE @inbox SET state = 'applied', state_reason = NULL, applied_at = ?, run_id = ?, client_id = ?"
        " WHERE source = ? AND external_id = ? AND state = 'orphan'",
        (tx.stamp, external.run_id, external.client_id, external.source, external.external_id),
    )


# -- looking after them ------------------------------------------------------------------------------------------------


def take_due(tx: Tx, most: int) -> list[ExternalRun]:
    """Those whose provider is to be asked now. Nobody else asks about them for LOOKED_AT_FOR."""
    rows = tx.rows(f"{_WITH_OPERATION} WHERE e.look_at <= ? ORDER BY e.look_at LIMIT ?", (tx.stamp, most))
    found = [of_row(row) for row in rows]
    until = stamp(tx.now + LOOKED_AT_FOR)
    return [each for each in found if _take(tx, each, until)]


def _take(tx: Tx, external: ExternalRun, until: str) -> bool:
    """False when another process was faster."""
    taken = f"UPDATE @external_runs SET look_at = ?, looks = looks + 1 WHERE {THIS} AND look_at <= ?"
    return bool(tx.execute(taken, (until, *_this(external), tx.stamp)))


def look_again(tx: Tx, external: ExternalRun, at: datetime | None) -> None:
    """Ask the provider at that time; None: no more. A delivery that came meanwhile has it asked now."""
    tx.execute(
        f"UPDATE @external_runs SET look_at = ? WHERE {THIS} AND (look_at > ? OR look_at IS NULL)",
        (None if at is None else stamp(at), *_this(external), tx.stamp),
    )
    tx.execute("UPDATE @runs SET seen_at = ? WHERE run_id = ? AND planned = 0", (tx.stamp, external.run_id))


def look_now(tx: Tx, source: str, external_id: str) -> None:
    """Somebody says that there is news of it."""
    tx.execute(
        "UPDATE @external_runs SET look_at = ? WHERE source = ? AND external_id = ? AND attempt ="
        " (SELECT MAX(attempt) FROM @external_runs WHERE source = ? AND external_id = ?)",
        (tx.stamp, source, external_id, source, external_id),
    )


def abandon(tx: Tx, key: ClientKey) -> None:
    """Our side stops: the providers are told without delay."""
    tx.execute(
        f"UPDATE @external_runs SET look_at = ? WHERE {OF_CLIENT} AND state <> 'ended' AND look_at IS NOT NULL",
        (tx.stamp, *key),
    )


def resurrect(tx: Tx, ended: ExternalRun, until: datetime) -> ExternalRun:
    """The provider runs it once more: another attempt, with a call of its own. The one before stays as it ended."""
    again = ExternalRun(
        source=ended.source,
        external_id=ended.external_id,
        run_id=ended.run_id,
        client_id=ended.client_id,
        operation=ended.operation,
        call_id=f"{ended.call_id}~{ended.attempt + 1}",
        until=until,
        attempt=ended.attempt + 1,
        leads=ended.leads,
    )
    if start(tx, again, tx.now):
        row = tx.row("SELECT provider, model FROM @calls WHERE call_id = ?", (ended.call_id,))
        provider, model = row or (ended.source, "")
        key = OperationKey(ended.run_id, ended.client_id, ended.operation)
        calls.start_call(tx, calls.Call(again.call_id, key, provider, model, again.attempt))
        text = f"{ended.name} was resurrected; what it finds is added"
        events.append(tx, "resurrected", text, run_id=ended.run_id, client_id=ended.client_id)
    tx.execute(f"UPDATE @external_runs SET look_at = NULL WHERE {THIS}", _this(ended))
    return again


# -- its result --------------------------------------------------------------------------------------------------------


def book(
    tx: Tx, external: ExternalRun, outcomes: Sequence[Outcome], result: str, cost: Money | None
) -> frozenset[LeadId]:
    """Book what came of it: outcomes, and its cost as billed. Gives the leads whose outcome is new.

    *cost* is that of all attempts; each attempt's call has what it added. Repeating it changes nothing.
    """
    key = OperationKey(external.run_id, external.client_id, external.operation)
    lock_operation(tx, key)
    if external.leads is None:
        _add_found(tx, key, outcomes)
    listed = _on_worklist(tx, key, [each.lead_id for each in outcomes])
    new = progress.record(tx, key, [each for each in outcomes if each.lead_id in listed])
    calls.settle_call(tx, external.call_id, result, Usage(cost=_added(tx, external, cost)))
    return new


def _add_found(tx: Tx, key: OperationKey, outcomes: Sequence[Outcome]) -> None:
    """Nobody chose its leads beforehand: those it found something for are its worklist."""
    if not stands_alone(tx, key.run_id):
        return
    added = progress.add_to_worklist(tx, key, [Candidate(each.lead_id, each.input_hash or "") for each in outcomes])
    tx.execute(f"UPDATE @operation_runs SET found = found + ? WHERE {OF_OPERATION}", (added, *key))


def stands_alone(tx: Tx, run_id: str) -> bool:
    return tx.row("SELECT 1 FROM @runs WHERE run_id = ? AND planned = 0", (run_id,)) is not None


def _on_worklist(tx: Tx, key: OperationKey, lead_ids: Sequence[LeadId]) -> frozenset[LeadId]:
    rows = tx.rows(f"SELECT lead_id FROM @worklist WHERE {OF_OPERATION}", key)
    return frozenset(row[0] for row in rows) & frozenset(lead_ids)


def _added(tx: Tx, external: ExternalRun, cost: Money | None) -> Money | None:
    if cost is None or external.attempt == 1:
        return cost
    row = tx.row(
        "SELECT COALESCE(SUM(c.cost_pico_usd), 0) FROM @external_runs e JOIN @calls c ON c.call_id = e.call_id"
        " WHERE e.source = ? AND e.external_id = ? AND e.attempt < ?",
        _this(external),
    )
    return Money(max(0, cost.pico_usd - int(row[0]))) if row else NOTHING


def end(tx: Tx, external: ExternalRun, result: str, ended_at: datetime | None, saved: Sequence[LeadId]) -> bool:
    """Its result is booked and saved. The client run goes on when it was the last it waited for: True."""
    key = ClientKey(external.run_id, external.client_id)
    lock_run(tx, key.run_id)
    progress.mark_saved(tx, OperationKey(*key, external.operation), saved)
    tx.execute(
        f"UPDATE @external_runs SET state = 'ended', result = ?, ended_at = ?, look_at = NULL WHERE {THIS}",
        (result, stamp(ended_at or tx.now), *_this(external)),
    )
    return _go_on_if_last(tx, key)


def _go_on_if_last(tx: Tx, key: ClientKey) -> bool:
    if tx.row(f"SELECT 1 FROM @external_runs WHERE {OF_CLIENT} AND state <> 'ended'", key):
        return False
    back = "status = 'queued', turn = turn + 1, enqueued = 0, blocked_reason = NULL, version = version + 1"
    if not tx.execute(f"UPDATE @client_runs SET {back} WHERE {OF_CLIENT} AND {WAITING}", key):
        return False
    _leave_out_the_wait(tx, key.run_id)
    return True


def _leave_out_the_wait(tx: Tx, run_id: str) -> None:
    """A run's timeout excludes the time in which all of it waited for the outside."""
    at_work = (
        "SELECT 1 FROM @client_runs WHERE run_id = ? AND (worker IS NOT NULL OR (status = 'queued' AND enqueued = 1))"
    )
    since = tx.row("SELECT working_since FROM @runs WHERE run_id = ?", (run_id,))
    waited = tx.row("SELECT MAX(started_at) FROM @external_runs WHERE run_id = ? AND attempt = 1", (run_id,))
    began, waiting = read_stamp(since[0] if since else None), read_stamp(waited[0] if waited else None)
    if tx.row(at_work, (run_id,)) or began is None or waiting is None:
        return
    tx.execute("UPDATE @runs SET working_since = ? WHERE run_id = ?", (stamp(began + (tx.now - waiting)), run_id))
