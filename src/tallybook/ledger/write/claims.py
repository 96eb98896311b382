"""What other programs report about their own runs: claims, kept as such, and the exact rows they may add."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from tallybook.database import Tx, stamp
from tallybook.domain import runid
from tallybook.domain.errors import ClaimRefused, NotFound
from tallybook.domain.fields import Field, Sort, Value
from tallybook.domain.outcome import Outcome
from tallybook.domain.ports import Candidate
from tallybook.domain.run import (
    Basis,
    Child,
    Ending,
    JobType,
    OperationName,
    Origin,
    Status,
    Stop,
    Trigger,
    verdict,
    verdict_of_children,
)
from tallybook.domain.tally import Tally
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.tables import SCOPE_OF_RUN
from tallybook.ledger.write import events, progress
from tallybook.ledger.write.endings import (
    OF_CLIENT,
    close_operation,
    close_run_if_done,
    finish_client,
    finish_run,
    worse,
)

SILENT_FOR = timedelta(hours=6)
_SEEN_EVERY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Job:
    """What a reporter says about its run when it creates it."""

    job_type: JobType = JobType.SMART_RESUME
    stream: int | None = None
    trigger: Trigger = Trigger.API
    started_at: str | None = None
    by: str | None = None
    auto_created: str | None = None


def find(tx: Tx, text: str) -> ClientKey | None:
    """The run and, when *text* is a label, the client that *text* means; client_id is empty for a run (F04, F05)."""
    if tx.row("SELECT 1 FROM @runs WHERE run_id = ?", (text,)):
        return ClientKey(text, SCOPE_OF_RUN)
    row = tx.row("SELECT run_id, client_id FROM @client_runs WHERE label = ?", (text,))
    if row:
        return ClientKey(*row)
    key = runid.RunId.parse(text).key
    found = key != text and tx.row("SELECT 1 FROM @runs WHERE run_id = ?", (key,))
    return ClientKey(key, SCOPE_OF_RUN) if found else None


def create_run(tx: Tx, text: str, job: Job) -> str:
    """The run *text* names, made if it is new. Raises InvalidRunId."""
    found = find(tx, text)
    if found:
        _seen(tx, found.run_id)
        return found.run_id
    run_id = runid.RunId.parse(text).key
    tx.execute(
        "INSERT INTO @runs (run_id, display, job_type, stream, triggered_by, status, created_at, seen_at, started_at,"
        " requested_by, origin_reason, planned) VALUES (?, ?, ?, ?, ?, 'running', ?, ?, ?, ?, ?, 0)"
        " ON CONFLICT (run_id) DO NOTHING",
        (
            run_id, text, job.job_type, job.stream, job.trigger, tx.stamp, tx.stamp, job.started_at or tx.stamp,
            job.by, job.auto_created,
        ),
    )  # fmt: skip
    if job.auto_created:
        events.append(tx, "auto_created", f"The run was not in the books: {job.auto_created}", run_id=run_id)
    return run_id


def _seen(tx: Tx, run_id: str) -> None:
    tx.execute(
        "UPDATE @runs SET seen_at = ? WHERE run_id = ? AND seen_at < ?",
        (tx.stamp, run_id, stamp(tx.now - _SEEN_EVERY)),
    )


def create_client(tx: Tx, key: ClientKey, name: str | None, auto_created: str | None = None) -> bool:
    """The client run of an existing run, made if it is new; True when it was (F03)."""
    new = tx.execute(
        "INSERT INTO @client_runs (run_id, client_id, label, client_name, status, started_at, origin, origin_reason)"
        " VALUES (?, ?, ?, ?, 'running', ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            *key, runid.label(*key), name or key.client_id, tx.stamp,
            Origin.AUTO_CREATED if auto_created else Origin.REPORTED, auto_created,
        ),
    )  # fmt: skip
    if new and auto_created:
        text = f"The client run was not in the books: {auto_created}"
        events.append(tx, "auto_created", text, run_id=key.run_id, client_id=key.client_id)
    _seen(tx, key.run_id)
    return bool(new)


def claim(tx: Tx, key: ClientKey, said: Mapping[Field, Value], once_key: str | None = None) -> None:
    """Keep what a reporter says. Sums: the last value wins. Notes and errors: appended (F37, F38)."""
    for field, value in said.items():
        if field.sort in (Sort.NOTE, Sort.ERROR):
            _note(tx, key, field, str(value), once_key)
        elif field.sort is Sort.TIME and field.name == "started_at":
            _set_started(tx, key, str(value))
        elif field.name == "client_name":
            tx.execute(f"UPDATE @client_runs SET client_name = ? WHERE {OF_CLIENT}", (value, *key))
        elif field.sort is not Sort.WORD:
            _keep(tx, key, field.name, value)
        if field.operation and key.client_id != SCOPE_OF_RUN:
            progress.open_operation(tx, OperationKey(*key, field.operation), Basis.REPORTED)
    _touch(tx, key)


def _note(tx: Tx, key: ClientKey, field: Field, text: str, once_key: str | None) -> None:
    once = f"{once_key} {field.name}" if once_key else None
    kind = "note" if field.sort is Sort.NOTE else "error"
    events.append(tx, kind, text, run_id=key.run_id, client_id=key.client_id, once_key=once)
    if field.sort is Sort.NOTE:
        return
    if key.client_id == SCOPE_OF_RUN:
        tx.execute("UPDATE @runs SET error = ? WHERE run_id = ?", (text, key.run_id))
        return
    tx.execute(f"UPDATE @client_runs SET error = ?, errors = errors + 1 WHERE {OF_CLIENT}", (text, *key))


def _set_started(tx: Tx, key: ClientKey, at: str) -> None:
    if key.client_id == SCOPE_OF_RUN:
        tx.execute("UPDATE @runs SET started_at = ? WHERE run_id = ? AND planned = 0", (at, key.run_id))
        return
    tx.execute(f"UPDATE @client_runs SET started_at = ? WHERE {OF_CLIENT} AND origin <> 'planned'", (at, *key))


def _keep(tx: Tx, key: ClientKey, field: str, value: Value) -> None:
    tx.execute(
        "INSERT INTO @reported (run_id, client_id, field, value, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (run_id, client_id, field) DO UPDATE SET value = excluded.value, at = excluded.at",
        (*key, field, json.dumps(value), tx.stamp),
    )


def _touch(tx: Tx, key: ClientKey) -> None:
    _seen(tx, key.run_id)
    if key.client_id == SCOPE_OF_RUN:
        tx.execute("UPDATE @runs SET version = version + 1 WHERE run_id = ?", (key.run_id,))
        return
    tx.execute(f"UPDATE @client_runs SET version = version + 1 WHERE {OF_CLIENT}", key)


def record_outcome(tx: Tx, key: OperationKey, outcome: Outcome) -> bool:
    """An exact row from a reporter: the lead joins the worklist, its outcome is booked. False when it had one."""
    progress.open_operation(tx, key)
    due = [Candidate(outcome.lead_id, outcome.input_hash or "")]
    tx.execute(
        "UPDATE @operation_runs SET found = found + ?, version = version + 1"
        " WHERE run_id = ? AND client_id = ? AND operation = ?",
        (progress.add_to_worklist(tx, key, due), *key),
    )
    _seen(tx, key.run_id)
    return bool(progress.record(tx, key, [outcome], saved=True))


def complete_client(tx: Tx, key: ClientKey, claimed: Status | None, reason: str | None = None) -> None:
    """End a reported client run. Repeating it does nothing. Raises ClaimRefused for a different completion, and for a
    client run that our engine drives.
    """
    row = tx.row(f"SELECT status, origin FROM @client_runs WHERE {OF_CLIENT} @lock", key)
    if row is None:
        raise NotFound(f"run {key.run_id} has no client {key.client_id!r}", run_id=key.run_id)
    status = Status(row[0])
    if row[1] == Origin.PLANNED:
        raise ClaimRefused(f"Tallybook itself drives client {key.client_id!r} of run {key.run_id}; its rows end it")
    if status.terminal:
        _refuse_other_ending(tx, key, status, claimed)
        return
    derived = _derive(tx, key, claimed)
    ending = _accepted(tx, key, derived, claimed)
    if claimed is not None:
        _keep(tx, key, "status", claimed.value)
    tx.execute(
        f"UPDATE @operation_runs SET status = ?, ended_at = ? WHERE {OF_CLIENT} AND ended_at IS NULL",
        (ending.status, tx.stamp, *key),
    )
    finish_client(tx, key, Ending(ending.status, reason or ending.finish_reason))


def _refuse_other_ending(tx: Tx, key: ClientKey, status: Status, claimed: Status | None) -> None:
    row = tx.row(f"SELECT value FROM @reported WHERE {OF_CLIENT} AND field = 'status'", key)
    earlier = json.loads(row[0]) if row else status
    if claimed is not None and claimed not in (earlier, status):
        what = f"client {key.client_id!r} of run {key.run_id}" if key.client_id else f"run {key.run_id}"
        raise ClaimRefused(f"{what} has ended {status}; it cannot end {claimed} as well", run_id=key.run_id)


def _derive(tx: Tx, key: ClientKey, claimed: Status | None) -> Ending | None:
    """What the exact rows say; None when there are none."""
    stop = {Status.CANCELED: Stop.CANCEL, Status.TIMED_OUT: Stop.TIMEOUT}.get(claimed) if claimed else None
    names = tx.rows(f"SELECT operation FROM @operation_runs WHERE {OF_CLIENT} AND basis = 'exact'", key)
    if not names:
        return None
    for (name,) in names:
        close_operation(tx, OperationKey(*key, OperationName(name)), stop=stop)
    rows = tx.rows(f"SELECT status, scored + harvested FROM @operation_runs WHERE {OF_CLIENT} AND basis = 'exact'", key)
    return verdict_of_children([Child(Status(status), ok=good > 0) for status, good in rows], stop)


def _accepted(tx: Tx, key: ClientKey, derived: Ending | None, claimed: Status | None) -> Ending:
    if derived is None:
        return Ending(claimed) if claimed else _by_claims(tx, key)
    if claimed is None:
        return derived
    if worse(derived.status, claimed):
        text = f"Reported as {claimed}, but the rows say {derived.status}"
        events.append(tx, "claim_refused", text, run_id=key.run_id, client_id=key.client_id)
        return derived
    return Ending(claimed, derived.finish_reason if derived.status is claimed else None)


def _by_claims(tx: Tx, key: ClientKey) -> Ending:
    """No rows and no claimed status: the claimed sums decide."""
    rows = tx.rows(f"SELECT field, value FROM @reported WHERE {OF_CLIENT}", key)
    sums = {field: json.loads(value) for field, value in rows}
    good = [sums.get(name, 0) for name in ("successful_leads", "profiles_scored", "posts_scored", "posts_harvested")]
    bad = max(sums.get("failed_leads", 0), sums.get("errors", 0))
    ending = verdict(Tally(found=max(good) + bad, scored=max(good), failed=bad))
    return Ending(ending.status)


def complete_run(tx: Tx, run_id: str, claimed: Status | None) -> None:
    """A reported run is over, or will be with the last of its client runs. Repeating it does nothing (F36).

    Raises ClaimRefused for a different completion, and for a run that our engine drives.
    """
    row = tx.row("SELECT status, planned, claimed_status FROM @runs WHERE run_id = ? @lock", (run_id,))
    if row is None:
        raise NotFound(f"there is no run {run_id}", run_id=run_id)
    status, planned, earlier = Status(row[0]), row[1], row[2]
    if planned:
        raise ClaimRefused(f"Tallybook itself drives run {run_id}; its client runs end it", run_id=run_id)
    if status.terminal and claimed not in (None, status, earlier):
        raise ClaimRefused(f"run {run_id} has ended {status}; it cannot end {claimed} as well", run_id=run_id)
    if status.terminal:
        return
    tx.execute(
        "UPDATE @runs SET closing = 1, claimed_status = COALESCE(?, claimed_status), version = version + 1"
        " WHERE run_id = ?",
        (claimed, run_id),
    )
    close_run_if_done(tx, run_id)


def lose_silent_runs(tx: Tx) -> list[str]:
    """Close reported runs nobody was heard of for six hours: timed out, `lost` (F02). Gives their ids."""
    silent = tx.rows(
        "SELECT run_id FROM @runs WHERE planned = 0 AND status IN ('queued', 'running', 'paused') AND seen_at < ?",
        (stamp(tx.now - SILENT_FOR),),
    )
    for (run_id,) in silent:
        _lose(tx, run_id)
    return [run_id for (run_id,) in silent]


def _lose(tx: Tx, run_id: str) -> None:
    lost = Ending(Status.TIMED_OUT, "lost")
    for (client_id,) in tx.rows("SELECT client_id FROM @client_runs WHERE run_id = ? AND ended_at IS NULL", (run_id,)):
        key = ClientKey(run_id, client_id)
        _derive(tx, key, Status.TIMED_OUT)
        tx.execute(
            f"UPDATE @operation_runs SET status = ?, ended_at = ?, finish_reason = 'lost' WHERE {OF_CLIENT}"
            " AND ended_at IS NULL",
            (lost.status, tx.stamp, *key),
        )
        finish_client(tx, key, lost)
    text = f"Nothing was heard of it for {SILENT_FOR.seconds // 3600} hours"
    events.append(tx, "lost", text, run_id=run_id)
    if tx.row("SELECT 1 FROM @runs WHERE run_id = ? AND ended_at IS NULL", (run_id,)):
        finish_run(tx, run_id, lost)
