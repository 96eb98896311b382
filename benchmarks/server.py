"""Programs that report over HTTP: whole lifecycles of seven requests, 64 clients at once, and outcomes in batches.

Server, floor and load generator are processes of their own, on one machine. Beside it the floor: the same requests to
bare uvicorn that inserts each body into SQLite, durably.
"""

import argparse
import json
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.server_load import REQUESTS, Load
from tallybook import migrations
from tallybook.database import Database
from tallybook.domain.access import Scope, new_token
from tallybook.ledger.audit import audit
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write.tokens import create_token

CLIENTS = 64
TARGET_PER_S, TARGET_P99_MS, TARGET_OUTCOMES_PER_S = 300, 500, 10_000
TALLYBOOK = str(Path(sys.executable).with_name("tallybook"))


def main() -> int:
    """Print the figures; 1 when a target is missed. Raises AssertionError when the books are not as reported."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--runs", type=int, default=2000)
    asked.add_argument("--outcomes", type=int, default=50_000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--keys", action="store_true", help="each request with an Idempotency-Key")
    options = asked.parse_args()
    kind = "keyed" if options.keys else "lifecycles"
    rounds = [_round(kind, options.runs, options.outcomes) for _ in range(options.rounds)]
    lifecycles, floors, batches = zip(*rounds, strict=True)
    per_s = [options.runs / each.wall_s for each in lifecycles]
    outcomes_per_s = [options.outcomes / each.wall_s for each in batches]
    p99_ms = max(each.p99_ms for each in lifecycles)
    print(f"{kind} of {REQUESTS} durable requests, {CLIENTS} clients: {_told(per_s)}")
    print(
        f"  a request: p50 {statistics.median(each.p50_ms for each in lifecycles):.0f} ms, p99 {p99_ms:.0f} ms at worst"
    )
    print(f"bare uvicorn and SQLite, the same requests: {_told([options.runs / each.wall_s for each in floors])}")
    print(f"outcomes in batches of 100: {_told(outcomes_per_s)}")
    errors = [error for each in (*lifecycles, *batches) for error in each.errors]
    print(f"errors: {errors or 'none'}")
    fast = statistics.median(per_s) >= TARGET_PER_S and statistics.median(outcomes_per_s) >= TARGET_OUTCOMES_PER_S
    return 0 if fast and p99_ms < TARGET_P99_MS and not errors else 1


def _told(per_s: Sequence[float]) -> str:
    return f"{statistics.median(per_s):,.0f}/s (median of {len(per_s)}, {min(per_s):,.0f} to {max(per_s):,.0f})"


def _round(kind: str, runs: int, outcomes: int) -> tuple[Load, Load, Load]:
    """Lifecycles, those of the floor, batches of outcomes: one right after the other, for a busy disk slows all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serving([sys.executable, "-m", "benchmarks.server_floor", str(folder / "bare.db")]) as address:
            floor = load("bare", address, "none", runs)
        with tallybook(folder / "lifecycles") as (address, token):
            lifecycles = load(kind, address, token, runs)
        check(folder / "lifecycles", runs, 5 * runs)
        with tallybook(folder / "outcomes") as (address, token):
            batches = load("outcomes", address, token, outcomes // 1000, clients=8)
        check(folder / "outcomes", outcomes // 1000, outcomes)
        return lifecycles, floor, batches


def load(kind: str, address: str, token: str, number: int, clients: int = CLIENTS) -> Load:
    command = [sys.executable, "-m", "benchmarks.server_load", kind, address, token, str(clients), str(number)]
    return Load(**json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


@contextmanager
def tallybook(folder: Path) -> Iterator[tuple[str, str]]:
    """A server on new books in *folder*, and an admin's token for it."""
    folder.mkdir()
    database = Database(f"sqlite:///{folder}/tallybook.db")
    migrations.ensure(database)
    ledger, made = Ledger(database), new_token(secrets.token_bytes)
    ledger.do(create_token, token_id=made.token_id, hash=made.hash, scopes=[Scope.ADMIN], client_id=None)
    ledger.close()
    with serving([TALLYBOOK, "serve", "--books-only", "--port", "0"], folder) as address:
        yield address, made.text


@contextmanager
def serving(command: Sequence[str], folder: Path | None = None) -> Iterator[str]:
    """The address that *command* says it serves on; it is told to stop at the end."""
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("Serving on "), line
        try:
            yield line.split()[2]
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


def check(folder: Path, runs: int, outcomes: int) -> None:
    """Is everything in the books, once?"""
    database = Database(f"sqlite:///{folder}/tallybook.db")
    found = audit(database)
    assert (found.checked, found.differences) == (runs, ()), found
    with database.writing() as tx:
        assert tx.row("SELECT COUNT(*), SUM(scored) FROM @operation_runs") == (runs, outcomes)
        assert tx.row("SELECT COUNT(*) FROM @outcomes") == (outcomes,)
    database.close()


if __name__ == "__main__":
    raise SystemExit(main())
