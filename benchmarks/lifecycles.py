"""Run lifecycles per second: 64 threads of one process report runs, seven durable writes each.

Beside it the floor: as many durable single-row transactions of bare sqlite3 (WAL, synchronous=FULL), one connection.
"""

import argparse
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tallybook import migrations
from tallybook.database import Database
from tallybook.domain.runid import timestamp_id
from tallybook.ledger.audit import audit
from tallybook.ledger.ledger import Ledger
from tallybook.tracking import JobTracking

WRITES = 7
TARGET_PER_S = 300


def main() -> int:
    """Print the figures; 1 when the target is missed. Raises AssertionError when the books are not as reported."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--threads", type=int, default=64)
    asked.add_argument("--runs", type=int, default=1000)
    asked.add_argument("--rounds", type=int, default=5)
    options = asked.parse_args()
    rounds = [_round(options.threads, options.runs) for _ in range(options.rounds)]
    reports, floors = zip(*rounds, strict=True)
    print(f"lifecycles of {WRITES} durable writes, {options.threads} threads, commits shared: {_told(reports)}")
    print(f"bare sqlite3, {WRITES} durable transactions each, one after the other: {_told(floors)}")
    return 0 if statistics.median(reports) >= TARGET_PER_S else 1


def _round(threads: int, runs: int) -> tuple[float, float]:
    """(lifecycles per second, those of the floor), one right after the other: a busy disk slows both."""
    with tempfile.TemporaryDirectory() as folder:
        floor_s = timed(lambda: bare_transactions(Path(folder) / "bare.db", runs * WRITES))
        took_s = reported_runs(f"sqlite:///{folder}/tallybook.db", Path(folder), threads, runs)
    return runs / took_s, runs / floor_s


def _told(per_s: Sequence[float]) -> str:
    return f"{statistics.median(per_s):,.0f}/s (median of {len(per_s)}, {min(per_s):,.0f} to {max(per_s):,.0f})"


def timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def bare_transactions(path: Path, number: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE written (id INTEGER PRIMARY KEY, value TEXT NOT NULL)")
    for n in range(number):
        connection.execute("INSERT INTO written (id, value) VALUES (?, 'value')", (n,))
    connection.close()


def reported_runs(url: str, folder: Path, threads: int, runs: int) -> float:
    """Seconds for *runs* lifecycles; raises AssertionError when one is not in the books as it was reported."""
    database = Database(url)
    migrations.ensure(database)
    ledger = Ledger(database)
    book = JobTracking(ledger, spool_folder=folder / "spool")
    run_ids = _run_ids(runs)
    workers = [threading.Thread(target=_report, args=(book, run_ids)) for _ in range(threads)]
    took_s = timed(lambda: _run_all(workers))
    checked = audit(database)
    assert book.status().well, book.status()
    assert (checked.checked, checked.differences) == (runs, ()), checked
    with database.writing() as tx:
        told = tx.row("SELECT COUNT(*), MIN(status), MAX(status) FROM @client_runs WHERE ended_at IS NOT NULL")
        kept = tx.row("SELECT COUNT(*) FROM @reported WHERE field = 'posts_processed' AND value = '42'")
    assert (told, kept) == ((runs, "completed", "completed"), (runs,)), (told, kept)
    ledger.close()
    return took_s


def _run_all(workers: list[threading.Thread]) -> None:
    for each in workers:
        each.start()
    for each in workers:
        each.join()


def _run_ids(number: int) -> Iterator[str]:
    """A list's iterator: threads may share it."""
    first = datetime(2026, 1, 1, tzinfo=UTC)
    return iter([timestamp_id(first + timedelta(seconds=n)) for n in range(number)])


def _report(book: JobTracking, run_ids: Iterator[str]) -> None:
    for run_id in run_ids:
        book.create_job(run_id=run_id, job_type="post_scoring", stream=1, triggered_by="cron")
        book.create_client_run(run_id, "acme-law", client_name="Acme Law")
        for batch in (1, 2, 3):
            book.update_client_run(run_id, "acme-law", posts_processed=batch * 14, total_tokens=batch * 5000)
        book.complete_client_run(run_id, "acme-law", status="completed")
        book.complete_job(run_id)


if __name__ == "__main__":
    raise SystemExit(main())
