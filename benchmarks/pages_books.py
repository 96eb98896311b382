"""Books of a large operator, written straight into the tables: a year of runs, each of fifty clients."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import psycopg
from psycopg import sql

from tallybook.database import Database, stamp, utc_now
from tallybook.domain.client import Client
from tallybook.domain.lead import Lead
from tallybook.stores.sql import SqlClients

CLIENTS_OF_RUN, STREAMS = 50, 10
PERIOD = timedelta(days=365)
LEADS = 3
DETAILED_EVERY = 10
"""One client run in so many has its leads in the books, too."""
BATCH = 20_000
USED = (1000, 0, 100, 10**9, "ours", "1")
"""Of a call: tokens, cost, and by which prices."""
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Books:
    """How much there is. *runs*: each visits CLIENTS_OF_RUN clients of its stream."""

    runs: int = 20_000

    @property
    def begin(self) -> datetime:
        return utc_now().replace(microsecond=0) - PERIOD

    def ids(self) -> Sequence[tuple[str, str]]:
        """(run id, when it was made), oldest first; no two of one second."""
        begin, step = datetime.now(UTC).replace(microsecond=0) - PERIOD, PERIOD / max(1, self.runs)
        times = [begin + step * number for number in range(self.runs)]
        return [(f"{at:%y%m%d-%H%M%S}", stamp(at)) for at in times]


def client_id(stream: int, number: int) -> str:
    return f"client-{stream}-{number:02}"


def fill(database: Database, books: Books) -> Sequence[str]:
    """Write everything; gives the ids of the runs, oldest first."""
    ids = books.ids()
    clients = SqlClients(database)
    clients.put_clients(
        [Client(client_id(each, number), f"Client {each} {number}", each) for each in range(STREAMS)
         for number in range(CLIENTS_OF_RUN)]
    )  # fmt: skip
    clients.put_leads(client_id(0, 0), [Lead(f"lead-{number}", full_name=f"Lead {number}") for number in range(1000)])
    clients.close()
    for table, columns, rows in _tables(ids):
        _write(database, table, columns, rows)
    return [run_id for run_id, _ in ids]


def _tables(ids: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str, Iterable[Row]]]:
    yield (
        "runs",
        "run_id, job_type, stream, triggered_by, status, ended_at, created_at, started_at, seen_at, changed_at,"
        " planned",
        (
            (run_id, "lead_scoring", n % STREAMS, "cron", _status(n, len(ids)), _ended(n, at, len(ids)), *(at,) * 4, 1)
            for n, (run_id, at) in enumerate(ids)
        ),
    )
    yield (
        "client_runs",
        "run_id, client_id, label, client_name, status, started_at, ended_at, origin, position",
        (
            (run_id, who, f"{run_id}-{who}", who, _status(n, len(ids)), at, _ended(n, at, len(ids)), "planned", k)
            for n, k, run_id, at, who in _visits(ids)
        ),
    )
    yield (
        "operation_runs",
        "run_id, client_id, operation, status, started_at, ended_at, basis, found, scored, failed, calls,"
        " input_tokens, output_tokens, cost_pico_usd",
        (
            (run_id, who, "lead_scoring", _status(n, len(ids)), at, _ended(n, at, len(ids)), "exact", LEADS,
             LEADS - (n % 12 == 0), int(n % 12 == 0), 1, 1000, 100, 10**9)
            for n, k, run_id, at, who in _visits(ids)
        ),
    )  # fmt: skip
    yield (
        "calls",
        "call_id, run_id, client_id, operation, provider, model, started_at, ended_at, result, input_tokens,"
        " cached_tokens, output_tokens, cost_pico_usd, price_source, price_version",
        (
            (f"{run_id} {k}", run_id, who, "lead_scoring", "google", "gemini", at, at, "ok", *USED)
            for n, k, run_id, at, who in _visits(ids)
        ),
    )
    yield from _details(ids)
    yield from _beside(ids)


def _details(ids: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str, Iterable[Row]]]:
    detailed = [each for each in _visits(ids) if (each[0] + each[1]) % DETAILED_EVERY == 0 or each[0] >= len(ids) - 20]
    leads = range(LEADS)
    yield (
        "worklist",
        "run_id, client_id, operation, lead_id, position",
        ((run_id, who, "lead_scoring", f"lead-{n + i}", i) for n, _, run_id, _, who in detailed for i in leads),
    )
    yield (
        "outcomes",
        "run_id, client_id, operation, lead_id, kind, reason, score, at, saved_at",
        (
            (run_id, who, "lead_scoring", f"lead-{n + i}", *_outcome(i, n), at, at)
            for n, _, run_id, at, who in detailed
            for i in leads
        ),
    )
    texts = ("started", "Started by the schedule"), ("ended", "Ended completed")
    yield (
        "events",
        "run_id, client_id, at, kind, text",
        ((run_id, "", at, kind, text) for run_id, at in ids for kind, text in texts),
    )


def _outcome(lead: int, run: int) -> tuple[str, str | None, float | None]:
    return ("failed", "timeout", None) if lead == 0 and run % 12 == 0 else ("scored", None, 50.0)


def _beside(ids: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str, Iterable[Row]]]:
    yield (
        "inbox",
        "source, delivery_id, received_at, body, headers, state, event",
        (
            ("apify", f"d{n}", at, "{}", "{}", "orphan" if n % 500 == 0 else "applied", "X")
            for n, (_, at) in enumerate(ids)
        ),
    )
    yield "audit_log", "at, actor, action, subject", ((at, "cli", "run_started", run_id) for run_id, at in ids)
    yield (
        "alerts",
        "alert_id, kind, fingerprint, run_id, text, raised_at, cleared_at",
        (
            (f"a{n}", "run_failed", f"f{n}", run_id, "It failed", at, None if n > len(ids) - 20 else at)
            for n, (run_id, at) in enumerate(ids)
            if n % 10 == 0
        ),
    )
    yield (
        "missed_runs",
        "schedule_id, due_at, stream, reason, noticed_at",
        (("gone", at, 1, "no_server", at) for n, (_, at) in enumerate(ids) if n % 100 == 0),
    )


def _visits(ids: Sequence[tuple[str, str]]) -> Iterator[tuple[int, int, str, str, str]]:
    for n, (run_id, at) in enumerate(ids):
        for k in range(CLIENTS_OF_RUN):
            yield n, k, run_id, at, client_id(n % STREAMS, k)


def _status(number: int, runs: int) -> str:
    if number >= runs - 3:
        return "running"
    return "failed" if number % 50 == 0 else "completed_with_errors" if number % 12 == 0 else "completed"


def _ended(number: int, at: str, runs: int) -> str | None:
    return None if number >= runs - 3 else at


# -- writing -----------------------------------------------------------------------------------------------------------


def _write(database: Database, table: str, columns: str, rows: Iterable[Row]) -> None:
    connection = database.connect_driver()
    if database.sqlite:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN")
        places = ", ".join("?" for _ in columns.split(","))
        pending = iter(rows)
        while batch := list(islice(pending, BATCH)):
            connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", batch)
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
    else:
        _copy(connection, table, columns, rows)
    connection.close()


def _copy(connection: psycopg.Connection[Any], table: str, columns: str, rows: Iterable[Row]) -> None:
    names = sql.SQL(", ").join(sql.Identifier(each.strip()) for each in columns.split(","))
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier("tallybook", table), names)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # references are right as they are
        with cursor.copy(into) as copy:
            for each in rows:
                copy.write_row(each)
    connection.commit()
    connection.autocommit = True
    connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier("tallybook", table)))
