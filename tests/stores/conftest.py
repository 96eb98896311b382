"""An operator with Airtable, on SQLite where the database is not the point."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.books import SqliteBooks
from tests.stores.tenancy import Tenancy, tenancy


@pytest.fixture
def house(sqlite_books: SqliteBooks, tmp_path: Path) -> Iterator[Tenancy]:
    with tenancy(sqlite_books.copied_to(tmp_path)) as found:
        yield found


@pytest.fixture
def any_house(database_url: str) -> Iterator[Tenancy]:
    """On both databases."""
    with tenancy(database_url) as found:
        yield found
