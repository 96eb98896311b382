"""What was used since an instant is found by when calls were made."""

from alembic import op

revision = "0009"
down_revision = "0008"

SCHEMA = "tallybook"


def upgrade() -> None:
    op.create_index("ix_calls_started_at", "calls", ["started_at"], schema=SCHEMA)


def downgrade() -> None:
    op.drop_index("ix_calls_started_at", table_name="calls", schema=SCHEMA)
