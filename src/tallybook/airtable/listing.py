"""Records, a page at a time. Airtable may forget a listing that is read slowly: then it is begun anew by itself."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tallybook.airtable.errors import ListingExpired

MOST_PER_PAGE = 100
MOST_RESTARTS = 10
"""Of one listing. More than that, and it is read too slowly ever to end."""


@dataclass(frozen=True, slots=True)
class Record:
    """*cells*: by field id; empty ones are not there, which says nothing about the field."""

    id: str
    created_at: datetime
    cells: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """*offset*: where the next begins; None: this is the last."""

    records: tuple[Record, ...]
    offset: str | None = None


def page_in(answer: Mapping[str, Any]) -> Page:
    """Raises LookupError, TypeError, ValueError or AttributeError for what is none."""
    return Page(tuple(map(record_in, answer["records"])), answer.get("offset") or None)


def record_in(form: Mapping[str, Any]) -> Record:
    at = datetime.fromisoformat(form["createdTime"])
    return Record(str(form["id"]), at.astimezone(UTC), dict(form["fields"]))


def each_once(page_at: Callable[[str | None], Page]) -> Iterator[Record]:
    """Every record once, however often the listing expires. Raises ListingExpired when it does so again and again.

    *page_at*: the page at an offset, None: the first.
    """
    given: set[str] = set()
    offset: str | None = None
    restarts = 0
    while True:
        try:
            page = page_at(offset)
        except ListingExpired:
            restarts += 1
            if restarts > MOST_RESTARTS:
                raise
            offset = None
            continue
        for record in page.records:
            if record.id not in given:
                given.add(record.id)
                yield record
        offset = page.offset
        if offset is None:
            return
