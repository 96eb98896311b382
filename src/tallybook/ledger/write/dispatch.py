"""Which client runs a worker may take up next. A few of each run wait in the queue at a time, so that runs share it."""

from dataclasses import dataclass

from tallybook.database import Tx
from tallybook.domain.fields import storable
from tallybook.domain.run import Ending, Status, Stop
from tallybook.ledger.keys import ClientKey
from tallybook.ledger.write import events, stops
from tallybook.ledger.write.endings import OF_CLIENT, finish_run, lock_run

_NOBODY_AHEAD = (
    "NOT EXISTS (SELECT 1 FROM @client_runs o JOIN @runs p ON p.run_id = o.run_id WHERE o.client_id = c.client_id"
    " AND p.planned = 1 AND o.status IN ('queued', 'running', 'paused') AND o.run_id <> c.run_id"
    " AND (o.status = 'running' OR p.created_at < r.created_at"
    " OR (p.created_at = r.created_at AND p.run_id < r.run_id)))"
)
_PUT_BACK = (
    "status = 'queued', turn = turn + 1, enqueued = 0, worker = NULL, version = version + 1,"
    " idle_since = CASE WHEN status = 'running' THEN ? ELSE idle_since END"
)
_AS_TICKET_SAYS = "turn = ? AND status = 'queued'"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A client run that may be worked on. *turn*: how often it was put back."""

    key: ClientKey
    position: int
    turn: int

    @property
    def workflow_id(self) -> str:
        return f"{self.key.run_id}/{self.position}/{self.turn}"


def unplanned_runs(tx: Tx) -> list[str]:
    """Runs whose client list was not read yet, oldest first."""
    rows = tx.rows(
        "SELECT run_id FROM @runs WHERE planned = 1 AND status = 'queued' AND started_at IS NULL AND stop IS NULL"
        " ORDER BY created_at, run_id"
    )
    return [run_id for (run_id,) in rows]


def dispatch(tx: Tx, window: int) -> list[Ticket]:
    """Top up the queue: per run at most *window* client runs wait in it, in order of position. Gives those that are to
    be enqueued now; should the process die before it does that, somebody else finds them among `tickets_out`.
    """
    rows = tx.rows("SELECT run_id FROM @runs WHERE planned = 1 AND status = 'running' AND stop IS NULL ORDER BY run_id")
    tickets: list[Ticket] = []
    for (run_id,) in rows:
        tickets.extend(_of_run(tx, run_id, window))
    return tickets


def _of_run(tx: Tx, run_id: str, window: int) -> list[Ticket]:
    waiting = _select(tx, run_id, "c.enqueued = 1", window)
    if len(waiting) > window // 2:
        return []
    fresh = _select(tx, run_id, f"c.enqueued = 0 AND {_NOBODY_AHEAD}", window - len(waiting))
    return [ticket for ticket in fresh if _hand_out(tx, ticket)]


def _hand_out(tx: Tx, ticket: Ticket) -> bool:
    """False when another process was faster."""
    mark = f"UPDATE @client_runs SET enqueued = 1 WHERE {OF_CLIENT} AND {_AS_TICKET_SAYS} AND enqueued = 0"
    return bool(tx.execute(mark, (*ticket.key, ticket.turn)))


def _select(tx: Tx, run_id: str, which: str, most: int) -> list[Ticket]:
    rows = tx.rows(
        "SELECT c.client_id, c.position, c.turn FROM @client_runs c JOIN @runs r ON r.run_id = c.run_id"
        f" WHERE c.run_id = ? AND c.status = 'queued' AND {which} ORDER BY c.position LIMIT ?",
        (run_id, most),
    )
    return [Ticket(ClientKey(run_id, client_id), position, turn) for client_id, position, turn in rows]


def tickets_out(tx: Tx) -> list[Ticket]:
    """Client runs that wait in the queue or are worked on: those the engine must know of."""
    rows = tx.rows(
        "SELECT c.run_id, c.client_id, c.position, c.turn FROM @client_runs c JOIN @runs r ON r.run_id = c.run_id"
        " WHERE r.planned = 1 AND r.status = 'running' AND r.stop IS NULL"
        " AND ((c.status = 'running' AND c.worker IS NOT NULL) OR (c.status = 'queued' AND c.enqueued = 1))"
        " ORDER BY c.run_id, c.position"
    )
    return [Ticket(ClientKey(run_id, client_id), position, turn) for run_id, client_id, position, turn in rows]


def reissue(tx: Tx, ticket: Ticket) -> bool:
    """Put a client run back whose ticket was used up without working it to its end. False when it has moved on."""
    back = (
        f"UPDATE @client_runs SET {_PUT_BACK} WHERE {OF_CLIENT} AND turn = ?"
        " AND (status = 'queued' OR (status = 'running' AND worker IS NOT NULL))"  # one without has let go, and waits
    )
    return bool(tx.execute(back, (tx.stamp, *ticket.key, ticket.turn)))


def hand_back(tx: Tx, key: ClientKey, worker: str) -> None:
    """A worker that shuts down puts its client run back in the queue for another, unless its run was told to stop.

    Nothing happens when it is no longer its own: it was taken for dead, and somebody else works on it.
    """
    lock_run(tx, key.run_id)
    its_own = f"{OF_CLIENT} AND (status = 'queued' OR (status = 'running' AND worker = ?))"
    if not tx.row(f"SELECT 1 FROM @client_runs WHERE {its_own}", (*key, worker)):
        return
    row = tx.row("SELECT stop, blocked_reason FROM @runs WHERE run_id = ? AND stop IS NOT NULL", (key.run_id,))
    if row is not None:
        stops.stop_client(tx, key, Stop(row[0]), row[1] or "")
        return
    tx.execute(f"UPDATE @client_runs SET {_PUT_BACK} WHERE {its_own}", (tx.stamp, *key, worker))


def fail_plan(tx: Tx, run_id: str, why: str) -> None:
    """The client list of a run could not be read: it ends before it began."""
    if tx.row("SELECT 1 FROM @runs WHERE run_id = ? AND status = 'queued' @lock", (run_id,)):
        why = storable(why)
        tx.execute("UPDATE @runs SET error = ? WHERE run_id = ?", (why, run_id))
        events.append(tx, "error", why, run_id=run_id)
        finish_run(tx, run_id, Ending(Status.FAILED, "clients_unreadable"))
