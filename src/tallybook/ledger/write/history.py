"""How runs of an older system come into the books: as claims, ended, and told to nobody.

`changed_at` of such a run stays NULL, so that no follower takes it for news.
"""

from tallybook.database import Tx
from tallybook.domain import runid
from tallybook.domain.client import ClientId
from tallybook.domain.fields import storable
from tallybook.domain.history import Past, PastRun, to_write
from tallybook.domain.history_report import Written
from tallybook.domain.run import Basis, Origin
from tallybook.ledger.history import kept_by, key_of, key_of_made
from tallybook.ledger.keys import ClientKey
from tallybook.ledger.tables import SCOPE_OF_RUN
from tallybook.ledger.write import events, reported


def import_run(tx: Tx, run: PastRun, source: str) -> Written:
    """Write what of a run is not in the books yet; all of it, or nothing. Twice is as once.

    *source*: whose books they were, told with each part. A run that is in the books otherwise stays as it is.
    """
    tx.serialize("history")
    kept = kept_by(tx.rows, run.run_id)
    parts = to_write(run, kept)
    written = {SCOPE_OF_RUN} & parts
    if written:
        _write_run(tx, run)
        _write_story(tx, run.whole, source, key_of_made(run.run_id) if run.made_because else key_of(run.whole.part))
    for client in run.clients:
        if client.part.client_id in parts and _write_client(tx, client):
            _write_operations(tx, client)
            _write_story(tx, client, source, key_of(client.part))
            written.add(client.part.client_id)
    return Written(frozenset[ClientId](written), ours=kept is not None and not kept.imported)


def _write_run(tx: Tx, run: PastRun) -> None:
    """One that was made for its clients is completed when its own row comes; so its id is never minted either."""
    tx.execute(
        "INSERT INTO @run_ids (run_id, reserved_at) VALUES (?, ?) ON CONFLICT DO NOTHING", (run.run_id, tx.stamp)
    )
    whole = run.whole
    tx.execute(
        "INSERT INTO @runs AS r (run_id, display, job_type, stream, triggered_by, status, finish_reason, created_at,"
        " started_at, ended_at, seen_at, error, origin_reason, planned)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
        " ON CONFLICT (run_id) DO UPDATE SET display = excluded.display, job_type = excluded.job_type,"
        " stream = excluded.stream, triggered_by = excluded.triggered_by, status = excluded.status,"
        " finish_reason = excluded.finish_reason, started_at = excluded.started_at, ended_at = excluded.ended_at,"
        " error = excluded.error, origin_reason = NULL, version = r.version + 1",
        (
            run.run_id, storable(run.display), run.job_type, run.stream, run.trigger, whole.ending.status,
            whole.ending.finish_reason, whole.started_at, whole.started_at, whole.ended_at, whole.ended_at,
            whole.error, run.made_because,
        ),
    )  # fmt: skip


def _write_client(tx: Tx, client: Past) -> bool:
    """False when another client run has its label."""
    return bool(
        tx.execute(
            "INSERT INTO @client_runs (run_id, client_id, label, client_name, status, finish_reason, started_at,"
            " ended_at, origin, error, errors) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                *client.part, runid.label(*client.part), client.name, client.ending.status,
                client.ending.finish_reason, client.started_at, client.ended_at, Origin.REPORTED, client.error,
                int(client.error is not None),
            ),
        )
    )  # fmt: skip


def _write_operations(tx: Tx, client: Past) -> None:
    tx.many(
        "INSERT INTO @operation_runs (run_id, client_id, operation, status, finish_reason, started_at, ended_at, basis)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (*client.part, operation, *_how_it_was(client), Basis.REPORTED)
            for operation in client.operations
        ],
    )  # fmt: skip


def _how_it_was(past: Past) -> tuple[str, str | None, str, str]:
    return past.ending.status, past.ending.finish_reason, past.started_at, past.ended_at


def _write_story(tx: Tx, past: Past, source: str, once_key: str) -> None:
    """Its claims, and what was said of it, each kind once."""
    key = ClientKey(*past.part)
    reported.keep_all(tx, key, past.claims, gaps_only=True)
    rows = f": {past.table.heading} {', '.join(past.records)}" if past.records else ", where it has no row of its own"
    said = {"imported": f"Imported from {source}{rows}", **past.notes}
    if past.error is not None:
        said["error"] = past.error
    for kind, text in said.items():
        once = once_key if kind == "imported" else f"{kind} of {once_key}"
        events.append(tx, kind, text, run_id=key.run_id, client_id=key.client_id, once_key=once)
