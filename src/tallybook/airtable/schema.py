"""What our tables in Airtable are made of, as code: kinds of columns, and whose they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

COMPUTED_TYPES = frozenset(
    (
        "aiText", "autoNumber", "button", "count", "createdBy", "createdTime", "externalSyncSource", "formula",
        "lastModifiedBy", "lastModifiedTime", "lookup", "multipleLookupValues", "rollup",
    )
)  # fmt: skip
"""Types whose cells Airtable fills itself. What is of such a type is never written (F11)."""
SELECT_TYPES = frozenset(("singleSelect", "multipleSelects"))
LINK_TYPE = "multipleRecordLinks"

_LINE = ("singleLineText", "multilineText")
_LOCAL = {"name": "local", "format": "l"}
_CLOCK = {"name": "24hour", "format": "HH:mm"}


class Kind(StrEnum):
    """What a column holds, in words of ours."""

    TEXT = "text"
    LONG_TEXT = "long text"
    NUMBER = "number"
    SHARE = "share"
    MONEY = "money"
    MINUTES = "minutes"
    TIME = "time"
    CHOICE = "choice"
    LINK = "link"
    FLAG = "flag"

    @property
    def types(self) -> Sequence[str]:
        """Types of Airtable that can hold it. The first is made where there is none."""
        return _TYPES[self]


_TYPES: Mapping[Kind, Sequence[str]] = {
    Kind.TEXT: (*_LINE, "url", "email", "phoneNumber", "richText", "singleSelect"),
    Kind.LONG_TEXT: ("multilineText", "richText", "singleLineText"),
    Kind.NUMBER: ("number", "currency"),
    Kind.SHARE: ("percent", "number"),
    Kind.MONEY: ("currency", "number"),
    Kind.MINUTES: ("number", "duration"),
    Kind.TIME: ("dateTime", "date"),
    Kind.CHOICE: ("singleSelect", *_LINE),
    Kind.LINK: (LINK_TYPE,),
    Kind.FLAG: ("checkbox",),
}
_OPTIONS: Mapping[str, Mapping[str, object]] = {
    "percent": {"precision": 1},
    "currency": {"precision": 4, "symbol": "$"},
    "dateTime": {"dateFormat": _LOCAL, "timeFormat": _CLOCK, "timeZone": "utc"},
    "checkbox": {"icon": "check", "color": "greenBright"},
}


class Owner(StrEnum):
    """Who fills a column. There is one; what is a person's is never written."""

    OURS = "ours"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Column:
    """A column as we want it. *key*: how code names it, for figures of runs as `domain.fields` does.

    *also*: names that older bases have for it. *options*: of a choice, those we write. *link*: of a link, the key of
    the table it leads to. *needed*: without it the table is of no use.
    """

    key: str
    name: str
    kind: Kind
    owner: Owner = Owner.OURS
    also: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    link: str = ""
    decimals: int = 0
    needed: bool = False

    def wanted(self, link_id: str = "") -> dict[str, object]:
        """As the API takes it when it is to be made. Computed fields cannot be: what is a formula elsewhere becomes a
        plain number that we reckon. *link_id*: of a link, the table's id.
        """
        made_as = self.kind.types[0]
        options = dict(_OPTIONS.get(made_as, {}))
        if made_as == "number":
            options = {"precision": self.decimals}
        if self.kind is Kind.CHOICE:
            options = {"choices": [{"name": option} for option in self.options]}
        if self.kind is Kind.LINK:
            options = {"linkedTableId": link_id}
        return {"name": self.name, "type": made_as, **({"options": options} if options else {})}


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table as we want it. Its first column is its primary field and the key of its rows. *made*: by us where it is
    missing; one that holds what people have put there is not.
    """

    key: str
    name: str
    columns: tuple[Column, ...]
    also: tuple[str, ...] = ()
    made: bool = False

    @property
    def by_key(self) -> Mapping[str, Column]:
        return {column.key: column for column in self.columns}


def folded(name: str) -> str:
    """As names are compared: case and surplus spaces do not count."""
    return " ".join(name.split()).casefold()
