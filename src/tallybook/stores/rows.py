"""Rows of the embedded store, and the clients, leads, posts and rubrics they stand for."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from tallybook.database import Row
from tallybook.domain.client import Client, ClientId, ClientStatus, Source
from tallybook.domain.fields import storable
from tallybook.domain.lead import Lead, Position, Post, profile_hash
from tallybook.domain.outcome import LeadId
from tallybook.domain.rubric import Attribute, Category, Rubric, Scale
from tallybook.stores.text import storable_or_none

CLIENT_COLUMNS = "client_id, name, stream, service_level, status, timezone, source, daily_target, paused_here"
LEAD_COLUMNS = "lead_id, profile_url, full_name, headline, about, location, industry, positions, skills"
POST_COLUMNS = "url, text, posted_at, is_repost, scored_at"
VERDICT_COLUMNS = (
    "excluded_by_hand, score, assessment, breakdown, excluded_by, flagged, scored_at, score_status, score_reason, "
    "post_score, best_post, post_status, post_reason, harvested_at, harvest_status, harvest_reason"
)

_ENCODE = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
_DECODE = json.JSONDecoder().raw_decode  # what we wrote ourselves has no space around it

_LEAD_WIDTH = LEAD_COLUMNS.count(",") + 1


@dataclass(frozen=True, slots=True)
class StoredLead:
    """A lead and all that the store holds about it.

    *score_status* and *score_reason* are the last outcome of lead_scoring: 'scored', or 'skipped' or 'failed' and why;
    *post_…* and *harvest_…* those of the other operations. *scored_at* and *harvested_at* are UTC text.
    """

    lead: Lead
    excluded_by_hand: bool = False
    score: float | None = None
    assessment: str | None = None
    breakdown: Mapping[str, Any] | None = None
    excluded_by: str | None = None
    flagged: bool = False
    scored_at: str | None = None
    score_status: str | None = None
    score_reason: str | None = None
    post_score: float | None = None
    best_post: Mapping[str, Any] | None = None
    post_status: str | None = None
    post_reason: str | None = None
    harvested_at: str | None = None
    harvest_status: str | None = None
    harvest_reason: str | None = None


_VERDICT_FIELDS = tuple(each.name for each in fields(StoredLead))[1:]


# -- clients -----------------------------------------------------------------------------------------------------------


def client_of(row: Row) -> Client:
    client_id, name, stream, service_level, status, timezone, source, daily_target, paused_here = row
    return Client(
        client_id,
        name,
        stream,
        service_level,
        ClientStatus(status),
        timezone,
        Source(source),
        bool(paused_here),
        daily_target,
    )


def row_of_client(client: Client) -> Row:
    """In the order of CLIENT_COLUMNS."""
    named = (client.client_id, storable(client.name), client.stream, client.service_level)
    words = (client.status.value, storable_or_none(client.timezone), client.source.value)
    return (*named, *words, client.daily_target, client.paused_here)


# -- leads -------------------------------------------------------------------------------------------------------------


def lead_of(row: Row, posts: tuple[Post, ...] = ()) -> Lead:
    """*row* in the order of LEAD_COLUMNS."""
    lead_id, profile_url, full_name, headline, about, location, industry, positions, skills = row
    held = tuple(Position(*each) for each in _DECODE(positions)[0]) if positions != "[]" else ()
    known = tuple(_DECODE(skills)[0]) if skills != "[]" else ()
    return Lead(lead_id, profile_url, full_name, headline, about, location, industry, held, known, posts)


def row_of_lead(lead: Lead) -> Row:
    """In the order of LEAD_COLUMNS, then the profile hash."""
    positions = [[each.title, each.company, each.description, each.started] for each in lead.positions]
    texts = (lead.profile_url, lead.full_name, lead.headline, lead.about, lead.location, lead.industry)
    return (lead.lead_id, *texts, _compact(positions), _compact(lead.skills), profile_hash(lead))


def stored_lead_of(row: Row, posts: tuple[Post, ...]) -> StoredLead:
    """*row* in the order of LEAD_COLUMNS, VERDICT_COLUMNS."""
    verdict = dict(zip(_VERDICT_FIELDS, row[_LEAD_WIDTH:], strict=True))
    verdict |= {name: bool(verdict[name]) for name in ("excluded_by_hand", "flagged")}
    verdict |= {name: verdict[name] and json.loads(verdict[name]) for name in ("breakdown", "best_post")}
    return StoredLead(lead_of(row[:_LEAD_WIDTH], posts), **verdict)


def storable_lead(lead: Lead) -> Lead:
    """*lead* with every text as databases take it."""
    return Lead(
        lead_id=lead.lead_id,
        profile_url=storable(lead.profile_url),
        full_name=storable(lead.full_name),
        headline=storable(lead.headline),
        about=storable(lead.about),
        location=storable(lead.location),
        industry=storable(lead.industry),
        positions=tuple(Position(*map(storable, _texts_of(each))) for each in lead.positions),
        skills=tuple(map(storable, lead.skills)),
        posts=tuple(map(_storable_post, lead.posts)),
    )


def _texts_of(position: Position) -> tuple[str, str, str, str]:
    return position.title, position.company, position.description, position.started


# -- posts -------------------------------------------------------------------------------------------------------------


def posts_of(rows: Iterable[Row]) -> Mapping[LeadId, tuple[Post, ...]]:
    """*rows* are lead_id, POST_COLUMNS. Each lead's posts in the order of their URLs."""
    found: dict[LeadId, list[Post]] = {}
    for lead_id, url, text, posted_at, is_repost, scored_at in rows:
        found.setdefault(lead_id, []).append(Post(url, text, posted_at, bool(is_repost), scored_at is not None))
    return {lead_id: tuple(sorted(posts, key=_url)) for lead_id, posts in found.items()}


def row_of_post(client_id: ClientId, lead_id: LeadId, post: Post) -> Row:
    """In the order client_id, lead_id, url_hash, url, text, posted_at, is_repost."""
    return (client_id, lead_id, url_hash(post.url), post.url, post.text, post.posted_at, post.is_repost)


def url_hash(url: str) -> str:
    return hashlib.sha256(storable(url).encode()).hexdigest()[:32]


def _storable_post(post: Post) -> Post:
    return Post(storable(post.url), storable(post.text), storable_or_none(post.posted_at), post.is_repost)


def _url(post: Post) -> str:
    return post.url


# -- rubrics -----------------------------------------------------------------------------------------------------------


def rubric_of(text: str) -> Rubric:
    kept = json.loads(text)
    return Rubric(
        tuple(_attribute_of(each) for each in kept["attributes"]),
        tuple(_attribute_of(each) for each in kept["post_attributes"]),
    )


def text_of_rubric(rubric: Rubric) -> str:
    return _compact(asdict(rubric))


def _attribute_of(kept: Mapping[str, Any]) -> Attribute:
    typed = {
        "category": Category(kept["category"]),
        "scale": Scale(kept["scale"]),
        "phrases": tuple(kept["phrases"]),
    }
    return Attribute(**{**kept, **typed})


# -- JSON --------------------------------------------------------------------------------------------------------------


def json_or_none(data: object) -> str | None:
    return None if data is None else _compact(data)


def _compact(data: object) -> str:
    """ASCII only, so that no text inside can be one that a database refuses."""
    return _ENCODE(data)
