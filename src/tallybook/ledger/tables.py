"""The tables of runs: what was started, by whom, what became of it, what was said of it."""

import sqlalchemy as sa

from tallybook.ledger.columns import ID, count, flag, key, numbered, table, text, time

SCOPE_OF_RUN = ""
"""The client_id of rows that speak of a run as a whole."""


run_ids = table(
    "run_ids",
    key("run_id", primary_key=True),
    time("reserved_at", null=False),
    key("day", null=True),
    sa.Column("number", sa.Integer, nullable=True),
    sa.UniqueConstraint("day", "number"),
)

runs = table(
    "runs",
    key("run_id", primary_key=True),
    text("display"),
    key("job_type"),
    sa.Column("stream", sa.BigInteger, nullable=True),
    key("triggered_by"),
    key("status"),
    text("finish_reason"),
    text("blocked_reason"),
    time("created_at", null=False),
    time("started_at"),
    time("ended_at"),
    time("seen_at", null=False),
    time("paused_at"),
    time("working_since"),
    key("key_scope", null=True),
    key("idempotency_key", null=True),
    sa.Column("request", sa.Text, nullable=False, server_default="{}"),
    text("requested_by"),
    text("error"),
    text("origin_reason"),
    flag("planned"),
    key("stop", null=True),
    flag("closing"),
    sa.Column("turn", sa.Integer, nullable=False, server_default="0"),
    text("claimed_status"),
    count("version"),
    time("wake_at"),
    time("changed_at"),
    sa.UniqueConstraint("key_scope", "idempotency_key"),
    sa.Index("ix_runs_open", "status"),
    sa.Index("ix_runs_changed_at", "changed_at", "run_id"),
    sa.Index("ix_runs_created_at", "created_at", "run_id"),
)

