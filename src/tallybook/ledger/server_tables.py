"""What the server keeps beside the runs: deliveries, outside jobs, schedules, tokens, sessions, who did what."""

import sqlalchemy as sa

from tallybook.ledger.columns import count, key, numbered, table, text, time
from tallybook.ledger.tables import OPERATION_KEY

inbox = table(
    "inbox",
    key("source", primary_key=True),
    key("delivery_id", primary_key=True),
    time("received_at", null=False),
    sa.Column("body", sa.Text, nullable=False),
    text("headers"),
    key("state"),
    text("state_reason"),
    key("run_id", null=True),
    key("client_id", null=True),
    time("applied_at"),
    key("event", null=True),
    key("external_id", null=True),
    sa.Index("ix_inbox_external_id", "source", "external_id"),
    sa.Index("ix_inbox_state", "state", "received_at"),
    rowid=False,
)

external_runs = table(
    "external_runs",
    key("source", primary_key=True),
    key("external_id", primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True, server_default="1"),
    key("run_id"),
    key("client_id"),
    key("operation"),
    key("call_id"),
    key("state"),
    text("leads"),
    time("started_at", null=False),
    time("until", null=False),
    time("look_at"),
    count("looks"),
    time("ended_at"),
    text("result"),
    key("task", null=True),
    sa.ForeignKeyConstraint(["run_id", "client_id", "operation"], OPERATION_KEY),
    sa.Index(
        "ix_external_runs_look_at",
        "look_at",
        sqlite_where=sa.text("look_at IS NOT NULL"),
        postgresql_where=sa.text("look_at IS NOT NULL"),
    ),
    sa.Index("ix_external_runs_operation_run", "run_id", "client_id", "operation"),
    sa.Index("ix_external_runs_client_id", "client_id", "started_at"),
    rowid=False,
)

schedules = table(
    "schedules",
    key("schedule_id", primary_key=True),
    time("checked_at", null=False),
)

missed_runs = table(
    "missed_runs",
    key("schedule_id", primary_key=True),
    key("due_at", primary_key=True),
    sa.Column("stream", sa.BigInteger, nullable=True),
    sa.Column("reason", sa.Text, nullable=False),
    key("run_id", null=True),
    time("noticed_at", null=False),
    sa.Index("ix_missed_runs_due_at", "due_at"),
    rowid=False,
)

api_tokens = table(
    "api_tokens",
    key("token_id", primary_key=True),
    key("hash", unique=True),
    sa.Column("scopes", sa.Text, nullable=False),
    key("client_id", null=True),
    time("created_at", null=False),
    time("used_at"),
    time("revoked_at"),
)

sessions = table(
    "sessions",
    key("session_id", primary_key=True),
    key("hash", unique=True),
    key("token_id", null=True),
    time("created_at", null=False),
    time("expires_at", null=False),
)

audit_log = table(
    "audit_log",
    numbered(),
    time("at", null=False),
    key("actor"),
    key("action"),
    text("subject"),
    text("facts"),
)
