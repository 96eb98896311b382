"""Every row of every table, to be compared with what there was before."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from tallybook.database import Database
from tallybook.ledger.server_tables import audit_log
from tallybook.ledger.tables import runs

METADATA = runs.metadata
assert audit_log.metadata is METADATA, "all tables of the ledger are declared in one place"


def dump(database: Database) -> Mapping[str, Sequence[str]]:
    """By table."""
    with database.reading() as connection:
        tables = METADATA.sorted_tables
        return {each.name: sorted(map(repr, connection.execute(sa.select(each)).all())) for each in tables}
