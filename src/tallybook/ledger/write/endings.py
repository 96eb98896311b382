"""How operation runs, client runs and runs end: derived from what lies below; nobody types a status in (F36)."""

from tallybook.database import Tx
from tallybook.domain.fields import storable
from tallybook.domain.run import Child, Ending, OperationName, Origin, Status, Stop, verdict, verdict_of_children
from tallybook.domain.tally import Tally
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.tables import TALLY
from tallybook.ledger.write import events

OF_OPERATION = "run_id = ? AND client_id = ? AND operation = ?"
OF_CLIENT = "run_id = ? AND client_id = ?"
TALLY_COLUMNS = ", ".join(TALLY)
LATE = "late"
"""The finish_reason of what was reported after its parent had ended."""


def lock_run(tx: Tx, run_id: str) -> None:
    """Rows are locked from above: run, client run, operation run, what lies below. So nobody waits in a circle."""
    if not tx.sqlite:
        tx.row("SELECT 1 FROM @runs WHERE run_id = ? @lock", (run_id,))


def lock_operation(tx: Tx, key: OperationKey) -> None:
    """Whoever ends an operation run and whoever adds to it go one after the other."""
    if not tx.sqlite:
        tx.row(f"SELECT 1 FROM @operation_runs WHERE {OF_OPERATION} @lock", key)


def close_operation(
    tx: Tx,
    key: OperationKey,
    *,
    stop: Stop | None = None,
    errors: int = 0,
    finish_reason: str | None = None,
) -> None:
    """Derive the operation run's status from its tally. Calls never settled are booked as lost: usage unknown.

    *errors*: troubles beside the leads; *finish_reason*: why it did not apply. Repeating it changes nothing.
    """
    row = tx.row(f"SELECT status FROM @operation_runs WHERE {OF_OPERATION} @lock", key)
    if row is None or Status(row[0]).terminal:
        return
    _settle_lost_calls(tx, key)
    if stop is None and not errors:
        errors = _unsaved(tx, key)
    ending = verdict(tally_of_operation(tx, key), stop, errors)
    tx.execute(
        "UPDATE @operation_runs SET status = ?, finish_reason = ?, ended_at = ?, errors = errors + ?,"
        f" version = version + 1 WHERE {OF_OPERATION}",
        (ending.status, finish_reason or ending.finish_reason, tx.stamp, errors, *key),
    )


def _unsaved(tx: Tx, key: OperationKey) -> int:
    """1 if saving has finally failed for some outcome: such an operation run has not simply completed (rule 2)."""
    row = tx.row(f"SELECT COUNT(*) FROM @outcomes WHERE {OF_OPERATION} AND saved_at IS NULL", key)
    if row is None or not row[0]:
        return 0
    text = f"{row[0]} outcomes of {key.operation} could not be saved; the client's next run saves them"
    events.append(tx, "unsaved", text, run_id=key.run_id, client_id=key.client_id)
    return 1


def tally_of_operation(tx: Tx, key: OperationKey) -> Tally:
    row = tx.row(f"SELECT {TALLY_COLUMNS} FROM @operation_runs WHERE {OF_OPERATION}", key)
    return Tally(*row) if row else Tally()


def _settle_lost_calls(tx: Tx, key: OperationKey) -> None:
    lost = tx.execute(
        f"UPDATE @calls SET ended_at = ?, result = 'lost' WHERE {OF_OPERATION} AND ended_at IS NULL",
        (tx.stamp, *key),
    )
    if lost:
        tx.execute(
            f"UPDATE @operation_runs SET calls = calls + ?, unmeasured = unmeasured + ? WHERE {OF_OPERATION}",
            (lost, lost, *key),
        )
        text = f"{lost} calls of {key.operation} were never answered for: maybe billed, usage unknown"
        events.append(tx, "calls_lost", text, run_id=key.run_id, client_id=key.client_id)


def close_open_operations(tx: Tx, key: ClientKey, *, stop: Stop | None = None, errors: int = 0) -> None:
    """Close whatever operation runs of a client run are open."""
    for open_key in open_operations(tx, key):
        close_operation(tx, open_key, stop=stop, errors=errors)


def open_operations(tx: Tx, key: ClientKey) -> list[OperationKey]:
    rows = tx.rows(f"SELECT operation FROM @operation_runs WHERE {OF_CLIENT} AND ended_at IS NULL", key)
    return [OperationKey(*key, OperationName(operation)) for (operation,) in rows]


def close_client(tx: Tx, key: ClientKey, *, stop: Stop | None = None, error: str | None = None) -> None:
    """End a client run whose operation runs have all ended, and the run with its last client run (F01)."""
    lock_run(tx, key.run_id)
    row = tx.row(f"SELECT status FROM @client_runs WHERE {OF_CLIENT} @lock", key)
    if row is None or Status(row[0]).terminal or _has_open_operation(tx, key):
        return
    children = _operations_as_children(tx, key)
    if error is not None:
        children.append(Child(Status.FAILED, ok=False))
    finish_client(tx, key, verdict_of_children(children, stop), error=error)


