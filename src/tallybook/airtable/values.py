"""Values of ours as cells, and cells as values of ours."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tallybook.airtable.errors import Cause, Misconfigured
from tallybook.airtable.resolved import ResolvedTable, WritableField
from tallybook.airtable.schema import Column, Kind, Owner, folded
from tallybook.airtable.seen import BaseT, SeenField
from tallybook.airtable.tables import TRIGGER_OPTIONS
from tallybook.domain.errors import BadInput
from tallybook.domain.fields import storable
from tallybook.domain.run import Status, Trigger
from tallybook.domain.tally import Money

LONGEST_TEXT = 100_000
"""Of a cell. Counted as JavaScript does, in units of UTF-16, which is the lower of what may be meant."""
CUT_MARK = "\n… (cut: Airtable holds no more; the whole is in Tallybook)"

Cell = str | int | float | bool | Sequence[str] | None
"""As it is written. None empties it."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Row:
    """What is to be written. *left_out*: columns that cannot be, by key, and why; the rest is written all the same."""

    cells: Mapping[WritableField, Cell]
    left_out: Mapping[str, str]


def row_of(table: ResolvedTable[BaseT], values: Mapping[str, object]) -> Row:
    """*values* by the columns' keys. Raises BadInput for a column that the schema does not have, one that is a
    person's, and a value of the wrong kind: those are mistakes of ours.
    """
    cells: dict[WritableField, Cell] = {}
    left_out: dict[str, str] = {}
    for key, value in values.items():
        _check_ours(table, key)
        field = table.writable.get(key)
        if field is None:
            left_out[key] = table.left_out.get(key, "there is no such field")
            continue
        try:
            cells[field] = cell_of(field, value)
        except Misconfigured as error:
            left_out[key] = str(error)
    return Row(cells, left_out)


def _check_ours(table: ResolvedTable[BaseT], key: str) -> None:
    column = table.schema.by_key.get(key)
    if column is None:
        raise BadInput(f"{key!r} is no column of {table.schema.name}")
    if column.owner is not Owner.OURS:
        raise BadInput(f"{table.schema.name}.{column.name} belongs to people and is never written")


# -- ours as cells -----------------------------------------------------------------------------------------------------


def cell_of(field: WritableField, value: object) -> Cell:
    """Raises BadInput for a value of the wrong kind, and Misconfigured for an option that the field does not have."""
    return None if value is None else _WRITERS[field.column.kind](field, value)


def clean(text: str, *, line: bool = False) -> str:
    """As every way to Airtable takes it: no control characters, one kind of line end, lone surrogates replaced.
    *line*: all on one.
    """
    text = _CONTROLS.sub("", storable(text)).replace("\r\n", "\n").replace("\r", "\n")
    return " ".join(text.split("\n")) if line else text


def cut(text: str, *, keep_end: bool = False) -> str:
    """*text* as a cell holds it, with a mark where something is missing."""
    if len(text) * 2 <= LONGEST_TEXT or _units(text) <= LONGEST_TEXT:
        return text
    room = 2 * (LONGEST_TEXT - _units(CUT_MARK))
    units = text.encode("utf-16-le")
    kept = units[-room:] if keep_end else units[:room]
    half_pairs_gone = kept.decode("utf-16-le", "ignore")
    return CUT_MARK.strip() + "\n" + half_pairs_gone[1:] if keep_end else half_pairs_gone + CUT_MARK


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _text(field: WritableField, value: object) -> Cell:
    text = value if isinstance(value, str) else _number_text(field, value)
    if field.seen.type == "singleSelect":
        return _option(field, clean(text, line=True))
    return cut(clean(text, line=field.seen.type != "multilineText" and field.column.kind is Kind.TEXT))


def _number_text(field: WritableField, value: object) -> str:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    raise _wrong(field, value)


def _number(field: WritableField, value: object) -> int | float:
    """Whole ones stay whole."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, float | Decimal) or not math.isfinite(value):
        raise _wrong(field, value)
    return int(value) if value == int(value) else float(value)


def _share(field: WritableField, value: object) -> int | float:
    """*value*: of one. A field that shows percent holds it as it is; a plain number reads as percent."""
    number = _number(field, value)
    return number if field.seen.type == "percent" else _number(field, round(number * 100, 6))


def _money(field: WritableField, value: object) -> int | float:
    return _number(field, value.as_decimal if isinstance(value, Money) else value)


def _minutes(field: WritableField, value: object) -> int | float:
    """A field for durations holds seconds."""
    if not isinstance(value, timedelta):
        raise _wrong(field, value)
    seconds = value.total_seconds()
    return _number(field, round(seconds if field.seen.type == "duration" else seconds / 60, 3))


def _time(field: WritableField, value: object) -> str:
    """RFC 3339 to the millisecond; a field without times gets the day, UTC."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _wrong(field, value)
    at = value.astimezone(UTC)
    if field.seen.type == "date":
        return at.date().isoformat()
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _choice(field: WritableField, value: object) -> str:
    if isinstance(value, Status):
        return _option(field, value.mirrored)
    if isinstance(value, Trigger):
        return _option(field, TRIGGER_OPTIONS[value])
    if not isinstance(value, str):
        raise _wrong(field, value)
    return _option(field, clean(str(value), line=True))


