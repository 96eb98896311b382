"""A book to report to, by every door, and books that are away."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tallybook.database import Database
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write.starts import RunIdStyle
from tallybook.tracking import JobTracking
from tallybook.tracking.door import PATIENCE_S
from tallybook.tracking.remote import ServerDoor
from tests.books import PostgresBooks, SqliteBooks
from tests.web.proxy import Proxy
from tests.web.serving import Host, app_on, hosting, made_token

RUN = "261123-013000"
HTTP = "http"
DOORS = ("sqlite", "postgresql", HTTP)
in_process = pytest.mark.parametrize("door", ["sqlite", "postgresql"], indirect=True)
"""For what can be arranged only where the ledger is at hand; test_remote.py has what a server makes of it."""


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    """In process on SQLite, in process on PostgreSQL, or over HTTP to a server on SQLite."""
    return str(request.param)


@pytest.fixture
def database_url(door: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with all tables and no row."""
    if door != "postgresql":
        sqlite: SqliteBooks = request.getfixturevalue("sqlite_books")
        yield sqlite.copied_to(tmp_path)
        return
    books: PostgresBooks = request.getfixturevalue("postgres_books")
    yield books.url
    books.clean()


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory, sqlite_books: SqliteBooks) -> Iterator[Host]:
    """The server of this test process."""
    app = app_on(sqlite_books.copied_to(tmp_path_factory.mktemp("host")))
    with hosting(app) as host:
        yield host
    app.close()


@dataclass(frozen=True)
class Far:
    """The way to a server."""

    proxy: Proxy
    token: str


@pytest.fixture
def far(door: str, database_url: str, ledger: Ledger, request: pytest.FixtureRequest) -> Iterator[Far | None]:
    """The server, on *ledger*; None where the ledger is used directly."""
    if door != HTTP:
        yield None
        return
    host: Host = request.getfixturevalue("host")
    app = app_on(database_url)
    app.ledger = ledger
    host.serve(app)
    proxy = Proxy(host.address)
    yield Far(proxy, made_token(app).text)
    proxy.close()


@pytest.fixture
def spool_folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


OpenBook = Callable[..., JobTracking]
"""`open_book(strict=True, patience_s=0.1, …)`: another book of the same ledger."""


@pytest.fixture
def open_book(far: Far | None, ledger: Ledger, spool_folder: Path) -> OpenBook:
    def open_one(
        *,
        strict: bool = False,
        folder: Path = spool_folder,
        patience_s: float = PATIENCE_S,
        caller: str | None = None,
        style: RunIdStyle | None = None,
    ) -> JobTracking:
        books = ServerDoor(far.proxy.address, far.token) if far else ledger
        return JobTracking(books, strict=strict, spool_folder=folder, patience_s=patience_s, caller=caller, style=style)

    return open_one


@pytest.fixture
def book(open_book: OpenBook) -> JobTracking:
    return open_book()


@pytest.fixture
def impatient(open_book: OpenBook) -> JobTracking:
    """Goes to the spool after a tenth of a second, where it does not at once."""
    return open_book(patience_s=0.1)


Away = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def away(database: Database, far: Far | None) -> Away:
    """`with away():` nobody can write to the database, or reach the server."""
    return far.proxy.away if far else lambda: unwritable(database)


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
