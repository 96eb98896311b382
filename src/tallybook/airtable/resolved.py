"""Our schema found in a base: every table and field matched to its id once, so that renaming does no harm.

What may be written is told by type: a `WritableField` is got only for a field that is ours and that Airtable does not
compute itself (F11). The door writes nothing else.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar

from tallybook.airtable.schema import LINK_TYPE, Column, Kind, Owner, TableSchema, folded
from tallybook.airtable.seen import BaseT, SeenField, SeenTable
from tallybook.domain.errors import BadInput

_SEAL = object()
SeenT = TypeVar("SeenT", SeenTable, SeenField)


class WritableField:
    """A field that may be written. Only a resolved table makes one."""

    __slots__ = ("column", "seen", "table_id")

    def __init__(self, column: Column, seen: SeenField, table_id: str, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("a WritableField is got from a resolved table")
        self.column = column
        self.seen = seen
        self.table_id = table_id

    @property
    def id(self) -> str:
        return self.seen.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WritableField) and (self.table_id, self.id) == (other.table_id, other.id)

    def __hash__(self) -> int:
        return hash((self.table_id, self.id))

    def __repr__(self) -> str:
        return f"<WritableField {self.seen.name} {self.id}>"


@dataclass(frozen=True)
class ResolvedTable(Generic[BaseT]):
    """A table of *base*. *fields*: those of our columns that are there, by the column's key."""

    base: BaseT
    schema: TableSchema
    id: str
    name: str
    fields: Mapping[str, SeenField]

    @cached_property
    def writable(self) -> Mapping[str, WritableField]:
        """What may be written, by the column's key."""
        return {
            column.key: WritableField(column, self.fields[column.key], self.id, _SEAL)
            for column in self.schema.columns
            if column.key in self.fields and not why_not_written(column, self.fields[column.key])
        }

    @property
    def key(self) -> WritableField:
        """By which its rows are found again. Raises BadInput when it cannot be written."""
        column = self.schema.columns[0]
        if column.key not in self.writable:
            seen = self.fields.get(column.key)
            why = why_not_written(column, seen) if seen else "it is missing"
            raise BadInput(f"{self.name}.{column.name} cannot be the key of rows: {why}")
        return self.writable[column.key]

    @property
    def missing(self) -> tuple[Column, ...]:
        return tuple(column for column in self.schema.columns if column.key not in self.fields)

    @property
    def left_out(self) -> Mapping[str, str]:
        """Columns of ours that are there and yet are not written, by key, and why."""
        ours = {column.key: column for column in self.schema.columns if column.owner is Owner.OURS}
        whys = {key: why_not_written(ours[key], seen) for key, seen in self.fields.items() if key in ours}
        return {key: why for key, why in whys.items() if why}


def why_not_written(column: Column, seen: SeenField) -> str:
    """Empty: it is."""
    if column.owner is Owner.PERSON:
        return "it belongs to people"
    if seen.computed:
        return f"Airtable computes it ({seen.type})"
    if seen.type not in column.kind.types:
        return f"it is of type {seen.type}; {column.kind} needs one of: {', '.join(column.kind.types)}"
    return ""


