"""Claims: what other programs say about their own runs, kept as such. Sums and statuses have no rows behind them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta

from tallybook.database import Tx, stamp
from tallybook.domain.errors import BadInput
from tallybook.domain.fields import Field, Sort, Value
from tallybook.domain.run import Basis, Status
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.tables import SCOPE_OF_RUN
from tallybook.ledger.write import events
from tallybook.ledger.write.changes import touch_ended
from tallybook.ledger.write.endings import LATE, OF_CLIENT

_SEEN_EVERY = timedelta(seconds=60)


def set_words(tx: Tx, run_id: str, words: Mapping[str, str | int], *, unless_created: bool = False) -> None:
    """What a reporter says its run is: job_type, stream, triggered_by. A run that our engine drives keeps its own.

    *unless_created*: only what was auto-created, where nobody has said it yet.
    """
    columns = [name for name in ("job_type", "stream", "triggered_by") if name in words]
    if not columns:
        return
    only = " AND origin_reason IS NOT NULL" if unless_created else ""
    tx.execute(
        f"UPDATE @runs SET {', '.join(f'{name} = ?' for name in columns)} WHERE run_id = ? AND planned = 0{only}",
        (*(words[name] for name in columns), run_id),
    )


def heard_of(tx: Tx, run_id: str) -> None:
    """Somebody reports on the run: it is not silent."""
    tx.execute(
        "UPDATE @runs SET seen_at = ? WHERE run_id = ? AND seen_at < ?",
        (tx.stamp, run_id, stamp(tx.now - _SEEN_EVERY)),
    )


def claim(tx: Tx, key: ClientKey, said: Mapping[Field, Value], *, at_creation: bool = False) -> bool:
    """Keep what a reporter says. Sums: the last value wins. Notes and errors: appended (F37, F38).

    *at_creation*: what the row holds already stays as it is, so that creating what exists changes nothing. False when
    there is no such run or client run; then nothing was written.
    """
    if not _touch(tx, key):
        return False
    _append(tx, key, said, at_creation=at_creation)
    for field, value in said.items():
        if field.sort is Sort.TIME and field.name == "started_at":
            _set_started(tx, key, str(value), at_creation=at_creation)
        elif field.name == "client_name" and key.client_id != SCOPE_OF_RUN:
            _set_name(tx, key, str(value), at_creation=at_creation)
    keep_all(tx, key, {field.name: value for field, value in said.items() if _is_kept(field, key)}, at_creation)
    if key.client_id != SCOPE_OF_RUN:
        for operation in {field.operation for field in said if field.operation}:
            open_reported(tx, OperationKey(*key, operation), Basis.REPORTED)
    return True


def _is_kept(field: Field, key: ClientKey) -> bool:
    """Is it one for the table of claims? What has a column or an event of its own is not."""
    if field.sort is Sort.WORD:
        return key.client_id != SCOPE_OF_RUN and field.name != "status"
    if field.name == "client_name":
        return key.client_id == SCOPE_OF_RUN
    return field.sort not in (Sort.NOTE, Sort.ERROR) and field.name != "started_at"


def _append(tx: Tx, key: ClientKey, said: Mapping[Field, Value], *, at_creation: bool) -> None:
    kinds = {Sort.NOTE: "note", Sort.ERROR: "error"}
    lines = [(kinds[field.sort], str(value)) for field, value in said.items() if field.sort in kinds]
    if not lines or (not at_creation and _said_last(tx, key, lines)):
        return
    for kind, text in lines:
        once = _once_key("created", key, kind, text) if at_creation else None
        new = events.append(tx, kind, text, run_id=key.run_id, client_id=key.client_id, once_key=once)
        if new and kind == "error":
            _set_error(tx, key, text)


def _said_last(tx: Tx, key: ClientKey, lines: Sequence[tuple[str, str]]) -> bool:
    """Are these the newest lines of their run or client run? Then the verb that says them is a repeat."""
    newest = tx.rows(
        f"SELECT kind, text FROM @events WHERE {OF_CLIENT} AND kind IN ('note', 'error') ORDER BY id DESC LIMIT ?",
        (*key, len(lines)),
    )
    return [tuple(row) for row in reversed(newest)] == list(lines)


def _once_key(what: str, key: ClientKey, kind: str, text: str) -> str:
    digest = hashlib.sha256("\0".join((*key, kind, text)).encode("utf-8", "replace")).hexdigest()[:32]
    return f"{what} {digest}"


def refused(tx: Tx, key: ClientKey | None, text: str) -> bool:
    """A verb was refused: said once in the books, for whoever looks for what is missing (F34)."""
    key = key or ClientKey("", SCOPE_OF_RUN)
    once = _once_key("refused", key, "refused", text)
    return events.append(tx, "refused", text, run_id=key.run_id or None, client_id=key.client_id, once_key=once)


def _set_error(tx: Tx, key: ClientKey, text: str) -> None:
    if key.client_id == SCOPE_OF_RUN:
        tx.execute("UPDATE @runs SET error = ? WHERE run_id = ?", (text, key.run_id))
        return
    tx.execute(f"UPDATE @client_runs SET error = ?, errors = errors + 1 WHERE {OF_CLIENT}", (text, *key))


def _set_started(tx: Tx, key: ClientKey, at: str, *, at_creation: bool) -> None:
    """At creation it is for what was auto-created, where nobody has said it yet."""
    only = " AND origin_reason IS NOT NULL" if at_creation else ""
    if key.client_id == SCOPE_OF_RUN:
        tx.execute(f"UPDATE @runs SET started_at = ? WHERE run_id = ? AND planned = 0{only}", (at, key.run_id))
        return
    tx.execute(f"UPDATE @client_runs SET started_at = ? WHERE {OF_CLIENT} AND origin <> 'planned'{only}", (at, *key))


def _set_name(tx: Tx, key: ClientKey, name: str, *, at_creation: bool) -> None:
    only = " AND client_name = client_id" if at_creation else ""
    tx.execute(f"UPDATE @client_runs SET client_name = ? WHERE {OF_CLIENT}{only}", (name, *key))


def keep(tx: Tx, key: ClientKey, field: str, value: Value) -> None:
    keep_all(tx, key, {field: value})


def keep_all(tx: Tx, key: ClientKey, values: Mapping[str, Value], gaps_only: bool = False) -> None:
    update = "NOTHING" if gaps_only else "UPDATE SET value = excluded.value, at = excluded.at"
    tx.many(
        "INSERT INTO @reported (run_id, client_id, field, value, at) VALUES (?, ?, ?, ?, ?)"
        f" ON CONFLICT (run_id, client_id, field) DO {update}",
        [(*key, field, json.dumps(value), tx.stamp) for field, value in values.items()],
    )


def _touch(tx: Tx, key: ClientKey) -> bool:
    """Locks the row, and tells its followers. False when there is none."""
    touch_ended(tx, key.run_id)
    if key.client_id == SCOPE_OF_RUN:
        return bool(
            tx.execute(
                "UPDATE @runs SET version = version + 1, seen_at = CASE WHEN seen_at < ? THEN ? ELSE seen_at END"
                " WHERE run_id = ?",
                (tx.stamp, tx.stamp, key.run_id),
            )
        )
    heard_of(tx, key.run_id)
    return bool(tx.execute(f"UPDATE @client_runs SET version = version + 1 WHERE {OF_CLIENT}", key))


def open_reported(tx: Tx, key: OperationKey, basis: Basis) -> None:
    """The operation run of a reported client run, made if it is new: open as long as its client run is."""
    tx.execute(
        "INSERT INTO @operation_runs (run_id, client_id, operation, status, finish_reason, started_at, ended_at, basis)"
        " SELECT run_id, client_id, ?, CASE WHEN ended_at IS NULL THEN 'running' ELSE status END,"
        f" CASE WHEN ended_at IS NULL THEN NULL ELSE '{LATE}' END, ?, ended_at, ?"
        f" FROM @client_runs WHERE {OF_CLIENT} AND origin <> 'planned' ON CONFLICT DO NOTHING",
        (key.operation, tx.stamp, basis, key.run_id, key.client_id),
    )


def set_status(tx: Tx, key: ClientKey, status: Status) -> None:
    """A reporter says that its run waits, works or pauses. Ended stays ended; what our engine drives is not moved.

    Raises BadInput for an ending: a run ends by being completed, after its client runs.
    """
    if status.terminal:
        raise BadInput(f"{status} is an ending; complete the run or client run instead", run_id=key.run_id)
    table, where, driven, names = ("client_runs", OF_CLIENT, "origin = 'planned'", tuple(key))
    if key.client_id == SCOPE_OF_RUN:
        table, where, driven, names = ("runs", "run_id = ?", "planned = 1", (key.run_id,))
    row = tx.row(f"SELECT status, CASE WHEN {driven} THEN 1 ELSE 0 END FROM @{table} WHERE {where} @lock", names)
    if row is None or row[0] == status:
        return
    if row[1] or not Status(row[0]).may_become(status):
        text = f"Reported as {status}, but it is {row[0]}"
        once = _once_key("status", key, row[0], status)
        events.append(tx, "claim_refused", text, run_id=key.run_id, client_id=key.client_id, once_key=once)
        return
    tx.execute(f"UPDATE @{table} SET status = ? WHERE {where}", (status, *names))
