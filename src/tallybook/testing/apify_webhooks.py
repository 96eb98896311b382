"""Webhooks: whom they tell of what, and the templates of what they say."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CREATED, RESURRECTED = "ACTOR.RUN.CREATED", "ACTOR.RUN.RESURRECTED"
ALL_BUT_CREATED = tuple(f"ACTOR.RUN.{name}" for name in ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "RESURRECTED"))
DEFAULT_PAYLOAD = (
    '{"userId": {{userId}}, "createdAt": {{createdAt}}, "eventType": {{eventType}}, '
    '"eventData": {{eventData}}, "resource": {{resource}}}'
)
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|\{\{\s*([\w.]+)\s*\}\}')
"""A string, in which nothing is replaced unless that is asked for, or a variable."""
_VARIABLE = re.compile(r"\{\{([\w.]+)\}\}")


@dataclass(frozen=True, slots=True)
class Webhook:
    """*headers* are sent as they are, those of *headers_template* after its variables are filled in; *in_strings*: in
    strings too.
    """

    request_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    event_types: tuple[str, ...] = ALL_BUT_CREATED
    payload_template: str = DEFAULT_PAYLOAD
    headers_template: str = field(default="{}", repr=False)
    do_not_retry: bool = False
    in_strings: bool = False

    def body(self, values: Mapping[str, Any]) -> str:
        return filled(self.payload_template, values, in_strings=self.in_strings)

    def all_headers(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Raises ValueError for a template that does not make a JSON object."""
        made = json.loads(filled(self.headers_template, values, in_strings=self.in_strings))
        if not isinstance(made, dict):
            raise ValueError("the template of the headers makes no JSON object")
        return {**self.headers, **{name: str(value) for name, value in made.items()}}


def filled(template: str, values: Mapping[str, Any], *, in_strings: bool = False) -> str:
    """Each variable outside of strings becomes JSON: `{{eventType}}` a string in quotes, `{{resource}}` an object.

    A point leads into an object: `{{resource.id}}`. What is not there becomes null. *in_strings*: those in strings are
    filled in too; a string that is nothing but a variable becomes its value, of whatever type.
    """

    def replaced(piece: "re.Match[str]") -> str:
        if piece[1] is not None:
            return json.dumps(_at(values, piece[1]))
        return json.dumps(_in_string(json.loads(piece[0], strict=False), values)) if in_strings else piece[0]

    return _PIECE.sub(replaced, template)


def _in_string(text: str, values: Mapping[str, Any]) -> Any:
    whole = _VARIABLE.fullmatch(text)
    return _at(values, whole[1]) if whole else _VARIABLE.sub(lambda found: _as_text(_at(values, found[1])), text)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def webhook_of(said: Mapping[str, Any]) -> Webhook:
    """An ad-hoc webhook as a start brings it. Raises LookupError, TypeError, ValueError for what is none."""
    hook = Webhook(
        str(said["requestUrl"]),
        event_types=tuple(said["eventTypes"]),
        payload_template=said.get("payloadTemplate") or DEFAULT_PAYLOAD,
        headers_template=said.get("headersTemplate") or "{}",
        do_not_retry=bool(said.get("doNotRetry")),
        in_strings=bool(said.get("shouldInterpolateStrings")),
    )
    hook.all_headers({})
    return hook
