"""A client whose posts are harvested, with three leads."""

import pytest

from benchmarks.house import House
from tests.stories.acting import furnished


@pytest.fixture
def house(sqlite_house: House) -> House:
    furnished(sqlite_house, "acme", leads=3, level=2)
    return sqlite_house
