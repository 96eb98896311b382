"""The books of runs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SCHEMA = "tallybook"
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
LEAD_KEY = ["run_id", "client_id", "operation", "lead_id"]


def upgrade() -> None:
    _create_run_ids()
    _create_runs()
    _create_client_runs()
    _create_operation_runs()
    _create_worklist()
    _create_outcomes()
    _create_calls()
    _create_reported()
    _create_events()


def downgrade() -> None:
    op.drop_table("events", schema=SCHEMA)
    op.drop_table("reported", schema=SCHEMA)
    op.drop_table("calls", schema=SCHEMA)
    op.drop_table("outcomes", schema=SCHEMA)
    op.drop_table("worklist", schema=SCHEMA)
    op.drop_table("operation_runs", schema=SCHEMA)
    op.drop_table("client_runs", schema=SCHEMA)
    op.drop_table("runs", schema=SCHEMA)
    op.drop_table("run_ids", schema=SCHEMA)


def _create_run_ids() -> None:
    op.create_table(
        "run_ids",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("reserved_at", ID, nullable=False),
        sa.Column("day", ID, nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name="pk_run_ids"),
        sa.UniqueConstraint("day", "number", name="uq_run_ids_day_number"),
        schema=SCHEMA,
    )


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("display", sa.Text(), nullable=True),
        sa.Column("job_type", ID, nullable=False),
        sa.Column("stream", sa.BigInteger(), nullable=True),
        sa.Column("triggered_by", ID, nullable=False),
        sa.Column("status", ID, nullable=False),
        sa.Column("finish_reason", sa.Text(), nullable=True),
        sa.Column("blocked_reason", sa.Text(), nullable=True),
        sa.Column("created_at", ID, nullable=False),
        sa.Column("started_at", ID, nullable=True),
        sa.Column("ended_at", ID, nullable=True),
        sa.Column("seen_at", ID, nullable=False),
        sa.Column("paused_at", ID, nullable=True),
        sa.Column("working_since", ID, nullable=True),
        sa.Column("key_scope", ID, nullable=True),
        sa.Column("idempotency_key", ID, nullable=True),
        sa.Column("request", sa.Text(), server_default="{}", nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("origin_reason", sa.Text(), nullable=True),
        sa.Column("planned", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("stop", ID, nullable=True),
        sa.Column("closing", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("turn", sa.Integer(), server_default="0", nullable=False),
        sa.Column("claimed_status", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_runs"),
        sa.UniqueConstraint("key_scope", "idempotency_key", name="uq_runs_key_scope_idempotency_key"),
        schema=SCHEMA,
    )
    _index_runs()


def _index_runs() -> None:
    op.create_index("ix_runs_open", "runs", ["status"], schema=SCHEMA)


def _create_client_runs() -> None:
    op.create_table(
        "client_runs",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("label", ID, nullable=False),
        sa.Column("client_name", sa.Text(), nullable=True),
        sa.Column("status", ID, nullable=False),
        sa.Column("finish_reason", sa.Text(), nullable=True),
        sa.Column("blocked_reason", sa.Text(), nullable=True),
        sa.Column("started_at", ID, nullable=True),
        sa.Column("ended_at", ID, nullable=True),
        sa.Column("origin", ID, nullable=False),
        sa.Column("origin_reason", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("errors", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("stop", ID, nullable=True),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("turn", sa.Integer(), server_default="0", nullable=False),
        sa.Column("enqueued", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("worker", ID, nullable=True),
        sa.Column("worked_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["tallybook.runs.run_id"], name="fk_client_runs_runs"),
        sa.PrimaryKeyConstraint("run_id", "client_id", name="pk_client_runs"),
        sa.UniqueConstraint("label", name="uq_client_runs_label"),
        schema=SCHEMA,
    )
    op.create_index("ix_client_runs_client_id", "client_runs", ["client_id", "run_id"], schema=SCHEMA)
    op.create_index(
        "ix_client_runs_open",
        "client_runs",
        ["client_id"],
        schema=SCHEMA,
        sqlite_where=sa.text("status IN ('queued', 'running', 'paused')"),
        postgresql_where=sa.text("status IN ('queued', 'running', 'paused')"),
    )


def _create_operation_runs() -> None:
    op.create_table(
        "operation_runs",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("operation", ID, nullable=False),
        sa.Column("status", ID, nullable=False),
        sa.Column("finish_reason", sa.Text(), nullable=True),
        sa.Column("started_at", ID, nullable=True),
        sa.Column("ended_at", ID, nullable=True),
        sa.Column("basis", ID, nullable=False),
        sa.Column("errors", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("found", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("scored", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("harvested", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("skipped", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("posts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("calls", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unmeasured", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unpriced", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cost_pico_usd", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id", "client_id"],
            ["tallybook.client_runs.run_id", "tallybook.client_runs.client_id"],
            name="fk_operation_runs_client_runs",
        ),
        sa.PrimaryKeyConstraint("run_id", "client_id", "operation", name="pk_operation_runs"),
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )


def _create_worklist() -> None:
    op.create_table(
        "worklist",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("operation", ID, nullable=False),
        sa.Column("lead_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("input_hash", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id", "client_id", "operation"],
            [
                "tallybook.operation_runs.run_id",
                "tallybook.operation_runs.client_id",
                "tallybook.operation_runs.operation",
            ],
            name="fk_worklist_operation_runs",
        ),
        sa.PrimaryKeyConstraint("run_id", "client_id", "operation", "lead_id", name="pk_worklist"),
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )


def _create_outcomes() -> None:
    op.create_table(
        "outcomes",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("operation", ID, nullable=False),
        sa.Column("lead_id", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("reason", ID, nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("breakdown", sa.Text(), nullable=True),
        sa.Column("assessment", sa.Text(), nullable=True),
        sa.Column("best_post", sa.Text(), nullable=True),
        sa.Column("posts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("excluded_by", sa.Text(), nullable=True),
        sa.Column("flagged", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("rubric_version", sa.Text(), nullable=True),
        sa.Column("prompt_version", sa.Text(), nullable=True),
        sa.Column("formula", sa.Integer(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("input_hash", sa.Text(), nullable=True),
        sa.Column("late", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("at", ID, nullable=False),
        sa.Column("saved_at", ID, nullable=True),
        sa.CheckConstraint("(kind IN ('skipped', 'failed')) = (reason IS NOT NULL)", name="ck_outcomes_reason"),
        sa.CheckConstraint("score IS NULL OR score BETWEEN 0 AND 100", name="ck_outcomes_score"),
        sa.ForeignKeyConstraint(
            LEAD_KEY, [f"tallybook.worklist.{name}" for name in LEAD_KEY], name="fk_outcomes_worklist"
        ),
        sa.PrimaryKeyConstraint("run_id", "client_id", "operation", "lead_id", name="pk_outcomes"),
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )
    _index_outcomes()


def _index_outcomes() -> None:
    op.create_index("ix_outcomes_lead", "outcomes", ["client_id", "operation", "lead_id"], schema=SCHEMA)
    op.create_index(
        "ix_outcomes_unsaved",
        "outcomes",
        ["client_id", "run_id"],
        schema=SCHEMA,
        sqlite_where=sa.text("saved_at IS NULL"),
        postgresql_where=sa.text("saved_at IS NULL"),
    )


def _create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("call_id", ID, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("operation", ID, nullable=False),
        sa.Column("chunk", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="1", nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("started_at", ID, nullable=False),
        sa.Column("ended_at", ID, nullable=True),
        sa.Column("result", ID, nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cost_pico_usd", sa.BigInteger(), nullable=True),
        sa.Column("price_source", sa.Text(), nullable=True),
        sa.Column("price_version", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id", "client_id", "operation"],
            [
                "tallybook.operation_runs.run_id",
                "tallybook.operation_runs.client_id",
                "tallybook.operation_runs.operation",
            ],
            name="fk_calls_operation_runs",
        ),
        sa.PrimaryKeyConstraint("call_id", name="pk_calls"),
        schema=SCHEMA,
    )
    op.create_index("ix_calls_operation_run", "calls", ["run_id", "client_id", "operation"], schema=SCHEMA)


def _create_reported() -> None:
    op.create_table(
        "reported",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("field", ID, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", ID, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["tallybook.runs.run_id"], name="fk_reported_runs"),
        sa.PrimaryKeyConstraint("run_id", "client_id", "field", name="pk_reported"),
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("run_id", ID, nullable=True),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("at", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("fingerprint", ID, nullable=True),
        sa.Column("once_key", ID, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("once_key", name="uq_events_once_key"),
        schema=SCHEMA,
    )
    op.create_index("ix_events_fingerprint", "events", ["fingerprint", "id"], schema=SCHEMA)
    op.create_index("ix_events_run_id", "events", ["run_id", "id"], schema=SCHEMA)
