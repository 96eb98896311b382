"""How fast the ledger books outcomes and calls on SQLite, beside a bare executemany of the same rows.

Run as `python -m benchmarks.ledger_record`. Both sides write to a file of their own with the same tables, pragmas and
foreign keys, and as many rows in a transaction. The bare side has its rows ready and keeps no tally.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tallybook import migrations
from tallybook.database import Database, Row, Tx
from tallybook.domain.client import Client
from tallybook.domain.outcome import Kind, Outcome, Versions
from tallybook.domain.ports import Candidate
from tallybook.domain.run import OperationName
from tallybook.domain.tally import Money, Usage
from tallybook.ledger.commit import MOST_TOGETHER
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import calls, progress, starts

BREAKDOWN = {f"attribute_{n}": {"points": n * 1.5, "bound": 10, "evidence": "Head of logistics"} for n in range(6)}
USED = Usage(1_000, 200, 100, Money.usd("0.0012"))
LEADS = 10_000
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Figures:
    """*rate*, *bare_rate*: rows per second. *rows_at_once*: in a transaction, on both sides."""

    what: str
    rows_at_once: int
    rate: float
    bare_rate: float

    @property
    def ratio(self) -> float:
        return self.rate / self.bare_rate


def record(size: int, *, together: bool) -> Figures:
    """Outcomes in pieces of *size*. *together*: as many pieces in a commit as a busy writer takes."""
    pieces = [
        [_outcome(f"{n:05}") for n in range(first, first + size)] for first in range(0, _enough(size, together), size)
    ]
    with _books() as (ledger, key):
        ours_s = _timed(ledger, [_piece(progress.record, key, piece) for piece in pieces], together)
    rows = [
        progress._row_of(key, each, False, "2026-11-23T00:00:00.000000Z", False) for piece in pieces for each in piece
    ]
    at_once = size * (min(MOST_TOGETHER, len(pieces)) if together else 1)
    with _books() as (ledger, _):
        bare_s = _bare(ledger.database, progress._INSERT_OUTCOME.replace("@", ""), rows, at_once)
    return Figures(f"record {size}", at_once, len(rows) / ours_s, len(rows) / bare_s)


def call(*, together: bool) -> Figures:
    """Calls started and settled. The bare side writes each row twice as well: before the call it must be there."""
    count = _enough(1, together)
    with _books() as (ledger, key):
        ours_s = _timed(ledger, [work for n in range(count) for work in _call(key, f"c{n}")], together)
    at = "2026-11-23T00:00:00.000000Z"
    begun: list[Row] = [(f"c{n}", *key, "p", "m", at) for n in range(count)]
    settled: list[Row] = [(at, "ok", 1_000, 200, 100, 1_200_000_000, f"c{n}") for n in range(count)]
    at_once = MOST_TOGETHER // 2 if together else 1
    with _books() as (ledger, _):
        bare_s = _bare(ledger.database, _START, begun, at_once) + _bare(ledger.database, _SETTLE, settled, at_once)
    return Figures("start + settle a call", at_once, count / ours_s, count / bare_s)


_START = (
    "INSERT INTO calls (call_id, run_id, client_id, operation, provider, model, started_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_SETTLE = (
    "UPDATE calls SET ended_at = ?, result = ?, input_tokens = ?, cached_tokens = ?, output_tokens = ?,"
    " cost_pico_usd = ? WHERE call_id = ?"
)


def _enough(size: int, together: bool) -> int:
    return LEADS if together else min(LEADS, 200 * size)


def _outcome(lead_id: str) -> Outcome:
    versions = Versions("rubric-1", "prompt-1", 1, "gemini")
    return Outcome(
        lead_id, Kind.SCORED, score=62.5, breakdown=BREAKDOWN, assessment="Decides on logistics.", posts=0,
        versions=versions, input_hash="0123456789abcdef",
    )  # fmt: skip


def _piece(
    write: Callable[[Tx, OperationKey, Sequence[Outcome]], object], key: OperationKey, piece: Sequence[Outcome]
) -> Callable[[Tx], object]:
    return lambda tx: write(tx, key, piece)


def _call(key: OperationKey, call_id: str) -> tuple[Callable[[Tx], object], Callable[[Tx], object]]:
    begun = calls.Call(call_id, key, "p", "m")
    return (lambda tx: calls.start_call(tx, begun)), (lambda tx: calls.settle_call(tx, call_id, "ok", USED))


def _timed(ledger: Ledger, pieces: Sequence[Callable[[Tx], object]], together: bool) -> float:
    if not together:
        began = time.perf_counter()
        for piece in pieces:
            ledger.do(piece)
        return time.perf_counter() - began
    go = threading.Event()
    ledger.submit(lambda tx: go.wait())
    waiting = [ledger.submit(piece) for piece in pieces]
    began = time.perf_counter()
    go.set()
    for each in waiting:
        each.result()
    return time.perf_counter() - began


def _bare(database: Database, statement: str, rows: Sequence[Row], at_once: int) -> float:
    connection = database.connect_driver()
    began = time.perf_counter()
    for first in range(0, len(rows), at_once):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(statement, rows[first : first + at_once])
        connection.commit()
    elapsed = time.perf_counter() - began
    connection.close()
    return elapsed


@contextmanager
def _books() -> Iterator[tuple[Ledger, OperationKey]]:
    """New books with one operation run, its worklist frozen."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder)}/books.db")
        migrations.ensure(database)
        ledger = Ledger(database, lambda: NOON)  # both sides have the same run
        yield ledger, _frozen(ledger)
        ledger.close()


def _frozen(ledger: Ledger) -> OperationKey:
    run_id = ledger.do(starts.start, starts.Start(starts.Request())).run_id
    ledger.do(starts.plan, run_id, [Client("acme", "Acme")])
    ledger.do(progress.begin_client, ClientKey(run_id, "acme"), "w1")
    key = OperationKey(run_id, "acme", OperationName.LEAD_SCORING)
    ledger.do(progress.open_operation, key)
    due = [Candidate(f"{n:05}", "0123456789abcdef") for n in range(LEADS)]
    ledger.do(progress.freeze, key, due, [], whole=True)
    return key


CASES: tuple[Callable[[], Figures], ...] = (
    lambda: record(5, together=True),
    lambda: record(100, together=True),
    lambda: call(together=True),
    lambda: record(5, together=False),
    lambda: record(100, together=False),
    lambda: call(together=False),
)


def measure(times: int = 3) -> list[Figures]:
    """Of each case the run with the median ratio."""
    return [sorted((case() for _ in range(times)), key=lambda each: each.ratio)[times // 2] for case in CASES]


def main() -> None:
    for each in measure():
        print(
            f"{each.what:22} {each.rows_at_once:6,} rows a commit: {each.rate:9,.0f} rows/s,"
            f" bare executemany {each.bare_rate:9,.0f} rows/s, ratio {each.ratio:.2f}"
        )


if __name__ == "__main__":
    main()
