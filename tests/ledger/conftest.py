"""Books whose clock stands still until it is told to move."""

from collections.abc import Iterator

import pytest

from tallybook.database import Database
from tallybook.ledger.ledger import Ledger
from tests.ledger.scenes import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def books(database: Database, clock: Clock) -> Iterator[Ledger]:
    """Empty books whose time is *clock*, on SQLite and on PostgreSQL."""
    ledger = Ledger(database, clock)
    yield ledger
    ledger.close()
