"""How long the server takes for every page and every list of the API, with a million client runs in the books.

python -m benchmarks.pages [--runs 20000] [--only sqlite|postgresql] [--keep FOLDER]

In process, without a network: the median of 20 each, beside that on empty books. The target is 50 ms. *cpu* is what
this process itself worked; where it is far less than the time, PostgreSQL worked, or the machine had others to serve.
"""

import argparse
import asyncio
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.pages_books import CLIENTS_OF_RUN, Books, client_id, fill
from tallybook import migrations
from tallybook.app import App
from tallybook.database import Database
from tallybook.domain.access import Scope, new_token
from tallybook.ledger.write.tokens import create_token
from tallybook.settings import load
from tallybook.web.server import make_app
from tests.postgres import running

TIMES = 20
TARGET_MS = 50
CLIENT = client_id(0, 0)
LEAD = "lead-10"


def main() -> int:
    """Print the figures; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--keep", type=Path, help="keep the SQLite books in this folder, or use those that are there")
    asked = parser.parse_args()
    slow = 0
    for kind in ("sqlite", "postgresql"):
        if asked.only in (None, kind):
            with _places(kind, asked.keep) as (empty, full):
                slow += _compare(kind, empty, full, Books(asked.runs))
    return 1 if slow else 0


@contextmanager
def _places(kind: str, keep: Path | None) -> Iterator[tuple[str, str]]:
    """(URL for empty books, URL for large ones)."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            place = (keep or Path(folder)) / "full.db"
            place.parent.mkdir(exist_ok=True)
            yield f"sqlite:///{folder}/empty.db", f"sqlite:///{place}"
        return
    with running() as server, server.fresh_database() as empty, server.fresh_database() as full:
        yield empty, full


def _compare(kind: str, empty: str, full: str, books: Books) -> int:
    """Gives how many are too slow."""
    migrations.ensure(Database(empty))
    before = asyncio.run(_measured(empty, None))
    began = time.monotonic()
    runs = _filled(full, books)
    took, visits = time.monotonic() - began, len(runs) * CLIENTS_OF_RUN
    print(f"\n{kind}: {len(runs):,} runs, {visits:,} client runs (made in {took:.0f} s)")
    after = asyncio.run(_measured(full, runs))
    print(f"{'':<52} {'ms':>8} {'cpu':>7} {'empty':>7} {'cpu':>6} {'times':>6}")
    for name, (ms, cpu_ms) in after.items():
        empty_ms, empty_cpu_ms = before[name]
        figures = f"{ms:8.1f} {cpu_ms:7.1f} {empty_ms:7.1f} {empty_cpu_ms:6.1f} {ms / empty_ms:6.1f}"
        print(f"{name:<52} {figures}{'  TOO SLOW' if ms >= TARGET_MS else ''}", flush=True)
    slow = sum(ms >= TARGET_MS for ms, _ in after.values())
    slowest = max(ms for ms, _ in after.values())
    print(f"{slow} of {len(after)} take {TARGET_MS} ms or longer; the slowest {slowest:.1f} ms")
    return slow


def _filled(url: str, books: Books) -> Sequence[str]:
    database = Database(url)
    migrations.ensure(database)
    with database.reading() as connection:
        name = "runs" if database.sqlite else "tallybook.runs"
        there = [row[0] for row in connection.exec_driver_sql(f"SELECT run_id FROM {name} ORDER BY created_at")]
    runs = there or fill(database, books)
    database.close()
    return runs


# -- measuring ---------------------------------------------------------------------------------------------------------


def _paths(runs: Sequence[str] | None) -> Mapping[str, str]:
    """Name -> path. On empty books a run that is not there is asked for."""
    newest, ended, middle = (runs[-1], runs[-14], runs[len(runs) // 2]) if runs else ("261123-120000",) * 3
    pages = [
        "/", "/runs", "/runs?status=failed", "/runs?status=open", "/runs?status=paused", "/runs?stream=3",
        "/runs?job_type=post_scoring", f"/runs?client={CLIENT}", "/clients", f"/clients/{CLIENT}",
        f"/clients/{CLIENT}/leads", f"/clients/{CLIENT}/leads/{LEAD}", "/usage", "/usage?by=client", "/usage?by=model",
        f"/usage?client={CLIENT}", "/budgets", "/schedules", "/inbox", "/inbox?state=orphan", "/mirror", "/alerts",
        "/alerts?everything=true", "/doctor", "/tokens", "/audit",
    ]  # fmt: skip
    api = [
        "/runs", "/runs?status=failed", "/runs?stream=3", f"/runs?client={CLIENT}", "/clients", "/alerts",
        f"/clients/{CLIENT}/leads/{LEAD}/why", "/usage?by=day&since={since}", "/usage?by=client&since={since}",
        "/usage",
    ]  # fmt: skip
    since = f"20{ended[:2]}-{ended[2:4]}-{ended[4:6]}"
    found = {each: each for each in pages}
    found |= {"/runs/RUN (running)": f"/runs/{newest}", "/runs/RUN": f"/runs/{ended}"}
    found |= {"/runs/RUN/diff/RUN": f"/runs/{ended}/diff/{middle}", "/runs (a tenant)": "/runs", "/ (a tenant)": "/"}
    found |= {f"/api/v1{each}": f"/api/v1{each.format(since=since)}" for each in api}
    found |= {f"/api/v1/runs/RUN{each}": f"/api/v1/runs/{ended}{each}" for each in ("", "/clients")}
    return {**found, "/smart-resume-status": "/smart-resume-status", "/api/v1/runs (a tenant)": "/api/v1/runs"}


async def _measured(url: str, runs: Sequence[str] | None) -> Mapping[str, tuple[float, float]]:
    """Name -> medians in ms: of the time, of this process's work."""
    settings = {"database.url": url, "budget.client_tokens_per_day": 10**9}
    app = App(load(settings, environ={}, folder=Path("/nonexistent")))
    transport = httpx.ASGITransport(make_app(app, works=False))
    found = {}
    try:
        for name, path in _paths(runs).items():
            token = _token(app, CLIENT if "(a tenant)" in name else None)
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
                await client.post("/sign-in", data={"token": token})
                found[name] = await _medians_ms(client, path, there=runs is not None)
    finally:
        app.close()
    return found


def _token(app: App, client: str | None) -> str:
    made = new_token(secrets.token_bytes)
    scopes = (Scope.RUNS_READ,) if client else (Scope.ADMIN,)
    app.ledger.do(create_token, token_id=made.token_id, hash=made.hash, scopes=scopes, client_id=client)
    return made.text


async def _medians_ms(client: httpx.AsyncClient, path: str, *, there: bool) -> tuple[float, float]:
    took, worked = [], []
    for _ in range(TIMES + 1):
        began, began_work = time.perf_counter(), time.process_time()
        answer = await client.get(path)
        took.append((time.perf_counter() - began) * 1000)
        worked.append((time.process_time() - began_work) * 1000)
        assert answer.status_code == 200 or not there, f"{path}: {answer.status_code}"
    return statistics.median(took[1:]), statistics.median(worked[1:])


if __name__ == "__main__":
    sys.exit(main())
