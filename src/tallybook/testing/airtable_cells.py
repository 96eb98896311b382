"""What a cell takes: values are checked, and with typecast converted, before anything is written."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from tallybook.testing.airtable_fields import DATES, LINK, NUMBERS, TEXTS, Field
from tallybook.testing.airtable_wire import (
    bad_date,
    bad_value,
    computed_field,
    is_record_id,
    time_text,
    unknown_option,
)
from tallybook.testing.lookalike_http import Refused

LONGEST_TEXT, LARGEST = 100_000, 1e308
_YES = {"true", "yes", "1", "checked"}


def accepted(field: Field, value: object, *, typecast: bool) -> Any:
    """What is to be stored; None: nothing. With *typecast* an option or a linked record may still have to be made.

    Raises Refused.
    """
    if field.computed:
        raise computed_field(field.name)
    if value is None:
        return None
    return _taker(field.type)(field, value, typecast)


def _taker(kind: str) -> Callable[[Field, Any, bool], Any]:
    if kind in TEXTS:
        return _text
    if kind in NUMBERS:
        return _number
    if kind in DATES:
        return _date if kind == "date" else _date_time
    others = {"checkbox": _checkbox, "singleSelect": _select, "multipleSelects": _selects, LINK: _links}
    return others[kind]


def _text(field: Field, value: object, typecast: bool) -> str | None:
    if typecast and isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise bad_value(field.name)
    return value or None


def _number(field: Field, value: object, typecast: bool) -> float | None:
    if typecast and isinstance(value, str):
        return _number_in(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST < value < LARGEST:
        raise bad_value(field.name)
    return value


def _number_in(text: str) -> float | None:
    """None when there is none: typecast does what it can."""
    try:
        number = float(text.strip())
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def _checkbox(field: Field, value: object, typecast: bool) -> bool | None:
    if typecast and isinstance(value, str | int):
        value = str(value).lower() in _YES
    if not isinstance(value, bool):
        raise bad_value(field.name)
    return value or None


def _select(field: Field, value: object, typecast: bool) -> str | None:
    if not isinstance(value, str):
        raise bad_value(field.name)
    return _option(field, value, typecast)


def _selects(field: Field, value: object, typecast: bool) -> list[str] | None:
    if typecast and isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise bad_value(field.name)
    options = [_option(field, each, typecast) for each in value]
    return list(dict.fromkeys(option for option in options if option)) or None


def _option(field: Field, name: str, typecast: bool) -> str | None:
    if typecast:
        return name.strip() or None
    if name not in field.option_names:
        raise unknown_option(name)
    return name


def _date(field: Field, value: object, typecast: bool) -> str | None:
    if not isinstance(value, str):
        raise bad_value(field.name)
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return _moment(field, value, typecast)[:10] if typecast else _refuse_date(field, value)


def _refuse_date(field: Field, value: str) -> str:
    """A time where only a day can stand is another error than what is no time at all."""
    _moment(field, value, False)
    raise bad_value(field.name)


def _date_time(field: Field, value: object, typecast: bool) -> str | None:
    if not isinstance(value, str):
        raise bad_value(field.name)
    return _moment(field, value, typecast)


def _moment(field: Field, value: str, _typecast: bool) -> str:
    try:
        moment = datetime.fromisoformat(value.strip())
        return time_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise bad_date(value, field.name) from None


def _links(field: Field, value: object, typecast: bool) -> list[str] | None:
    """Ids of records; with *typecast* also what stands in their primary field."""
    if typecast and isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise bad_value(field.name)
    if not typecast:
        for each in value:
            _check_record_id(each)
    return list(dict.fromkeys(value)) or None


def _check_record_id(text: str) -> None:
    if not is_record_id(text):
        raise Refused(422, "INVALID_RECORD_ID", f'Value "{text}" is not a valid record ID.')
