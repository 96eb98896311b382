"""What starts, stops and resumes runs for whoever asks. Schedules start theirs themselves, in one transaction."""

from tallybook.domain.client import read_client_id
from tallybook.domain.ports import Clients
from tallybook.domain.run import Stop
from tallybook.engine import lease
from tallybook.ledger import work as ledger_work
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import starts, stops
from tallybook.ledger.write.starts import Start, Started


def start(ledger: Ledger, clients: Clients, asked: Start) -> Started:
    """Start a run, or find the one the key already started. Whoever works takes it up; an engine of this process once
    nudged. Raises BadInput for what is no client id, NotFound for an unknown client, KeyReused, Busy,
    RunIdsExhausted.
    """
    for client_id in asked.request.clients:
        clients.get(read_client_id(client_id))
    return ledger.do(starts.start, asked)


def stop(ledger: Ledger, run_id: str, told: Stop, reason: str) -> None:
    """Pause, cancel or time out a run; what a dead process was at stops here and now. Raises NotFound, Terminal."""
    ledger.do(stops.stop_run, run_id, told, reason)
    for executor, keys in ledger_work.workers(ledger.database, run_id).items():
        with lease.held_if_dead(ledger.database, executor) as dead:
            for key in keys if dead else ():
                ledger.do(stops.stop_client, key, told, reason)


def resume(ledger: Ledger, run_id: str) -> bool:
    """Put a paused run back in the queue; False when it is not paused. Raises NotFound, Terminal, Conflict."""
    return ledger.do(stops.resume_run, run_id)
