"""A store that holds nothing yet, on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest

from tallybook.domain.ports import Store
from tallybook.stores.sql import SqlClients
from tests.stores.embedded import ACME, embedded


@pytest.fixture
def clients(database_url: str) -> Iterator[SqlClients]:
    with embedded(database_url) as clients:
        yield clients


@pytest.fixture
def store(clients: SqlClients) -> Store:
    return clients.store(ACME)
