"""Outside jobs are attempts and looked after; deliveries say of what they speak; schedules know what they missed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

SCHEMA = "tallybook"
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
LOOKED_AFTER = sa.text("look_at IS NOT NULL")


def upgrade() -> None:
    op.drop_table("external_runs", schema=SCHEMA)  # nothing has written it so far
    _create_external_runs()
    _create_schedules()
    for name in ("event", "external_id"):
        op.add_column("inbox", sa.Column(name, ID, nullable=True), schema=_schema())
    op.create_index("ix_inbox_external_id", "inbox", ["source", "external_id"], schema=SCHEMA)
    op.add_column("clients", sa.Column("daily_target", sa.Integer(), nullable=True), schema=_schema())
    op.add_column("client_runs", sa.Column("idle_since", ID, nullable=True), schema=_schema())
    op.create_index("ix_runs_created_at", "runs", ["created_at", "run_id"], schema=SCHEMA)


def downgrade() -> None:
    op.drop_index("ix_runs_created_at", table_name="runs", schema=SCHEMA)
    op.drop_column("client_runs", "idle_since", schema=_schema())
    op.drop_column("clients", "daily_target", schema=_schema())
    op.drop_index("ix_inbox_external_id", table_name="inbox", schema=SCHEMA)
    for name in ("external_id", "event"):
        op.drop_column("inbox", name, schema=_schema())
    op.drop_table("missed_runs", schema=SCHEMA)
    op.drop_table("schedules", schema=SCHEMA)
    op.drop_table("external_runs", schema=SCHEMA)
    _create_external_runs_of_before()


def _schema() -> str | None:
    """Alembic writes the name of an altered table as it is given, also where the schema is mapped away."""
    return None if op.get_bind().dialect.name == "sqlite" else SCHEMA


def _of_operation() -> sa.ForeignKeyConstraint:
    key = ("run_id", "client_id", "operation")
    return sa.ForeignKeyConstraint(
        key, [f"tallybook.operation_runs.{name}" for name in key], name="fk_external_runs_operation_runs"
    )


def _create_external_runs() -> None:
    op.create_table(
        "external_runs",
        sa.Column("source", ID, nullable=False),
        sa.Column("external_id", ID, nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="1", nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("operation", ID, nullable=False),
        sa.Column("call_id", ID, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("leads", sa.Text(), nullable=True),
        sa.Column("started_at", ID, nullable=False),
        sa.Column("until", ID, nullable=False),
        sa.Column("look_at", ID, nullable=True),
        sa.Column("looks", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("ended_at", ID, nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("task", ID, nullable=True),
        _of_operation(),
        sa.PrimaryKeyConstraint("source", "external_id", "attempt", name="pk_external_runs"),
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_external_runs_look_at",
        "external_runs",
        ["look_at"],
        schema=SCHEMA,
        sqlite_where=LOOKED_AFTER,
        postgresql_where=LOOKED_AFTER,
    )
    op.create_index(
        "ix_external_runs_operation_run", "external_runs", ["run_id", "client_id", "operation"], schema=SCHEMA
    )
    op.create_index("ix_external_runs_client_id", "external_runs", ["client_id", "started_at"], schema=SCHEMA)


def _create_external_runs_of_before() -> None:
    op.create_table(
        "external_runs",
        sa.Column("source", ID, nullable=False),
        sa.Column("external_id", ID, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("operation", ID, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("started_at", ID, nullable=False),
        sa.Column("ended_at", ID, nullable=True),
        sa.Column("facts", sa.Text(), nullable=True),
        _of_operation(),
        sa.PrimaryKeyConstraint("source", "external_id", name="pk_external_runs"),
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_external_runs_state", "external_runs", ["state", "started_at"], schema=SCHEMA)


def _create_schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("schedule_id", ID, nullable=False),
        sa.Column("checked_at", ID, nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", name="pk_schedules"),
        schema=SCHEMA,
    )
    op.create_table(
        "missed_runs",
        sa.Column("schedule_id", ID, nullable=False),
        sa.Column("due_at", ID, nullable=False),
        sa.Column("stream", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("run_id", ID, nullable=True),
        sa.Column("noticed_at", ID, nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", "due_at", name="pk_missed_runs"),
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_missed_runs_due_at", "missed_runs", ["due_at"], schema=SCHEMA)
