"""One table of the fields that programs report, and how each is called in the verbs, the API and Airtable."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from tallybook.domain.errors import BadInput, ComputedField, UnknownField
from tallybook.domain.run import OperationName

LARGEST = 2**53


class Sort(StrEnum):
    """What a field holds. NOTE is appended as an event, never overwritten; COMPUTED is never written by a caller."""

    WORD = "word"
    TIME = "time"
    NOTE = "note"
    ERROR = "error"
    TEXT = "text"
    COUNT = "count"
    MONEY = "money"
    COMPUTED = "computed"


@dataclass(frozen=True, slots=True)
class Field:
    """*job_column*, *client_column*: the Airtable columns of the two tables, None where it has none.

    *operation*: the one whose run it speaks of. *also*: spellings that folding case, spaces and underscores misses.
    """

    name: str
    sort: Sort
    job_column: str | None = None
    client_column: str | None = None
    operation: OperationName | None = None
    also: tuple[str, ...] = ()


def _both(name: str, sort: Sort, column: str, **more: object) -> Field:
    return Field(name, sort, column, column, **more)  # type: ignore[arg-type]  # passed through


def _client(name: str, column: str, operation: OperationName | None = None, **more: object) -> Field:
    return Field(name, Sort.COUNT, None, column, operation, **more)  # type: ignore[arg-type]  # passed through


_LEADS, _HARVEST, _POSTS = OperationName

FIELDS: tuple[Field, ...] = (
    Field("job_type", Sort.WORD, "Job Type"),
    Field("stream", Sort.WORD, "Stream"),
    Field("triggered_by", Sort.WORD, "Triggered By", also=("trigger",)),
    Field("client_name", Sort.TEXT, None, "Client Name"),
    _both("status", Sort.WORD, "Status"),
    _both("started_at", Sort.TIME, "Start Time"),
    _both("ended_at", Sort.TIME, "End Time"),
    _both("system_notes", Sort.NOTE, "System Notes", also=("notes", "source", "initialData")),
    Field("progress", Sort.NOTE),
    Field("error", Sort.ERROR, "Error", "Error Details", also=("Error Details",)),
    Field("items_processed", Sort.COUNT, "Items Processed"),
    _both("total_leads", Sort.COUNT, "Total Leads"),
    _both("successful_leads", Sort.COUNT, "Successful Leads"),
    _both("failed_leads", Sort.COUNT, "Failed Leads"),
    _both("skipped_leads", Sort.COUNT, "Skipped Leads"),
    _client("leads_processed", "Leads Processed"),
    Field("total_clients", Sort.COUNT, "Total Clients"),
    Field("successful_clients", Sort.COUNT, "Successful Clients"),
    Field("failed_clients", Sort.COUNT, "Failed Clients"),
    _client("profiles_examined", "Profiles Examined for Scoring", _LEADS),
    _client("profiles_scored", "Profiles Successfully Scored", _LEADS),
    _client("profile_tokens", "Profile Scoring Tokens", _LEADS),
    _client("posts_examined", "Posts Examined for Scoring", _POSTS),
    _client("posts_scored", "Posts Successfully Scored", _POSTS),
    _client("post_tokens", "Post Scoring Tokens", _POSTS),
    _client("posts_processed", "Posts Processed", _POSTS),
    _client("profiles_submitted", "Profiles Submitted for Post Harvesting", _HARVEST),
    _client("posts_harvested", "Total Posts Harvested", _HARVEST),
    _both("prompt_tokens", Sort.COUNT, "Prompt Tokens"),
    _both("completion_tokens", Sort.COUNT, "Completion Tokens"),
    _both("total_tokens", Sort.COUNT, "Total Tokens", also=("tokenUsage", "AI Tokens Used", "Token Usage")),
    _both("estimated_cost_usd", Sort.MONEY, "Estimated Cost"),
    Field("apify_cost_usd", Sort.MONEY, None, "Apify API Costs"),
    _both("apify_run_id", Sort.TEXT, "Apify Run ID"),
    _client("errors", "Errors"),
    Field("tokens_per_lead", Sort.COMPUTED, None, "Average Tokens Per Lead"),
    Field("success_rate", Sort.COMPUTED, "Success Rate"),
    _both("lead_success_rate", Sort.COMPUTED, "Lead Success Rate"),
    _both("duration", Sort.COMPUTED, "Duration"),
)

BY_NAME: Mapping[str, Field] = {each.name: each for each in FIELDS}


def _fold(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_FOLDED: Mapping[str, Field] = {
    _fold(spelling): each
    for each in FIELDS
    for spelling in (each.name, each.job_column, each.client_column, *each.also)
    if spelling
} | {_fold("startTime"): BY_NAME["started_at"], _fold("endTime"): BY_NAME["ended_at"]}

Value = str | int


def read_field(name: str) -> Field:
    """The field *name* means, in any spelling. Raises UnknownField, naming the known ones, or ComputedField (F11)."""
    field = _FOLDED.get(_fold(name))
    if field is None:
        known = ", ".join(each.name for each in FIELDS if each.sort is not Sort.COMPUTED)
        raise UnknownField(f"{name!r} is no field; known fields: {known}")
    if field.sort is Sort.COMPUTED:
        raise ComputedField(f"{field.name} is derived from the rows and cannot be written; leave it out")
    return field


def read_fields(said: Mapping[str, object]) -> dict[Field, Value]:
    """What a caller said, by field; None says nothing. Raises BadInput before anything is written."""
    return {
        field: read_value(field, value)
        for field, value in ((read_field(name), value) for name, value in said.items())
        if value is not None
    }


def read_value(field: Field, value: object) -> Value:
    """*value* as *field* keeps it: counts as int, times and money as text. Raises BadInput."""
    if field.sort is Sort.COUNT:
        return _read_count(field.name, value)
    if field.sort is Sort.MONEY:
        return _read_money(field.name, value)
    if field.sort is Sort.TIME:
        return _read_time(field.name, value)
    return storable(str(value))


def storable(text: str) -> str:
    """*text* as every database takes it: NULs dropped, lone surrogates replaced. All else stays as it is."""
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _read_count(name: str, value: object) -> int:
    number = _as_decimal(name, value)
    if number != number.to_integral_value():
        raise BadInput(f"{name} must be a whole number, got {value!r}")
    return int(number)


def _read_money(name: str, value: object) -> str:
    return format(_as_decimal(name, value), "f")


def _as_decimal(name: str, value: object) -> Decimal:
    try:
        number = Decimal(str(value).strip()) if not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not 0 <= number <= LARGEST:
        raise BadInput(f"{name} must be a number from 0 to {LARGEST}, got {value!r}")
    return number


def _read_time(name: str, value: object) -> str:
    """UTC text of fixed width. A time without a zone is UTC."""
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except (ValueError, OverflowError):
        raise BadInput(f"{name} must be a time such as 2026-11-23T01:30:00Z, got {value!r}") from None
