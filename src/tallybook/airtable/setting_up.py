"""What a base lacks of our schema: what the API can make, and what only people can."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tallybook.airtable.resolved import Resolved, ResolvedTable
from tallybook.airtable.schema import Column, Kind, Owner, TableSchema, folded
from tallybook.airtable.seen import BaseT, SeenTable


@dataclass(frozen=True, slots=True)
class CreateTable:
    name: str
    fields: tuple[Mapping[str, object], ...]


@dataclass(frozen=True, slots=True)
class CreateField:
    table_id: str
    table_name: str
    field: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SetUp:
    """*create*: in this order; then look again, for a link can be made only when the table it leads to is there.
    *by_hand*: sentences that say what people have to do.
    """

    create: tuple[CreateTable | CreateField, ...]
    by_hand: tuple[str, ...]


def missing(resolved: Resolved[BaseT], tables: Sequence[SeenTable]) -> SetUp:
    """What has to be done until *tables*, to which *resolved* was matched, have all of our schema."""
    create: list[CreateTable | CreateField] = []
    by_hand: list[str] = []
    for schema in resolved.base.schema:
        table = resolved.tables.get(schema.key)
        if table is not None:
            seen = next(each for each in tables if each.id == table.id)
            create += _fields(resolved, table, seen)
            by_hand += _by_hand(table, seen)
        elif schema.made:
            create.append(_table(schema, resolved))
        else:
            by_hand.append(f"there is no table {schema.name}: check that {resolved.base.id} is the right base")
    return SetUp(tuple(create), tuple(by_hand))


def _table(schema: TableSchema, resolved: Resolved[BaseT]) -> CreateTable:
    columns = [column for column in schema.columns if _link_id(column, resolved) is not None]
    return CreateTable(schema.name, tuple(column.wanted(_link_id(column, resolved) or "") for column in columns))


def _fields(resolved: Resolved[BaseT], table: ResolvedTable[BaseT], seen: SeenTable) -> Iterator[CreateField]:
    taken = {folded(field.name) for field in seen.fields}
    for column in table.missing:
        link_id = _link_id(column, resolved)
        if _made(column, table.schema) and folded(column.name) not in taken and link_id is not None:
            yield CreateField(table.id, table.name, column.wanted(link_id))


def _link_id(column: Column, resolved: Resolved[BaseT]) -> str | None:
    """None: the table it leads to is not there yet. Empty: it leads to none."""
    if column.kind is not Kind.LINK:
        return ""
    table = resolved.tables.get(column.link)
    return table.id if table else None


def _made(column: Column, schema: TableSchema) -> bool:
    """In a table of people's own only what we write is."""
    return schema.made or column.owner is Owner.OURS


def _by_hand(table: ResolvedTable[BaseT], seen: SeenTable) -> Iterator[str]:
    """What the API cannot make: fields of people, other types, options."""
    taken = {folded(field.name): field for field in seen.fields}
    for column in table.missing:
        other = taken.get(folded(column.name))
        if other is not None:
            yield f"{table.name}.{other.name} is of type {other.type}: rename it, so that ours can be made"
        elif column.needed and not _made(column, table.schema):
            yield f"{table.name} has no field {column.name}: add it, Tallybook needs it"
    for key, why in table.left_out.items():
        if not table.fields[key].computed:
            yield f"{table.name}.{table.fields[key].name} is not written: {why}; change its type"
    for column in table.schema.columns:
        lacking = missing_options(table, column)
        if lacking:
            yield f"{table.name}.{table.fields[column.key].name} has no option {', '.join(lacking)}: add it in Airtable"


def missing_options(table: ResolvedTable[BaseT], column: Column) -> tuple[str, ...]:
    """Options that we write and the field does not have, whatever their case."""
    field = table.writable.get(column.key)
    if field is None or field.seen.type != "singleSelect":
        return ()
    there = {folded(option) for option in field.seen.options}
    return tuple(option for option in column.options if folded(option) not in there)
