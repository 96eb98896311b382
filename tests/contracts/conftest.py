"""A store that holds nothing yet: embedded on SQLite and on PostgreSQL, and in Airtable with its copy on SQLite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tallybook.domain.ports import Store
from tallybook.stores.sql import SqlClients
from tests.books import PostgresBooks, SqliteBooks
from tests.contracts.airtable_tenants import tenants
from tests.stores.embedded import ACME, embedded


@pytest.fixture(params=["sqlite", "postgresql", "airtable"])
def kept_in(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(kept_in: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with all tables and no row."""
    if kept_in == "postgresql":
        books: PostgresBooks = request.getfixturevalue("postgres_books")
        yield books.url
        books.clean()
        return
    sqlite: SqliteBooks = request.getfixturevalue("sqlite_books")
    yield sqlite.copied_to(tmp_path)


@pytest.fixture
def clients(kept_in: str, database_url: str) -> Iterator[SqlClients]:
    with (tenants if kept_in == "airtable" else embedded)(database_url) as clients:
        yield clients


@pytest.fixture
def store(clients: SqlClients) -> Store:
    return clients.store(ACME)
