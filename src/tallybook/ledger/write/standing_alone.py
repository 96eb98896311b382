"""External runs that nobody here started: each becomes a run of its own, with one client and what was found for it."""

from datetime import datetime

from tallybook.database import Tx
from tallybook.domain.client import Client
from tallybook.domain.external import ExternalRun
from tallybook.domain.run import Basis, JobType, OperationName, Trigger
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.write import calls, claims, external, progress
from tallybook.ledger.write.calls import Call
from tallybook.ledger.write.endings import close_client, close_operation, close_run_if_done, lock_run
from tallybook.ledger.write.starts import RunIdStyle, reserve_run_id


def begin(
    tx: Tx,
    source: str,
    external_id: str,
    client: Client,
    *,
    style: RunIdStyle,
    until: datetime,
    task: str | None = None,
) -> ExternalRun:
    """A run for an external run that works for *client*. Its leads are those it found something for.

    *task*: what it is said to run, where only that names the client.
    """
    run_id = reserve_run_id(tx, style)
    by = f"{source} run {external_id}"
    claims.create_run(tx, run_id, claims.Job(JobType.POST_HARVESTING, client.stream, Trigger.API, by=by))
    key = ClientKey(run_id, client.client_id)
    claims.create_client(tx, key, client.name)
    operation = OperationKey(*key, OperationName.POST_HARVESTING)
    progress.open_operation(tx, operation, Basis.EXACT)
    began = ExternalRun(source, external_id, *operation, call_id=f"{by} for {run_id}", until=until, task=task)
    calls.start_call(tx, Call(began.call_id, operation, source, ""))
    external.start(tx, began, tx.now)
    return began


def end(
    tx: Tx,
    ended: ExternalRun,
    result: str,
    ended_at: datetime | None,
    *,
    look_at: datetime | None = None,
    finish_reason: str | None = None,
    error: str = "",
) -> None:
    """`external.end`; and where it is a run of its own, that ends with it, at once."""
    external.end(tx, ended, result, ended_at, look_at=look_at)
    finish(tx, ended, finish_reason, error)


def disown(tx: Tx, ended: ExternalRun, why: str) -> None:
    """`external.disown`; and the run that was made for it has failed."""
    external.disown(tx, ended)
    finish(tx, ended, external.DISOWNED, why)


def finish(tx: Tx, ended: ExternalRun, finish_reason: str | None, error: str) -> None:
    """Everything is booked: a run of its own ends with its one client. Nothing happens to other runs, or twice.

    *finish_reason*: how it went wrong; *error* says why.
    """
    if not external.stands_alone(tx, ended.run_id):
        return
    lock_run(tx, ended.run_id)
    key = ClientKey(ended.run_id, ended.client_id)
    wrong = int(finish_reason is not None)
    close_operation(tx, OperationKey(*key, ended.operation), errors=wrong, finish_reason=finish_reason)
    close_client(tx, key, error=error or None)
    tx.execute("UPDATE @runs SET closing = 1 WHERE run_id = ? AND ended_at IS NULL", (ended.run_id,))
    close_run_if_done(tx, ended.run_id)
