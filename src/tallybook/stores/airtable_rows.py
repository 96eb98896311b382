"""Rows of a client's Leads in Airtable: the lead that one tells of, and what stands in the columns that are ours."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from tallybook.airtable.listing import Record
from tallybook.airtable.resolved import ResolvedTable
from tallybook.airtable.schema import Column, Kind, folded
from tallybook.airtable.seen import ClientBase, SeenField
from tallybook.airtable.values import value_of
from tallybook.domain.errors import BadInput, ImportRefused
from tallybook.domain.lead import Lead, Position, Post, lead_id_of_url
from tallybook.stores.cells import list_of, text_of
from tallybook.stores.json_rows import elements
from tallybook.stores.lead_files import position_in, profile_in, skills_in
from tallybook.stores.merging import merged_posts
from tallybook.stores.post_files import posts_in

TO_BE_SCORED, SCORED, EXCLUDED = "to be scored", "scored", "excluded"
CHECKED = {"done": None, "no posts": "no_posts"}
"""Harvest statuses that say that a harvest was answered, and the reason where nothing came of it."""

_FROM: Mapping[str, tuple[str, ...]] = {
    "profile_url": ("profile_url",),
    "full_name": ("full_name", "first_name", "last_name"),
    "headline": ("headline", "job_title", "raw_profile"),
    "about": ("about", "raw_profile"),
    "location": ("location", "raw_profile"),
    "industry": ("industry", "raw_profile"),
    "positions": ("job_history", "job_title", "company", "raw_profile"),
    "skills": ("skills", "raw_profile"),
}
"""Field of a lead -> the columns it is read from."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Marks:
    """What the base says was done with a lead. *status*, *harvest_status*: folded, "" when empty; *status* None: there
    is no such field.
    """

    status: str | None = None
    score: float | None = None
    assessment: str | None = None
    scored_at: datetime | None = None
    posts_score: float | None = None
    posts_scored_at: datetime | None = None
    harvest_status: str = ""
    checked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LeadRow:
    """*posts_unread*: what stands among the posts is none."""

    record_id: str
    created_at: datetime
    lead: Lead
    marks: Marks
    posts_unread: bool = False


class LeadReader:
    """Reads the rows of one table. *told*: the fields of a lead that the table has columns for."""

    def __init__(self, table: ResolvedTable[ClientBase]) -> None:
        self._table = table
        self.told = frozenset(ours for ours, keys in _FROM.items() if any(key in table.fields for key in keys))

    def read(self, record: Record) -> LeadRow:
        """Raises BadInput where it names nobody."""
        cells = _Cells(self._table, record)
        posts, unread = _posts_in(cells.text("posts"))
        lead = replace(_lead_in(cells), posts=posts)
        return LeadRow(record.id, record.created_at, lead, _marks_in(cells), unread)

    def rewritten(self, known: Lead, told: Lead) -> Lead:
        """What a lead is now: the base is right about all that it has columns for. Posts are added, never dropped."""
        said = {name: getattr(told, name) for name in self.told}
        return replace(known, **said, posts=merged_posts(known.posts, told.posts))


class _Cells:
    def __init__(self, table: ResolvedTable[ClientBase], record: Record) -> None:
        self._table = table
        self._record = record

    def value(self, key: str) -> object:
        seen = self._table.fields.get(key)
        if seen is None:
            return None
        return value_of(self._table.schema.by_key[key], seen, self._record.cells.get(seen.id))

    def has(self, key: str) -> bool:
        return key in self._table.fields

    def text(self, key: str) -> str:
        value = self.value(key)
        return value if isinstance(value, str) else ""

    def line(self, key: str) -> str:
        return text_of(self.text(key), key)

    def long(self, key: str) -> str:
        return text_of(self.text(key), key, long=True)

    def number(self, key: str) -> float | None:
        """Of a score."""
        value = self.value(key)
        return float(value) if isinstance(value, int | float) and 0 <= value <= 100 else None

    def time(self, key: str) -> datetime | None:
        value = self.value(key)
        return value if isinstance(value, datetime) else None


def _lead_in(cells: _Cells) -> Lead:
    url = cells.line("profile_url")
    raw = _raw_profile(cells, url)
    title = cells.line("job_title")
    return Lead(
        lead_id=lead_id_of_url(url),
        profile_url=url,
        full_name=cells.line("full_name") or f"{cells.line('first_name')} {cells.line('last_name')}".strip(),
        headline=cells.line("headline") or raw.headline or title,
        about=cells.long("about") or raw.about,
        location=cells.line("location") or raw.location,
        industry=cells.line("industry") or raw.industry,
        positions=_positions(cells.long("job_history"), title, cells.line("company")) or raw.positions,
        skills=_skills(cells.text("skills")) or raw.skills,
    )


def _raw_profile(cells: _Cells, url: str) -> Lead:
    """A profile as some tool has saved it, as JSON. What is not understood says nothing."""
    try:
        told = json.loads(cells.text("raw_profile") or "null")
        return profile_in(told, url) if isinstance(told, dict) else Lead("")
    except (ValueError, RecursionError):  # BadInput is a ValueError
        return Lead("")


def _positions(history: str, title: str, company: str) -> tuple[Position, ...]:
    """A JSON list, else paragraphs: `Title, Company, since 2019`, and what was done there below."""
    if history.startswith("["):
        try:
            return tuple(map(position_in, list_of(history, "Job History")))
        except BadInput:
            return (Position(description=history),)
    paragraphs = [paragraph.strip() for paragraph in history.split("\n\n")]
    found = tuple(_position(paragraph) for paragraph in paragraphs if paragraph)
    return found or ((Position(title, company),) if title or company else ())


def _position(paragraph: str) -> Position:
    head, _, description = paragraph.partition("\n")
    held, _, started = head.partition(", since ")
    title, comma, company = held.rpartition(", ") if ", " in held else held.partition(" at ")
    return Position(title.strip(), company.strip() if comma else "", description.strip(), started.strip())


def _skills(text: str) -> tuple[str, ...]:
    try:
        return skills_in(text)
    except BadInput:
        return ()


def _marks_in(cells: _Cells) -> Marks:
    return Marks(
        status=folded(cells.text("scoring_status")) if cells.has("scoring_status") else None,
        score=cells.number("score"),
        assessment=cells.text("assessment") or None,
        scored_at=cells.time("scored_at"),
        posts_score=cells.number("posts_score"),
        posts_scored_at=cells.time("posts_scored_at"),
        harvest_status=folded(cells.text("harvest_status")),
        checked_at=cells.time("posts_checked_at"),
    )


def _posts_in(text: str) -> tuple[tuple[Post, ...], bool]:
    """And whether some were not read. Of a list that was cut off, as some tools do, what is whole counts."""
    posts, bad = posts_in(text or None, 1, wordless=True)
    if bad and not posts and text.startswith("["):
        posts, _ = posts_in(list(_until_broken(text)), 1, wordless=True)
    return posts, bool(bad)


def _until_broken(text: str) -> Iterator[object]:
    with suppress(ImportRefused):
        for part in elements(text, 0):
            yield part.value


def plain(column: Column, seen: SeenField, cell: object) -> object:
    """What a cell says, for whoever reads files too: numbers and flags may be text, and are read as there."""
    if column.kind is Kind.FLAG and seen.type != "checkbox":
        return cell
    if column.kind in (Kind.NUMBER, Kind.MONEY) and isinstance(cell, str):
        return cell
    return value_of(column, seen, cell)


def named(things: Sequence[T], most: int = 5) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(things) - most:,} more" if len(things) > most else ""
    return ", ".join(map(str, things[:most])) + more
