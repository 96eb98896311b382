"""What is written of a lead in Airtable, by the columns' keys: only what is ours, and only what came of something."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tallybook.airtable.values import LONGEST_TEXT
from tallybook.database import read_stamp
from tallybook.domain.lead import Post
from tallybook.domain.outcome import Kind, LeadId, Outcome, SkipReason
from tallybook.domain.run import OperationName
from tallybook.stores.rows import StoredLead

_STATUS = {Kind.SCORED.value: "Scored", Kind.SKIPPED.value: "Skipped", Kind.FAILED.value: "Failed"}
Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class JudgedPost:
    url: str
    score: float | None
    verdict: Mapping[str, Any]
    scored_at: str


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A lead as the copy will hold it once Airtable was told. *judged*: its posts that have a score, the best first."""

    record_id: str
    stored: StoredLead
    outcome: Outcome
    judged: Sequence[JudgedPost] = ()

    @property
    def lead_id(self) -> LeadId:
        return self.stored.lead.lead_id


def values_of(operation: OperationName, lead: Foreseen) -> Values:
    return _VALUES[operation](lead)


def posts_value(lead: Foreseen) -> Values:
    """Where nothing but the posts has changed."""
    return {"posts": posts_text(lead.stored.lead.posts)} if lead.outcome.kind is Kind.HARVESTED else {}


def _score_values(lead: Foreseen) -> Values:
    """The status of one that a person has excluded stays theirs. An attempt that failed is not a score (F28)."""
    stored = lead.stored
    status = {} if stored.excluded_by_hand else {"scoring_status": _STATUS[stored.score_status or ""]}
    if stored.scored_at is None:
        return status
    by = f"Excluded by {stored.excluded_by}. " if stored.excluded_by else ""
    return {
        **status,
        "score": stored.score,
        "assessment": by + (stored.assessment or ""),
        "breakdown": _lines_of(stored.breakdown or {}),
        "scored_at": read_stamp(stored.scored_at),
    }


def _post_values(lead: Foreseen) -> Values:
    stored = lead.stored
    if stored.post_status == Kind.SKIPPED.value:
        return {"posts_skip_reason": (stored.post_reason or "").replace("_", " ")}
    if stored.post_status != Kind.SCORED.value:
        return {}
    return {
        "posts_score": stored.post_score,
        "posts_breakdown": "\n\n".join(map(_judged, lead.judged)),
        "best_post": _best(stored.best_post or {}),
        "posts_scored_at": read_stamp(max((each.scored_at for each in lead.judged), default=None)),
        "posts_skip_reason": None,
    }


def _harvest_values(lead: Foreseen) -> Values:
    """No trouble is ever told as "no posts" (F29), nor stamped as a look that was had (F28)."""
    stored, outcome = lead.stored, lead.outcome
    checked_at = {"posts_checked_at": read_stamp(stored.harvested_at)}
    if outcome.kind is Kind.HARVESTED:
        found = len(outcome.breakdown or {}) or outcome.posts
        return {**posts_value(lead), "harvest_status": "Done", **checked_at, "posts_found": found}
    if outcome.reason is SkipReason.NO_POSTS:
        return {"harvest_status": "No Posts", **checked_at, "posts_found": 0}
    return {"harvest_status": "Error"}


_VALUES = {
    OperationName.LEAD_SCORING: _score_values,
    OperationName.POST_SCORING: _post_values,
    OperationName.POST_HARVESTING: _harvest_values,
}


# -- as people read it -------------------------------------------------------------------------------------------------


def _lines_of(breakdown: Mapping[str, Any]) -> str:
    return "\n".join(_line(name, facts) for name, facts in breakdown.items() if isinstance(facts, Mapping))


def _line(name: str, facts: Mapping[str, Any]) -> str:
    points, most, penalty = (facts.get(key) for key in ("points", "max", "penalty"))
    said = f"{name}: not judged" if points is None else f"{name}: {points:g}"
    if points is not None and (bound := most if penalty is None else -penalty) is not None:
        said += f" of {bound:g}"
    evidence = facts.get("evidence")
    return f"{said} – {evidence}" if evidence else said


def _judged(post: JudgedPost) -> str:
    score = "not judged" if post.score is None else f"{post.score:g}"
    lines = _lines_of(post.verdict.get("attributes") or {})
    return f"{score}  {post.url}" + (f"\n{lines}" if lines else "")


def _best(post: Mapping[str, Any]) -> str:
    head = f"{post.get('score') or 0:g}  {post.get('url') or ''}".strip()
    return f"{head}\n\n{post.get('text') or ''}".strip()


# -- posts, as they are read again -------------------------------------------------------------------------------------


def posts_text(posts: Sequence[Post]) -> str:
    """JSON, the newest first, whole: of what a cell cannot hold the oldest are left out."""
    newest_first = sorted(posts, key=lambda post: (post.posted_at or "", post.url), reverse=True)
    told: list[str] = []
    room = LONGEST_TEXT - len("[]")
    for post in newest_first:
        text = _post_text(post)
        if not told and _units(text) > room:
            text = _post_text(replace(post, text=_shortened(post.text, _units(text) - room)))
        room -= _units(text) + len(", ")
        if room < 0:
            break
        told.append(text)
    return f"[{', '.join(told)}]"


def _post_text(post: Post) -> str:
    form = {"url": post.url, "text": post.text, "posted_at": post.posted_at, "is_repost": post.is_repost}
    return json.dumps(form, ensure_ascii=False)


def _shortened(text: str, excess: int) -> str:
    """An end that JSON writes longer than it is takes more with it than need be."""
    return text[: max(0, len(text) - excess - len(", "))]


def _units(text: str) -> int:
    """Of UTF-16, in which a cell is counted."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
