"""External runs in the books: started, looked after, ended. Whoever ends the last one lets the client run go on, in the
same transaction.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tallybook.database import Row, Tx, read_stamp, stamp
from tallybook.domain.batches import batched
from tallybook.domain.external import ExternalRun, ExternalState
from tallybook.domain.outcome import LeadId, Outcome
from tallybook.domain.ports import Candidate
from tallybook.domain.run import OperationName, Status
from tallybook.domain.tally import LOST, NO_USAGE, NOTHING, Money, Usage
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.write import budgets, calls, events, progress
from tallybook.ledger.write.endings import OF_CLIENT, OF_OPERATION, lock_operation, lock_run

LOOKED_AT_FOR = timedelta(seconds=10)
"""Whoever takes a look in hand has so long, unless he holds it longer; then another does, should he have died."""
OVERDUE_FOR = timedelta(hours=1)
"""Past its time, after which an external run is given up for lost."""
FORSAKEN_FOR = timedelta(days=1)
"""Past its time, after which one that nobody has looked after is given up by whoever works at all."""
AT_ONCE = 500
DISOWNED = "disowned"
"""The result of the call of an external run that turned out to be somebody else's."""
Whose = frozenset[tuple[str, OperationName]] | None
"""The providers and operations that a process can ask for. None: any."""
STARTED = ExternalState.STARTED
STOPPED = (Status.CANCELED, Status.TIMED_OUT)
THIS = "source = ? AND external_id = ? AND attempt = ?"
WAITING = "status = 'running' AND worker IS NULL"
"""Of a client run: external runs work for it, and nobody here does."""
_COLUMNS = (
    "e.source, e.external_id, e.run_id, e.client_id, e.operation, e.call_id, e.until, e.attempt, e.leads, e.looks,"
    " o.status, e.ended_at, e.state, e.task, r.planned"
)
_WITH_OPERATION = (
    f"SELECT {_COLUMNS} FROM @external_runs e JOIN @operation_runs o ON o.run_id = e.run_id"
    " AND o.client_id = e.client_id AND o.operation = e.operation JOIN @runs r ON r.run_id = e.run_id"
)


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
        abandoned=status in STOPPED,
        ended_at=read_stamp(more[0]),
        state=ExternalState(more[1]),
        task=more[2],
        ours=bool(more[3]) and attempt == 1,
    )


def in_turn(tx: Tx, source: str, external_id: str | None) -> None:
    """From here to the commit nobody else writes for whom this external run works: not who started it, nor whoever
    has a delivery of it.
    """
    tx.serialize(f"external run {source} {external_id}")


def start(tx: Tx, external: ExternalRun, look_at: datetime) -> bool:
    """Book that an external run works for one of ours. False when it is in the books: then it only learns its leads.

    What was known of it before it had an id goes over to it. A delivery that came before this was written waits in the
    inbox; it counts now.
    """
    in_turn(tx, external.source, external.external_id)
    external = _born(tx, external)
    leads = None if external.leads is None else json.dumps(list(external.leads))
    at_once = _early_deliveries(tx, external) or (external.state is STARTED and _stopped(tx, external))
    new = tx.execute(
        "INSERT INTO @external_runs (source, external_id, attempt, run_id, client_id, operation, call_id, state, leads,"
        " started_at, until, look_at, task) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            *external.this, external.run_id, external.client_id, external.operation, external.call_id,
            external.state, leads, tx.stamp, stamp(external.until), tx.stamp if at_once else stamp(look_at),
            external.task,
        ),
    )  # fmt: skip
    if not new:
        tx.execute(f"UPDATE @external_runs SET leads = COALESCE(leads, ?) WHERE {THIS}", (leads, *external.this))
    return bool(new)


def _born(tx: Tx, external: ExternalRun) -> ExternalRun:
    """It has an id now; for whom it works, and how long it may, was known before."""
    if external.state is not STARTED:
        return external
    row = tx.row(f"SELECT leads, until FROM @external_runs WHERE {THIS}", external.unborn.this)
    forget(tx, external.call_id, external.source)
    if row is None:
        return external
    known = tuple(json.loads(row[0])) if row[0] else None
    leads = known if external.leads is None else external.leads
    return replace(external, leads=leads, until=datetime.fromisoformat(row[1]))


def _stopped(tx: Tx, external: ExternalRun) -> bool:
    """Our side was told to stop while it was started: its provider is to be told without delay."""
    key = (external.run_id, external.client_id, external.operation)
    row = tx.row(f"SELECT status FROM @operation_runs WHERE {OF_OPERATION}", key)
    return row is not None and row[0] in STOPPED


