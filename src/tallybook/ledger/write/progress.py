"""What workers write while they work: client runs begun, worklists frozen, outcomes recorded and saved."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tallybook.database import Row, Tx, read_stamp, stamp
from tallybook.domain.batches import batched
from tallybook.domain.errors import NotFound
from tallybook.domain.fields import storable
from tallybook.domain.outcome import Kind, LeadId, Outcome, Versions, read_reason
from tallybook.domain.ports import Candidate
from tallybook.domain.run import Basis, Status, Stop
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.write import endings, events
from tallybook.ledger.write.changes import touch_ended
from tallybook.ledger.write.endings import OF_CLIENT, OF_OPERATION, lock_operation, lock_run

AT_ONCE = 500
"""Leads in one statement."""
_OUTCOME_COLUMNS = (
    "run_id, client_id, operation, lead_id, kind, reason, detail, score, breakdown, assessment, best_post, posts,"
    " excluded_by, flagged, rubric_version, prompt_version, formula, model, input_hash, late, at, saved_at"
)
_TYPES = (
    "text, text, text, text, text, text, text, float8, text, text, text, bigint,"
    " text, smallint, text, text, int, text, text, smallint, text, text"
)
_INSERT_OUTCOME = f"INSERT INTO @outcomes ({_OUTCOME_COLUMNS}) VALUES ({', '.join('?' * 22)}) ON CONFLICT DO NOTHING"
_UNNEST_OUTCOMES = (
    f"INSERT INTO @outcomes ({_OUTCOME_COLUMNS}) SELECT * FROM unnest("
    + ", ".join(f"?::{each.strip()}[]" for each in _TYPES.split(","))
    + ") ON CONFLICT DO NOTHING RETURNING lead_id"
)


@dataclass(frozen=True, slots=True)
class Begun:
    """May the worker go on with this client run? *stop*: it was told to; *waits_for*: another run has the client."""

    go: bool
    stop: Stop | None = None
    blocked_reason: str | None = None
    waits_for: str | None = None
    worked_ms: int = 0


def begin_client(tx: Tx, key: ClientKey, worker: str) -> Begun:
    """A worker takes up a client run, for the first time or again after its predecessor died (F14)."""
    lock_run(tx, key.run_id)
    tx.serialize(f"client {key.client_id}")
    row = tx.row(
        "SELECT c.status, c.worked_ms, r.stop, r.blocked_reason, r.created_at, c.worker FROM @client_runs c"
        " JOIN @runs r ON r.run_id = c.run_id WHERE c.run_id = ? AND c.client_id = ?",
        key,
    )
    if row is None or Status(row[0]) not in (Status.QUEUED, Status.RUNNING):
        return Begun(go=False)
    status, worked_ms, stop, blocked_reason, created_at, had_by = row
    if status == Status.RUNNING and had_by is None:
        return Begun(go=False)  # it waits for external runs; its worker died before it could say that it had let go
    if stop:
        return Begun(go=False, stop=Stop(stop), blocked_reason=blocked_reason)
    # One that is running has the client already: its worker died, and nobody came in between.
    ahead = None if status == Status.RUNNING else _ahead_of(tx, key, created_at)
    if ahead is not None:
        _note_waiting(tx, key, ahead)
        return Begun(go=False, waits_for=ahead)
    _note_that_it_works(tx, key.run_id)
    tx.execute(
        "UPDATE @client_runs SET status = 'running', started_at = COALESCE(started_at, ?), worker = ?,"
        f" blocked_reason = NULL, idle_since = NULL, version = version + 1 WHERE {OF_CLIENT}",
        (tx.stamp, worker, *key),
    )
    return Begun(go=True, worked_ms=worked_ms)


def _note_that_it_works(tx: Tx, run_id: str) -> None:
    """A run's timeout leaves out the time in which nobody worked on any of its clients, for all were queued, or waited
    for the outside: since the last of them was let go of, or ended.
    """
    row = tx.row(
        "SELECT r.working_since, (SELECT MAX(COALESCE(c.ended_at, c.idle_since)) FROM @client_runs c"
        " WHERE c.run_id = r.run_id) FROM @runs r WHERE r.run_id = ? AND NOT EXISTS (SELECT 1 FROM @client_runs w"
        " WHERE w.run_id = r.run_id AND w.status = 'running' AND w.worker IS NOT NULL)",
        (run_id,),
    )
    if row is None:
        return
    began = read_stamp(row[0]) or tx.now
    idle = read_stamp(row[1]) or tx.now
    since = began + (tx.now - max(began, idle))
    tx.execute("UPDATE @runs SET working_since = ? WHERE run_id = ?", (stamp(since), run_id))


def _ahead_of(tx: Tx, key: ClientKey, created_at: str) -> str | None:
    """The run that has the client: one that was started earlier, or one that works on it already because the earlier
    one had not read its client list yet.
    """
    row = tx.row(
        "SELECT r.run_id FROM @client_runs c JOIN @runs r ON r.run_id = c.run_id WHERE c.client_id = ?"
        " AND r.planned = 1 AND c.status IN ('queued', 'running', 'paused') AND r.run_id <> ?"
        " AND (c.status = 'running' OR r.created_at < ? OR (r.created_at = ? AND r.run_id < ?))"
        " ORDER BY r.created_at LIMIT 1",
        (key.client_id, key.run_id, created_at, created_at, key.run_id),
    )
    return str(row[0]) if row else None


def _note_waiting(tx: Tx, key: ClientKey, ahead: str) -> None:
    tx.execute(
        "UPDATE @client_runs SET blocked_reason = ?, turn = turn + 1, enqueued = 0, version = version + 1"
        f" WHERE {OF_CLIENT}",
        (f"waiting for run {ahead}", *key),
    )


def book_work(tx: Tx, key: ClientKey, worked_ms: int) -> None:
    """How long this client was worked on, so that a takeover does not start its timeout anew."""
    tx.execute(f"UPDATE @client_runs SET worked_ms = worked_ms + ? WHERE {OF_CLIENT}", (worked_ms, *key))


def open_operation(tx: Tx, key: OperationKey, basis: Basis = Basis.EXACT) -> Status:
    """The operation run, made if it is new: `queued` until its worklist is frozen whole. One that is opened after its
    client run has ended is born as that ended, for terminal never goes back. Raises NotFound.
    """
    row = tx.row(f"SELECT status FROM @client_runs WHERE {OF_CLIENT} @lock", key[:2])
    if row is None:
        raise NotFound(f"run {key.run_id} has no client {key.client_id!r}", run_id=key.run_id, client_id=key.client_id)
    of_client = Status(row[0])
    late = of_client.terminal
    tx.execute(
        "INSERT INTO @operation_runs (run_id, client_id, operation, status, finish_reason, started_at, ended_at, basis)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            *key, of_client if late else Status.QUEUED, endings.LATE if late else None, tx.stamp,
            tx.stamp if late else None, basis,
        ),
    )  # fmt: skip
    row = tx.row(f"SELECT status FROM @operation_runs WHERE {OF_OPERATION}", key)
    return Status(row[0]) if row else Status.QUEUED


def freeze(tx: Tx, key: OperationKey, due: Sequence[Candidate], given_up: Sequence[Outcome], *, whole: bool) -> None:
    """Add *due* to the worklist; *given_up* are outcomes of those among them that are not tried again.

    *whole*: these were the last; the operation run is `running` from here on, and nothing is added any more. Repeating
    a part changes nothing.
    """
    lock_operation(tx, key)
    if not tx.row(f"SELECT 1 FROM @operation_runs WHERE {OF_OPERATION} AND status = 'queued'", key):
        return
    found = add_to_worklist(tx, key, due)
    tx.execute(
        f"UPDATE @operation_runs SET found = found + ?, status = ?, version = version + 1 WHERE {OF_OPERATION}",
        (found, Status.RUNNING if whole else Status.QUEUED, *key),
    )
    if given_up:
        record(tx, key, given_up)


def add_to_worklist(tx: Tx, key: OperationKey, due: Sequence[Candidate]) -> int:
    """Append leads to the worklist, in their order; gives how many were new."""
    row = tx.row(f"SELECT COUNT(*) FROM @worklist WHERE {OF_OPERATION}", key)
    first = int(row[0]) if row else 0
    rows = [(*key, each.lead_id, first + n, each.input_hash) for n, each in enumerate(due)]
    columns = "run_id, client_id, operation, lead_id, position, input_hash"
    if tx.sqlite or not rows:
        statement = f"INSERT INTO @worklist ({columns}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        return sum(tx.execute(statement, each) for each in rows)
    statement = (
        f"INSERT INTO @worklist ({columns}) SELECT * FROM"
        " unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::int[], ?::text[]) ON CONFLICT DO NOTHING"
    )
    return tx.execute(statement, _as_columns(rows))


What = tuple[str, str | None]
"""Kind and reason of an outcome."""


def said_of(tx: Tx, key: OperationKey, leads: Sequence[LeadId]) -> Mapping[LeadId, What | None]:
    """Those of *leads* that are on the worklist, and what became of them; None while they are pending."""
    rows = tx.rows(
        "SELECT w.lead_id, o.kind, o.reason FROM @worklist w LEFT JOIN @outcomes o ON o.run_id = w.run_id"
        " AND o.client_id = w.client_id AND o.operation = w.operation AND o.lead_id = w.lead_id"
        f" WHERE w.run_id = ? AND w.client_id = ? AND w.operation = ? AND w.lead_id IN ({', '.join('?' * len(leads))})",
        (*key, *leads),
    )
    return {lead_id: (kind, reason) if kind else None for lead_id, kind, reason in rows}


def _as_columns(rows: Sequence[Row]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def record(tx: Tx, key: OperationKey, results: Sequence[Outcome], *, saved: bool = False) -> frozenset[LeadId]:
    """Book outcomes; the tally grows by exactly those that were new, which are returned.

    A lead that has an outcome keeps it. After the operation run has ended an outcome still fills a pending lead
    (`late`); one that comes too late even for that is noted as an event. *saved*: there is no store to save to.
    """
    row = tx.row(f"SELECT status FROM @operation_runs WHERE {OF_OPERATION} @lock", key)
    if row is None:
        raise NotFound(f"run {key.run_id} has no {key.operation} for {key.client_id}", run_id=key.run_id)
    late = Status(row[0]).terminal
    first = {each.lead_id: each for each in reversed(results)}
    new = _insert_outcomes(tx, {lead_id: _row_of(key, each, late, tx.stamp, saved) for lead_id, each in first.items()})
    _grow_tally(tx, key, [first[lead_id] for lead_id in new])
    if late:
        touch_ended(tx, key.run_id)
        _note_too_late(tx, key, [each for each in results if each.lead_id not in new])
    return new


def _row_of(key: OperationKey, outcome: Outcome, late: bool, at: str, saved: bool) -> Row:
    """Plain values: the driver takes half as long again over a member of an enum, which is not quite a str."""
    versions, reason = outcome.versions, outcome.reason
    return (
        key.run_id, key.client_id, key.operation.value, outcome.lead_id, outcome.kind.value,
        None if reason is None else reason.value, _text(outcome.detail), outcome.score,
        _json(outcome.breakdown), _text(outcome.assessment), _json(outcome.best_post), outcome.posts,
        outcome.excluded_by, int(outcome.flagged), versions.rubric, versions.prompt, versions.formula, versions.model,
        outcome.input_hash, int(late), at, at if saved else None,
    )  # fmt: skip


_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def _text(text: str | None) -> str | None:
    return None if text is None else storable(text)


def _json(data: Mapping[str, object] | None) -> str | None:
    return None if data is None else storable(_encode(data))


def _insert_outcomes(tx: Tx, rows: Mapping[LeadId, Row]) -> frozenset[LeadId]:
    if tx.sqlite or not rows:
        return frozenset(lead_id for lead_id, row in rows.items() if tx.execute(_INSERT_OUTCOME, row))
    return frozenset(row[0] for row in tx.rows(_UNNEST_OUTCOMES, _as_columns(list(rows.values()))))


def _grow_tally(tx: Tx, key: OperationKey, new: Sequence[Outcome]) -> None:
    if not new:
        return
    counts = {kind: sum(1 for each in new if each.kind is kind) for kind in Kind}
    tx.execute(
        "UPDATE @operation_runs SET scored = scored + ?, harvested = harvested + ?, skipped = skipped + ?,"
        f" failed = failed + ?, posts = posts + ?, basis = 'exact', version = version + 1 WHERE {OF_OPERATION}",
        (*counts.values(), sum(each.posts for each in new), *key),
    )


def _note_too_late(tx: Tx, key: OperationKey, refused: Sequence[Outcome]) -> None:
    for each in refused:
        events.append(
            tx,
            "outcome_too_late",
            f"{key.operation} of lead {each.lead_id!r} came out {each.kind} after it had an outcome already",
            run_id=key.run_id,
            client_id=key.client_id,
            once_key=f"late {'/'.join(key)} {each.lead_id} {each.kind}",
        )


def mark_saved(tx: Tx, key: OperationKey, lead_ids: Sequence[LeadId]) -> None:
    """The store has these outcomes now."""
    for part in batched(lead_ids, AT_ONCE):
        marks = ", ".join("?" * len(part))
        tx.execute(
            f"UPDATE @outcomes SET saved_at = ? WHERE {OF_OPERATION} AND lead_id IN ({marks}) AND saved_at IS NULL",
            (tx.stamp, *key, *part),
        )


def outcome_of_row(row: Row) -> Outcome:
    """The outcome as it was recorded, from the columns lead_id … input_hash of `outcomes`, in their order."""
    kind = Kind(row[1])
    return Outcome(
        lead_id=row[0],
        kind=kind,
        reason=read_reason(kind, row[2]),
        detail=row[3],
        score=row[4],
        breakdown=json.loads(row[5]) if row[5] else None,
        assessment=row[6],
        best_post=json.loads(row[7]) if row[7] else None,
        posts=row[8],
        excluded_by=row[9],
        flagged=bool(row[10]),
        versions=Versions(rubric=row[11], prompt=row[12], formula=row[13], model=row[14]),
        input_hash=row[15],
    )
