"""A book to report to, and a ledger that is away."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest

from tallybook.database import Database
from tallybook.ledger.ledger import Ledger
from tallybook.tracking import JobTracking

RUN = "261123-013000"


@pytest.fixture
def spool_folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def book(ledger: Ledger, spool_folder: Path) -> JobTracking:
    return JobTracking(ledger, spool_folder=spool_folder)


@pytest.fixture
def impatient(ledger: Ledger, spool_folder: Path) -> JobTracking:
    """Goes to the spool after a tenth of a second."""
    return JobTracking(ledger, spool_folder=spool_folder, patience_s=0.1)


@pytest.fixture
def away(database: Database) -> Callable[[], AbstractContextManager[None]]:
    """`with away():` nobody can write to the database."""
    return lambda: unwritable(database)


@contextmanager
def unwritable(database: Database) -> Iterator[None]:
    connection = database.connect_driver()
    try:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("BEGIN IMMEDIATE")
        elif isinstance(connection, psycopg.Connection):
            connection.execute("LOCK TABLE tallybook.runs, tallybook.client_runs, tallybook.events IN EXCLUSIVE MODE")
        yield
        connection.rollback()
    finally:
        connection.close()


@pytest.fixture
def in_threads() -> Callable[[Callable[[], object]], list[object]]:
    """Does something in 64 threads at once; gives all answers, for there are 64 or it raises."""

    def run(act: Callable[[], object]) -> list[object]:
        with ThreadPoolExecutor(64) as pool:
            return [each.result() for each in [pool.submit(act) for _ in range(64)]]

    return run
