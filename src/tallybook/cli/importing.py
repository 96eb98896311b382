"""Handing a client's leads and posts from files to its store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tallybook.cli.reading import imported_from
from tallybook.domain.errors import BadInput, ImportRefused
from tallybook.domain.lead import Lead, lead_id_of_url
from tallybook.domain.outcome import LeadId
from tallybook.stores.lead_files import read_leads
from tallybook.stores.putting import Changes
from tallybook.stores.tabular import BadRow, Imported

if TYPE_CHECKING:
    from tallybook.stores.sql import SqlStore


@dataclass(frozen=True, slots=True)
class LeadImport:
    """What an import of leads came to. *bad* by file; *unknown*: profile URLs of posts by nobody who is a lead."""

    changes: Changes
    leads: int
    repeated: int
    bad: Mapping[str, Sequence[BadRow]]
    unknown: Sequence[str]


def import_leads(store: "SqlStore", path: str, posts_path: str | None, mapping: Mapping[str, str]) -> LeadImport:
    """Put the leads of a file, and the posts of another, in the store: both, or neither when one is refused."""
    read = imported_from(path, lambda data: read_leads(data, mapping))
    posts: Imported[Lead] = imported_from(posts_path, _read_posts) if posts_path else Imported([], [])
    known, unknown = _matched(store, read.rows, posts.rows)
    changes = store.put_leads([*read.rows, *known])
    bad = {path: read.bad} | ({posts_path: posts.bad} if posts_path else {})
    return LeadImport(changes, len(read.rows), read.repeated, bad, unknown)


def _read_posts(data: bytes) -> Imported[Lead]:
    """Leads with posts and nothing else, whatever more the file says of them. Raises ImportRefused."""
    read = read_leads(data)
    with_posts = [Lead(each.lead_id, each.profile_url, posts=each.posts) for each in read.rows if each.posts]
    if not with_posts:
        raise ImportRefused("there are no posts in it; it should have lists of posts, keyed by profile URL")
    return replace(read, rows=with_posts)


def _matched(store: "SqlStore", leads: Sequence[Lead], posts: Sequence[Lead]) -> tuple[list[Lead], list[str]]:
    """Posts under the ids their leads have, which may not come from the URL; and the URLs that are nobody's."""
    ids = {_id_of_url(lead): lead.lead_id for lead in leads} | {lead.lead_id: lead.lead_id for lead in leads}
    elsewhere = [each.lead_id for each in posts if each.lead_id not in ids]
    ids |= {lead.lead_id: lead.lead_id for lead in store.load(elsewhere)}
    known = [replace(each, lead_id=ids[each.lead_id]) for each in posts if each.lead_id in ids]
    return known, [each.profile_url for each in posts if each.lead_id not in ids]


def _id_of_url(lead: Lead) -> LeadId:
    try:
        return lead_id_of_url(lead.profile_url)
    except BadInput:
        return lead.lead_id
