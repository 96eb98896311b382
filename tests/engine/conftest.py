"""The engine's parts are tested in the same house as its stories."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.house import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(f"sqlite:///{tmp_path}/tallybook.db")
    yield house
    house.close()