client_runs = table(
    "client_runs",
    key("run_id", sa.ForeignKey(runs.c.run_id, name="fk_client_runs_runs"), primary_key=True),
    key("client_id", primary_key=True),
    key("label", unique=True),
    text("client_name"),
    key("status"),
    text("finish_reason"),
    text("blocked_reason"),
    time("started_at"),
    time("ended_at"),
    key("origin"),
    text("origin_reason"),
    text("error"),
    sa.Column("errors", sa.BigInteger, nullable=False, server_default="0"),
    key("stop", null=True),
    sa.Column("position", sa.Integer, nullable=False, server_default="0"),
    sa.Column("turn", sa.Integer, nullable=False, server_default="0"),
    flag("enqueued"),
    key("worker", null=True),
    count("worked_ms"),
    count("version"),
    time("wake_at"),
    time("idle_since"),
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

operation_runs = table(
    "operation_runs",
    key("run_id", primary_key=True),
    key("client_id", primary_key=True),
    key("operation", primary_key=True),
    key("status"),
    text("finish_reason"),
    time("started_at"),
    time("ended_at"),
    key("basis"),
    sa.Column("errors", sa.BigInteger, nullable=False, server_default="0"),
    *(count(name) for name in TALLY),
    count("version"),
    time("late_call_at"),
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

OPERATION_KEY = [operation_runs.c.run_id, operation_runs.c.client_id, operation_runs.c.operation]

worklist = table(
    "worklist",
    key("run_id", primary_key=True),
    key("client_id", primary_key=True),
    key("operation", primary_key=True),
    key("lead_id", primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    text("input_hash"),
    sa.ForeignKeyConstraint(["run_id", "client_id", "operation"], OPERATION_KEY),
    rowid=False,
)

outcomes = table(
    "outcomes",
    key("run_id", primary_key=True),
    key("client_id", primary_key=True),
    key("operation", primary_key=True),
    key("lead_id", primary_key=True),
    key("kind"),
    key("reason", null=True),
    text("detail"),
    sa.Column("score", sa.Double, nullable=True),
    text("breakdown"),
    text("assessment"),
    text("best_post"),
    count("posts"),
    text("excluded_by"),
    flag("flagged"),
    text("rubric_version"),
    text("prompt_version"),
    sa.Column("formula", sa.Integer, nullable=True),
    text("model"),
    text("input_hash"),
    flag("late"),
    time("at", null=False),
    time("saved_at"),
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

calls = table(
    "calls",
    key("call_id", primary_key=True),
    key("run_id"),
    key("client_id"),
    key("operation"),
    text("chunk"),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
    text("provider"),
    text("model"),
    time("started_at", null=False),
    time("ended_at"),
    key("result", null=True),
    sa.Column("input_tokens", sa.BigInteger, nullable=True),
    sa.Column("cached_tokens", sa.BigInteger, nullable=True),
    sa.Column("output_tokens", sa.BigInteger, nullable=True),
    sa.Column("cost_pico_usd", sa.BigInteger, nullable=True),
    text("price_source"),
    text("price_version"),
    sa.ForeignKeyConstraint(["run_id", "client_id", "operation"], OPERATION_KEY),
    sa.Index("ix_calls_operation_run", "run_id", "client_id", "operation"),
    sa.Index("ix_calls_started_at", "started_at"),
)

reported = table(
    "reported",
    key("run_id", sa.ForeignKey(runs.c.run_id, name="fk_reported_runs"), primary_key=True),
    key("client_id", primary_key=True),
    key("field", primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    time("at", null=False),
    rowid=False,
)

events = table(
    "events",
    numbered(),
    key("run_id", null=True),
    key("client_id"),
    time("at", null=False),
    key("kind"),
    sa.Column("text", sa.Text, nullable=False),
    key("fingerprint", null=True),
    key("once_key", null=True, unique=True),
    sa.Index("ix_events_run_id", "run_id", "id"),
    sa.Index("ix_events_fingerprint", "fingerprint", "id"),
)

tellings = table(
    "tellings",
    key("follower", primary_key=True),
    key("run_id", primary_key=True),
    key("client_id", primary_key=True),
    sa.Column("told_version", sa.BigInteger, nullable=True),
    count("tries"),
    time("next_try_at"),
    text("last_error"),
    time("told_at"),
    text("ref"),
    text("notes"),
    sa.Column("standing", ID, nullable=False, server_default="owed"),
    *(
        sa.Index(name, "follower", *columns, sqlite_where=sa.text(of), postgresql_where=sa.text(of))
        for name, columns, of in (
            ("ix_tellings_standing", ("standing", "run_id"), "standing <> 'told'"),
            ("ix_tellings_ref", ("ref",), "ref IS NOT NULL"),
        )
    ),
    rowid=False,
)

follower_state = table(
    "follower_state",
    key("follower", primary_key=True),
    key("name", primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    time("at", null=False),
    rowid=False,
)

budgets = table(
    "budgets",
    key("client_id", primary_key=True),
    key("per", primary_key=True),
    sa.Column("tokens", sa.BigInteger, nullable=True),
    sa.Column("cost_pico_usd", sa.BigInteger, nullable=True),
    time("at", null=False),
    sa.CheckConstraint("tokens IS NOT NULL OR cost_pico_usd IS NOT NULL", name="limit"),
    rowid=False,
)

reservations = table(
    "reservations",
    key("reservation_id", primary_key=True),
    key("client_id"),
    key("run_id"),
    sa.Column("tokens", sa.BigInteger, nullable=False),
    sa.Column("cost_pico_usd", sa.BigInteger, nullable=True),
    time("at", null=False),
    sa.Index("ix_reservations_client_id", "client_id", "at"),
    sa.Index("ix_reservations_run_id", "run_id"),
)

alerts = table(
    "alerts",
    key("alert_id", primary_key=True),
    key("kind"),
    key("fingerprint", unique=True),
    key("run_id", null=True),
    key("client_id", null=True),
    sa.Column("text", sa.Text, nullable=False),
    time("raised_at", null=False),
    time("told_at"),
    time("acknowledged_at"),
    sa.Column("about", ID, nullable=False, server_default=""),
    time("cleared_at"),
    sa.Index("ix_alerts_raised_at", "raised_at", "alert_id"),
    sa.Index(
        "ix_alerts_open",
        "raised_at",
        sqlite_where=sa.text("cleared_at IS NULL"),
        postgresql_where=sa.text("cleared_at IS NULL"),
    ),
)