def forget(tx: Tx, call_id: str, source: str) -> None:
    """What was to be started was not."""
    tx.execute("DELETE FROM @external_runs WHERE source = ? AND external_id = ?", (source, f"?{call_id}"))


def doubt(tx: Tx, call_id: str, source: str, look_at: datetime) -> None:
    """The answer to its start was lost. Its leads wait for news of it, until then."""
    tx.execute(
        "UPDATE @external_runs SET state = 'doubtful', look_at = ?"
        " WHERE source = ? AND external_id = ? AND state = 'starting'",
        (stamp(look_at), source, f"?{call_id}"),
    )


def _early_deliveries(tx: Tx, external: ExternalRun) -> int:
    return tx.execute(
        "UPDATE @inbox SET state = 'applied', state_reason = NULL, applied_at = ?, run_id = ?, client_id = ?"
        " WHERE source = ? AND external_id = ? AND state = 'orphan'",
        (tx.stamp, external.run_id, external.client_id, external.source, external.external_id),
    )


# -- looking after them ------------------------------------------------------------------------------------------------


def due(now: datetime, whose: Whose, *, forsaken: bool = False) -> tuple[str, Row]:
    """Which external runs `e` are to be asked about, in house SQL: those of *whose*; and where it is said so, of others
    what is *forsaken*, for nobody has looked after it long past its time.
    """
    if whose is None:
        return "e.look_at <= ?", (stamp(now),)
    which = ["(e.source = ? AND e.operation = ?)" for _ in whose]
    names = [name for pair in sorted(whose) for name in pair]
    if forsaken:
        which.append("(e.state <> 'ended' AND e.until < ?)")
        names.append(stamp(now - FORSAKEN_FOR))
    return f"e.look_at <= ? AND ({' OR '.join(which) or '1 = 0'})", (stamp(now), *names)


def take_due(
    tx: Tx, most: int, whose: Whose = None, but: Collection[Row] = (), *, forsaken: bool = False
) -> list[ExternalRun]:
    """Those whose provider is to be asked now, *but* what is in hand. Nobody else asks about them for LOOKED_AT_FOR."""
    which, values = due(tx.now, whose, forsaken=forsaken)
    rows = tx.rows(f"{_WITH_OPERATION} WHERE {which} ORDER BY e.look_at LIMIT ?", (*values, most + len(but)))
    found = [each for each in map(of_row, rows) if each.this not in but][:most]
    until = stamp(tx.now + LOOKED_AT_FOR)
    return [each for each in sorted(found, key=lambda each: each.this) if _take(tx, each, until)]


def _take(tx: Tx, external: ExternalRun, until: str) -> bool:
    """False when another process was faster."""
    taken = f"UPDATE @external_runs SET look_at = ?, looks = looks + 1 WHERE {THIS} AND look_at <= ?"
    return bool(tx.execute(taken, (until, *external.this, tx.stamp)))


def hold(tx: Tx, in_hand: Collection[Row]) -> None:
    """What is in hand takes longer. News that came meanwhile stays where it is."""
    longer = f"UPDATE @external_runs SET look_at = ? WHERE {THIS} AND look_at > ?"
    for each in sorted(in_hand):
        tx.execute(longer, (stamp(tx.now + LOOKED_AT_FOR), *each, tx.stamp))


def look_again(tx: Tx, external: ExternalRun, at: datetime | None) -> None:
    """Ask the provider at that time; None: no more. A delivery that came meanwhile has it asked now."""
    tx.execute("UPDATE @runs SET seen_at = ? WHERE run_id = ? AND planned = 0", (tx.stamp, external.run_id))
    tx.execute(
        f"UPDATE @external_runs SET look_at = ? WHERE {THIS} AND (look_at > ? OR look_at IS NULL)",
        (None if at is None else stamp(at), *external.this, tx.stamp),
    )


def look_now(tx: Tx, source: str, external_id: str) -> None:
    """Somebody says that there is news of it."""
    tx.execute(
        "UPDATE @external_runs SET look_at = ? WHERE source = ? AND external_id = ? AND attempt ="
        " (SELECT MAX(attempt) FROM @external_runs WHERE source = ? AND external_id = ?)",
        (tx.stamp, source, external_id, source, external_id),
    )


