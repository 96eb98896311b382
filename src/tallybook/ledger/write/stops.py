"""Telling a run to stop, and to go on. A stop is a flag in the ledger; who works sees it and lets go (F40)."""

from datetime import datetime

from tallybook.database import Tx, stamp
from tallybook.domain.errors import Conflict, NotFound, Terminal
from tallybook.domain.fields import storable
from tallybook.domain.run import Ending, Status, Stop, verdict
from tallybook.domain.tally import Tally
from tallybook.ledger.keys import ClientKey
from tallybook.ledger.write import events, external
from tallybook.ledger.write.endings import (
    OF_CLIENT,
    close_client,
    close_open_operations,
    close_operation,
    close_run_if_done,
    finish_client,
    finish_run,
    lock_run,
    open_operations,
    pause_run,
)

_STRENGTH = (None, Stop.PAUSE, Stop.TIMEOUT, Stop.CANCEL)
_SAID = {Stop.PAUSE: "Pause", Stop.CANCEL: "Cancel", Stop.TIMEOUT: "Timeout"}
_RUN_GOES_ON = (
    "UPDATE @runs SET status = CASE WHEN started_at IS NULL THEN 'queued' ELSE 'running' END, stop = NULL,"
    " blocked_reason = NULL, wake_at = NULL, paused_at = NULL, working_since = NULL, turn = turn + 1,"
    " version = version + 1 WHERE run_id = ? AND status = 'paused'"
)
_CLIENTS_GO_ON = (
    "UPDATE @client_runs SET status = 'queued', stop = NULL, blocked_reason = NULL, wake_at = NULL, turn = turn + 1,"
    " enqueued = 0, worked_ms = 0, version = version + 1 WHERE run_id = ? AND status = 'paused'"
)


def stop_run(tx: Tx, run_id: str, stop: Stop, blocked_reason: str, *, wake_at: datetime | None = None) -> None:
    """Tell a run to stop. What nobody works on stops at once; the rest when its workers have let go of it.

    *wake_at*: when a pause ends by itself; it gives way to a pause that does not.
    Raises NotFound, Terminal when the run has ended, and Conflict when another program drives it.
    """
    status, told = _open_run(tx, run_id)
    _refuse_reported(tx, run_id)
    blocked_reason = storable(blocked_reason)
    if _STRENGTH.index(told) > _STRENGTH.index(stop):
        return
    if wake_at is not None and told is Stop.PAUSE and not _wakes(tx, run_id):
        return
    tx.execute(
        "UPDATE @runs SET stop = ?, blocked_reason = ?, wake_at = ?, version = version + 1 WHERE run_id = ?",
        (stop, blocked_reason, _waking(stop, wake_at), run_id),
    )
    events.append(tx, stop, f"{_SAID[stop]}: {blocked_reason}", run_id=run_id)
    for (client_id,) in tx.rows(
        "SELECT client_id FROM @client_runs WHERE run_id = ? AND (status IN ('queued', 'paused')"
        f" OR ({external.WAITING})) ORDER BY position",
        (run_id,),
    ):
        stop_client(tx, ClientKey(run_id, client_id), stop, blocked_reason)
    if status is Status.RUNNING:
        close_run_if_done(tx, run_id)
    elif stop is Stop.PAUSE:
        pause_run(tx, run_id)
    elif not tx.row("SELECT 1 FROM @client_runs WHERE run_id = ? LIMIT 1", (run_id,)):
        finish_run(tx, run_id, verdict(Tally(), stop))


def _open_run(tx: Tx, run_id: str) -> tuple[Status, Stop | None]:
    row = tx.row("SELECT status, stop FROM @runs WHERE run_id = ? @lock", (run_id,))
    if row is None:
        raise NotFound(f"there is no run {run_id}", run_id=run_id)
    if Status(row[0]).terminal:
        raise Terminal(f"run {run_id} has ended ({row[0]}); start a new run", run_id=run_id)
    return Status(row[0]), Stop(row[1]) if row[1] else None


def _wakes(tx: Tx, run_id: str) -> bool:
    return tx.row("SELECT 1 FROM @runs WHERE run_id = ? AND wake_at IS NOT NULL", (run_id,)) is not None


def _waking(stop: Stop, wake_at: datetime | None) -> str | None:
    return stamp(wake_at) if wake_at is not None and stop is Stop.PAUSE else None


def _refuse_reported(tx: Tx, run_id: str) -> None:
    if tx.row("SELECT 1 FROM @runs WHERE run_id = ? AND planned = 0", (run_id,)):
        raise Conflict(f"another program drives run {run_id} and only reports it; tell that program", run_id=run_id)


