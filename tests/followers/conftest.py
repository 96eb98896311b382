"""The office, on SQLite; and on both databases where that is the point."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.lanes import LanesInProcess
from tallybook.airtable.pacing import Pace
from tallybook.database import Database
from tallybook.ledger.ledger import Ledger
from tallybook.testing.airtable_demo import CLIENTS
from tallybook.testing.airtable_server import AirtableServer
from tests.airtable.premises import TOKEN, Clock
from tests.books import SqliteBooks
from tests.followers.office import Office


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[AirtableServer]:
    with AirtableServer(token=TOKEN, now=clock.today, slow_s=0.2) as found:
        yield found


@pytest.fixture
def door(server: AirtableServer, clock: Clock) -> AirtableDoor:
    pace = Pace(LanesInProcess(clock.now), TOKEN, sleep=clock.sleep, today=clock.today, drawn=lambda: 0.5)
    return AirtableDoor(TOKEN, server.url, pace, sleep=clock.sleep)


@pytest.fixture
def bare_office(
    clock: Clock, server: AirtableServer, door: AirtableDoor, sqlite_books: SqliteBooks, tmp_path: Path
) -> Iterator[Office]:
    """Nothing is set up: the base has a table of clients only."""
    database = Database(sqlite_books.copied_to(tmp_path))
    ledger = Ledger(database, clock.today)
    base = server.add_base("Operations", {"Clients": CLIENTS})
    yield Office(clock, server, base, ledger, door)
    ledger.close()


@pytest.fixture
def office(bare_office: Office) -> Office:
    bare_office.set_up()
    bare_office.server.log.clear()
    return bare_office
