"""What a store holds of a lead, as the JSON that people script against."""

from collections.abc import Mapping

from tallybook.stores.rows import StoredLead


def lead_facts(stored: StoredLead) -> Mapping[str, object]:
    """The profile in short, and the newest result of each operation."""
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