def stop_client(tx: Tx, key: ClientKey, stop: Stop, reason: str, *, wake_at: datetime | None = None) -> None:
    """What a worker, or whoever finds that there is none, does with a client run that must not go on.

    What its run was told since counts where it is stronger: a pause may have become a cancel while calls let go.
    *wake_at*: when a pause of this client alone ends by itself.
    """
    lock_run(tx, key.run_id)
    stop, reason = _stronger(tx, key.run_id, stop, storable(reason))
    if stop is Stop.PAUSE:
        tx.execute(
            "UPDATE @client_runs SET status = 'paused', blocked_reason = ?, wake_at = ?, worker = NULL,"
            f" version = version + 1 WHERE {OF_CLIENT} AND status IN ('queued', 'running')",
            (reason, _waking(stop, wake_at), *key),
        )
        close_run_if_done(tx, key.run_id)
        return
    external.abandon(tx, key)
    close_open_operations(tx, key, stop=stop)
    if tx.row(f"SELECT 1 FROM @operation_runs WHERE {OF_CLIENT} LIMIT 1", key):
        close_client(tx, key, stop=stop)
        return
    if tx.row(f"SELECT 1 FROM @client_runs WHERE {OF_CLIENT} AND ended_at IS NULL", key):
        finish_client(tx, key, verdict(Tally(), stop))


def _stronger(tx: Tx, run_id: str, stop: Stop, reason: str) -> tuple[Stop, str]:
    row = tx.row("SELECT stop, blocked_reason FROM @runs WHERE run_id = ? AND stop IS NOT NULL", (run_id,))
    if row is None or _STRENGTH.index(row[0]) <= _STRENGTH.index(stop):
        return stop, reason
    return Stop(row[0]), row[1] or ""


def resume_run(tx: Tx, run_id: str) -> bool:
    """Put a paused run back in the queue; False when it was not paused. Raises NotFound, Terminal, and Conflict while
    its workers are still letting go.
    """
    status, told = _open_run(tx, run_id)
    _refuse_reported(tx, run_id)
    if status is not Status.PAUSED:
        if told is not None:
            raise Conflict(f"run {run_id} is still stopping; resume it in a moment", run_id=run_id)
        return False
    _go_on(tx, run_id)
    events.append(tx, "resumed", "Resumed", run_id=run_id)
    return True


def _go_on(tx: Tx, run_id: str) -> None:
    tx.execute(_RUN_GOES_ON, (run_id,))
    tx.execute(_CLIENTS_GO_ON, (run_id,))


def wake_due(tx: Tx) -> list[str]:
    """Have those pauses end whose time has come; gives the runs in which something goes on.

    A run goes on as a whole when it was told to wait until then; else those of its clients that waited by themselves.
    A run that somebody paused is not woken.
    """
    due = tx.rows(
        "SELECT run_id FROM @runs WHERE status = 'paused' AND wake_at <= ?"
        " UNION ALL SELECT run_id FROM @client_runs WHERE status = 'paused' AND wake_at <= ?",
        (tx.stamp, tx.stamp),
    )
    return [run_id for run_id in sorted({run_id for (run_id,) in due}) if _wake(tx, run_id)]


def _wake(tx: Tx, run_id: str) -> bool:
    row = tx.row("SELECT status, stop, wake_at, blocked_reason, planned FROM @runs WHERE run_id = ? @lock", (run_id,))
    if row is None or Status(row[0]).terminal or not row[4]:
        return False
    status, stop, wake_at, reason, _ = row
    if stop is None:
        return _wake_clients(tx, run_id)
    if status != Status.PAUSED or wake_at is None or wake_at > tx.stamp:
        return False
    _go_on(tx, run_id)
    events.append(tx, "woken", _woken(reason), run_id=run_id)
    return True


def _wake_clients(tx: Tx, run_id: str) -> bool:
    """Of a run that was not told to stop, those that paused by themselves until now."""
    due = tx.rows(
        "SELECT client_id, blocked_reason FROM @client_runs WHERE run_id = ? AND status = 'paused' AND wake_at <= ?"
        " ORDER BY position",
        (run_id, tx.stamp),
    )
    if not due:
        return False
    tx.execute(_RUN_GOES_ON, (run_id,))
    tx.execute(f"{_CLIENTS_GO_ON} AND wake_at <= ?", (run_id, tx.stamp))
    for client_id, reason in due:
        events.append(tx, "woken", _woken(reason), run_id=run_id, client_id=client_id)
    return True


def _woken(reason: str) -> str:
    return f"Goes on by itself; it waited for: {reason}"


def expire_pause(tx: Tx, run_id: str) -> None:
    """Close a run that was paused too long: what is pending counts as errors, and the next run takes it up."""
    if _open_run(tx, run_id)[0] is not Status.PAUSED:
        return
    _refuse_reported(tx, run_id)
    events.append(tx, "pause_expired", "Paused for too long; the next run takes up the rest", run_id=run_id)
    for (client_id,) in tx.rows(
        "SELECT client_id FROM @client_runs WHERE run_id = ? AND status = 'paused' ORDER BY position", (run_id,)
    ):
        _expire_client(tx, ClientKey(run_id, client_id))
    if not tx.row("SELECT 1 FROM @client_runs WHERE run_id = ? LIMIT 1", (run_id,)):
        finish_run(tx, run_id, Ending(Status.FAILED, "pause_expired"))
    tx.execute("UPDATE @runs SET finish_reason = 'pause_expired' WHERE run_id = ?", (run_id,))


def _expire_client(tx: Tx, key: ClientKey) -> None:
    for open_key in open_operations(tx, key):
        close_operation(tx, open_key, errors=1, finish_reason="pause_expired")
    close_client(tx, key, error="paused for too long; the next run takes up the rest")
