"""What each route of the API does, and who may ask for it."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from tallybook.testing import airtable_meta as meta
from tallybook.testing.airtable_faults import Asked
from tallybook.testing.airtable_limits import Gate
from tallybook.testing.airtable_listing import Listings, form_of, told_by
from tallybook.testing.airtable_tables import Base, Table
from tallybook.testing.airtable_wire import NotFound, body_of, denied, invalid
from tallybook.testing.airtable_writes import Writes, found, records_in
from tallybook.testing.lookalike_http import Exchange, Refused

USER_ID = "usrLookAlike00001"
READ, WRITE = "data.records:read", "data.records:write"
READ_SCHEMA, WRITE_SCHEMA = "schema.bases:read", "schema.bases:write"
SCOPES = (READ, WRITE, READ_SCHEMA, WRITE_SCHEMA)
_BASE, _TABLE = r"/v0/(?P<base>app[A-Za-z0-9]+)", r"/(?P<table>[^/]+)"
_META = r"/v0/meta/bases/(?P<base>[^/]+)/tables"
_ROUTES = (
    ("GET", "whoami", r"/v0/meta/whoami"),
    ("GET", "bases", r"/v0/meta/bases"),
    ("POST", "create_base", r"/v0/meta/bases"),
    ("GET", "schema", _META),
    ("POST", "create_table", _META),
    ("PATCH", "update_table", _META + _TABLE),
    ("POST", "create_field", _META + _TABLE + "/fields"),
    ("PATCH", "update_field", _META + _TABLE + r"/fields/(?P<id>[^/]+)"),
    ("GET", "list", _BASE + _TABLE),
    ("POST", "list", _BASE + _TABLE + "/listRecords"),
    ("POST", "create", _BASE + _TABLE),
    ("PATCH", "update", _BASE + _TABLE),
    ("PUT", "replace", _BASE + _TABLE),
    ("DELETE", "delete", _BASE + _TABLE),
    ("GET", "get", _BASE + _TABLE + r"/(?P<id>[^/]+)"),
    ("PATCH", "update", _BASE + _TABLE + r"/(?P<id>[^/]+)"),
    ("PUT", "replace", _BASE + _TABLE + r"/(?P<id>[^/]+)"),
    ("DELETE", "delete", _BASE + _TABLE + r"/(?P<id>[^/]+)"),
)
_PATTERNS = tuple((method, what, re.compile(route)) for method, what, route in _ROUTES)
_NEEDS: Mapping[str, str] = {
    "bases": READ_SCHEMA,
    "schema": READ_SCHEMA,
    "create_base": WRITE_SCHEMA,
    "create_table": WRITE_SCHEMA,
    "update_table": WRITE_SCHEMA,
    "create_field": WRITE_SCHEMA,
    "update_field": WRITE_SCHEMA,
    "list": READ,
    "get": READ,
    "create": WRITE,
    "update": WRITE,
    "upsert": WRITE,
    "replace": WRITE,
    "delete": WRITE,
}
OF_RECORDS = {what for what, scope in _NEEDS.items() if scope in (READ, WRITE)}


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token may do. *base_ids* None: in every base."""

    scopes: frozenset[str] = frozenset(SCOPES)
    base_ids: frozenset[str] | None = None

    def reaches(self, base_id: str) -> bool:
        return self.base_ids is None or base_id in self.base_ids


@dataclass(frozen=True, slots=True)
class _Call:
    """A request, understood. *id*: of the record or field in its path."""

    asked: Asked
    grant: Grant
    id: str

    @property
    def said(self) -> Mapping[str, Any]:
        return self.asked.said


