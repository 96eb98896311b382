"""Clients, leads, posts and rubrics in our own database."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SCHEMA = "tallybook"
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _create_clients()
    _create_leads()
    _create_posts()
    _create_rubrics()


def downgrade() -> None:
    op.drop_table("rubrics", schema=SCHEMA)
    op.drop_table("posts", schema=SCHEMA)
    op.drop_table("leads", schema=SCHEMA)
    op.drop_table("clients", schema=SCHEMA)


def _create_clients() -> None:
    op.create_table(
        "clients",
        sa.Column("client_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("stream", sa.Integer(), nullable=False),
        sa.Column("service_level", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("paused_here", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("client_id", name="pk_clients"),
        schema=SCHEMA,
    )


def _create_leads() -> None:
    op.create_table(
        "leads",
        sa.Column("client_id", ID, nullable=False),
        sa.Column("lead_id", ID, nullable=False),
        sa.Column("profile_hash", sa.Text(), nullable=False),
        sa.Column("posts_hash", sa.Text(), nullable=True),
        sa.Column("excluded_by_hand", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("excluded_by", sa.Text(), nullable=True),
        sa.Column("flagged", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("scored_at", sa.Text(), nullable=True),
        sa.Column("score_status", sa.Text(), nullable=True),
        sa.Column("score_reason", sa.Text(), nullable=True),
        sa.Column("post_score", sa.Double(), nullable=True),
        sa.Column("post_status", sa.Text(), nullable=True),
        sa.Column("post_reason", sa.Text(), nullable=True),
        sa.Column("harvested_at", sa.Text(), nullable=True),
        sa.Column("harvest_status", sa.Text(), nullable=True),
        sa.Column("harvest_reason", sa.Text(), nullable=True),
        sa.Column("profile_url", sa.Text(), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("headline", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("industry", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("positions", sa.Text(), nullable=False),
        sa.Column("skills", sa.Text(), nullable=False),
        sa.Column("assessment", sa.Text(), nullable=True),
        sa.Column("breakdown", sa.Text(), nullable=True),
        sa.Column("best_post", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["tallybook.clients.client_id"], name="fk_leads_clients", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("client_id", "lead_id", name="pk_leads"),
        schema=SCHEMA,
    )
    _index_leads()


def _index_leads() -> None:
    op.create_index(
        "ix_leads_to_score",
        "leads",
        ["client_id", "lead_id", "profile_hash", "scored_at", "excluded_by_hand"],
        schema=SCHEMA,
        sqlite_where=sa.text("scored_at IS NULL AND NOT excluded_by_hand"),
        postgresql_where=sa.text("scored_at IS NULL AND NOT excluded_by_hand"),
    )
    op.create_index(
        "ix_leads_with_new_posts",
        "leads",
        ["client_id", "lead_id", "posts_hash", "excluded_by_hand"],
        schema=SCHEMA,
        sqlite_where=sa.text("posts_hash IS NOT NULL AND NOT excluded_by_hand"),
        postgresql_where=sa.text("posts_hash IS NOT NULL AND NOT excluded_by_hand"),
    )


def _create_posts() -> None:
    op.create_table(
        "posts",
        sa.Column("client_id", ID, nullable=False),
        sa.Column("lead_id", ID, nullable=False),
        sa.Column("url_hash", sa.Text(), nullable=False),
        sa.Column("posted_at", sa.Text(), nullable=True),
        sa.Column("is_repost", sa.Boolean(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("scored_at", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("breakdown", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id", "lead_id"],
            ["tallybook.leads.client_id", "tallybook.leads.lead_id"],
            name="fk_posts_leads",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("client_id", "lead_id", "url_hash", name="pk_posts"),
        schema=SCHEMA,
    )


def _create_rubrics() -> None:
    op.create_table(
        "rubrics",
        sa.Column("client_id", ID, nullable=False),
        sa.Column("rubric", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["tallybook.clients.client_id"], name="fk_rubrics_clients", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("client_id", name="pk_rubrics"),
        schema=SCHEMA,
    )
