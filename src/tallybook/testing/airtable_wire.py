"""The forms in which Airtable says things over HTTP, its errors above all."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tallybook.testing.lookalike_http import Exchange, Refused, Reply, as_json, page

LONGEST_URL = 16_000
LARGEST_BODY = 10_000_000
MOST_PER_WRITE = 10
MOST_PER_PAGE = 100
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class NotFound(Refused):
    """The one error that is a bare string."""

    def __init__(self) -> None:
        super().__init__(404, "NOT_FOUND")

    @property
    def reply(self) -> Reply:
        return as_json({"error": self.kind}, self.status)


class Listed(Refused):
    """An error in a list, as what stands before the API itself says it."""

    @property
    def reply(self) -> Reply:
        return as_json({"errors": [{"error": self.kind, "message": str(self)}]}, self.status)


class Page(Refused):
    """What a proxy says that stands before the API: HTML."""

    def __init__(self, status: int) -> None:
        super().__init__(status, "")

    @property
    def reply(self) -> Reply:
        return page(self.status)


# -- its errors --------------------------------------------------------------------------------------------------------


def denied() -> Refused:
    """No permission, or no such base or table: it does not say which."""
    return Refused(
        403,
        "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND",
        "Invalid permissions, or the requested model was not found. Check that both your user and your token have the "
        "required permissions, and that the model names and/or ids are correct.",
    )


def invalid(message: str) -> Refused:
    return Refused(422, "INVALID_REQUEST_UNKNOWN", message)


def unknown_field(name: str) -> Refused:
    return Refused(422, "UNKNOWN_FIELD_NAME", f'Unknown field name: "{name}"')


def computed_field(name: str) -> Refused:
    return Refused(
        422, "INVALID_VALUE_FOR_COLUMN", f'Field "{name}" cannot accept a value because the field is computed'
    )


def bad_value(name: str) -> Refused:
    return Refused(422, "INVALID_VALUE_FOR_COLUMN", f'Field "{name}" cannot accept the provided value')


def bad_date(value: str, name: str) -> Refused:
    return Refused(422, "INVALID_VALUE_FOR_COLUMN", f'Cannot parse date value "{value}" for field {name}')


def unknown_option(option: str) -> Refused:
    """Quoted twice, as Airtable has it."""
    quoted = json.dumps(option, ensure_ascii=False)
    return Refused(
        422, "INVALID_MULTIPLE_CHOICE_OPTIONS", f'Insufficient permissions to create new select option "{quoted}"'
    )


def unknown_record(record_id: str) -> Refused:
    return Refused(422, "ROW_DOES_NOT_EXIST", f"Record ID {record_id} does not exist in this table")


def rate_limited() -> Refused:
    return Listed(429, "RATE_LIMIT_REACHED", "Rate limit exceeded. Please try again later")


BILLING = "PUBLIC_API_BILLING_LIMIT_EXCEEDED"
BILLED_OUT = "API billing plan limit exceeded. You've reached the maximum number of requests allowed for this month."


def billed_out() -> Refused:
    return Refused(429, BILLING, BILLED_OUT)


def offset_gone() -> Refused:
    return Refused(
        422, "LIST_RECORDS_ITERATOR_NOT_AVAILABLE", "The iterator of this listing is gone; start the listing again"
    )


# -- what is read ------------------------------------------------------------------------------------------------------


def body_of(exchange: Exchange) -> Mapping[str, Any]:
    """Raises Refused."""
    if len(exchange.body) > LARGEST_BODY:
        raise Refused(413, "REQUEST_BODY_TOO_LARGE", "The request exceeded the maximum allowed payload size")
    try:
        told = json.loads(exchange.body or b"{}")
    except (ValueError, RecursionError):
        raise Refused(400, "INVALID_REQUEST_BODY", "Could not parse request body") from None
    if not isinstance(told, dict):
        raise invalid("Invalid request: the body must be an object")
    return told


def texts_of(value: object, what: str) -> list[str]:
    """Raises Refused."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise invalid(f"Invalid request: {what} must be an array of strings")
    return value


# -- what is said ------------------------------------------------------------------------------------------------------


def new_id(prefix: str) -> str:
    """17 characters. At random, so that several look-alikes do not share ids."""
    number = uuid.uuid4().int
    letters = []
    for _ in range(14):
        number, at = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[at])
    return prefix + "".join(letters)


def is_record_id(text: str) -> bool:
    return len(text) == 17 and text.startswith("rec") and text.isalnum()


def time_text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
