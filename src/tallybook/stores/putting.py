"""Leads from a file become rows: what is new is added, what has changed is updated, nothing is forgotten."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tallybook.database import Row, Tx
from tallybook.domain.client import ClientId
from tallybook.domain.lead import Lead, Post, posts_hash
from tallybook.domain.outcome import LeadId
from tallybook.stores.merging import merged, merged_posts
from tallybook.stores.rows import LEAD_COLUMNS, POST_COLUMNS, lead_of, posts_of, row_of_lead, row_of_post, storable_lead

BATCH = 500
"""Rows named in one statement, and leads put in one transaction: a run that saves meanwhile waits for no more."""

_PROFILE = ("profile_url", "full_name", "headline", "about", "location", "industry", "positions", "skills")
_COLUMNS = ("client_id", "lead_id", *_PROFILE, "profile_hash")
_PUT_LEAD = (
    f"INSERT INTO @leads ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "
    f"ON CONFLICT (client_id, lead_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in (*_PROFILE, "profile_hash"))
)
_PUT_POST = (
    "INSERT INTO @posts (client_id, lead_id, url_hash, url, text, posted_at, is_repost) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (client_id, lead_id, url_hash) DO UPDATE SET "
    "text = excluded.text, posted_at = excluded.posted_at, is_repost = excluded.is_repost"
)
_PUT_POSTS_HASH = "UPDATE @leads SET posts_hash = ? WHERE client_id = ? AND lead_id = ?"

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Changes:
    """What an import came to. Changes add."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(self.new + other.new, self.changed + other.changed, self.unchanged + other.unchanged)

    @classmethod
    def between(cls, known: Sequence[object | None], now: Sequence[object]) -> "Changes":
        """Of things that were *known* so, None if not at all, and are *now* so."""
        new = sum(old is None for old in known)
        unchanged = sum(old == each for old, each in zip(known, now, strict=True))
        return cls(new, len(now) - new - unchanged, unchanged)


def pages(items: Sequence[Item], size: int = BATCH) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def marks(items: Sequence[object]) -> str:
    """As many parameters as there are *items*."""
    return ", ".join("?" * len(items))


def lead_rows(tx: Tx, client_id: ClientId, lead_ids: Sequence[LeadId], columns: str, end: str = "") -> list[Row]:
    where, parameters = _among(tx, client_id, lead_ids)
    return tx.rows(f"SELECT {columns} FROM @leads WHERE {where} {end}", parameters)


def posts_by_lead(tx: Tx, client_id: ClientId, lead_ids: Sequence[LeadId]) -> Mapping[LeadId, tuple[Post, ...]]:
    where, parameters = _among(tx, client_id, lead_ids)
    return posts_of(tx.rows(f"SELECT lead_id, {POST_COLUMNS} FROM @posts WHERE {where}", parameters))


def _among(tx: Tx, client_id: ClientId, lead_ids: Sequence[LeadId]) -> tuple[str, Sequence[object]]:
    """PostgreSQL reads a whole client for a list of ids while it has no statistics; the range keeps it to the page."""
    if tx.sqlite:
        return f"client_id = ? AND lead_id IN ({marks(lead_ids)})", (client_id, *lead_ids)
    ends = (min(lead_ids, default=""), max(lead_ids, default=""))
    return "client_id = ? AND lead_id = ANY(?) AND lead_id BETWEEN ? AND ?", (client_id, list(lead_ids), *ends)


def combined(leads: Sequence[Lead]) -> Sequence[Lead]:
    """One lead for each id, fit to keep, in id order, in which all writers lock."""
    found: dict[LeadId, Lead] = {}
    for lead in map(storable_lead, leads):
        found[lead.lead_id] = merged(found[lead.lead_id], lead) if lead.lead_id in found else lead
    return [found[lead_id] for lead_id in sorted(found)]


def put_page(
    tx: Tx, client_id: ClientId, told: Sequence[Lead], merge: Callable[[Lead, Lead], Lead] = merged
) -> Changes:
    """Write a page of leads, each id once. *merge*: of what is known of a lead and what was told, what it is now."""
    lead_ids = [lead.lead_id for lead in told]
    known = _known(tx, client_id, lead_ids)
    now = [merge(known[lead.lead_id], lead) if lead.lead_id in known else lead for lead in told]
    before = [known.get(lead_id) for lead_id in lead_ids]
    _write_profiles(tx, client_id, before, now)
    _write_posts(tx, client_id, before, now)
    return Changes.between(before, now)


def put_posts(tx: Tx, client_id: ClientId, told: Sequence[Lead]) -> None:
    """Merge the posts of leads that are there. What was scored stays scored; a lead that is gone is left out."""
    known = _known(tx, client_id, [lead.lead_id for lead in told])
    there = [lead for lead in told if lead.lead_id in known]
    now = [replace(known[lead.lead_id], posts=merged_posts(known[lead.lead_id].posts, lead.posts)) for lead in there]
    _write_posts(tx, client_id, [known[lead.lead_id] for lead in there], now)


def refresh_posts_hash(tx: Tx, client_id: ClientId, lead_ids: Sequence[LeadId]) -> None:
    """Make the stored hash that of the posts not yet scored, whatever was written before in this transaction."""
    posts = posts_by_lead(tx, client_id, lead_ids)
    due = {lead_id: tuple(post for post in posts.get(lead_id, ()) if not post.scored) for lead_id in lead_ids}
    hashes = [(posts_hash(some) if some else None, client_id, lead_id) for lead_id, some in due.items()]
    tx.many(_PUT_POSTS_HASH, hashes)


def lock(tx: Tx, client_id: ClientId, lead_ids: Sequence[LeadId]) -> None:
    """Nobody else writes these leads until the transaction ends. In id order: no two writers block each other."""
    if not tx.sqlite:
        lead_rows(tx, client_id, lead_ids, "lead_id", "ORDER BY lead_id @lock")


def _known(tx: Tx, client_id: ClientId, lead_ids: Sequence[LeadId]) -> Mapping[LeadId, Lead]:
    rows = lead_rows(tx, client_id, lead_ids, LEAD_COLUMNS, "ORDER BY lead_id @lock")
    posts = posts_by_lead(tx, client_id, lead_ids)
    return {row[0]: lead_of(row, posts.get(row[0], ())) for row in rows}


def _write_profiles(tx: Tx, client_id: ClientId, before: Sequence[Lead | None], now: Sequence[Lead]) -> None:
    pairs = zip(before, now, strict=True)
    written = [lead for old, lead in pairs if old is None or replace(old, posts=()) != replace(lead, posts=())]
    tx.many(_PUT_LEAD, [(client_id, *row_of_lead(lead)) for lead in written])


def _write_posts(tx: Tx, client_id: ClientId, before: Sequence[Lead | None], now: Sequence[Lead]) -> None:
    written: dict[LeadId, list[Post]] = {}
    for old, lead in zip(before, now, strict=True):
        held = set(old.posts) if old else set()
        if fresh := [post for post in lead.posts if post not in held]:
            written[lead.lead_id] = fresh
    tx.many(_PUT_POST, [row_of_post(client_id, lead_id, post) for lead_id, fresh in written.items() for post in fresh])
    if written:
        refresh_posts_hash(tx, client_id, list(written))
