"""What followers keep of each run, when an ended run changed last, and the copies of what clients have in Airtable."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

SCHEMA = "tallybook"
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ADDED = {
    "runs": {"changed_at": ID},
    "tellings": {"told_at": ID, "ref": sa.Text(), "notes": sa.Text()},
    "clients": {"base_id": sa.Text()},
    "leads": {"record_id": sa.Text(), "read_at": sa.Text()},
}
SPECIAL = sa.text("standing <> 'told'")
REFS = sa.text("ref IS NOT NULL")
RECORDS = sa.text("record_id IS NOT NULL")


def upgrade() -> None:
    for table, columns in ADDED.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind, nullable=True), schema=_schema())
    standing = sa.Column("standing", ID, nullable=False, server_default="owed")
    op.add_column("tellings", standing, schema=_schema())
    op.execute(f"UPDATE {_named('runs')} SET changed_at = ended_at")
    op.create_index("ix_runs_changed_at", "runs", ["changed_at", "run_id"], schema=SCHEMA)
    _create_index("ix_tellings_standing", "tellings", ["follower", "standing", "run_id"], SPECIAL)
    _create_index("ix_tellings_ref", "tellings", ["follower", "ref"], REFS)
    _create_index("ix_leads_record_id", "leads", ["client_id", "record_id"], RECORDS)
    _create_airtable_bases()


def downgrade() -> None:
    op.drop_table("airtable_bases", schema=SCHEMA)
    op.drop_index("ix_leads_record_id", table_name="leads", schema=SCHEMA)
    op.drop_index("ix_tellings_ref", table_name="tellings", schema=SCHEMA)
    op.drop_index("ix_tellings_standing", table_name="tellings", schema=SCHEMA)
    op.drop_index("ix_runs_changed_at", table_name="runs", schema=SCHEMA)
    op.drop_column("tellings", "standing", schema=_schema())
    for table, columns in ADDED.items():
        for name in columns:
            op.drop_column(table, name, schema=_schema())


def _create_index(name: str, table: str, columns: list[str], of: sa.TextClause) -> None:
    op.create_index(name, table, columns, schema=SCHEMA, sqlite_where=of, postgresql_where=of)


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
