"""What stories happen in."""

from collections.abc import Iterator

import pytest

from benchmarks.house import House, open_house
from tallybook.testing.model_server import ModelServer
from tests.stories.asking import PROVIDERS


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


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A look-alike provider in this process."""
    with ModelServer(retry_after_s=0.02, slow_s=0.3) as server:
        yield server


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    """Each of them in turn."""
    return str(request.param)
