"""What a request asks a model about: the rubric and the items, read out of Tallybook's prompts.

The instructions have a line `<rubric>`, one JSON document, a line `</rubric>`; the newest message of the user that has
them has a line `<items>`, a JSON list, a line `</items>`. In the JSON `<` is written as an escape, so that no text of
an item can end it.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tallybook.testing.model_wire import Prompt, Refused


@dataclass(frozen=True)
class AskedItem:
    """*fields*: every text it has that is not empty, by the path to it (`about`, `positions.0.title`)."""

    id: str
    fields: Mapping[str, str]

    @property
    def text(self) -> str:
        return "\n".join(self.fields.values())

    @cached_property
    def fingerprint(self) -> str:
        """The same for the same texts, whatever the item is called."""
        return hashlib.sha256(json.dumps(sorted(self.fields.items())).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class AskedAttribute:
    """*points*: the most a positive gives, or the most a negative takes. *fixed*: all of them or none."""

    id: str
    points: float
    negative: bool = False
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One request, as rules see it. *number* counts the server's requests from 1."""

    number: int
    provider: str
    model: str
    items: tuple[AskedItem, ...] = ()
    attributes: tuple[AskedAttribute, ...] = ()

    @property
    def item_ids(self) -> tuple[str, ...]:
        return tuple(item.id for item in self.items)

    @property
    def texts(self) -> tuple[str, ...]:
        """Of each item all its texts, a line each."""
        return tuple(item.text for item in self.items)


def question_of(number: int, prompt: Prompt) -> Question:
    """Raises Refused when there are tags, but not what belongs between them."""
    try:
        items = tuple(map(_item, _items(prompt)))
        attributes = tuple(map(_attribute, _attributes(prompt)))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Refused(400, f"the rubric or the items cannot be read: {error!r}") from None
    return Question(number, prompt.provider, prompt.model, items, attributes)


def _items(prompt: Prompt) -> Sequence[Mapping[str, Any]]:
    found = (_tagged("items", text) for text in reversed(prompt.user))
    return _list(next((items for items in found if items is not None), []))


def _attributes(prompt: Prompt) -> Sequence[Mapping[str, Any]]:
    found = _tagged("rubric", prompt.system)
    return [] if found is None else _list(found["attributes"])


def _list(found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise TypeError("this should be a list")
    return found


def _tagged(tag: str, text: str) -> Any:
    """The document between the lines `<tag>` and `</tag>`, the last one; None if there is none."""
    found = re.findall(rf"^<{tag}>\s*\n(.*?)\n\s*</{tag}>\s*$", text, re.MULTILINE | re.DOTALL)
    return json.loads(found[-1]) if found else None


def _item(row: Mapping[str, Any]) -> AskedItem:
    texts = {name: value for name, value in row.items() if name != "id"}
    return AskedItem(str(row["id"]), dict(_texts_in(texts)))


def _texts_in(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and value.strip():
        yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from _texts_in(each, f"{path}.{name}".lstrip("."))


def _attribute(row: Mapping[str, Any]) -> AskedAttribute:
    return AskedAttribute(
        id=str(row["id"]),
        points=abs(float(row["points"])),
        negative=row.get("category") == "negative",
        fixed=row.get("scale") == "fixed",
    )
