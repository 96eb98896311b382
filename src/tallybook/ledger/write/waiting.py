"""A client run that waits for external runs: nobody here works on it until the last of them has ended."""

from tallybook.database import Tx
from tallybook.domain.run import Stop
from tallybook.ledger.keys import ClientKey
from tallybook.ledger.write import external, stops
from tallybook.ledger.write.endings import OF_CLIENT, lock_run


def wait_for(tx: Tx, key: ClientKey, worker: str) -> bool:
    """Its worker lets go of it until its external runs have ended. False: there is nothing to wait for.

    A run that was told to stop meanwhile stops here, for nobody else would see to it.
    """
    lock_run(tx, key.run_id)
    reason = external.waited_for(tx, key)
    if reason is None:
        return False
    let_go = tx.execute(
        "UPDATE @client_runs SET worker = NULL, blocked_reason = ?, idle_since = ?, version = version + 1"
        f" WHERE {OF_CLIENT} AND status = 'running' AND worker = ?",
        (reason, tx.stamp, *key, worker),
    )
    told = tx.row("SELECT stop, blocked_reason FROM @runs WHERE run_id = ? AND stop IS NOT NULL", (key.run_id,))
    if let_go and told is not None:
        stops.stop_client(tx, key, Stop(told[0]), told[1] or "")
    return True


def put_back_stranded(tx: Tx) -> list[ClientKey]:
    """Client runs that wait although nothing is under way for them any more, be it that a backup was restored."""
    stranded = (
        "SELECT c.run_id, c.client_id FROM @runs r JOIN @client_runs c ON c.run_id = r.run_id"
        " WHERE r.planned = 1 AND r.status = 'running' AND c.status = 'running' AND c.worker IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM @external_runs e WHERE e.run_id = c.run_id AND e.client_id = c.client_id"
        " AND e.state <> 'ended') ORDER BY c.run_id, c.client_id"
    )
    waiting = [ClientKey(*row) for row in tx.rows(stranded)]
    return [key for key in waiting if _put_back(tx, key)]


def _put_back(tx: Tx, key: ClientKey) -> bool:
    lock_run(tx, key.run_id)
    return external.go_on_if_last(tx, key)
