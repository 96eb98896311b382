"""The migrations make exactly the tables the code declares."""

import sqlalchemy as sa

from tallybook import migrations
from tallybook.airtable.shared_lanes import METADATA as LANES
from tallybook.database import Database
from tallybook.ledger import server_tables  # noqa: F401  # declares its tables
from tallybook.ledger.columns import METADATA as LEDGER
from tallybook.stores.tables import METADATA as STORE

DECLARED = {table.name: table for metadata in (LEDGER, STORE, LANES) for table in metadata.sorted_tables}


def _columns(found: sa.Inspector, name: str, schema: str | None) -> dict[str, tuple[bool, bool]]:
    return {
        column["name"]: (bool(column["nullable"]), column["default"] is not None)
        for column in found.get_columns(name, schema=schema)
    }


def test_the_migrations_make_the_tables_columns_keys_and_indexes_that_are_declared(database: Database) -> None:
    with database.reading() as connection:
        found = sa.inspect(connection)
        schema = database.schema
        assert set(found.get_table_names(schema=schema)) == {*DECLARED, migrations.VERSION_TABLE}
        for name, table in DECLARED.items():
            made = _columns(found, name, schema)
            assert list(made) == [column.name for column in table.columns], name
            for column in table.columns:
                assert made[column.name][0] == column.nullable, f"{name}.{column.name}"
            key = found.get_pk_constraint(name, schema=schema)["constrained_columns"]
            assert key == [column.name for column in table.primary_key.columns], name
            uniques = {str(each["name"]) for each in found.get_unique_constraints(name, schema=schema)}
            indexes = {str(each["name"]) for each in found.get_indexes(name, schema=schema)} - uniques
            assert indexes == {str(index.name) for index in table.indexes}, name
            declared = {str(each.name) for each in table.constraints if isinstance(each, sa.UniqueConstraint)}
            assert uniques == declared, name
            keys = {str(each["name"]) for each in found.get_foreign_keys(name, schema=schema)}
            assert keys == {str(each.name) for each in table.foreign_key_constraints}, name
