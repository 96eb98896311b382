"""Outcomes become rows of the embedded store. Every statement may run twice and leaves the same."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tallybook.database import Row, Tx
from tallybook.domain.client import ClientId
from tallybook.domain.fields import storable
from tallybook.domain.lead import Lead, Post
from tallybook.domain.outcome import Kind, Outcome, SkipReason
from tallybook.domain.run import OperationName
from tallybook.stores.putting import put_posts, refresh_posts_hash
from tallybook.stores.rows import json_or_none, url_hash
from tallybook.stores.text import storable_or_none

_SCORED = """
    UPDATE @leads SET
      scored_at = CASE WHEN score = ? AND COALESCE(breakdown, '') = ? THEN scored_at ELSE ? END,
      score = ?, breakdown = ?, assessment = ?, excluded_by = ?, flagged = ?,
      score_status = ?, score_reason = NULL
    WHERE client_id = ? AND lead_id = ?"""
_NOT_SCORED = """
    UPDATE @leads SET score_status = ?, score_reason = ?
    WHERE client_id = ? AND lead_id = ? AND scored_at IS NULL"""
_POSTS_SCORED = """
    UPDATE @leads SET
      best_post = CASE WHEN post_score IS NULL OR post_score < ? THEN ? ELSE best_post END,
      post_score = CASE WHEN post_score IS NULL OR post_score < ? THEN ? ELSE post_score END,
      post_status = ?, post_reason = NULL
    WHERE client_id = ? AND lead_id = ?"""
_POSTS_NOT_SCORED = "UPDATE @leads SET post_status = ?, post_reason = ? WHERE client_id = ? AND lead_id = ?"
_POST_SCORED = """
    UPDATE @posts SET scored_at = COALESCE(scored_at, ?), score = ?, breakdown = ?
    WHERE client_id = ? AND lead_id = ? AND url_hash = ?"""
# The input of a harvest is the time of the one before, and where: what was harvested from that input stays as it is.
_HARVESTED = """
    UPDATE @leads SET
      harvested_at = CASE WHEN COALESCE(harvested_at, 'never') = COALESCE(?, harvested_at, 'never') THEN ?
                     ELSE harvested_at END,
      harvest_status = ?, harvest_reason = ?
    WHERE client_id = ? AND lead_id = ?"""
_NOT_HARVESTED = "UPDATE @leads SET harvest_status = ?, harvest_reason = ? WHERE client_id = ? AND lead_id = ?"


def save_lead_scoring(tx: Tx, client_id: ClientId, outcomes: Sequence[Outcome]) -> None:
    scored = [each for each in outcomes if each.kind is Kind.SCORED]
    tx.many(_SCORED, [(*_score_of(each, tx.stamp), client_id, each.lead_id) for each in scored])
    tx.many(_NOT_SCORED, [_status_of(each, client_id) for each in outcomes if each.kind is not Kind.SCORED])


def save_post_scoring(tx: Tx, client_id: ClientId, outcomes: Sequence[Outcome]) -> None:
    """A post that was judged is scored; the lead keeps the best score it ever had."""
    tx.many(_POSTS_NOT_SCORED, [_status_of(each, client_id) for each in outcomes if each.kind is not Kind.SCORED])
    scored = [each for each in outcomes if each.kind is Kind.SCORED]
    tx.many(_POSTS_SCORED, [(*_best_of(each), client_id, each.lead_id) for each in scored])
    tx.many(_POST_SCORED, [row for each in scored for row in _judged_posts(each, client_id, tx.stamp)])
    refresh_posts_hash(tx, client_id, [each.lead_id for each in scored])


def save_post_harvesting(tx: Tx, client_id: ClientId, outcomes: Sequence[Outcome]) -> None:
    """Only a harvest that was answered counts as one: posts, or the word that there are none (F29)."""
    add_posts(tx, client_id, outcomes)
    answered = [each for each in outcomes if _answered(each)]
    tx.many(_HARVESTED, [(_harvested_before(each), tx.stamp, *_status_of(each, client_id)) for each in answered])
    tx.many(_NOT_HARVESTED, [_status_of(each, client_id) for each in outcomes if not _answered(each)])


def harvest_input(told: str) -> str:
    """*told*: when a lead was last harvested, and its profile URL, of which the name is kept short."""
    when, _, profile_url = told.partition(" ")
    return f"{when} {url_hash(profile_url)[:8]}"


def _harvested_before(outcome: Outcome) -> str | None:
    return outcome.input_hash and outcome.input_hash.partition(" ")[0]


def add_posts(tx: Tx, client_id: ClientId, outcomes: Sequence[Outcome]) -> None:
    found = [Lead(each.lead_id, posts=_posts_of(each)) for each in outcomes if each.kind is Kind.HARVESTED]
    put_posts(tx, client_id, found)


SAVE: Mapping[OperationName, Callable[[Tx, ClientId, Sequence[Outcome]], None]] = {
    OperationName.LEAD_SCORING: save_lead_scoring,
    OperationName.POST_HARVESTING: save_post_harvesting,
    OperationName.POST_SCORING: save_post_scoring,
}


def _status_of(outcome: Outcome, client_id: ClientId) -> Row:
    reason = outcome.reason.value if outcome.reason else None
    return (outcome.kind.value, reason, client_id, outcome.lead_id)


def _score_of(outcome: Outcome, now: str) -> Row:
    breakdown = json_or_none(outcome.breakdown)
    words = (storable_or_none(outcome.assessment), storable_or_none(outcome.excluded_by))
    verdict = (outcome.score, breakdown, *words, outcome.flagged, outcome.kind.value)
    return (outcome.score, breakdown or "", now, *verdict)


def _best_of(outcome: Outcome) -> Row:
    best = json_or_none(outcome.best_post)
    return (outcome.score, best, outcome.score, outcome.score, outcome.kind.value)


def _judged_posts(outcome: Outcome, client_id: ClientId, now: str) -> list[Row]:
    judged = (outcome.breakdown or {}).items()
    return [
        (now, _total_of(verdict), json_or_none(verdict), client_id, outcome.lead_id, url_hash(url))
        for url, verdict in judged
    ]


def _posts_of(outcome: Outcome) -> tuple[Post, ...]:
    """The posts that an outcome brings: URL -> {"text", "posted_at", "is_repost"}."""
    return tuple(_post_of(url, facts) for url, facts in (outcome.breakdown or {}).items() if isinstance(facts, Mapping))


def _post_of(url: str, facts: Mapping[str, Any]) -> Post:
    return Post(
        storable(url),
        storable(str(facts.get("text") or "")),
        storable_or_none(facts.get("posted_at")),
        bool(facts.get("is_repost")),
    )


def _total_of(verdict: object) -> float | None:
    total = verdict.get("total") if isinstance(verdict, Mapping) else None
    return float(total) if isinstance(total, int | float) else None


def _answered(outcome: Outcome) -> bool:
    return outcome.kind is Kind.HARVESTED or outcome.reason is SkipReason.NO_POSTS
