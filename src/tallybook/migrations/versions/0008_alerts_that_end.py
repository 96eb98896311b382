"""When an alert was over, and what it is about: what is said again within its quiet period is not told again."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

SCHEMA = "tallybook"
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
OPEN = sa.text("cleared_at IS NULL")


def upgrade() -> None:
    about = sa.Column("about", ID, nullable=False, server_default="")
    op.add_column("alerts", about, schema=_schema())
    op.add_column("alerts", sa.Column("cleared_at", ID, nullable=True), schema=_schema())
    op.create_index("ix_alerts_raised_at", "alerts", ["raised_at", "alert_id"], schema=SCHEMA)
    op.create_index("ix_alerts_open", "alerts", ["raised_at"], schema=SCHEMA, sqlite_where=OPEN, postgresql_where=OPEN)


def downgrade() -> None:
    op.drop_index("ix_alerts_open", table_name="alerts", schema=SCHEMA)
    op.drop_index("ix_alerts_raised_at", table_name="alerts", schema=SCHEMA)
    op.drop_column("alerts", "cleared_at", schema=_schema())
    op.drop_column("alerts", "about", schema=_schema())


def _schema() -> str | None:
    """Alembic writes the name of an altered table as it is given, also where the schema is mapped away."""
    return None if op.get_bind().dialect.name == "sqlite" else SCHEMA
