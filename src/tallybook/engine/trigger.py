"""What starts, stops and resumes runs for whoever asks. Schedules start theirs themselves, in one transaction.

*actor*: who asks, for the audit log, where that is to be noted.
"""

from tallybook.database import Tx
from tallybook.domain.client import read_client_id
from tallybook.domain.ports import Clients
from tallybook.domain.run import Stop
from tallybook.engine import lease
from tallybook.ledger import work as ledger_work
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import audit_log, starts, stops
from tallybook.ledger.write.starts import Start, Started

_DONE = {Stop.PAUSE: "run_paused", Stop.CANCEL: "run_canceled", Stop.TIMEOUT: "run_timed_out"}


def start(ledger: Ledger, clients: Clients, asked: Start, actor: str | None = None) -> Started:
    """Start a run, or find the one the key already started. Whoever works takes it up; an engine of this process once
    nudged. Raises BadInput for what is no client id, NotFound for an unknown client, KeyReused, Busy,
    RunIdsExhausted.
    """
    for client_id in asked.request.clients:
        clients.get(read_client_id(client_id))
    return ledger.do(_start, asked, actor)


def _start(tx: Tx, asked: Start, actor: str | None) -> Started:
    started = starts.start(tx, asked)
    if actor is not None and not started.replayed:
        audit_log.note(tx, actor, "run_started", started.run_id)
    return started


def stop(ledger: Ledger, run_id: str, told: Stop, reason: str, actor: str | None = None) -> None:
    """Pause, cancel or time out a run; what a dead process was at stops here and now. Raises NotFound, Terminal."""
    ledger.do(_stop, run_id, told, reason, actor)
    for executor, keys in ledger_work.workers(ledger.database, run_id).items():
        with lease.held_if_dead(ledger.database, executor) as dead:
            for key in keys if dead else ():
                ledger.do(stops.stop_client, key, told, reason)


def _stop(tx: Tx, run_id: str, told: Stop, reason: str, actor: str | None) -> None:
    stops.stop_run(tx, run_id, told, reason)
    if actor is not None:
        audit_log.note(tx, actor, _DONE[told], run_id)


def resume(ledger: Ledger, run_id: str, actor: str | None = None) -> bool:
    """Put a paused run back in the queue; False when it is not paused. Raises NotFound, Terminal, Conflict."""
    return ledger.do(_resume, run_id, actor)


def _resume(tx: Tx, run_id: str, actor: str | None) -> bool:
    resumed = stops.resume_run(tx, run_id)
    if actor is not None and resumed:
        audit_log.note(tx, actor, "run_resumed", run_id)
    return resumed