def abandon(tx: Tx, key: ClientKey) -> None:
    """Our side stops: the providers are told without delay."""
    started = tx.rows(
        f"SELECT source, external_id, attempt FROM @external_runs WHERE {OF_CLIENT} AND state = 'started'"
        " ORDER BY source, external_id, attempt",
        key,
    )
    for each in started:  # in the order in which they are taken, so that nobody waits in a circle
        tx.execute(f"UPDATE @external_runs SET look_at = ? WHERE {THIS}", (tx.stamp, *each))


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
    tx.execute(f"UPDATE @external_runs SET look_at = NULL WHERE {THIS}", ended.this)
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
    budgets.settle_reserved(tx, external.call_id, result, Usage(cost=_added(tx, external, cost)))
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
    found: set[LeadId] = set()
    for part in batched(lead_ids, AT_ONCE):
        marks = ", ".join("?" * len(part))
        rows = tx.rows(f"SELECT lead_id FROM @worklist WHERE {OF_OPERATION} AND lead_id IN ({marks})", (*key, *part))
        found.update(lead_id for (lead_id,) in rows)
    return frozenset(found)


def _added(tx: Tx, external: ExternalRun, cost: Money | None) -> Money | None:
    if cost is None or external.attempt == 1:
        return cost
    row = tx.row(
        "SELECT COALESCE(SUM(c.cost_pico_usd), 0) FROM @external_runs e JOIN @calls c ON c.call_id = e.call_id"
        " WHERE e.source = ? AND e.external_id = ? AND e.attempt < ?",
        external.this,
    )
    return Money(max(0, cost.pico_usd - int(row[0]))) if row else NOTHING


def end(
    tx: Tx, external: ExternalRun, result: str, ended_at: datetime | None, *, look_at: datetime | None = None
) -> bool:
    """Its result is booked and saved. The client run goes on when it was the last it waited for: True.

    One that was given up for LOST may be heard of after all: its provider is asked once more at *look_at*, and then it
    ends in earnest. News that came meanwhile has the provider asked now.
    """
    key = ClientKey(external.run_id, external.client_id)
    lock_run(tx, key.run_id)
    tx.execute(
        "UPDATE @external_runs SET state = 'ended', result = ?, ended_at = ?,"
        f" look_at = CASE WHEN look_at <= ? THEN look_at ELSE ? END WHERE {THIS}",
        (
            result, None if result == LOST else stamp(ended_at or tx.now),
            tx.stamp, None if look_at is None else stamp(look_at), *external.this,
        ),
    )  # fmt: skip
    return go_on_if_last(tx, key)


def disown(tx: Tx, external: ExternalRun) -> None:
    """It is not whose it was said to be: nothing of it is booked, and whoever proves that it is his has it."""
    key = ClientKey(external.run_id, external.client_id)
    lock_run(tx, key.run_id)
    budgets.settle_reserved(tx, external.call_id, DISOWNED, NO_USAGE)
    tx.execute(f"DELETE FROM @external_runs WHERE {THIS}", external.this)
    refused = "UPDATE @inbox SET state = 'received' WHERE source = ? AND external_id = ? AND state = 'refused'"
    tx.execute(refused, (external.source, external.external_id))  # by then it was somebody else's
    go_on_if_last(tx, key)


def go_on_if_last(tx: Tx, key: ClientKey) -> bool:
    """Let a client run go on that waits for nothing any more; of another, say for what it still waits."""
    if stands_alone(tx, key.run_id):
        return False
    rest = waited_for(tx, key)
    if rest is not None:
        tx.execute(
            f"UPDATE @client_runs SET blocked_reason = ?, version = version + 1 WHERE {OF_CLIENT} AND {WAITING}"
            " AND blocked_reason <> ?",
            (rest, *key, rest),
        )
        return False
    back = "status = 'queued', turn = turn + 1, enqueued = 0, blocked_reason = NULL"
    return bool(
        tx.execute(f"UPDATE @client_runs SET {back}, version = version + 1 WHERE {OF_CLIENT} AND {WAITING}", key)
    )


def waited_for(tx: Tx, key: ClientKey) -> str | None:
    """In words, the external runs that a client run waits for. None: there is none."""
    open_runs = tx.rows(
        f"SELECT source, external_id FROM @external_runs WHERE {OF_CLIENT} AND state <> 'ended'"
        " ORDER BY started_at, external_id",
        key,
    )
    if not open_runs:
        return None
    source, external_id = open_runs[0]
    first = f"a run that {source} was asked to start" if external_id.startswith("?") else f"{source} run {external_id}"
    more = f" and {len(open_runs) - 1} more" if len(open_runs) > 1 else ""
    return f"waiting for {first}{more}"
