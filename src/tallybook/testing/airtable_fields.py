"""The fields of a table: what types there are, what each needs to be made, and how code names them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tallybook.testing.airtable_wire import new_id

TEXTS = {"singleLineText", "multilineText", "richText", "email", "url", "phoneNumber"}
NUMBERS = {"number", "percent", "currency", "rating", "duration"}
SELECTS = {"singleSelect", "multipleSelects"}
DATES = {"date", "dateTime"}
TIMES = {"createdTime", "lastModifiedTime"}
BY_LINK = {"rollup", "multipleLookupValues", "count"}
"""What is computed of linked records."""
COMPUTED = {"formula", "autoNumber", *BY_LINK, *TIMES}
LINK = "multipleRecordLinks"
TYPES = {*TEXTS, *NUMBERS, *SELECTS, *DATES, *COMPUTED, LINK, "checkbox"}
NO_PRIMARY = {LINK, "checkbox", "multipleSelects", "rollup", "multipleLookupValues", "count"}
NEEDED: Mapping[str, tuple[str, ...]] = {
    "number": ("precision",),
    "percent": ("precision",),
    "currency": ("precision", "symbol"),
    "rating": ("icon", "max", "color"),
    "duration": ("durationFormat",),
    "checkbox": ("icon", "color"),
    "singleSelect": ("choices",),
    "multipleSelects": ("choices",),
    "date": ("dateFormat",),
    "dateTime": ("dateFormat", "timeFormat", "timeZone"),
    LINK: ("linkedTableId",),
}
"""The options without which the API makes no such field."""


@dataclass(frozen=True, slots=True)
class Column:
    """A field to be made. *options* as the API has them, but names may stand for ids."""

    name: str
    type: str = "singleLineText"
    options: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""


@dataclass(slots=True)
class Field:
    """A field as it is now."""

    id: str
    name: str
    type: str
    options: dict[str, Any]
    description: str = ""

    @property
    def computed(self) -> bool:
        return self.type in COMPUTED

    @property
    def choices(self) -> list[dict[str, Any]]:
        """Of a select."""
        found: list[dict[str, Any]] = self.options.setdefault("choices", [])
        return found

    @property
    def option_names(self) -> list[str]:
        return [choice["name"] for choice in self.choices]

    def add_option(self, name: str) -> None:
        """Nothing when it is there."""
        if name not in self.option_names:
            self.choices.append(choice(name))


def choice(name: str) -> dict[str, Any]:
    return {"id": new_id("sel"), "name": name, "color": "blueLight2"}


# -- as code names them ------------------------------------------------------------------------------------------------

_LOCAL = {"name": "local", "format": "l"}
_ISO = {"name": "iso", "format": "YYYY-MM-DD"}
_CLOCK = {"name": "24hour", "format": "HH:mm"}


def text(name: str) -> Column:
    return Column(name)


def long_text(name: str) -> Column:
    return Column(name, "multilineText")


def url(name: str) -> Column:
    return Column(name, "url")


def email(name: str) -> Column:
    return Column(name, "email")


def number(name: str, precision: int = 0) -> Column:
    return Column(name, "number", {"precision": precision})


def percent(name: str, precision: int = 0) -> Column:
    """A whole is 1."""
    return Column(name, "percent", {"precision": precision})


def currency(name: str, precision: int = 2, symbol: str = "$") -> Column:
    return Column(name, "currency", {"precision": precision, "symbol": symbol})


def checkbox(name: str) -> Column:
    return Column(name, "checkbox", {"icon": "check", "color": "greenBright"})


def select(name: str, *options: str) -> Column:
    return Column(name, "singleSelect", {"choices": [{"name": option} for option in options]})


def selects(name: str, *options: str) -> Column:
    return Column(name, "multipleSelects", {"choices": [{"name": option} for option in options]})


def date(name: str) -> Column:
    return Column(name, "date", {"dateFormat": _ISO})


def date_time(name: str, time_zone: str = "utc") -> Column:
    return Column(name, "dateTime", {"dateFormat": _ISO, "timeFormat": _CLOCK, "timeZone": time_zone})


def link(name: str, table: str) -> Column:
    """To records of *table*, by its name or id; the other table gets a field that leads back."""
    return Column(name, LINK, {"linkedTableId": table})


def formula(name: str, expression: str, result: Column | None = None) -> Column:
    """*result*: such a field as its values are of; None: text."""
    shown_as = result or text("")
    options = {"options": dict(shown_as.options)} if shown_as.options else {}
    return Column(name, "formula", {"formula": expression, "result": {"type": shown_as.type, **options}})


def count(name: str, of_link: str) -> Column:
    return Column(name, "count", {"recordLinkFieldId": of_link})


def lookup(name: str, over_link: str, of_field: str) -> Column:
    return Column(name, "multipleLookupValues", {"recordLinkFieldId": over_link, "fieldIdInLinkedTable": of_field})


def rollup(name: str, over_link: str, of_field: str, aggregate: str = "sum") -> Column:
    """*aggregate*: sum, min, max, average or count."""
    options = {"recordLinkFieldId": over_link, "fieldIdInLinkedTable": of_field, "aggregate": aggregate}
    return Column(name, "rollup", options)


def created_time(name: str) -> Column:
    return Column(name, "createdTime", {"result": {"type": "dateTime", "options": _times()}})


def modified_time(name: str) -> Column:
    """Of the whole record."""
    return Column(name, "lastModifiedTime", {"isValid": True, "result": {"type": "dateTime", "options": _times()}})


def auto_number(name: str) -> Column:
    return Column(name, "autoNumber")


def _times() -> dict[str, Any]:
    return {"dateFormat": _LOCAL, "timeFormat": _CLOCK, "timeZone": "utc"}
