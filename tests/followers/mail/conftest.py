"""A mail server, and books on SQLite that go by a clock of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tallybook.database import Database
from tallybook.followers.report_mail import NAME
from tallybook.ledger.following import FollowerBook
from tallybook.ledger.ledger import Ledger
from tests.books import SqliteBooks
from tests.followers.mail.postbox import Postbox, postbox
from tests.ledger.scenes import Clock


@pytest.fixture
def box() -> Iterator[Postbox]:
    with postbox() as found:
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(sqlite_books: SqliteBooks, tmp_path: Path) -> str:
    return sqlite_books.copied_to(tmp_path)


@pytest.fixture
def books(url: str, clock: Clock) -> Iterator[Ledger]:
    """Books on SQLite, by a clock of their own."""
    found = Ledger(Database(url), clock)
    yield found
    found.close()


@pytest.fixture
def book(books: Ledger) -> FollowerBook:
    return FollowerBook(books, NAME)
