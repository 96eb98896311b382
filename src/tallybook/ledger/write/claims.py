"""How runs that other programs drive come into the books, what exact rows they may add, and how they end."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from tallybook.database import Tx, stamp
from tallybook.domain import runid
from tallybook.domain.errors import BadInput, ClaimRefused, NotFound
from tallybook.domain.fields import storable
from tallybook.domain.outcome import LeadId, Outcome
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
from tallybook.domain.tally import Tally, Usage
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.tables import SCOPE_OF_RUN
from tallybook.ledger.write import calls, events, progress, reported
from tallybook.ledger.write.endings import (
    LATE,
    OF_CLIENT,
    close_operation,
    close_run_if_done,
    finish_client,
    finish_run,
    lock_operation,
    lock_run,
    worse,
)

SILENT_FOR = timedelta(hours=6)


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
    """The run and, when *text* is a label, the client that *text* means; client_id is empty for a run (F04, F05).

    Raises InvalidRunId.
    """
    if storable(str(text)) != text:
        runid.RunId.parse(text)  # refuses it; no database is to be asked for what it could not keep
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
        reported.heard_of(tx, found.run_id)
        return found.run_id
    named = runid.RunId.parse(text)
    run_id = named.key
    display = text if named.form is runid.Form.STRUCTURED else run_id
    _reserve(tx, run_id)  # so that nobody mints it, not even in the same instant
    new = tx.execute(
        "INSERT INTO @runs (run_id, display, job_type, stream, triggered_by, status, created_at, seen_at, started_at,"
        " requested_by, origin_reason, planned) VALUES (?, ?, ?, ?, ?, 'running', ?, ?, ?, ?, ?, 0)"
        " ON CONFLICT (run_id) DO NOTHING",
        (
            run_id, display, job.job_type, job.stream, job.trigger, tx.stamp, tx.stamp, job.started_at or tx.stamp,
            job.by and storable(job.by), job.auto_created and storable(job.auto_created),
        ),
    )  # fmt: skip
    if new and job.auto_created:
        events.append(tx, "auto_created", f"The run was not in the books: {job.auto_created}", run_id=run_id)
    return run_id


def keep_run_id(tx: Tx, run_id: str) -> bool:
    """Book an id that was handed out while the ledger was away. False when it is taken already."""
    taken = tx.row("SELECT 1 FROM @runs WHERE run_id = ?", (run_id,))
    return not taken and _reserve(tx, run_id)


def _reserve(tx: Tx, run_id: str) -> bool:
    statement = "INSERT INTO @run_ids (run_id, reserved_at) VALUES (?, ?) ON CONFLICT DO NOTHING"
    return bool(tx.execute(statement, (run_id, tx.stamp)))


def create_client(
    tx: Tx, key: ClientKey, name: str | None, auto_created: str | None = None, started_at: str | None = None
) -> bool:
    """The client run of an existing run, made if it is new; True when it was (F03).

    One that comes after its run has ended ends with it: what it reports is kept, and nothing ended is opened again.
    Raises ClaimRefused when our engine drives the run.
    """
    reported.heard_of(tx, key.run_id)
    lock_run(tx, key.run_id)
    if tx.row(f"SELECT 1 FROM @client_runs WHERE {OF_CLIENT}", key):
        return False
    if tx.row("SELECT 1 FROM @runs WHERE run_id = ? AND planned = 1", (key.run_id,)):
        raise ClaimRefused(f"Tallybook itself drives run {key.run_id}; its client list is fixed", run_id=key.run_id)
    new = tx.execute(
        "INSERT INTO @client_runs (run_id, client_id, label, client_name, status, finish_reason, started_at, ended_at,"
        " origin, origin_reason) SELECT run_id, ?, ?, ?, CASE WHEN ended_at IS NULL THEN 'running' ELSE status END,"
        f" CASE WHEN ended_at IS NULL THEN NULL ELSE '{LATE}' END, ?, CASE WHEN ended_at IS NULL THEN NULL ELSE ? END,"
        " ?, ? FROM @runs WHERE run_id = ? ON CONFLICT DO NOTHING",
        (
            key.client_id, runid.label(*key), storable(name or key.client_id), started_at or tx.stamp, tx.stamp,
            Origin.AUTO_CREATED if auto_created else Origin.REPORTED, auto_created and storable(auto_created),
            key.run_id,
        ),
    )  # fmt: skip
    if new and auto_created:
        text = f"The client run was not in the books: {auto_created}"
        events.append(tx, "auto_created", text, run_id=key.run_id, client_id=key.client_id)
    return bool(new)


def _refuse_if_driven(tx: Tx, key: ClientKey) -> None:
    reported.heard_of(tx, key.run_id)
    row = tx.row(f"SELECT origin FROM @client_runs WHERE {OF_CLIENT} @lock", key)
    if row is None:
        raise NotFound(f"run {key.run_id} has no client {key.client_id!r}", run_id=key.run_id)
    if row[0] == Origin.PLANNED:
        raise ClaimRefused(f"Tallybook itself drives client {key.client_id!r} of run {key.run_id}; it books its rows")


def known_client(tx: Tx, key: ClientKey) -> ClientKey | None:
    """*key*, if there is such a client run."""
    return key if tx.row(f"SELECT 1 FROM @client_runs WHERE {OF_CLIENT}", key) else None


def record_outcome(tx: Tx, key: OperationKey, outcome: Outcome) -> bool:
    """An exact row from a reporter: the lead joins the worklist, its outcome is booked. False when it had one."""
    return bool(record_outcomes(tx, key, [outcome]))


def record_outcomes(tx: Tx, key: OperationKey, outcomes: Sequence[Outcome]) -> frozenset[LeadId]:
    """Exact rows from a reporter, as if each came alone; gives the leads of those that were new."""
    _refuse_if_driven(tx, ClientKey(key.run_id, key.client_id))
    reported.open_reported(tx, key, Basis.EXACT)
    lock_operation(tx, key)
    firsts: dict[LeadId, Outcome] = {}
    for each in outcomes:
        firsts.setdefault(each.lead_id, each)
    said = progress.said_of(tx, key, list(firsts))
    _take_up(tx, key, [each for each in firsts.values() if each.lead_id not in said])
    # A repeat is nothing new, and nothing that came too late either.
    first = [each for each in firsts.values() if _what(each) != said.get(each.lead_id)]
    later = [each for each in outcomes if each is not firsts[each.lead_id]]
    other = [each for each in later if _what(each) != (said.get(each.lead_id) or _what(firsts[each.lead_id]))]
    new = progress.record(tx, key, first, saved=True) if first else frozenset[LeadId]()
    if other:
        progress.record(tx, key, other, saved=True)
    return new


def _what(outcome: Outcome) -> progress.What:
    return outcome.kind, outcome.reason


def _take_up(tx: Tx, key: OperationKey, outcomes: Sequence[Outcome]) -> None:
    """Their leads join the worklist."""
    if not outcomes:
        return
    found = progress.add_to_worklist(tx, key, [Candidate(each.lead_id, each.input_hash or "") for each in outcomes])
    tx.execute(
        "UPDATE @operation_runs SET found = found + ?, version = version + 1"
        " WHERE run_id = ? AND client_id = ? AND operation = ?",
        (found, *key),
    )


PaidCall = tuple[calls.Call, str, Usage]
"""A call that is over, how it ended, what it used."""


def record_call(tx: Tx, call: calls.Call, result: str, usage: Usage) -> bool:
    """A paid call from a reporter, over already. False when its id is in the books."""
    return bool(record_calls(tx, ClientKey(call.key.run_id, call.key.client_id), [(call, result, usage)]))


def record_calls(tx: Tx, key: ClientKey, paid: Sequence[PaidCall]) -> frozenset[str]:
    """Paid calls of one client run; gives the ids of those that were new."""
    _refuse_if_driven(tx, key)
    for operation in dict.fromkeys(call.key for call, _, _ in paid):
        reported.open_reported(tx, operation, Basis.EXACT)
    return frozenset(call.call_id for call, result, usage in paid if calls.record_call(tx, call, result, usage))


def complete_client(tx: Tx, key: ClientKey, claimed: Status | None, reason: str | None = None) -> None:
    """End a reported client run. Repeating it does nothing. Raises ClaimRefused for a different completion, and for a
    client run that our engine drives; BadInput for a claim that is no ending.
    """
    _refuse_no_ending(claimed)
    reported.heard_of(tx, key.run_id)
    lock_run(tx, key.run_id)
    row = tx.row(f"SELECT status, origin, finish_reason FROM @client_runs WHERE {OF_CLIENT} @lock", key)
    if row is None:
        raise NotFound(f"run {key.run_id} has no client {key.client_id!r}", run_id=key.run_id)
    status = Status(row[0])
    if row[1] == Origin.PLANNED:
        raise ClaimRefused(f"Tallybook itself drives client {key.client_id!r} of run {key.run_id}; its rows end it")
    if status.terminal:
        if row[2] != LATE:
            _refuse_other_ending(tx, key, status, claimed)
        elif claimed is not None:
            reported.keep(tx, key, "status", claimed.value)
        return
    derived = _derive(tx, key, claimed)
    ending = _accepted(tx, key, derived, claimed)
    if claimed is not None:
        reported.keep(tx, key, "status", claimed.value)
    tx.execute(
        f"UPDATE @operation_runs SET status = ?, ended_at = ? WHERE {OF_CLIENT} AND ended_at IS NULL",
        (ending.status, tx.stamp, *key),
    )
    finish_client(tx, key, Ending(ending.status, reason or ending.finish_reason))


def _refuse_no_ending(claimed: Status | None) -> None:
    if claimed is not None and not claimed.terminal:
        raise BadInput(f"{claimed} is no way to end; use one of: {', '.join(each for each in Status if each.terminal)}")


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


_GOOD_SUMS = ("successful_leads", "successful_clients", "profiles_scored", "posts_scored", "posts_harvested")


def _by_claims(tx: Tx, key: ClientKey) -> Ending:
    """No rows and no claimed status: the claimed sums decide."""
    rows = tx.rows(f"SELECT field, value FROM @reported WHERE {OF_CLIENT}", key)
    sums = {field: json.loads(value) for field, value in rows}
    good = [sums.get(name, 0) for name in _GOOD_SUMS]
    bad = max(sums.get(name, 0) for name in ("failed_leads", "failed_clients", "errors"))
    ending = verdict(Tally(found=max(good) + bad, scored=max(good), failed=bad))
    return Ending(ending.status)


def complete_run(tx: Tx, run_id: str, claimed: Status | None, reason: str | None = None) -> None:
    """A reported run is over, or will be with the last of its client runs. Repeating it does nothing (F36).

    Raises ClaimRefused for a different completion, and for a run that our engine drives; BadInput for a claim that is
    no ending.
    """
    _refuse_no_ending(claimed)
    reported.heard_of(tx, run_id)
    row = tx.row("SELECT status, planned, claimed_status FROM @runs WHERE run_id = ? @lock", (run_id,))
    if row is None:
        raise NotFound(f"there is no run {run_id}", run_id=run_id)
    status, planned, earlier = Status(row[0]), row[1], row[2]
    if planned:
        raise ClaimRefused(f"Tallybook itself drives run {run_id}; its client runs end it", run_id=run_id)
    ends = status if status.terminal else earlier
    if ends is not None and claimed not in (None, status, earlier):
        raise ClaimRefused(f"run {run_id} ends {ends}; it cannot end {claimed} as well", run_id=run_id)
    if status.terminal:
        return
    tx.execute(
        "UPDATE @runs SET closing = 1, claimed_status = COALESCE(?, claimed_status), version = version + 1"
        " WHERE run_id = ?",
        (claimed, run_id),
    )
    if not tx.row("SELECT 1 FROM @client_runs WHERE run_id = ? LIMIT 1", (run_id,)):
        finish_run(tx, run_id, Ending(claimed) if claimed else _by_claims(tx, ClientKey(run_id, SCOPE_OF_RUN)))
    close_run_if_done(tx, run_id)
    if claimed is not None:
        reported.keep(tx, ClientKey(run_id, SCOPE_OF_RUN), "status", claimed.value)
    if reason is not None:
        tx.execute(
            "UPDATE @runs SET finish_reason = ? WHERE run_id = ? AND status = ? AND finish_reason IS NULL",
            (reason, run_id, claimed),
        )


def lose_silent_runs(tx: Tx) -> list[str]:
    """Close reported runs nobody was heard of for six hours: timed out, `lost` (F02). Gives their ids."""
    silent = tx.rows(
        "SELECT run_id FROM @runs WHERE planned = 0 AND status IN ('queued', 'running', 'paused') AND seen_at < ?",
        (stamp(tx.now - SILENT_FOR),),
    )
    return [run_id for (run_id,) in silent if _lose(tx, run_id)]


def _lose(tx: Tx, run_id: str) -> bool:
    lost = Ending(Status.TIMED_OUT, "lost")
    # No longer closing, so that its last client run does not end it in another way.
    if not tx.execute("UPDATE @runs SET closing = 0 WHERE run_id = ? AND ended_at IS NULL", (run_id,)):
        return False
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
    finish_run(tx, run_id, lost)
    return True
