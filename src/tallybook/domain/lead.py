"""Leads: people on LinkedIn, and what they posted."""

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

from tallybook.domain.errors import BadInput
from tallybook.domain.outcome import LeadId

LONGEST_LEAD_ID = 1_000
"""Bytes of UTF-8. With run and client it is the key of a PostgreSQL index, which holds 2,704."""


@dataclass(frozen=True, slots=True)
class Position:
    """One job of a lead's history. *started* is kept as the source wrote it."""

    title: str = ""
    company: str = ""
    description: str = ""
    started: str = ""


@dataclass(frozen=True, slots=True)
class Post:
    """*scored*: the store already holds a score of it; it is not judged again."""

    url: str
    text: str
    posted_at: str | None = None
    is_repost: bool = False
    scored: bool = False


@dataclass(frozen=True, slots=True)
class Lead:
    """A person as the store knows them."""

    lead_id: LeadId
    profile_url: str = ""
    full_name: str = ""
    headline: str = ""
    about: str = ""
    location: str = ""
    industry: str = ""
    positions: tuple[Position, ...] = ()
    skills: tuple[str, ...] = ()
    posts: tuple[Post, ...] = ()

    @property
    def thin(self) -> bool:
        """Too little to judge: neither a headline nor a history."""
        return not self.headline.strip() and not any(
            each.title.strip() or each.company.strip() for each in self.positions
        )


def profile_hash(lead: Lead) -> str:
    """Names the profile a verdict is reached on: changes when, and only when, a judged field does."""
    positions = [[p.title, p.company, p.description, p.started] for p in lead.positions]
    return _short_hash([lead.headline, lead.about, lead.location, lead.industry, positions, list(lead.skills)])


def posts_hash(posts: tuple[Post, ...]) -> str:
    """Names a set of posts, whatever their order."""
    return _short_hash(sorted([post.url, post.text, post.is_repost] for post in posts))


def _short_hash(data: object) -> str:
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def lead_id_of_url(url: object) -> LeadId:
    """The id a profile URL stands for: no scheme, 'www.', query, fragment or trailing slash; percent-decoded, NFC,
    lower-cased. Any host. Raises BadInput when nothing is left, or when the text holds no URL.
    """
    if not isinstance(url, str) or not url.strip():
        raise BadInput("no profile URL")
    text = url.strip()
    rest = text.split("://", 1)[1] if "://" in text else text
    rest = rest.split("#", 1)[0].split("?", 1)[0]
    rest = unicodedata.normalize("NFC", unquote(rest)).lower().removeprefix("www.").rstrip("/")
    if "://" not in text and "." not in rest.split("/", 1)[0]:
        raise BadInput(f"{url!r} is no profile URL")
    return read_lead_id(rest, named=f"profile URL {url!r}")


def lead_ids_meant_by(text: str) -> tuple[LeadId, ...]:
    """*text* as an id, and as the id its URL gives."""
    try:
        return tuple(dict.fromkeys((text, lead_id_of_url(text))))
    except BadInput:
        return (text,)


def read_lead_id(text: object, *, named: str = "a lead id") -> LeadId:
    """*text* as a lead id: non-empty, printable. Raises BadInput."""
    if not isinstance(text, str) or not text.strip():
        raise BadInput(f"{named} is empty")
    if not text.isprintable():
        raise BadInput(f"{named} has characters that cannot be printed")
    if len(text.encode()) > LONGEST_LEAD_ID:
        raise BadInput(f"a lead id is longer than {LONGEST_LEAD_ID:,} bytes")
    return text
