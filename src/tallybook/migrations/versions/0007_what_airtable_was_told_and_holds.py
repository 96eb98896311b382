"""What followers keep of each run, when an ended run changed last, and the copies of what clients have in Airtable."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

SCHEMA = "tallybook"
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ADDED: dict[str, tuple[sa.Column[str], ...]] = {
    "runs": (sa.Column("changed_at", ID, nullable=True),),
    "tellings": (
        sa.Column("standing", ID, nullable=False, server_default="owed"),
        sa.Column("told_at", ID, nullable=True),
        sa.Column("ref", sa.Text(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
    ),
    "clients": (sa.Column("base_id", sa.Text(), nullable=True),),
    "leads": (sa.Column("record_id", sa.Text(), nullable=True), sa.Column("read_at", sa.Text(), nullable=True)),
}
OWED = sa.text("next_try_at IS NOT NULL")
RECORDS = sa.text("record_id IS NOT NULL")


def upgrade() -> None:
    for table, columns in ADDED.items():
        for column in columns:
            op.add_column(table, column.copy(), schema=_schema())
    op.execute(f"UPDATE {_named('runs')} SET changed_at = ended_at")
    op.create_index("ix_runs_changed_at", "runs", ["changed_at", "run_id"], schema=SCHEMA)
    op.create_index(
        "ix_tellings_owed",
        "tellings",
        ["follower", "next_try_at"],
        schema=SCHEMA,
        sqlite_where=OWED,
        postgresql_where=OWED,
    )
    op.create_index(
        "ix_leads_record_id",
        "leads",
        ["client_id", "record_id"],
        schema=SCHEMA,
        sqlite_where=RECORDS,
        postgresql_where=RECORDS,
    )
    _create_airtable_bases()


def downgrade() -> None:
    op.drop_table("airtable_bases", schema=SCHEMA)
    op.drop_index("ix_leads_record_id", table_name="leads", schema=SCHEMA)
    op.drop_index("ix_tellings_owed", table_name="tellings", schema=SCHEMA)
    op.drop_index("ix_runs_changed_at", table_name="runs", schema=SCHEMA)
    for table, columns in ADDED.items():
        for column in columns:
            op.drop_column(table, column.name, schema=_schema())


def _schema() -> str | None:
    """Alembic writes the name of an altered table as it is given, also where the schema is mapped away."""
    return None if op.get_bind().dialect.name == "sqlite" else SCHEMA


def _named(table: str) -> str:
    return f"{SCHEMA}.{table}" if _schema() else table


def _create_airtable_bases() -> None:
    op.create_table(
        "airtable_bases",
        sa.Column("client_id", ID, nullable=False),
        sa.Column("base_id", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("read_until", sa.Text(), nullable=True),
        sa.Column("listed_at", sa.Text(), nullable=True),
        sa.Column("notice", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("client_id", name="pk_airtable_bases"),
        sa.ForeignKeyConstraint(
            ["client_id"], [f"{SCHEMA}.clients.client_id"], name="fk_airtable_bases_clients", ondelete="CASCADE"
        ),
        schema=SCHEMA,
    )
