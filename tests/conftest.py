"""What every test may ask for, and what the whole suite is held to."""

import gc
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from benchmarks.house import House, open_house
from tallybook.database import Database
from tallybook.ledger.ledger import Ledger
from tests.books import PostgresBooks, SqliteBooks
from tests.postgres import Server, running
from tests.skips import pytest_addoption, pytest_sessionfinish

__all__ = ["pytest_addoption", "pytest_sessionfinish"]

# Looking for cycles among all that was imported takes a twentieth of the suite's time.
gc.set_threshold(100_000, 50, 100)
# A time limit on single examples fails on busy machines only, and says nothing about the code.
hypothesis.settings.register_profile("patient", deadline=None, max_examples=50)
# For a long look: ./dev test --hypothesis-profile thorough
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1_000)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server of this test process; each pytest-xdist worker has its own. Started by the first who asks."""
    with running() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Server) -> Iterator[str]:
    """The `postgresql://` URL of a fresh database."""
    with postgres.fresh_database() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_books(tmp_path_factory: pytest.TempPathFactory) -> SqliteBooks:
    return SqliteBooks(tmp_path_factory.mktemp("books"))


@pytest.fixture(scope="session")
def postgres_books(postgres: Server) -> Iterator[PostgresBooks]:
    with PostgresBooks(postgres).opened() as books:
        yield books


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with all tables and no row. A test that asks for it runs twice, on both kinds."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_books").copied_to(tmp_path)
        return
    books: PostgresBooks = request.getfixturevalue("postgres_books")
    yield books.url
    books.clean()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without a table. A test that asks for it runs twice, on SQLite and PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/tallybook.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with all tables and no row, on SQLite and on PostgreSQL."""
    found = Database(database_url)
    yield found
    found.close()


@pytest.fixture
def ledger(database: Database) -> Iterator[Ledger]:
    """Empty books, on SQLite and on PostgreSQL."""
    books = Ledger(database)
    yield books
    books.close()


@pytest.fixture
def sqlite_house(sqlite_books: SqliteBooks, tmp_path: Path) -> Iterator[House]:
    """An empty house where the database does not matter."""
    house = open_house(sqlite_books.copied_to(tmp_path))
    yield house
    house.close()
