"""The floor: a bare asyncio loop over SQLite that books what we book, commits each chunk, and survives nothing."""

import asyncio
import json
import sqlite3
import time
from pathlib import Path

CHUNK = 5
AT_ONCE = 16


def wall_s(path: Path, clients: int, leads: int, latency_ms: float, *, synchronous: str = "FULL") -> float:
    """Seconds to score *leads* leads of each of *clients* clients: call rows, outcome rows, a commit for each chunk."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute(
        "CREATE TABLE leads (client TEXT, lead TEXT, profile TEXT, score REAL, PRIMARY KEY (client, lead))"
    )
    connection.execute(
        "CREATE TABLE outcomes (client TEXT, lead TEXT, score REAL, breakdown TEXT, PRIMARY KEY (client, lead))"
    )
    connection.execute(
        "CREATE TABLE calls (id INTEGER PRIMARY KEY, client TEXT, started REAL, ended REAL, tokens INTEGER)"
    )
    profile = "Head of logistics. " * 20
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO leads VALUES (?, ?, ?, NULL)",
        [(f"c{c}", f"p{n}", profile) for c in range(clients) for n in range(leads)],
    )
    connection.execute("COMMIT")
    started = time.perf_counter()
    asyncio.run(_score_all(connection, clients, latency_ms / 1000))
    elapsed_s = time.perf_counter() - started
    connection.close()
    return elapsed_s


async def _score_all(connection: sqlite3.Connection, clients: int, latency_s: float) -> None:
    permits = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as tasks:
        for client in range(clients):
            rows = connection.execute("SELECT lead, profile FROM leads WHERE client = ?", (f"c{client}",)).fetchall()
            for first in range(0, len(rows), CHUNK):
                tasks.create_task(_score(connection, permits, f"c{client}", rows[first : first + CHUNK], latency_s))


async def _score(
    connection: sqlite3.Connection,
    permits: asyncio.Semaphore,
    client: str,
    rows: list[tuple[str, str]],
    latency_s: float,
) -> None:
    async with permits:
        started = time.time()
        if latency_s:
            await asyncio.sleep(latency_s)
        breakdown = json.dumps({"fit": {"points": 10, "max": 20, "evidence": ""}})
        connection.execute("BEGIN")
        connection.execute("INSERT INTO calls VALUES (NULL, ?, ?, ?, 500)", (client, started, time.time()))
        for lead, profile in rows:
            score = len(profile) % 100
            connection.execute("INSERT INTO outcomes VALUES (?, ?, ?, ?)", (client, lead, score, breakdown))
            connection.execute("UPDATE leads SET score = ? WHERE client = ? AND lead = ?", (score, client, lead))
        connection.execute("COMMIT")
