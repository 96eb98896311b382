"""What a client used since an instant is found fast; pauses know when they end by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SCHEMA = "tallybook"
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ADDED = {"runs": "wake_at", "client_runs": "wake_at", "operation_runs": "late_call_at"}
KEY = ("run_id", "client_id", "operation")
LATE = sa.text("late_call_at IS NOT NULL")
WAKES = sa.text("wake_at IS NOT NULL")


def upgrade() -> None:
    for table, name in ADDED.items():
        op.add_column(table, sa.Column(name, ID, nullable=True), schema=_schema())
    _note_late_calls()
    _create_indexes()


def downgrade() -> None:
    op.drop_index("ix_reservations_run_id", table_name="reservations", schema=SCHEMA)
    op.drop_index("ix_client_runs_wake", table_name="client_runs", schema=SCHEMA)
    for name in ("late", "ended", "client_id"):
        op.drop_index(f"ix_operation_runs_{name}", table_name="operation_runs", schema=SCHEMA)
    for table, name in ADDED.items():
        op.drop_column(table, name, schema=_schema())


def _schema() -> str | None:
    """Alembic writes the name of an altered table as it is given, also where the schema is mapped away."""
    return None if op.get_bind().dialect.name == "sqlite" else SCHEMA


def _note_late_calls() -> None:
    """Of those that came before this version."""
    operations = _table("operation_runs", "late_call_at")
    calls = _table("calls", "started_at")
    same = sa.and_(*(calls.c[name] == operations.c[name] for name in KEY))
    newest = sa.select(sa.func.max(calls.c.ended_at)).where(same, calls.c.started_at > operations.c.ended_at)
    op.execute(
        sa.update(operations).values(late_call_at=newest.scalar_subquery()).where(operations.c.ended_at.is_not(None))
    )


def _table(name: str, *more: str) -> sa.TableClause:
    return sa.table(name, *(sa.column(each, ID) for each in (*KEY, "ended_at", *more)), schema=_schema())


def _create_indexes() -> None:
    op.create_index("ix_operation_runs_client_id", "operation_runs", ["client_id", "started_at"], schema=SCHEMA)
    op.create_index("ix_operation_runs_ended", "operation_runs", ["client_id", "ended_at", "started_at"], schema=SCHEMA)
    op.create_index(
        "ix_operation_runs_late",
        "operation_runs",
        ["client_id", "late_call_at"],
        schema=SCHEMA,
        sqlite_where=LATE,
        postgresql_where=LATE,
    )
    op.create_index(
        "ix_client_runs_wake",
        "client_runs",
        ["wake_at"],
        schema=SCHEMA,
        sqlite_where=WAKES,
        postgresql_where=WAKES,
    )
    op.create_index("ix_reservations_run_id", "reservations", ["run_id"], schema=SCHEMA)
