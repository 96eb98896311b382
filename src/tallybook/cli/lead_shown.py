"""A lead as it is listed: what the store holds of it."""

from typing import TYPE_CHECKING

from tallybook.cli import output
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.stores.rows import StoredLead

HEADINGS = ("NAME", "SCORE", "POSTS", "POST SCORE", "STATE", "LEAD")
LONGEST_NAME = 32


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
