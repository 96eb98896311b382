"""What an external run found, and what it comes to for each lead it was to fetch posts of."""

from collections.abc import Mapping

from tallybook.domain.errors import BadInput
from tallybook.domain.external import Found, Look
from tallybook.domain.lead import Lead, Post, lead_id_of_url
from tallybook.domain.outcome import FailReason, Kind, LeadId, Outcome, SkipReason

SUCCEEDED = "succeeded"
REASONS: Mapping[str, FailReason] = {"timed_out": FailReason.TIMEOUT}
"""Result of an external run -> why its leads have failed; `unavailable` for the rest."""


class Harvest:
    """What was found, by profile. Of one post, the last word."""

    def __init__(self) -> None:
        self.posts: dict[str, dict[str, Post]] = {}
        self.errors: dict[str, str] = {}

    @property
    def profiles(self) -> frozenset[str]:
        return frozenset(self.posts) | frozenset(self.errors)

    def add(self, found: Found) -> None:
        profile = _folded(found.profile_url)
        if found.post is not None:
            self.posts.setdefault(profile, {})[found.post.url] = found.post
        else:
            self.errors[profile] = found.error


def _folded(url: str) -> str:
    """Two ways of writing the same address are one profile."""
    try:
        return lead_id_of_url(url)
    except BadInput:
        return url


def profile_of(lead: Lead) -> str:
    return _folded(lead.profile_url)


def outcome_of(lead: Lead, profile: str, harvest: Harvest, look: Look, hashes: Mapping[LeadId, str]) -> Outcome:
    posts = harvest.posts.get(profile)
    if posts:
        known = {post.url for post in lead.posts}
        return Outcome(
            lead.lead_id,
            Kind.HARVESTED,
            posts=len(posts.keys() - known),
            breakdown={url: _facts(posts[url]) for url in sorted(posts)},
            input_hash=hashes.get(lead.lead_id),
        )
    error = harvest.errors.get(profile)
    if error is not None:
        return _failed(lead.lead_id, FailReason.UNAVAILABLE, error, hashes)
    if look.result == SUCCEEDED:
        return Outcome.skipped(
            lead.lead_id, SkipReason.NO_POSTS, detail="the profile has no posts", input_hash=hashes.get(lead.lead_id)
        )
    why = f"the run that was to fetch its posts ended {look.result}" + (f": {look.detail}" if look.detail else "")
    return _failed(lead.lead_id, REASONS.get(look.result, FailReason.UNAVAILABLE), why, hashes)


def _facts(post: Post) -> Mapping[str, object]:
    """As `store.save` reads it."""
    return {"text": post.text, "posted_at": post.posted_at, "is_repost": post.is_repost}


def _failed(lead_id: LeadId, reason: FailReason, detail: str, hashes: Mapping[LeadId, str]) -> Outcome:
    return Outcome.failed(lead_id, reason, detail=detail, input_hash=hashes.get(lead_id))
