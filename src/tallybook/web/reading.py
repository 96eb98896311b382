"""Reading over HTTP: pages and where they go on, what a tenant may see, and no body for whoever has it already."""

import hashlib
import json
import math
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from starlette.responses import Response

from tallybook.database import Database
from tallybook.domain import runid
from tallybook.domain.access import Access
from tallybook.domain.errors import BadInput, NotFound
from tallybook.ledger import listing, read

T = TypeVar("T")
Key = Sequence[str | int]
FRESH = {"Cache-Control": "private, no-cache"}
"""May be kept by whoever asked, and is asked for anew each time: the ETag says whether it has changed."""
ETAG_SAYS: dict[int | str, dict[str, Any]] = {304: {"description": "Unchanged: its ETag was in If-None-Match"}}


# -- what is asked for -------------------------------------------------------------------------------------------------


class Asked(BaseModel):
    """What a caller may say in a query or a body. A name that is none of its fields is refused, with those it has."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known_names(cls, said: object) -> object:
        unknown = sorted(set(said) - set(cls.model_fields)) if isinstance(said, Mapping) else []
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no field; known fields: {', '.join(cls.model_fields)}")
        return said


class PageAsked(Asked):
    limit: int = Field(default=50, ge=1, le=1000, description="The most items of one page")
    cursor: str | None = Field(
        default=None,
        max_length=2000,
        pattern="^[A-Za-z0-9_-]+$",
        description="`next_cursor` of the page before; without it the first page",
    )


def whole(said: object) -> object:
    """In a body, for a BeforeValidator: 1.0 is a whole number in JSON; text and true are none. Raises ValueError."""
    if isinstance(said, bool | str):
        raise ValueError("a whole number")
    return said


_RFC_3339 = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?)"
    r"(?P<zone>[Zz]|[+ -][0-9]{2}:[0-9]{2}))?"
)


def read_moment(text: object) -> datetime | None:
    """A day of UTC, or an instant, as RFC 3339 has them. Raises ValueError."""
    found = _RFC_3339.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("a day such as 2026-11-23 or an instant such as 2026-11-23T01:30:00Z")
    zone = (found["zone"] or "Z").upper().replace(" ", "+")  # an unencoded + arrives as a space
    at = datetime.fromisoformat(f"{found['day']}T{found['time'] or '00:00:00'}{zone}")
    try:
        return at.astimezone(UTC)
    except OverflowError:  # a zone's breadth before year 1, or after 9999
        return at.replace(tzinfo=UTC)


Since = Annotated[
    datetime | None,
    BeforeValidator(read_moment),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}),
]
"""From when on."""


# -- pages -------------------------------------------------------------------------------------------------------------


def cursor_of(of: str, key: Key) -> str:
    """Where the list *of* goes on after the item with this key. It opens nothing that its reader may not see anyway."""
    return urlsafe_b64encode(json.dumps([of, *key]).encode()).decode().rstrip("=")


def key_in(of: str, cursor: str | None, *kinds: type) -> Any:
    """The key in a cursor of the list *of*, None without one. Raises BadInput for what no such list gave."""
    if cursor is None:
        return None
    try:
        said = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, list) or said[:1] != [of] or list(map(type, said[1:])) != list(kinds):
        raise BadInput("cursor: this list gave no such cursor; give the next_cursor of its page before, unchanged")
    return tuple(said[1:])


def page_of(found: Sequence[T], limit: int, facts: Callable[[T], Any], cursor: Callable[[T], str]) -> dict[str, Any]:
    """*found*: one more than *limit* where the list goes on."""
    items = found[:limit]
    return {
        "items": [facts(each) for each in items],
        "next_cursor": cursor(items[-1]) if len(found) > limit else None,
    }


# -- what a tenant may see ---------------------------------------------------------------------------------------------


def run_named(database: Database, access: Access, text: str) -> str:
    """The id of the run that *text* means, where *access* may see it. Raises InvalidRunId, NotFound.

    To a tenant, a run in which it has no part is not there, and nor are the labels of others (F05).
    """
    tenant = access.client_id
    if tenant is not None and listing.find_label(database, text) != tenant:
        runid.RunId.parse(text)
    try:
        run_id = read.find_run(database, text)
        listing.refuse_unconcerned(database, run_id, tenant)
    except NotFound:
        raise NotFound(f"there is no run {text}") from None
    return run_id


# -- the answer --------------------------------------------------------------------------------------------------------


def answer(request: Request, facts: object) -> Response:
    """*facts* as JSON; 304 without a body where the caller says that it has just this."""
    body = json_of(facts)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**FRESH, "ETag": etag}
    if _has(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def told(facts: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """*facts* as JSON."""
    return Response(json_of(facts), status, headers, "application/json")


def _has(said: str, etag: str) -> bool:
    named = [each.strip().removeprefix("W/") for each in said.split(",")]
    return etag in named or named == ["*"]


def json_of(facts: object) -> bytes:
    """Reporters may have left numbers and text that JSON has no word for: they become null and '?'."""
    try:
        text = json.dumps(facts, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(facts), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
