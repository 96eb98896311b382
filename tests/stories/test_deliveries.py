"""Whatever becomes of deliveries, the books equal Apify's (F31)."""

from pathlib import Path

from tests.books import SqliteBooks
from tests.stories.deliveries import drill, troubled_apify
from tests.stories.harvesting import street

SCHEDULES = 50


def test_posts_statuses_and_cost_are_those_of_apify_whatever_becomes_of_the_deliveries(
    tmp_path: Path, sqlite_books: SqliteBooks
) -> None:
    """F31"""
    with (
        troubled_apify(SCHEDULES, seed=9) as apify,
        street(sqlite_books.copied_to(tmp_path), apify, engine__concurrency=8) as found,
    ):
        drill(found, apify, SCHEDULES, seed=9)
