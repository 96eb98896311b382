"""The tables of the ledger. Times are UTC text of fixed width (`2026-11-23T01:02:03.000004Z`), so that text order is
time order in every database; money is a whole number of pico-dollars; JSON is text.
"""

import sqlalchemy as sa

from tallybook.database import metadata

METADATA = metadata()

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Sorts by code point on every database."""
SCOPE_OF_RUN = ""
"""The client_id of rows that speak of a run as a whole."""


def _id(name: str, *extra: object, null: bool = False, **more: object) -> sa.Column[str]:
    return sa.Column(name, ID, *extra, nullable=null, **more)  # type: ignore[arg-type]  # passed through


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=True)


def _time(name: str, *, null: bool = True) -> sa.Column[str]:
    return sa.Column(name, ID, nullable=null)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def _flag(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.SmallInteger, nullable=False, server_default="0")


def _table(name: str, *parts: sa.schema.SchemaItem, rowid: bool = True) -> sa.Table:
    return sa.Table(name, METADATA, *parts, sqlite_with_rowid=rowid)


run_ids = _table(
    "run_ids",
    _id("run_id", primary_key=True),
    _time("reserved_at", null=False),
    _id("day", null=True),
    sa.Column("number", sa.Integer, nullable=True),
    sa.UniqueConstraint("day", "number"),
)

runs = _table(
    "runs",
    _id("run_id", primary_key=True),
    _text("display"),
    _id("job_type"),
    sa.Column("stream", sa.BigInteger, nullable=True),
    _id("triggered_by"),
    _id("status"),
    _text("finish_reason"),
    _text("blocked_reason"),
    _time("created_at", null=False),
    _time("started_at"),
    _time("ended_at"),
    _time("seen_at", null=False),
    _time("paused_at"),
    _time("working_since"),
    _id("key_scope", null=True),
    _id("idempotency_key", null=True),
    sa.Column("request", sa.Text, nullable=False, server_default="{}"),
    _text("requested_by"),
    _text("error"),
    _text("origin_reason"),
    _flag("planned"),
    _id("stop", null=True),
    _flag("closing"),
    sa.Column("turn", sa.Integer, nullable=False, server_default="0"),
    _text("claimed_status"),
    _count("version"),
    _time("wake_at"),
    sa.UniqueConstraint("key_scope", "idempotency_key"),
    sa.Index("ix_runs_open", "status"),
)

client_runs = _table(
    "client_runs",
    _id("run_id", sa.ForeignKey(runs.c.run_id, name="fk_client_runs_runs"), primary_key=True),
    _id("client_id", primary_key=True),
    _id("label", unique=True),
    _text("client_name"),
    _id("status"),
    _text("finish_reason"),
    _text("blocked_reason"),
    _time("started_at"),
    _time("ended_at"),
    _id("origin"),
    _text("origin_reason"),
    _text("error"),
    sa.Column("errors", sa.BigInteger, nullable=False, server_default="0"),
    _id("stop", null=True),
    sa.Column("position", sa.Integer, nullable=False, server_default="0"),
    sa.Column("turn", sa.Integer, nullable=False, server_default="0"),
    _flag("enqueued"),
    _id("worker", null=True),
    _count("worked_ms"),
    _count("version"),
    _time("wake_at"),
    sa.Index("ix_client_runs_client_id", "client_id", "run_id"),
    sa.Index(
        "ix_client_runs_open",
        "client_id",
        sqlite_where=sa.text("status IN ('queued', 'running', 'paused')"),
        postgresql_where=sa.text("status IN ('queued', 'running', 'paused')"),
    ),
    sa.Index(
        "ix_client_runs_wake",
        "wake_at",
        sqlite_where=sa.text("wake_at IS NOT NULL"),
        postgresql_where=sa.text("wake_at IS NOT NULL"),
    ),
)

TALLY = (
    "found", "scored", "harvested", "skipped", "failed", "posts", "calls", "unmeasured", "unpriced",
    "input_tokens", "cached_tokens", "output_tokens", "cost_pico_usd",
)  # fmt: skip
"""The tally's columns, in the order of `domain.tally.Tally`."""

