"""The ledger and the embedded store."""

from alembic import op

from tallybook.ledger.tables import METADATA as LEDGER
from tallybook.stores.tables import METADATA as STORE

revision = "0001"
down_revision = None


def upgrade() -> None:
    for metadata in (LEDGER, STORE):
        metadata.create_all(op.get_bind())


def downgrade() -> None:
    for metadata in (STORE, LEDGER):
        metadata.drop_all(op.get_bind())
