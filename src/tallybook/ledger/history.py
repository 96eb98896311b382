"""What the books have of the runs of an older system."""

from collections.abc import Callable, Sequence
from functools import partial

from tallybook.database import Database, Row, rows_of
from tallybook.domain.history import Kept, PastRun, to_write
from tallybook.domain.history_report import Written
from tallybook.domain.telling import Part

Ask = Callable[[str, Sequence[object]], list[Row]]


def key_of(part: Part) -> str:
    """The event that says that it was imported has this for its key."""
    return f"history {part.run_id}/{part.client_id}"


def key_of_made(run_id: str) -> str:
    """The same, of a run that was made for its clients."""
    return f"history made {run_id}"


def kept_by(ask: Ask, run_id: str) -> Kept | None:
    """*ask*: in house SQL. None: there is no such run."""
    found = ask("SELECT origin_reason FROM @runs WHERE run_id = ?", (run_id,))
    if not found:
        return None
    keys = (key_of(Part(run_id, "")), key_of_made(run_id))
    imported = ask("SELECT 1 FROM @events WHERE once_key IN (?, ?) LIMIT 1", keys)
    clients = ask("SELECT client_id FROM @client_runs WHERE run_id = ?", (run_id,))
    return Kept(bool(imported), found[0][0] is not None, frozenset(client_id for (client_id,) in clients))


def would_write(database: Database, runs: Sequence[PastRun]) -> dict[str, Written]:
    """What `write.history.import_run` would do as things stand, by run id."""
    with database.reading() as connection:
        kept = {run.run_id: kept_by(partial(rows_of, connection), run.run_id) for run in runs}
    found = ((run, kept[run.run_id]) for run in runs)
    return {run.run_id: Written(to_write(run, has), ours=has is not None and not has.imported) for run, has in found}
