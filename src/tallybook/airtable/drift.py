"""What has become of a base since it was resolved: seen before anything is written, told with the cure (F09, F10)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tallybook.airtable.resolved import Resolved, ResolvedTable, why_not_written
from tallybook.airtable.schema import Column, Owner, folded
from tallybook.airtable.seen import BaseT, SeenField, SeenTable


class Change(StrEnum):
    RENAMED = "renamed"
    RETYPED = "retyped"
    DELETED = "deleted"
    COMPUTED = "computed"
    OPTION_GONE = "option_gone"


@dataclass(frozen=True, slots=True)
class Drift:
    """One change. *column*: the key of ours, empty when it is about the table. *text*: what happened, what it means,
    and what to do.
    """

    change: Change
    table: str
    column: str
    text: str

    @property
    def harmless(self) -> bool:
        """Nobody has to do anything."""
        return self.change is Change.RENAMED


def diff(old: Resolved[BaseT], tables: Sequence[SeenTable]) -> tuple[Drift, ...]:
    """What is no longer as *old* has it. Nothing that we do not use is spoken of."""
    now = {table.id: table for table in tables}
    return tuple(drift for table in old.tables.values() for drift in _of_table(table, now.get(table.id)))


def _of_table(old: ResolvedTable[BaseT], now: SeenTable | None) -> Iterator[Drift]:
    key = old.schema.key
    if now is None:
        text = f"the table {old.name} was deleted, or the token may not see it: nothing is written there; " + _AGAIN
        yield Drift(Change.DELETED, key, "", text)
        return
    if now.name != old.name:
        text = f"the table {old.name} was renamed to {now.name}; nothing to do, it is known by its id"
        yield Drift(Change.RENAMED, key, "", text)
    for name, field in old.fields.items():
        for change, text in _of_field(old.schema.by_key[name], field, now.by_id(field.id)):
            yield Drift(change, key, name, f"{now.name}: {text}")


_AGAIN = "restore it from Airtable's trash, or run `tallybook mirror setup`"


def _of_field(column: Column, old: SeenField, now: SeenField | None) -> Iterator[tuple[Change, str]]:
    if now is None:
        means = "is left out of what is written" if column.owner is Owner.OURS else "is not read any more"
        yield Change.DELETED, f"the field {old.name} was deleted and {means}; {_AGAIN}"
        return
    if now.name != old.name:
        yield Change.RENAMED, f"the field {old.name} was renamed to {now.name}; nothing to do, it is known by its id"
    if now.type != old.type:
        yield _retyped(column, old, now)
    elif now.linked_to != old.linked_to:
        text = f"the field {now.name} leads to another table than before and is left out"
        yield Change.RETYPED, f"{text}; lead it back, or rename it and run `tallybook mirror setup`"
    else:
        yield from _options_gone(column, old, now)


def _retyped(column: Column, old: SeenField, now: SeenField) -> tuple[Change, str]:
    if now.computed and not old.computed:
        text = f"the field {now.name} has become computed ({now.type}) and is not written any more"
        cure = f"change it back to {old.type} if Tallybook is to fill it" if column.owner is Owner.OURS else ""
        return Change.COMPUTED, f"{text}; {cure or 'nothing to do'}"
    why = why_not_written(column, now) if column.owner is Owner.OURS else ""
    means = f"and is left out: {why}; change it back to {old.type}" if why else "; nothing to do, that is as good"
    return Change.RETYPED, f"the field {now.name} was changed from {old.type} to {now.type} {means}".replace(" ;", ";")


def _options_gone(column: Column, old: SeenField, now: SeenField) -> Iterator[tuple[Change, str]]:
    there = {folded(option) for option in now.options}
    wanted = {folded(option) for option in column.options}
    for option in old.options:
        if folded(option) in wanted and folded(option) not in there:
            text = f"the field {now.name} has lost its option {option}, and rows that have it are not told"
            yield Change.OPTION_GONE, f"{text}; add the option again"