@dataclass(frozen=True)
class Resolved(Generic[BaseT]):
    """What of our schema *base* has, by the tables' keys."""

    base: BaseT
    tables: Mapping[str, ResolvedTable[BaseT]] = field(default_factory=dict)

    def table(self, schema: TableSchema) -> ResolvedTable[BaseT]:
        """Raises BadInput when the base has none of it."""
        found = self.tables.get(schema.key)
        if found is None:
            raise BadInput(f"base {self.base.id} has no table {schema.name}; is it the right base?")
        return found

    @cached_property
    def document(self) -> Mapping[str, object]:
        """As it is kept between runs: plain JSON data."""
        return {"base": self.base.id, "tables": {key: _document_of(table) for key, table in self.tables.items()}}

    @cached_property
    def fingerprint(self) -> str:
        """Changes when, and only when, something that we use does."""
        text = json.dumps(self.document, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _document_of(table: ResolvedTable[BaseT]) -> Mapping[str, object]:
    fields = {
        key: [seen.id, seen.name, seen.type, list(seen.options), seen.linked_to] for key, seen in table.fields.items()
    }
    return {"id": table.id, "name": table.name, "fields": fields}


# -- matched -----------------------------------------------------------------------------------------------------------

Known = Mapping[str, tuple[str, Mapping[str, str]]]
"""Of an earlier time: table key -> its id, and column key -> the field's id."""


def resolve(base: BaseT, tables: Sequence[SeenTable], known: Resolved[BaseT] | None = None) -> Resolved[BaseT]:
    """Match our schema to what *base* has: first by the ids of *known*, then by name whatever its case, then by the
    names that older bases have. No field stands for two columns, and no table for two of ours.
    """
    ids = _ids_of(known)
    found = {schema.key: table for schema in base.schema if (table := _table_for(schema, tables, ids))}
    return Resolved(
        base,
        {
            schema.key: ResolvedTable(
                base, schema, found[schema.key].id, found[schema.key].name, _fields_for(schema, found, ids)
            )
            for schema in base.schema
            if schema.key in found
        },
    )


def read_document(base: BaseT, document: Mapping[str, object]) -> Resolved[BaseT] | None:
    """What was kept; None when it is of another base, or not understood: then it is resolved anew."""
    try:
        return _read_document(base, document)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _read_document(base: BaseT, document: Mapping[str, object]) -> Resolved[BaseT] | None:
    kept = document["tables"]
    if document["base"] != base.id or not isinstance(kept, Mapping):
        return None
    schemas = {schema.key: schema for schema in base.schema}
    tables = {
        key: ResolvedTable(
            base, schemas[key], table["id"], table["name"], dict(_kept_fields(schemas[key], table["fields"]))
        )
        for key, table in kept.items()
        if key in schemas
    }
    return Resolved(base, tables)


def _kept_fields(schema: TableSchema, kept: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, SeenField]]:
    for key, (field_id, name, kind, options, linked_to) in kept.items():
        if key in schema.by_key:
            yield key, SeenField(field_id, name, kind, tuple(options), linked_to)


def _ids_of(known: Resolved[BaseT] | None) -> Known:
    tables = known.tables.items() if known else ()
    return {key: (table.id, {name: seen.id for name, seen in table.fields.items()}) for key, table in tables}


def _table_for(schema: TableSchema, tables: Sequence[SeenTable], ids: Known) -> SeenTable | None:
    table_id = ids[schema.key][0] if schema.key in ids else None
    by_id = next((table for table in tables if table.id == table_id), None)
    others = {each for each, _ in ids.values()}  # whatever people call them now
    return by_id or _first([table for table in tables if table.id not in others], (schema.name, *schema.also))


def _fields_for(schema: TableSchema, found: Mapping[str, SeenTable], ids: Known) -> Mapping[str, SeenField]:
    table = found[schema.key]
    known = ids.get(schema.key, (table.id, {}))
    matched: dict[str, SeenField] = {}
    if known[0] == table.id:
        by_id = {key: table.by_id(field_id) for key, field_id in known[1].items() if key in schema.by_key}
        matched = {key: seen for key, seen in by_id.items() if seen and _leads_right(schema.by_key[key], seen, found)}
    for aliases in (False, True):
        for column in schema.columns:
            free = [seen for seen in table.fields if seen.id not in {each.id for each in matched.values()}]
            match = _match(column, free, found, aliases=aliases) if column.key not in matched else None
            if match is not None:
                matched[column.key] = match
    return {column.key: matched[column.key] for column in schema.columns if column.key in matched}


def _match(
    column: Column, free: Sequence[SeenField], found: Mapping[str, SeenTable], *, aliases: bool
) -> SeenField | None:
    if column.kind is Kind.LINK:  # the other side of some other link may have the same name
        free = [seen for seen in free if seen.type == LINK_TYPE and _leads_right(column, seen, found)]
    return _first(free, column.also if aliases else (column.name,))


def _leads_right(column: Column, seen: SeenField, found: Mapping[str, SeenTable]) -> bool:
    """A link that people have led to another table takes none of our records."""
    if column.kind is not Kind.LINK or seen.type != LINK_TYPE:
        return True
    return column.link in found and seen.linked_to == found[column.link].id


def _first(things: Sequence[SeenT], names: Sequence[str]) -> SeenT | None:
    by_name = {folded(each.name): each for each in reversed(things)}
    return next((by_name[folded(name)] for name in names if folded(name) in by_name), None)
