"""What an external run found, and what it comes to for each lead it was to fetch posts of."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tallybook.domain.external import Found, Look, profile_id
from tallybook.domain.fields import storable
from tallybook.domain.lead import Lead, Post
from tallybook.domain.outcome import FailReason, Kind, LeadId, Outcome, SkipReason, Versions
from tallybook.domain.rubric import rubric_version
from tallybook.domain.tally import Money

SUCCEEDED = "succeeded"
REASONS: Mapping[str, FailReason] = {"timed_out": FailReason.TIMEOUT}
"""Result of an external run -> why its leads have failed; `unavailable` for the rest."""
VERSIONS = Versions(rubric=rubric_version(()))
"""No rubric says how posts are harvested."""
LONGEST_URL = 2_000
LONGEST_TEXT = 100_000
LONGEST_WORD = 300
"""Characters of what is kept of a post; and of an error or a time, which are a line at most."""
MOST_FIELDS = 30
DEAREST = Money.usd(100_000)
"""What no external run costs."""


class Harvest:
    """What was found, by profile. Of one post, the last word; a text once told is not blanked by another item.

    *profiles*: all that were named. *unread*: items that were not understood, *nameless* those of them that may be
    about any profile.
    """

    def __init__(self) -> None:
        self.posts: dict[LeadId, dict[str, Post]] = {}
        self.errors: dict[LeadId, str] = {}
        self.profiles: set[LeadId] = set()
        self.unread = 0
        self.nameless = 0
        self._first_unread: tuple[str, ...] = ()

    def add(self, found: Found) -> None:
        profile = profile_id(found.profile_url)
        post = _kept(found.post)
        if profile is None:
            self.nameless += 1
            self._not_understood(found)
            return
        self.profiles.add(profile)
        if post is not None:
            posts = self.posts.setdefault(profile, {})
            posts[post.url] = _with_text_of(post, posts.get(post.url))
        elif found.error.strip():
            self.errors[profile] = _word(found.error)
        else:
            self._not_understood(found)

    def _not_understood(self, found: Found) -> None:
        self.unread += 1
        self._first_unread = self._first_unread or tuple(_word(name) for name in found.fields)

    def strangers(self, leads: Sequence[Lead]) -> int:
        """Profiles that are none of *leads*."""
        return len(self.profiles - {profile_id(lead.profile_url) for lead in leads})

    def tells_of(self, leads: Sequence[Lead]) -> bool:
        """Is there anything that was found for one of them?"""
        told = self.posts.keys() | self.errors.keys()
        return any(profile_id(lead.profile_url) in told for lead in leads)

    @property
    def not_understood(self) -> str:
        """How much was not, in a sentence; empty when all was."""
        if not self.unread:
            return ""
        items = "an item of the answer was" if self.unread == 1 else f"{self.unread:,} items of the answer were"
        names = ", ".join(self._first_unread[:MOST_FIELDS])
        holds = f"; the first has the fields: {names}" if names else ""
        return f"{items} not understood: no profile, or neither a post nor an error{holds}"


def profile_urls(leads: Sequence[Lead]) -> list[str]:
    """The profile of each lead, once for all leads that have the same."""
    return list({profile_id(lead.profile_url): lead.profile_url for lead in reversed(leads)}.values())[::-1]


def outcomes_of(leads: Sequence[Lead], harvest: Harvest, look: Look, hashes: Mapping[LeadId, str]) -> list[Outcome]:
    """One for each lead. Two that have the same profile have the same posts.

    Where nothing of an answer could be told of any of them, that is no lead's fault, and none is given up for it.
    """
    doubt = _doubt(harvest.nameless, harvest.strangers(leads))
    found = [_outcome_of(lead, harvest, look, doubt) for lead in leads]
    versions = Versions() if doubt and not harvest.tells_of(leads) else VERSIONS
    return [replace(each, input_hash=hashes.get(each.lead_id), versions=versions) for each in found]


def failed(lead_id: LeadId, reason: FailReason, detail: str, input_hash: str | None) -> Outcome:
    """A harvest that failed, such that so many runs with the same input count as tries."""
    return Outcome.failed(lead_id, reason, detail=detail, input_hash=input_hash, versions=VERSIONS)


def how_it_ended(look: Look) -> str:
    return f"the run that was to fetch posts ended {look.result}" + (f": {look.detail}" if look.detail else "")


def billed(cost: Money | None) -> Money | None:
    """*cost*, if it can be true."""
    return cost if cost is not None and 0 <= cost.pico_usd <= DEAREST.pico_usd else None


def _doubt(nameless: int, strangers: int) -> str:
    """What of an answer could be about any lead."""
    items = "an item of it names" if nameless == 1 else f"{nameless:,} items of it name"
    profiles = "a profile in it is" if strangers == 1 else f"{strangers:,} profiles in it are"
    told = (f"{items} no profile", nameless), (f"{profiles} no lead's as spelled there", strangers)
    return " and ".join(text for text, number in told if number)


def _outcome_of(lead: Lead, harvest: Harvest, look: Look, doubt: str) -> Outcome:
    """There are no posts only where the answer was given whole, and none of it can be about the lead (F29)."""
    profile = profile_id(lead.profile_url) or ""
    if posts := harvest.posts.get(profile):
        return _harvested(lead, posts)
    if error := harvest.errors.get(profile):
        return _missing(lead, f"the answer says of it: {error}")
    if look.result != SUCCEEDED:
        reason = REASONS.get(look.result, FailReason.UNAVAILABLE)
        return Outcome.failed(lead.lead_id, reason, detail=how_it_ended(look))
    if unclear := _unclear(profile, harvest, doubt):
        return _missing(lead, unclear)
    return Outcome.skipped(lead.lead_id, SkipReason.NO_POSTS, detail="the profile has no posts")


def _unclear(profile: LeadId, harvest: Harvest, doubt: str) -> str:
    """Why nobody can say that a profile of which nothing was found has no posts; empty when one can."""
    if not profile:
        return "its profile URL cannot be recognised in any answer"
    if profile in harvest.profiles:
        return "the answer names it, with neither a post nor an error"
    return f"the answer has nothing under its profile URL, but {doubt}" if doubt else ""


def _harvested(lead: Lead, posts: Mapping[str, Post]) -> Outcome:
    new = posts.keys() - {post.url for post in lead.posts}
    facts = {url: _facts(posts[url]) for url in sorted(posts)}
    return Outcome(lead.lead_id, Kind.HARVESTED, posts=len(new), breakdown=facts)


def _facts(post: Post) -> Mapping[str, object]:
    """As a store reads it."""
    return {"text": post.text, "posted_at": post.posted_at, "is_repost": post.is_repost}


def _missing(lead: Lead, detail: str) -> Outcome:
    return Outcome.failed(lead.lead_id, FailReason.MISSING_FROM_ANSWER, detail=detail)


# -- made fit to keep --------------------------------------------------------------------------------------------------


def _kept(post: Post | None) -> Post | None:
    """None: it has no address that could be kept."""
    url = "" if post is None else storable(post.url).strip()
    if post is None or not 0 < len(url) <= LONGEST_URL:
        return None
    posted_at = _word(post.posted_at) if post.posted_at else None
    return Post(url, storable(post.text)[:LONGEST_TEXT], posted_at or None, post.is_repost)


def _with_text_of(post: Post, known: Post | None) -> Post:
    return replace(post, text=known.text) if known is not None and not post.text.strip() else post


def _word(text: str) -> str:
    return " ".join(storable(text).split())[:LONGEST_WORD]