operation_runs = _table(
    "operation_runs",
    _id("run_id", primary_key=True),
    _id("client_id", primary_key=True),
    _id("operation", primary_key=True),
    _id("status"),
    _text("finish_reason"),
    _time("started_at"),
    _time("ended_at"),
    _id("basis"),
    sa.Column("errors", sa.BigInteger, nullable=False, server_default="0"),
    *(_count(name) for name in TALLY),
    _count("version"),
    _time("late_call_at"),
    sa.ForeignKeyConstraint(["run_id", "client_id"], [client_runs.c.run_id, client_runs.c.client_id]),
    sa.Index("ix_operation_runs_client_id", "client_id", "started_at"),
    sa.Index("ix_operation_runs_ended", "client_id", "ended_at", "started_at"),
    sa.Index(
        "ix_operation_runs_late",
        "client_id",
        "late_call_at",
        sqlite_where=sa.text("late_call_at IS NOT NULL"),
        postgresql_where=sa.text("late_call_at IS NOT NULL"),
    ),
    rowid=False,
)

_OPERATION_KEY = [operation_runs.c.run_id, operation_runs.c.client_id, operation_runs.c.operation]

worklist = _table(
    "worklist",
    _id("run_id", primary_key=True),
    _id("client_id", primary_key=True),
    _id("operation", primary_key=True),
    _id("lead_id", primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    _text("input_hash"),
    sa.ForeignKeyConstraint(["run_id", "client_id", "operation"], _OPERATION_KEY),
    rowid=False,
)

outcomes = _table(
    "outcomes",
    _id("run_id", primary_key=True),
    _id("client_id", primary_key=True),
    _id("operation", primary_key=True),
    _id("lead_id", primary_key=True),
    _id("kind"),
    _id("reason", null=True),
    _text("detail"),
    sa.Column("score", sa.Double, nullable=True),
    _text("breakdown"),
    _text("assessment"),
    _text("best_post"),
    _count("posts"),
    _text("excluded_by"),
    _flag("flagged"),
    _text("rubric_version"),
    _text("prompt_version"),
    sa.Column("formula", sa.Integer, nullable=True),
    _text("model"),
    _text("input_hash"),
    _flag("late"),
    _time("at", null=False),
    _time("saved_at"),
    sa.ForeignKeyConstraint(
        ["run_id", "client_id", "operation", "lead_id"],
        [worklist.c.run_id, worklist.c.client_id, worklist.c.operation, worklist.c.lead_id],
    ),
    sa.CheckConstraint("(kind IN ('skipped', 'failed')) = (reason IS NOT NULL)", name="reason"),
    sa.CheckConstraint("score IS NULL OR score BETWEEN 0 AND 100", name="score"),
    rowid=False,
)
sa.Index("ix_outcomes_lead", outcomes.c.client_id, outcomes.c.operation, outcomes.c.lead_id)
sa.Index(
    "ix_outcomes_unsaved",
    outcomes.c.client_id,
    outcomes.c.run_id,
    sqlite_where=outcomes.c.saved_at.is_(None),
    postgresql_where=outcomes.c.saved_at.is_(None),
)

calls = _table(
    "calls",
    _id("call_id", primary_key=True),
    _id("run_id"),
    _id("client_id"),
    _id("operation"),
    _text("chunk"),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
    _text("provider"),
    _text("model"),
    _time("started_at", null=False),
    _time("ended_at"),
    _id("result", null=True),
    sa.Column("input_tokens", sa.BigInteger, nullable=True),
    sa.Column("cached_tokens", sa.BigInteger, nullable=True),
    sa.Column("output_tokens", sa.BigInteger, nullable=True),
    sa.Column("cost_pico_usd", sa.BigInteger, nullable=True),
    _text("price_source"),
    _text("price_version"),
    sa.ForeignKeyConstraint(["run_id", "client_id", "operation"], _OPERATION_KEY),
    sa.Index("ix_calls_operation_run", "run_id", "client_id", "operation"),
)

reported = _table(
    "reported",
    _id("run_id", sa.ForeignKey(runs.c.run_id, name="fk_reported_runs"), primary_key=True),
    _id("client_id", primary_key=True),
    _id("field", primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    _time("at", null=False),
    rowid=False,
)

events = _table(
    "events",
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    _id("run_id", null=True),
    _id("client_id"),
    _time("at", null=False),
    _id("kind"),
    sa.Column("text", sa.Text, nullable=False),
    _id("fingerprint", null=True),
    _id("once_key", null=True, unique=True),
    sa.Index("ix_events_run_id", "run_id", "id"),
    sa.Index("ix_events_fingerprint", "fingerprint", "id"),
)

tellings = _table(
    "tellings",
    _id("follower", primary_key=True),
    _id("run_id", primary_key=True),
    _id("client_id", primary_key=True),
    sa.Column("told_version", sa.BigInteger, nullable=True),
    _count("tries"),
    _time("next_try_at"),
    _text("last_error"),
    rowid=False,
)

follower_state = _table(
    "follower_state",
    _id("follower", primary_key=True),
    _id("name", primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    _time("at", null=False),
    rowid=False,
)

inbox = _table(
    "inbox",
    _id("source", primary_key=True),
    _id("delivery_id", primary_key=True),
    _time("received_at", null=False),
    sa.Column("body", sa.Text, nullable=False),
    _text("headers"),
    _id("state"),
    _text("state_reason"),
    _id("run_id", null=True),
    _id("client_id", null=True),
    _time("applied_at"),
    sa.Index("ix_inbox_state", "state", "received_at"),
    rowid=False,
)

external_runs = _table(
    "external_runs",
    _id("source", primary_key=True),
    _id("external_id", primary_key=True),
    _id("run_id"),
    _id("client_id"),
    _id("operation"),
    _id("state"),
    _time("started_at", null=False),
    _time("ended_at"),
    _text("facts"),
    sa.ForeignKeyConstraint(["run_id", "client_id", "operation"], _OPERATION_KEY),
    sa.Index("ix_external_runs_state", "state", "started_at"),
    rowid=False,
)

budgets = _table(
    "budgets",
    _id("client_id", primary_key=True),
    _id("per", primary_key=True),
    sa.Column("tokens", sa.BigInteger, nullable=True),
    sa.Column("cost_pico_usd", sa.BigInteger, nullable=True),
    _time("at", null=False),
    sa.CheckConstraint("tokens IS NOT NULL OR cost_pico_usd IS NOT NULL", name="limit"),
    rowid=False,
)

reservations = _table(
    "reservations",
    _id("reservation_id", primary_key=True),
    _id("client_id"),
    _id("run_id"),
    sa.Column("tokens", sa.BigInteger, nullable=False),
    sa.Column("cost_pico_usd", sa.BigInteger, nullable=True),
    _time("at", null=False),
    sa.Index("ix_reservations_client_id", "client_id", "at"),
    sa.Index("ix_reservations_run_id", "run_id"),
)

api_tokens = _table(
    "api_tokens",
    _id("token_id", primary_key=True),
    _id("hash", unique=True),
    sa.Column("scopes", sa.Text, nullable=False),
    _id("client_id", null=True),
    _time("created_at", null=False),
    _time("used_at"),
    _time("revoked_at"),
)

sessions = _table(
    "sessions",
    _id("session_id", primary_key=True),
    _id("hash", unique=True),
    _id("token_id", null=True),
    _time("created_at", null=False),
    _time("expires_at", null=False),
)

alerts = _table(
    "alerts",
    _id("alert_id", primary_key=True),
    _id("kind"),
    _id("fingerprint", unique=True),
    _id("run_id", null=True),
    _id("client_id", null=True),
    sa.Column("text", sa.Text, nullable=False),
    _time("raised_at", null=False),
    _time("told_at"),
    _time("acknowledged_at"),
)

audit_log = _table(
    "audit_log",
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    _time("at", null=False),
    _id("actor"),
    _id("action"),
    _text("subject"),
    _text("facts"),
)
