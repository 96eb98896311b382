"""Whatever becomes of requests, and whatever people do in the base, the mirror ends as the books."""

from pathlib import Path

import pytest

from tests.books import SqliteBooks
from tests.followers.drilling import drilled

SCHEDULES = 50
AT_ONCE = 5


@pytest.mark.parametrize("first", range(0, SCHEDULES, AT_ONCE))
def test_the_mirror_ends_as_the_books_and_nobody_else_has_suffered(
    first: int, tmp_path: Path, sqlite_books: SqliteBooks
) -> None:
    """F03, F09, F10, F11"""
    for seed in range(first, first + AT_ONCE):
        folder = tmp_path / str(seed)
        folder.mkdir()
        assert drilled(sqlite_books.copied_to(folder), seed)
