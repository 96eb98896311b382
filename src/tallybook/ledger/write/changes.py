"""When an ended run changed last: followers look among those that changed since they looked."""

from tallybook.database import Tx


def touch_ended(tx: Tx, run_id: str) -> None:
    """Something came late. What was never told of as a change, such as a run of an older system, stays so."""
    tx.execute(
        "UPDATE @runs SET changed_at = ? WHERE run_id = ? AND changed_at < ?", (tx.written_at, run_id, tx.written_at)
    )
