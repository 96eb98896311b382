"""A lead as it is listed: what the store holds of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tallybook.cli import output
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.stores.rows import StoredLead

HEADINGS = ("NAME", "SCORE", "POSTS", "POST SCORE", "STATE", "LEAD")
LONGEST_NAME = 32


def lead_in_json(stored: "StoredLead") -> Mapping[str, Any]:
    lead = stored.lead
    return {
        "lead_id": lead.lead_id,
        "profile_url": lead.profile_url,
        "full_name": lead.full_name,
        "headline": lead.headline,
        "score": stored.score,
        "scored_at": stored.scored_at,
        "score_status": stored.score_status,
        "score_reason": stored.score_reason,
        "excluded_by": stored.excluded_by,
        "excluded_by_hand": stored.excluded_by_hand,
        "flagged": stored.flagged,
        "posts": len(lead.posts),
        "posts_scored": sum(post.scored for post in lead.posts),
        "post_score": stored.post_score,
        "post_status": stored.post_status,
        "post_reason": stored.post_reason,
        "harvested_at": stored.harvested_at,
        "harvest_status": stored.harvest_status,
        "harvest_reason": stored.harvest_reason,
    }


def row_of(stored: "StoredLead") -> tuple[str, ...]:
    lead = stored.lead
    name = output.cut(lead.full_name, LONGEST_NAME) or words.NOTHING
    return (name, _score(stored.score), str(len(lead.posts)), _score(stored.post_score), state(stored), lead.lead_id)


def _score(score: float | None) -> str:
    return words.NOTHING if score is None else f"{score:.2f}"


def state(stored: "StoredLead") -> str:
    """Where a lead stands, in a word or two."""
    if stored.excluded_by_hand:
        return "excluded by hand"
    if stored.excluded_by:
        return f"excluded by {stored.excluded_by}"
    if stored.score_reason:
        return f"{stored.score_status}: {words.plain(stored.score_reason)}"
    return stored.score_status or "new"
