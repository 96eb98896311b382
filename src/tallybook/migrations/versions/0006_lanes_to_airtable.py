"""Processes that share a database share what they may ask of Airtable."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

SCHEMA = "tallybook"


def upgrade() -> None:
    op.create_table(
        "airtable_lanes",
        sa.Column("scope", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("free_at", "pushed", "passed_at", "rests_until")),
        sa.Column("spent_since", sa.Text(), nullable=True),
        sa.Column("spent_until", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("scope", name="pk_airtable_lanes"),
        schema=SCHEMA,
    )


def downgrade() -> None:
    op.drop_table("airtable_lanes", schema=SCHEMA)
