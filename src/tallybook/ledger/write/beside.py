"""Runs beside the queue: a command drives one itself, for calls that are to be in the books though nobody is scored.

Such a run comes into the books as that of a reporting program does, so the engine leaves it alone, and closes it as
lost when nothing is heard of it any more.
"""

from tallybook.database import Tx
from tallybook.domain.client import Client
from tallybook.domain.fields import read_fields
from tallybook.domain.run import Basis, JobType, OperationName, Stop, Trigger
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.tables import SCOPE_OF_RUN
from tallybook.ledger.write import claims, endings, events, reported
from tallybook.ledger.write.starts import RunIdStyle, reserve_run_id


def open_run(
    tx: Tx, client: Client, operation: OperationName, note: str, *, by: str, style: RunIdStyle
) -> OperationKey:
    """A new run of one client, with an operation run for which calls can be booked. Raises RunIdsExhausted."""
    job = claims.Job(JobType.of((operation,)), client.stream, Trigger.MANUAL, by=by)
    run_id = claims.create_run(tx, reserve_run_id(tx, style), job)
    key = OperationKey(run_id, client.client_id, operation)
    claims.create_client(tx, ClientKey(run_id, client.client_id), client.name)
    reported.open_reported(tx, key, Basis.EXACT)
    events.append(tx, "note", note, run_id=run_id)
    return key


def close_run(tx: Tx, key: OperationKey, *, stop: Stop | None = None, error: str | None = None) -> None:
    """End it with all that is in it. *error*: why it failed. One that has ended stays as it ended."""
    endings.lock_run(tx, key.run_id)
    if error is not None:
        reported.claim(tx, ClientKey(key.run_id, SCOPE_OF_RUN), read_fields({"error": error}))
    endings.close_operation(tx, key, stop=stop, errors=int(error is not None))
    claims.complete_client(tx, ClientKey(key.run_id, key.client_id), None)
    claims.complete_run(tx, key.run_id, None)
