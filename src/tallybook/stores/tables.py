"""The tables of the embedded store: clients, their leads, the leads' posts, their rubrics.

Every key begins with `client_id`. What is asked for often stands before the long texts, where SQLite need not follow
overflow pages to reach it. Times are RFC 3339 UTC text with microseconds, which sorts as it passes.
"""

import sqlalchemy as sa

from tallybook.database import metadata

METADATA = metadata()

_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Sorts by code point, as SQLite and Python do, so that pages in id order mean the same everywhere."""

clients = sa.Table(
    "clients",
    METADATA,
    sa.Column("client_id", _ID, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("stream", sa.Integer, nullable=False),
    sa.Column("service_level", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("paused_here", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("daily_target", sa.Integer),
    sa.Column("base_id", sa.Text),  # in Airtable, where its leads are kept
)

leads = sa.Table(
    "leads",
    METADATA,
    sa.Column("client_id", _ID, sa.ForeignKey(clients.c.client_id, ondelete="CASCADE"), primary_key=True),
    sa.Column("lead_id", _ID, primary_key=True),
    sa.Column("profile_hash", sa.Text, nullable=False),
    sa.Column("posts_hash", sa.Text),  # of the posts not yet scored; NULL when there are none
    sa.Column("excluded_by_hand", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("score", sa.Double),
    sa.Column("excluded_by", sa.Text),
    sa.Column("flagged", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("scored_at", sa.Text),
    sa.Column("score_status", sa.Text),
    sa.Column("score_reason", sa.Text),
    sa.Column("post_score", sa.Double),
    sa.Column("post_status", sa.Text),
    sa.Column("post_reason", sa.Text),
    sa.Column("harvested_at", sa.Text),
    sa.Column("harvest_status", sa.Text),
    sa.Column("harvest_reason", sa.Text),
    sa.Column("profile_url", sa.Text, nullable=False),
    sa.Column("full_name", sa.Text, nullable=False),
    sa.Column("headline", sa.Text, nullable=False),
    sa.Column("location", sa.Text, nullable=False),
    sa.Column("industry", sa.Text, nullable=False),
    sa.Column("about", sa.Text, nullable=False),
    sa.Column("positions", sa.Text, nullable=False),  # JSON
    sa.Column("skills", sa.Text, nullable=False),  # JSON
    sa.Column("assessment", sa.Text),
    sa.Column("breakdown", sa.Text),  # JSON
    sa.Column("best_post", sa.Text),  # JSON
    sa.Column("record_id", sa.Text),  # of its row in the client's base
    sa.Column("read_at", sa.Text),  # when that row was read last
)

_TO_SCORE = sa.text("scored_at IS NULL AND NOT excluded_by_hand")
_WITH_NEW_POSTS = sa.text("posts_hash IS NOT NULL AND NOT excluded_by_hand")

# The due leads are listed from these two alone, without touching a row. SQLite checks the condition once more for each
# lead, so the columns it speaks of are in the index too.
sa.Index(
    "ix_leads_to_score",
    leads.c.client_id,
    leads.c.lead_id,
    leads.c.profile_hash,
    leads.c.scored_at,
    leads.c.excluded_by_hand,
    sqlite_where=_TO_SCORE,
    postgresql_where=_TO_SCORE,
)
sa.Index(
    "ix_leads_with_new_posts",
    leads.c.client_id,
    leads.c.lead_id,
    leads.c.posts_hash,
    leads.c.excluded_by_hand,
    sqlite_where=_WITH_NEW_POSTS,
    postgresql_where=_WITH_NEW_POSTS,
)

sa.Index(
    "ix_leads_record_id",
    leads.c.client_id,
    leads.c.record_id,
    sqlite_where=leads.c.record_id.is_not(None),
    postgresql_where=leads.c.record_id.is_not(None),
)

posts = sa.Table(
    "posts",
    METADATA,
    sa.Column("client_id", _ID, primary_key=True),
    sa.Column("lead_id", _ID, primary_key=True),
    sa.Column("url_hash", sa.Text, primary_key=True),  # a URL may be longer than PostgreSQL allows in an index
    sa.Column("posted_at", sa.Text),
    sa.Column("is_repost", sa.Boolean, nullable=False),
    sa.Column("score", sa.Double),
    sa.Column("scored_at", sa.Text),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("breakdown", sa.Text),  # JSON
    sa.ForeignKeyConstraint(["client_id", "lead_id"], [leads.c.client_id, leads.c.lead_id], ondelete="CASCADE"),
)

rubrics = sa.Table(
    "rubrics",
    METADATA,
    sa.Column("client_id", _ID, sa.ForeignKey(clients.c.client_id, ondelete="CASCADE"), primary_key=True),
    sa.Column("rubric", sa.Text, nullable=False),  # JSON
)

airtable_bases = sa.Table(
    "airtable_bases",
    METADATA,
    sa.Column("client_id", _ID, sa.ForeignKey(clients.c.client_id, ondelete="CASCADE"), primary_key=True),
    sa.Column("base_id", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False, server_default="{}"),  # JSON: its schema as it was resolved
    sa.Column("read_until", sa.Text),  # what was changed before then has been read
    sa.Column("listed_at", sa.Text),  # when all of its leads were read last
    sa.Column("notice", sa.Text),  # what somebody has to mend there
)
