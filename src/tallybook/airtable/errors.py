"""What Airtable could not do, told as ours. Each says what happened, what it means, and what to do.

AirtableError
├── NotNow              wait, and try again: nothing was done
│   ├── Resting         not even asked, for a rest is on that lasts too long for the caller
│   └── LostAnswer      nobody knows whether it was done
├── MonthUsedUp         nothing is asked of the base any more until the month turns
├── Misconfigured       somebody has to mend the base, the token or the settings; the cause says what
├── BadRow              a value of one of the rows is not taken
│   └── RowGone         a row that was to be changed is not there
├── SeveralRows         several rows have the key of one
└── ListingExpired      the listing has to begin anew

None of them repeats the token (F35): what Airtable said is repeated only after it was taken out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from tallybook.domain.errors import Conflict, StoreUnavailable, TallybookError
from tallybook.domain.fields import storable

LONGEST_WORDS = 300
"""Characters of what Airtable said that are repeated."""


class AirtableError(TallybookError):
    """Airtable did not do what it was asked to. *kind*: its own word for why; *status* 0: there was no answer."""

    def __init__(self, message: str, *, kind: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status


class NotNow(AirtableError, StoreUnavailable):
    """It may do so later. Nothing was done."""

    retryable = True

    def __init__(self, message: str, *, retry_after_s: float = 0.0, kind: str = "", status: int = 0) -> None:
        super().__init__(message, kind=kind, status=status)
        self.retry_after_s = retry_after_s


class Resting(NotNow):
    """It was not asked: the base or the token rests for longer than the caller has time."""


class LostAnswer(NotNow):
    """The connection broke, or what came was no answer: it may have been done, and may not."""


class MonthUsedUp(AirtableError, StoreUnavailable):
    """The requests of the month are used up. *since*: when that was found out; *until*: when the month turns."""

    retryable = False

    def __init__(self, message: str, *, since: datetime, until: datetime, kind: str = "", status: int = 0) -> None:
        super().__init__(message, kind=kind, status=status)
        self.since = since
        self.until = until


class Cause(StrEnum):
    """What has to be mended. The value is the cure."""

    TOKEN = "give Tallybook a token that is good: airtable.token"
    ACCESS = "check the id of the base, and that the token may read and write it and its schema"
    UNKNOWN_FIELD = "a field was renamed or deleted: run `tallybook mirror setup`"
    COMPUTED = "the field has become a formula and is filled by Airtable itself: run `tallybook mirror setup`"
    UNKNOWN_OPTION = "add the option to the field in Airtable"
    FORMULA = "a field that is filtered by was renamed or deleted: run `tallybook mirror setup`"
    SCHEMA = "make the field or table by hand in Airtable"
    FULL = "the base holds as many records as its plan allows: delete old ones, or change the plan"
    ENDPOINT = "check airtable.endpoint_url"
    OTHER = "this is no trouble that Tallybook knows: see what Airtable says"


class Misconfigured(AirtableError):
    """Asking again is pointless until somebody mends it."""

    def __init__(self, message: str, *, cause: Cause, kind: str = "", status: int = 0) -> None:
        super().__init__(message, kind=kind, status=status)
        self.cause = cause


class BadRow(AirtableError):
    """Airtable does not take one of the rows, and so has taken none of the request."""


class RowGone(BadRow):
    """One of the rows is not there any more: somebody has deleted it."""


class SeveralRows(AirtableError, Conflict):
    """Several rows have the same key. *rows*: key -> their record ids, the oldest first."""

    def __init__(
        self, message: str, *, rows: Mapping[str, Sequence[str]] | None = None, kind: str = "", status: int = 0
    ) -> None:
        super().__init__(message, kind=kind, status=status)
        self.rows = rows or {}


class ListingExpired(AirtableError):
    """Airtable has forgotten the listing."""

    retryable = True


# -- what was answered -------------------------------------------------------------------------------------------------


class Response(Protocol):
    """Of `requests`, as far as it is read here."""

    @property
    def status_code(self) -> int: ...

    def json(self) -> object: ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """*kind*: Airtable's word for it; empty when something else answered in its place, such as a proxy with a page.
    Neither is cut: half a token could not be told from other words.
    """

    status: int
    kind: str = ""
    words: str = ""


def refusal_in(response: Response) -> Refusal:
    """What a response says, in whichever of its forms."""
    try:
        body = response.json()
    except ValueError:
        return Refusal(response.status_code)
    if not isinstance(body, dict):
        return Refusal(response.status_code)
    several = body.get("errors")
    error = several[0] if isinstance(several, list) and several else body.get("error")
    if isinstance(error, dict):
        kind, words = error.get("type") or error.get("error"), error.get("message")
        return Refusal(response.status_code, _text(kind), _text(words))
    return Refusal(response.status_code, _text(error))


def _text(value: object) -> str:
    return " ".join(storable(value).split()) if isinstance(value, str) else ""


# -- what it means -----------------------------------------------------------------------------------------------------

BILLING = "PUBLIC_API_BILLING_LIMIT_EXCEEDED"
_CAUSES: Mapping[str, Cause] = {
    "UNKNOWN_FIELD_NAME": Cause.UNKNOWN_FIELD,
    "INVALID_MULTIPLE_CHOICE_OPTIONS": Cause.UNKNOWN_OPTION,
    "INVALID_FILTER_BY_FORMULA": Cause.FORMULA,
    "UNSUPPORTED_FIELD_TYPE_FOR_CREATE": Cause.SCHEMA,
    "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE": Cause.SCHEMA,
    "DUPLICATE_OR_EMPTY_FIELD_NAME": Cause.SCHEMA,
    "DUPLICATE_TABLE_NAME": Cause.SCHEMA,
    "INVALID_TABLE": Cause.SCHEMA,
    "RECORD_LIMIT_EXCEEDED": Cause.FULL,
}
_CAUSES_OF_STATUS: Mapping[int, Cause] = {
    401: Cause.TOKEN,
    402: Cause.FULL,
    403: Cause.ACCESS,
    404: Cause.ACCESS,
    407: Cause.ENDPOINT,
}
_TIMED_OUT = 408
"""Said by what stands before Airtable, which may go on all the same."""
_ROWS: Mapping[str, type[BadRow]] = {
    "INVALID_VALUE_FOR_COLUMN": BadRow,
    "INVALID_RECORD_ID": BadRow,
    "ROW_DOES_NOT_EXIST": RowGone,
}


def says_month_used_up(refusal: Refusal) -> bool:
    return refusal.status == 429 and refusal.kind == BILLING


def says_too_fast(refusal: Refusal) -> bool:
    return refusal.status == 429 and refusal.kind != BILLING


def error_of(what: str, refusal: Refusal, *, writes: bool) -> AirtableError:
    """What *refusal* of *what* means, such as "updating 3 records". *writes*: then it can lie in the rows.

    The month's end is not told here: that needs a clock.
    """
    said = f"{refusal.kind}: {refusal.words}" if refusal.words else refusal.kind or "without a word of why"
    text = f"Airtable refused {what} ({refusal.status} {said[:LONGEST_WORDS]})"
    facts = {"kind": refusal.kind, "status": refusal.status}
    if refusal.status == 429:
        return NotNow(f"{text}; it is asked again after a rest", **facts)  # type: ignore[arg-type]  # as named above
    if refusal.status >= 500 or refusal.status == _TIMED_OUT:
        return _of_server(what, refusal, writes=writes)
    if refusal.kind == "LIST_RECORDS_ITERATOR_NOT_AVAILABLE":
        return ListingExpired(f"{text}; begin the listing anew", **facts)  # type: ignore[arg-type]  # as named above
    cause = _cause_of(refusal)
    if cause is not None or not writes:
        cause = cause or Cause.OTHER
        return Misconfigured(f"{text}; {cause}", cause=cause, **facts)  # type: ignore[arg-type]  # as named above
    row = _ROWS.get(refusal.kind, BadRow)
    return row(f"{text}; the row is left out, the others are written", **facts)  # type: ignore[arg-type]  # the same


def _cause_of(refusal: Refusal) -> Cause | None:
    """The field's being computed is told by the words alone: the kind is that of any value it does not take."""
    if refusal.kind == "INVALID_VALUE_FOR_COLUMN" and "computed" in refusal.words:
        return Cause.COMPUTED
    return _CAUSES_OF_STATUS.get(refusal.status) or _CAUSES.get(refusal.kind)


def _of_server(what: str, refusal: Refusal, *, writes: bool) -> NotNow:
    """What stands before Airtable gives up waiting while Airtable goes on: a write may have been done."""
    kind: type[NotNow] = LostAnswer if writes else NotNow
    means = "it may have been done all the same" if writes else "it may work later"
    text = f"Airtable has trouble of its own with {what} ({refusal.status}); {means}"
    return kind(text, kind=refusal.kind, status=refusal.status)