def _option(field: WritableField, text: str) -> str:
    """As the field itself spells it: an older base may have other capitals. A text field takes any."""
    if field.seen.type != "singleSelect":
        return cut(text)
    spelled = {folded(option): option for option in reversed(field.seen.options)}
    if folded(text) not in spelled:
        said = f"{field.seen.name} has no option {text[:100]!r}; {Cause.UNKNOWN_OPTION}"
        raise Misconfigured(said, cause=Cause.UNKNOWN_OPTION)
    return spelled[folded(text)]


def _links(field: WritableField, value: object) -> Sequence[str]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _wrong(field, value)
    return [str(each) for each in value]


def _flag(field: WritableField, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(field, value)
    return value


def _wrong(field: WritableField, value: object) -> BadInput:
    return BadInput(f"{field.seen.name} takes {field.column.kind}, got a {type(value).__name__}")


_WRITERS: Mapping[Kind, Callable[[WritableField, object], Cell]] = {
    Kind.TEXT: _text,
    Kind.LONG_TEXT: _text,
    Kind.NUMBER: _number,
    Kind.SHARE: _share,
    Kind.MONEY: _money,
    Kind.MINUTES: _minutes,
    Kind.TIME: _time,
    Kind.CHOICE: _choice,
    Kind.LINK: _links,
    Kind.FLAG: _flag,
}


# -- cells as ours -----------------------------------------------------------------------------------------------------


def value_of(column: Column, seen: SeenField, cell: object) -> object:
    """What a cell says in the terms of *column*: text, number, share of one, Decimal dollars, timedelta, datetime UTC,
    ids of records, flag. None when it is empty or says nothing of the kind, as a formula that fails.
    """
    if column.kind is Kind.FLAG:
        return cell is True
    return None if cell is None else _READERS[column.kind](seen, cell)


def _read_text(_: SeenField, cell: object) -> str | None:
    """A lookup has several."""
    if isinstance(cell, list):
        return ", ".join(text for each in cell if (text := _read_text(_, each))) or None
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        return None
    return str(cell) or None


def _read_number(_: SeenField, cell: object) -> int | float | None:
    if isinstance(cell, list) and len(cell) == 1:
        return _read_number(_, cell[0])
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return None
    return cell if isinstance(cell, int) or math.isfinite(cell) else None


def _read_share(seen: SeenField, cell: object) -> float | None:
    number = _read_number(seen, cell)
    return number / 100 if number is not None and seen.type == "number" else number


def _read_money(seen: SeenField, cell: object) -> Decimal | None:
    number = _read_number(seen, cell)
    return None if number is None else Decimal(str(number))


def _read_minutes(seen: SeenField, cell: object) -> timedelta | None:
    number = _read_number(seen, cell)
    if number is None:
        return None
    try:
        return timedelta(seconds=number) if seen.type == "duration" else timedelta(minutes=number)
    except OverflowError:
        return None


def _read_time(_: SeenField, cell: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(cell) if isinstance(cell, str) else None
    except ValueError:
        return None
    return at if at is None else at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)


def _read_links(_: SeenField, cell: object) -> tuple[str, ...] | None:
    return tuple(each for each in cell if isinstance(each, str)) if isinstance(cell, list) else None


_READERS: Mapping[Kind, Callable[[SeenField, object], object]] = {
    Kind.TEXT: _read_text,
    Kind.LONG_TEXT: _read_text,
    Kind.NUMBER: _read_number,
    Kind.SHARE: _read_share,
    Kind.MONEY: _read_money,
    Kind.MINUTES: _read_minutes,
    Kind.TIME: _read_time,
    Kind.CHOICE: _read_text,
    Kind.LINK: _read_links,
}


def same(ours: Cell, theirs: object) -> bool:
    """Is what stands there what was written? An empty cell is not there at all; times may be spelled otherwise."""
    if _empty(ours) or _empty(theirs):
        return _empty(ours) and _empty(theirs)
    if isinstance(ours, int | float) and not isinstance(ours, bool):
        return isinstance(theirs, int | float) and math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(ours, str) and isinstance(theirs, str):
        return ours == theirs or ours.strip() == theirs.strip()
    return ours == theirs


def _empty(cell: object) -> bool:
    """0 is not."""
    return cell is None or cell is False or cell in ("", [])
