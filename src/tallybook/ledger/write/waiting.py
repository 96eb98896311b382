"""A client run that waits for external runs: nobody here works on it until the last of them has ended."""

from tallybook.database import Tx
from tallybook.domain.run import Stop
from tallybook.ledger.keys import ClientKey
from tallybook.ledger.write import stops
from tallybook.ledger.write.endings import OF_CLIENT, lock_run


def wait_for(tx: Tx, key: ClientKey, worker: str) -> bool:
    """Its worker lets go of it until its external runs have ended. False: there is nothing to wait for.

    A run that was told to stop meanwhile stops here, for nobody else would see to it.
    """
    lock_run(tx, key.run_id)
    open_runs = tx.rows(
        f"SELECT source, external_id FROM @external_runs WHERE {OF_CLIENT} AND state <> 'ended'"
        " ORDER BY started_at, external_id",
        key,
    )
    if not open_runs:
        return False
    source, external_id = open_runs[0]
    more = f" and {len(open_runs) - 1} more" if len(open_runs) > 1 else ""
    let_go = tx.execute(
        "UPDATE @client_runs SET worker = NULL, blocked_reason = ?, version = version + 1"
        f" WHERE {OF_CLIENT} AND status = 'running' AND worker = ?",
        (f"waiting for {source} run {external_id}{more}", *key, worker),
    )
    told = tx.row("SELECT stop, blocked_reason FROM @runs WHERE run_id = ? AND stop IS NOT NULL", (key.run_id,))
    if let_go and told is not None:
        stops.stop_client(tx, key, Stop(told[0]), told[1] or "")
    return True
