"""Filters, built by pyairtable alone, whose escaping is right: a quote in an id once hid all work for days (F16).

Fields are named by their ids, which no renaming changes and which need no escaping.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyairtable.formulas import Formula


def any_of(field_id: str, keys: Sequence[str]) -> "Formula":
    """Rows in whose field stands one of *keys*, of which there is at least one."""
    from pyairtable.formulas import EQ, OR, Field  # of an extra, and slow to import

    return OR(*(EQ(Field(field_id), key) for key in keys))


def any_record(record_ids: Sequence[str]) -> "Formula":
    from pyairtable.formulas import EQ, OR, RECORD_ID

    return OR(*(EQ(RECORD_ID(), each) for each in record_ids))


def not_empty(field_id: str) -> "Formula":
    """Rows in whose field something stands."""
    from pyairtable.formulas import NE, Field

    return NE(Field(field_id), "")


def changed_since(at: datetime, field_id: str | None = None) -> "Formula":
    """Rows that were changed at *at* or later. *field_id*: of a field that says when; None: Airtable is asked."""
    from pyairtable.formulas import IS_BEFORE, LAST_MODIFIED_TIME, NOT, Field

    changed = Field(field_id) if field_id else LAST_MODIFIED_TIME()
    return NOT(IS_BEFORE(changed, at))


def both(one: "Formula", other: "Formula") -> "Formula":
    from pyairtable.formulas import AND

    return AND(one, other)
