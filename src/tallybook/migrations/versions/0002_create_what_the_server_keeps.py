"""What followers, webhooks, budgets and sign-in remember."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SCHEMA = "tallybook"
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _create_tellings()
    _create_follower_state()
    _create_inbox()
    _create_external_runs()
    _create_budgets()
    _create_reservations()
    _create_api_tokens()
    _create_sessions()
    _create_alerts()
    _create_audit_log()


def downgrade() -> None:
    op.drop_table("audit_log", schema=SCHEMA)
    op.drop_table("alerts", schema=SCHEMA)
    op.drop_table("sessions", schema=SCHEMA)
    op.drop_table("api_tokens", schema=SCHEMA)
    op.drop_table("reservations", schema=SCHEMA)
    op.drop_table("budgets", schema=SCHEMA)
    op.drop_table("external_runs", schema=SCHEMA)
    op.drop_table("inbox", schema=SCHEMA)
    op.drop_table("follower_state", schema=SCHEMA)
    op.drop_table("tellings", schema=SCHEMA)


def _create_tellings() -> None:
    op.create_table(
        "tellings",
        sa.Column("follower", ID, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("told_version", sa.BigInteger(), nullable=True),
        sa.Column("tries", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("next_try_at", ID, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("follower", "run_id", "client_id", name="pk_tellings"),
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )


def _create_follower_state() -> None:
    op.create_table(
        "follower_state",
        sa.Column("follower", ID, nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", ID, nullable=False),
        sa.PrimaryKeyConstraint("follower", "name", name="pk_follower_state"),
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )


def _create_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("source", ID, nullable=False),
        sa.Column("delivery_id", ID, nullable=False),
        sa.Column("received_at", ID, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("state", ID, nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=True),
        sa.Column("run_id", ID, nullable=True),
        sa.Column("client_id", ID, nullable=True),
        sa.Column("applied_at", ID, nullable=True),
        sa.PrimaryKeyConstraint("source", "delivery_id", name="pk_inbox"),
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_inbox_state", "inbox", ["state", "received_at"], schema=SCHEMA)


def _create_external_runs() -> None:
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
        sa.ForeignKeyConstraint(
            ["run_id", "client_id", "operation"],
            [
                "tallybook.operation_runs.run_id",
                "tallybook.operation_runs.client_id",
                "tallybook.operation_runs.operation",
            ],
            name="fk_external_runs_operation_runs",
        ),
        sa.PrimaryKeyConstraint("source", "external_id", name="pk_external_runs"),
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_external_runs_state", "external_runs", ["state", "started_at"], schema=SCHEMA)


def _create_budgets() -> None:
    op.create_table(
        "budgets",
        sa.Column("client_id", ID, nullable=False),
        sa.Column("per", ID, nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=True),
        sa.Column("cost_pico_usd", sa.BigInteger(), nullable=True),
        sa.Column("at", ID, nullable=False),
        sa.CheckConstraint("tokens IS NOT NULL OR cost_pico_usd IS NOT NULL", name="ck_budgets_limit"),
        sa.PrimaryKeyConstraint("client_id", "per", name="pk_budgets"),
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )


def _create_reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("reservation_id", ID, nullable=False),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_pico_usd", sa.BigInteger(), nullable=True),
        sa.Column("at", ID, nullable=False),
        sa.PrimaryKeyConstraint("reservation_id", name="pk_reservations"),
        schema=SCHEMA,
    )
    op.create_index("ix_reservations_client_id", "reservations", ["client_id", "at"], schema=SCHEMA)


def _create_api_tokens() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("token_id", ID, nullable=False),
        sa.Column("hash", ID, nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("client_id", ID, nullable=True),
        sa.Column("created_at", ID, nullable=False),
        sa.Column("used_at", ID, nullable=True),
        sa.Column("revoked_at", ID, nullable=True),
        sa.PrimaryKeyConstraint("token_id", name="pk_api_tokens"),
        sa.UniqueConstraint("hash", name="uq_api_tokens_hash"),
        schema=SCHEMA,
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("session_id", ID, nullable=False),
        sa.Column("hash", ID, nullable=False),
        sa.Column("token_id", ID, nullable=True),
        sa.Column("created_at", ID, nullable=False),
        sa.Column("expires_at", ID, nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_sessions"),
        sa.UniqueConstraint("hash", name="uq_sessions_hash"),
        schema=SCHEMA,
    )


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("alert_id", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("fingerprint", ID, nullable=False),
        sa.Column("run_id", ID, nullable=True),
        sa.Column("client_id", ID, nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("raised_at", ID, nullable=False),
        sa.Column("told_at", ID, nullable=True),
        sa.Column("acknowledged_at", ID, nullable=True),
        sa.PrimaryKeyConstraint("alert_id", name="pk_alerts"),
        sa.UniqueConstraint("fingerprint", name="uq_alerts_fingerprint"),
        schema=SCHEMA,
    )


def _create_audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", ID, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.Column("action", ID, nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
        schema=SCHEMA,
    )
