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
"""A string, in which nothing is replaced, or a variable."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """*headers* are sent as they are, those of *headers_template* after its variables are filled in."""

    request_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    event_types: tuple[str, ...] = ALL_BUT_CREATED
    payload_template: str = DEFAULT_PAYLOAD
    headers_template: str = field(default="{}", repr=False)
    do_not_retry: bool = False

    def body(self, values: Mapping[str, Any]) -> str:
        return filled(self.payload_template, values)

    def all_headers(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Raises ValueError for a template that does not make a JSON object."""
        made = json.loads(filled(self.headers_template, values))
        if not isinstance(made, dict):
            raise ValueError("the template of the headers makes no JSON object")
        return {**self.headers, **{name: str(value) for name, value in made.items()}}


def filled(template: str, values: Mapping[str, Any]) -> str:
    """Each variable outside of strings becomes JSON: `{{eventType}}` a string in quotes, `{{resource}}` an object.

    A point leads into an object: `{{resource.id}}`. What is not there becomes null.
    """
    return _PIECE.sub(lambda piece: piece[0] if piece[1] is None else json.dumps(_at(values, piece[1])), template)


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
    )
    hook.all_headers({})
    return hook