class Api:
    """For one thread at a time."""

    def __init__(self, bases: dict[str, Base], gate: Gate, now: Callable[[], datetime], offset_s: float) -> None:
        self.listings = Listings(now, timedelta(seconds=offset_s))
        self._bases = bases
        self._gate = gate
        self._now = now
        self._writes = Writes(gate, now)
        self._does: Mapping[str, Callable[[_Call], object]] = {
            "whoami": lambda call: {"id": USER_ID},
            "bases": lambda call: meta.bases_form(self._reached(call.grant)),
            "create_base": self._create_base,
            "schema": lambda call: meta.schema_form(self._base(call)),
            "create_table": lambda call: meta.table_form(meta.create_table(self._base(call), call.said)),
            "update_table": lambda call: meta.table_form(meta.update_table(*self._table(call), call.said)),
            "create_field": self._create_field,
            "update_field": self._update_field,
            "list": lambda call: self.listings.page(*self._table(call), call.said),
            "get": self._get,
            "create": lambda call: self._writes.create(*self._table(call), call.said),
            "update": self._update,
            "upsert": self._update,
            "replace": self._update,
            "delete": self._delete,
        }

    def asked_by(self, exchange: Exchange, number: int) -> tuple[Asked, str]:
        """And the id at the end of its path. Raises Refused for a body that cannot be read."""
        for method, what, route in _PATTERNS:
            place = route.fullmatch(exchange.route)
            if place and method == exchange.method:
                return self._asked(exchange, number, what, place.groupdict())
        return Asked(number, exchange.method, exchange.route), ""

    def answer(self, asked: Asked, grant: Grant, last_id: str) -> object:
        """Raises Refused."""
        if asked.what not in self._does:
            raise NotFound
        if asked.what in _NEEDS and _NEEDS[asked.what] not in grant.scopes:
            raise denied()
        return self._does[asked.what](_Call(asked, grant, last_id))

    def _asked(self, exchange: Exchange, number: int, what: str, place: Mapping[str, str]) -> tuple[Asked, str]:
        in_query = exchange.method in ("GET", "DELETE")
        said = told_by(exchange.path.partition("?")[2]) if in_query else body_of(exchange)
        base_id, table = place.get("base") or "", unquote(place.get("table") or "")
        there = self._bases[base_id].table(table) if base_id in self._bases else None
        if what in ("update", "replace") and "performUpsert" in said and not place.get("id"):
            what = "upsert"
        writes = _NEEDS.get(what) == WRITE
        records = (records_in(said) or int(bool(place.get("id")))) if writes else 0
        asked = Asked(
            number, exchange.method, exchange.route, what, base_id, there.name if there else table, said, records
        )
        return asked, unquote(place.get("id") or "")

    def _reached(self, grant: Grant) -> Iterable[Base]:
        return [base for base in self._bases.values() if grant.reaches(base.id)]

    def _base(self, call: _Call) -> Base:
        base = self._bases.get(call.asked.base_id)
        if base is None or not call.grant.reaches(base.id):
            raise denied()
        if call.asked.what in OF_RECORDS:
            self._gate.count(base.workspace_id)
        return base

    def _table(self, call: _Call) -> tuple[Base, Table]:
        base = self._base(call)
        table = base.table(call.asked.table)
        if table is None:
            raise denied()
        return base, table

    def _get(self, call: _Call) -> object:
        base, table = self._table(call)
        return form_of(base, table, None, call.said, self._now())(found(table, call.id))

    def _update(self, call: _Call) -> object:
        base, table = self._table(call)
        clears = call.asked.method == "PUT"
        if call.id:
            return self._writes.update_one(base, table, call.id, call.said, clears=clears)
        return self._writes.update(base, table, call.said, clears=clears)

    def _delete(self, call: _Call) -> object:
        base, table = self._table(call)
        return self._writes.delete_one(base, table, call.id) if call.id else self._writes.delete(base, table, call.said)

    def _update_field(self, call: _Call) -> object:
        _, table = self._table(call)
        field = table.fields.get(call.id)
        if field is None:
            raise denied()
        return meta.field_form(table, meta.update_field(table, field, call.said))

    def _create_field(self, call: _Call) -> object:
        base, table = self._table(call)
        return meta.field_form(table, meta.create_field(base, table, call.said))

    def _create_base(self, call: _Call) -> object:
        name, tables = call.said.get("name"), call.said.get("tables")
        if not isinstance(name, str) or not isinstance(tables, list) or not tables:
            raise invalid("Invalid request: a base needs a name and tables")
        base = Base(name, str(call.said.get("workspaceId")))
        for table in tables:
            meta.create_table(base, table if isinstance(table, dict) else {})
        self._bases[base.id] = base
        return {"id": base.id, **meta.schema_form(base)}


def unauthorized(said: str) -> Refused:
    """*said*: the token, or nothing."""
    if not said:
        return Refused(401, "AUTHENTICATION_REQUIRED", "Authentication required")
    return Refused(401, "UNAUTHORIZED", "Invalid authentication token")
