"""docs/tables.md speaks of every table and every field."""

from pathlib import Path

import pytest

from tallybook.airtable.shared_lanes import METADATA as LANES
from tallybook.ledger import server_tables  # noqa: F401  # declares its tables
from tallybook.ledger.columns import METADATA as LEDGER
from tallybook.stores.tables import METADATA as STORE

PAGE = (Path(__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")
TABLES = [table for metadata in (LEDGER, STORE, LANES) for table in metadata.sorted_tables]


@pytest.mark.parametrize("name", [table.name for table in TABLES])
def test_every_table_and_field_is_documented(name: str) -> None:
    section = PAGE.partition(f"**`{name}`**")[2].partition("\n**`")[0]
    assert section, f"docs/tables.md does not speak of {name}"
    fields = next([column.name for column in table.columns] for table in TABLES if table.name == name)
    assert [field for field in fields if f"`{field}`" not in section] == []
