"""Listing records: which, in what order, a page at a time."""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as made_by
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from tallybook.testing.airtable_computed import Row
from tallybook.testing.airtable_evaluation import Formula, candidates, compiled
from tallybook.testing.airtable_fields import Field
from tallybook.testing.airtable_formula import NotUnderstood
from tallybook.testing.airtable_tables import Base, Record, Table
from tallybook.testing.airtable_values import Failed, text_of, true
from tallybook.testing.airtable_wire import (
    MOST_PER_PAGE,
    invalid,
    new_id,
    offset_gone,
    texts_of,
    time_text,
    unknown_field,
)
from tallybook.testing.lookalike_http import Refused

MOST_LISTINGS = 50
MOST_IN_ALL = 1_000_000_000
_SORT = re.compile(r"sort\[(\d{1,3})\]\[(field|direction)\]")
_TRUE = (True, 1, "1", "true")


def told_by(query: str) -> dict[str, Any]:
    """The options of a listing as a GET has them, in the form in which a POST has them."""
    told: dict[str, Any] = {}
    sort: dict[int, dict[str, str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        sorting = _SORT.fullmatch(name)
        if sorting:
            sort.setdefault(int(sorting[1]), {})[sorting[2]] = value
        elif name.endswith("[]"):
            told.setdefault(name[:-2], []).append(value)
        else:
            told[name] = value
    return {**told, "sort": [sort[number] for number in sorted(sort)]} if sort else told


@dataclass(slots=True)
class _Listing:
    """*ids*: what was found when it began. *starts*: where the pages begin of which the client was told."""

    table_id: str
    ids: list[str]
    used_at: datetime
    starts: dict[str, int] = made_by(default_factory=dict)


class Listings:
    """Those that have begun. *lasts*: how long one is kept after its last page. For one thread at a time."""

    def __init__(self, now: Callable[[], datetime], lasts: timedelta) -> None:
        self._now = now
        self._lasts = lasts
        self._begun: OrderedDict[str, _Listing] = OrderedDict()

    def expire(self) -> None:
        """All that have begun: whoever goes on is told to start again."""
        self._begun.clear()

    def page(self, base: Base, table: Table, told: Mapping[str, Any]) -> dict[str, Any]:
        """Raises Refused."""
        if told.get("cellFormat", "json") != "json":
            raise invalid("Invalid request: only cellFormat json is known here")
        fields = shown(table, told)
        size = _whole(told, "pageSize", MOST_PER_PAGE, MOST_PER_PAGE)
        offset = told.get("offset")
        listing_id = str(offset).partition("/")[0] if offset else self._begin(base, table, told)
        listing, start = self._place(listing_id, table, str(offset or ""))
        ids = listing.ids[start : start + size]
        records = [table.records[record_id] for record_id in ids if record_id in table.records]
        form = form_of(base, table, fields, told, self._now())
        said: dict[str, Any] = {"records": [form(record) for record in records]}
        if not offset and len(listing.ids) <= size:
            del self._begun[listing_id]  # nobody can go on with it
        if start + size < len(listing.ids):
            said["offset"] = f"{listing_id}/{listing.ids[start + size]}"
            listing.starts[said["offset"]] = start + size
        return said

    def _begin(self, base: Base, table: Table, told: Mapping[str, Any]) -> str:
        now = self._now()
        found = list(filtered(base, table, str(told.get("filterByFormula") or ""), now))
        for by, descending in reversed(_sorting(table, told)):
            found.sort(key=_by(base, table, by, now), reverse=descending)
        most = _whole(told, "maxRecords", len(found), MOST_IN_ALL)
        listing_id = new_id("itr")
        self._begun[listing_id] = _Listing(table.id, [record.id for record in found[:most]], now)
        while len(self._begun) > MOST_LISTINGS:
            self._begun.popitem(last=False)  # the one that nobody has gone on with for longest
        return listing_id

    def _place(self, listing_id: str, table: Table, offset: str) -> tuple[_Listing, int]:
        listing = self._begun.get(listing_id)
        now = self._now()
        if listing is None or listing.table_id != table.id or now - listing.used_at > self._lasts:
            raise offset_gone()
        if offset and offset not in listing.starts:
            raise offset_gone()
        listing.used_at = now
        self._begun.move_to_end(listing_id)
        return listing, listing.starts.get(offset, 0)


# -- which records -----------------------------------------------------------------------------------------------------


def filtered(base: Base, table: Table, formula: str, now: datetime) -> Iterable[Record]:
    """All without a formula. Raises Refused."""
    if not formula:
        return table.records.values()
    try:
        holds = compiled(formula, table)
        near = candidates(formula, table)
        records = table.records.values() if near is None else _in_order(table, near.ids)
        if near is not None and near.exact:
            return records
        return [record for record in records if _holds(holds, Row(base, table, record, now))]
    except NotUnderstood as why:
        message = f"The formula for filtering records is invalid: {why}"
        raise Refused(422, "INVALID_FILTER_BY_FORMULA", message) from None


def _in_order(table: Table, ids: Iterable[str]) -> list[Record]:
    """Of their creation."""
    return sorted((table.records[record_id] for record_id in ids), key=lambda record: record.number)


def _holds(formula: Formula, row: Row) -> bool:
    try:
        return true(formula(row))
    except Failed:
        return False


# -- in what order -----------------------------------------------------------------------------------------------------


def _sorting(table: Table, told: Mapping[str, Any]) -> list[tuple[Field, bool]]:
    sort = told.get("sort") or []
    if not isinstance(sort, list) or not all(isinstance(one, dict) and "field" in one for one in sort):
        raise invalid("Invalid request: sort must be an array of objects with a field")
    return [(known(table, one["field"]), one.get("direction", "asc") == "desc") for one in sort]


def _by(base: Base, table: Table, field: Field, now: datetime) -> Callable[[Record], tuple[Any, ...]]:
    """What is empty comes first; options in their own order; texts whatever their case."""
    places = {name: place for place, name in enumerate(field.option_names)} if field.type == "singleSelect" else None

    def key(record: Record) -> tuple[Any, ...]:
        try:
            value = Row(base, table, record, now).value(field.id)
        except (Failed, NotUnderstood):
            return (0,)
        if value is None:
            return (0,)
        if places is not None:
            return 1, places.get(text_of(value), -1)
        if isinstance(value, datetime):
            return 1, value.timestamp()
        return (1, value) if isinstance(value, int | float) else (2, text_of(value).casefold())

    return key


# -- what of them ------------------------------------------------------------------------------------------------------


def known(table: Table, name: object) -> Field:
    """Raises Refused."""
    field = table.field(name) if isinstance(name, str) else None
    if field is None:
        raise unknown_field(str(name))
    return field


def shown(table: Table, told: Mapping[str, Any]) -> Sequence[Field] | None:
    """None: all. Raises Refused."""
    if "fields" not in told or isinstance(told["fields"], dict):
        return None
    return [known(table, name) for name in texts_of(told["fields"], "fields")]


def form_of(
    base: Base, table: Table, fields: Sequence[Field] | None, told: Mapping[str, Any], now: datetime
) -> Callable[[Record], dict[str, Any]]:
    """How a record is said. *fields* None: with all of them; the empty ones never are there."""
    by_id = told.get("returnFieldsByFieldId") in _TRUE
    named = [(field, field.id if by_id else field.name) for field in (fields or table.fields.values())]

    def form(record: Record) -> dict[str, Any]:
        row = Row(base, table, record, now)
        cells = ((name, row.cell(field)) for field, name in named)
        return {
            "id": record.id,
            "createdTime": time_text(record.created_at),
            "fields": {name: cell for name, cell in cells if cell is not None},
        }

    return form


def _whole(told: Mapping[str, Any], name: str, otherwise: int, most: int) -> int:
    """Raises Refused."""
    if name not in told:
        return otherwise
    said = str(told[name])
    if not said.isdecimal() or len(said) > len(str(most)) or not 1 <= int(said) <= most:
        raise invalid(f"Invalid request: {name} must be a whole number from 1 to {most}")
    return int(said)