def finish_client(tx: Tx, key: ClientKey, ending: Ending, *, error: str | None = None) -> None:
    """Write the ending of a client run, then see whether the run has ended with it."""
    error = None if error is None else storable(error)
    tx.execute(
        "UPDATE @client_runs SET status = ?, finish_reason = ?, ended_at = ?, blocked_reason = NULL, wake_at = NULL,"
        " worker = NULL, error = COALESCE(?, error), errors = errors + ?, version = version + 1"
        f" WHERE {OF_CLIENT}",
        (ending.status, ending.finish_reason, tx.stamp, error, int(error is not None), *key),
    )
    if error is not None:
        events.append(tx, "client_error", error, run_id=key.run_id, client_id=key.client_id)
    close_run_if_done(tx, key.run_id)


def _has_open_operation(tx: Tx, key: ClientKey) -> bool:
    return bool(
        tx.row(
            f"SELECT 1 FROM @operation_runs WHERE {OF_CLIENT} AND status IN ('queued', 'running', 'paused') LIMIT 1",
            key,
        )
    )


def _operations_as_children(tx: Tx, key: ClientKey) -> list[Child]:
    rows = tx.rows(f"SELECT status, scored + harvested, found FROM @operation_runs WHERE {OF_CLIENT}", key)
    return [Child(Status(status), ok=good > 0, found=found > 0) for status, good, found in rows]


def close_run_if_done(tx: Tx, run_id: str) -> None:
    """Whoever makes the last client run terminal closes the run, in the same transaction; nobody waits for it.

    When nothing works any more but something is paused, the run is paused.
    """
    row = tx.row(
        "SELECT status, planned, started_at, closing, stop, claimed_status FROM @runs WHERE run_id = ? @lock",
        (run_id,),
    )
    if row is None:
        return
    status, planned, started_at, closing, stop, claimed = row
    ready = started_at is not None if planned else bool(closing)
    if Status(status).terminal or not ready:
        return
    statuses = {each[0] for each in tx.rows("SELECT DISTINCT status FROM @client_runs WHERE run_id = ?", (run_id,))}
    if statuses & {Status.QUEUED, Status.RUNNING}:
        return
    if Status.PAUSED in statuses:
        pause_run(tx, run_id)
        return
    ending = _ending_of_run(tx, run_id, Stop(stop) if stop else None, claimed)
    finish_run(tx, run_id, ending)


def _ending_of_run(tx: Tx, run_id: str, stop: Stop | None, claimed: str | None) -> Ending:
    derived = verdict_of_children(_clients_as_children(tx, run_id), stop)
    if claimed is None or worse(derived.status, Status(claimed)):
        return derived
    return Ending(Status(claimed), derived.finish_reason if derived.status == claimed else None)


def worse(derived: Status, claimed: Status) -> bool:
    """Do the rows contradict the claim? They do when they show errors where the claim shows none."""
    return claimed.good and derived is not Status.COMPLETED and derived is not claimed


def _clients_as_children(tx: Tx, run_id: str) -> list[Child]:
    rows = tx.rows(
        "SELECT c.status, c.origin, SUM(CASE WHEN o.basis = 'exact' THEN o.scored + o.harvested END), SUM(o.found)"
        " FROM @client_runs c LEFT JOIN @operation_runs o ON o.run_id = c.run_id AND o.client_id = c.client_id"
        " WHERE c.run_id = ? GROUP BY c.client_id, c.status, c.origin",
        (run_id,),
    )
    return [
        Child(Status(status), ok=_came_out_well(status, origin, good), found=bool(found) or origin != Origin.PLANNED)
        for status, origin, good, found in rows
    ]


def _came_out_well(status: str, origin: str, good: int | None) -> bool:
    """By its rows; a reported client run without exact rows by its word."""
    if good is None and origin != Origin.PLANNED:
        return Status(status).good
    return bool(good)


def finish_run(tx: Tx, run_id: str, ending: Ending) -> None:
    tx.execute(
        "UPDATE @runs SET status = ?, finish_reason = ?, blocked_reason = NULL, wake_at = NULL, ended_at = ?,"
        " changed_at = ?, closing = 0, version = version + 1 WHERE run_id = ?",
        (ending.status, ending.finish_reason, tx.stamp, tx.written_at, run_id),
    )
    events.append(tx, "ended", f"Ended {ending.status}", run_id=run_id, once_key=f"ended {run_id}")


def pause_run(tx: Tx, run_id: str) -> None:
    """A run that waits says for what: for what it was told, or for what a client run of it waits."""
    tx.execute(
        "UPDATE @runs SET status = 'paused', paused_at = ?, version = version + 1, blocked_reason ="
        " COALESCE(blocked_reason, (SELECT MIN(blocked_reason) FROM @client_runs WHERE run_id = ?"
        " AND status = 'paused')) WHERE run_id = ? AND status <> 'paused'",
        (tx.stamp, run_id, run_id),
    )
