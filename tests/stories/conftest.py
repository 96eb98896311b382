"""What stories happen in."""

from collections.abc import Iterator

import pytest

from benchmarks.house import House, open_house


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    """An empty house on each database."""
    yield from _opened(database_url)


@pytest.fixture
def postgres_house(postgres_url: str) -> Iterator[House]:
    """An empty house where PostgreSQL matters."""
    yield from _opened(postgres_url)


def _opened(url: str) -> Iterator[House]:
    house = open_house(url)
    yield house
    house.close()
