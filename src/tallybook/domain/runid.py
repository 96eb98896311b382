"""Run ids: the only code that makes or reads one.

A run has one identity, its key; everything else a run id says is for people. What may be written is in
docs/run-ids.md, why it is so in docs/decisions/0001-run-ids.md. Which id is free is the ledger's business.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum

from tallybook.domain.errors import InvalidRunId

KEY_LENGTH = 13  # of YYMMDD-HHMMSS and of SR-YYMMDD-NNN alike
LONGEST = 200  # characters
ACCEPTED = (
    "YYMMDD-HHMMSS[-client], SR-YYMMDD-NNN[-parts], job_{operation}_stream{N}_{YYYYMMDDHHMMSS}, "
    "job_post_scoring_bypass_{ms}, smart_resume_{ms}_{rand}, post_batch_standalone_{ms}"
)


class Form(StrEnum):
    """How a run id is written. Only the first two are still made; the others the old system left behind."""

    TIMESTAMP = "timestamp"
    STRUCTURED = "structured"
    STREAM_JOB = "stream_job"
    BYPASS = "bypass"
    SMART_RESUME = "smart_resume"
    STANDALONE = "standalone"


@dataclass(frozen=True, slots=True)
class RunId:
    """A run id and what it says. A field is None unless the form has it.

    *text* is what was written, verbatim. *key* identifies the run: the first 13 characters of TIMESTAMP and STRUCTURED,
    else the whole text. *at* is in UTC; a STRUCTURED id names a day, given as its midnight. *number* counts the runs of
    that day from 1; *task* is the digits after T, leading zeros kept; *token* is the random end of SMART_RESUME.
    *rest* is what has no prefix in a STRUCTURED id, verbatim. *doubled*: the client suffix stood more than once.
    """

    text: str
    form: Form
    key: str
    at: datetime
    number: int | None = None
    stream: int | None = None
    task: str | None = None
    client: str | None = None
    issue: str | None = None
    operation: str | None = None
    token: str | None = None
    doubled: bool = False
    rest: str | None = None

    @classmethod
    def parse(cls, text: object) -> "RunId":
        """Read a run id or a label in any form ever written. Raises InvalidRunId for everything else, of any type."""
        if not isinstance(text, str):
            raise InvalidRunId(f"a run id is text, not {type(text).__name__}; accepted: {ACCEPTED}")
        if trouble := _trouble(text):
            raise _invalid(text, trouble)
        for pattern, read in _READERS:
            if found := pattern.fullmatch(text):
                return read(found)
        raise _invalid(text, "it has none of the accepted forms")

    @property
    def client_or_issue(self) -> str | None:
        """The rest without its repeats: a client or an issue, the id does not say which."""
        return _once(self.rest, _REPEATED_REST)[0] if self.rest else None

    def as_json(self) -> dict[str, object]:
        """The fields that are not None as plain JSON data; *at* as ISO 8601."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = said | {"form": self.form.value, "at": self.at.isoformat()}
        return {name: value for name, value in plain.items() if value is not None}


def timestamp_id(at: datetime, zone: tzinfo = UTC) -> str:
    """YYMMDD-HHMMSS of *at* on the clocks of *zone*. Raises InvalidRunId for a naive time or outside 2000 to 2099."""
    if at.utcoffset() is None:
        raise InvalidRunId(f"{at} names no instant; a run id is made from a time with its zone")
    try:
        local = at.astimezone(zone)
    except OverflowError:
        local = at  # years 1 and 9999, refused below
    return f"{_two_digit_year(local)}{local:%m%d-%H%M%S}"


def structured_id(day: date, number: int) -> str:
    """SR-YYMMDD-NNN. Raises InvalidRunId unless *number* is 1 to 999 and *day* within 2000 to 2099."""
    if not 1 <= number <= 999:
        raise InvalidRunId(f"the number of a run within its day is 1 to 999, not {number}")
    return f"SR-{_two_digit_year(day)}{day:%m%d}-{number:03d}"


def display(key: str, *, stream: int | None = None, client: str | None = None, issue: str | None = None) -> str:
    """SR-YYMMDD-NNN-S{stream}[-C{client}][-{issue}] for a structured key; any other key as it is."""
    if not _STRUCTURED_KEY.fullmatch(key):
        return key
    parts = (f"S{stream}" if stream is not None else None, f"C{client}" if client else None, issue)
    return "-".join((key, *filter(None, parts)))


def label(run_id: str, client_id: str) -> str:
    """What a client run is called. The only place a label is made. Raises InvalidRunId if one of the two is missing."""
    if not run_id or not client_id:
        raise InvalidRunId(f"a label needs a run id and a client id, got {run_id!r} and {client_id!r}")
    return f"{run_id}-{client_id}"


# What is refused

_CONTROL = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control, lone surrogate, line and paragraph separator


def _trouble(text: str) -> str | None:
    if not text:
        return "it is empty"
    if len(text) > LONGEST:
        return f"it has {len(text)} characters, at most {LONGEST} are allowed"
    if text != text.strip():
        return "there is white space around it"
    if any(unicodedata.category(character) in _CONTROL for character in text):
        return "there is a control character in it"
    return None


def _invalid(text: str, why: str) -> InvalidRunId:
    shown = text if len(text) <= 60 else text[:59] + "…"
    return InvalidRunId(f"{shown!r} is no run id: {why}; accepted: {ACCEPTED}")


def _two_digit_year(day: date) -> str:
    if not 2000 <= day.year <= 2099:
        raise InvalidRunId(f"a run id has a two-digit year, 2000 to 2099, not {day.year}")
    return f"{day.year - 2000:02d}"


# One reader for each form. Digits are [0-9]: \d and int() would also take the digits of other scripts.


def _read_timestamp(found: re.Match[str]) -> RunId:
    day, time, suffix = found.groups()
    client, doubled = _once(suffix, _REPEATED) if suffix else (None, False)
    at = _instant(found.string, f"20{day}{time}")
    return RunId(found.string, Form.TIMESTAMP, found.string[:KEY_LENGTH], at, client=client, doubled=doubled)


def _read_stream_job(found: re.Match[str]) -> RunId:
    operation, stream, digits = found.groups()
    at = _instant(found.string, digits)
    return RunId(found.string, Form.STREAM_JOB, found.string, at, stream=int(stream), operation=operation)


def _read_bypass(found: re.Match[str]) -> RunId:
    operation, ms = found.groups()
    return RunId(found.string, Form.BYPASS, found.string, _instant_of_ms(ms), operation=operation)


def _read_smart_resume(found: re.Match[str]) -> RunId:
    ms, token = found.groups()
    return RunId(found.string, Form.SMART_RESUME, found.string, _instant_of_ms(ms), token=token)


def _read_standalone(found: re.Match[str]) -> RunId:
    return RunId(found.string, Form.STANDALONE, found.string, _instant_of_ms(found[1]))


def _read_structured(found: re.Match[str]) -> RunId:
    text = found.string
    day, number, tail = found.groups()
    if number == "000":
        raise _invalid(text, "the number of a run within its day starts at 001")
    task, stream, stretches = _take_numbers(tail) if tail else (None, None, [])
    if "" in stretches:
        raise _invalid(text, "there is nothing between two of its dashes, or after the last")
    rest, client, issue, doubled = _take_names(stretches)
    return RunId(
        text,
        Form.STRUCTURED,
        text[:KEY_LENGTH],
        _instant(text, f"20{day}000000"),
        number=int(number),
        stream=stream,
        task=task,
        client=client,
        issue=issue,
        doubled=doubled,
        rest=rest,
    )


def _instant(text: str, digits: str) -> datetime:
    """YYYYMMDDHHMMSS as an instant, read as UTC: the old system's servers ran on it."""
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    hour, minute, second = int(digits[8:10]), int(digits[10:12]), int(digits[12:])
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise _invalid(text, f"it names no real day and time ({error})") from None


def _instant_of_ms(ms: str) -> datetime:
    """Milliseconds since 1970 as an instant. Not fromtimestamp: that rounds through a float."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(ms))


# The parts of a structured id


def _take_numbers(tail: str) -> tuple[str | None, int | None, list[str]]:
    """The first T part, the first S part, and the stretches of words around them; later T and S parts are words."""
    task: str | None = None
    stream: int | None = None
    stretches: list[list[str]] = [[]]
    for word in tail.split("-"):
        if task is None and _TASK.fullmatch(word):
            task = word[1:]
            stretches.append([])
        elif stream is None and _STREAM.fullmatch(word):
            stream = int(word[1:])
            stretches.append([])
        else:
            stretches[-1].append(word)
    return task, stream, ["-".join(words) for words in stretches if words]


def _take_names(stretches: Sequence[str]) -> tuple[str | None, str | None, str | None, bool]:
    """(rest, client, issue, doubled). What follows a finished client and does not repeat it can only be an issue."""
    rests: list[str] = []
    issues: list[str] = []
    client, doubled = None, False
    for stretch in stretches:
        found = _CLIENT.fullmatch(stretch)
        if client is not None and stretch == f"C{client}":
            doubled = True
        elif client is not None:
            issues.append(stretch)
        elif found is None:
            rests.append(stretch)
        else:
            client, doubled = _once(found["client"], _REPEATED_C)
            rests.extend(filter(None, [found["rest"]]))
            issues.extend(filter(None, [found["issue"]]))
    rest = "-".join(rests)
    doubled = doubled or rest == client or _once(rest, _REPEATED_REST)[1]
    return rest or None, client, "-".join(issues) or None, doubled


def _once(name: str, repeated: re.Pattern[str]) -> tuple[str, bool]:
    """*name* without its repeats, and whether there were any."""
    found = repeated.fullmatch(name)
    return (found[1], True) if found else (name, False)


_REPEATED = re.compile(r"(.+?)(?:-\1)+")
_REPEATED_C = re.compile(r"(.+?)(?:-C\1)+")
_REPEATED_REST = re.compile(r"(.+?)(?:-C?\1)+")
_TASK = re.compile(r"T[0-9]{1,4}")
_STREAM = re.compile(r"S[0-9]+")
# Inside a rest a word may begin with C ("Acme-Corp"), so there a C part needs a capital or a digit after the C.
# BATCH, LEADS, POSTS and SCORE are the issues the old system's manual names; other words are part of the client.
_CLIENT = re.compile(
    r"(?:C|(?P<rest>.+?)-C(?=[A-Z0-9]))"
    r"(?P<client>[^-].*?)"
    r"(?:-(?P<issue>BATCH|LEADS|POSTS|SCORE))?"
)
_STRUCTURED_KEY = re.compile(r"SR-[0-9]{6}-[0-9]{3}")
_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], RunId]], ...] = (
    (re.compile(r"([0-9]{6})-([0-9]{6})(?:-(.+))?"), _read_timestamp),
    (re.compile(r"SR-([0-9]{6})-([0-9]{3})(?:-(.+))?"), _read_structured),
    (re.compile(r"job_([A-Za-z0-9_-]+)_stream([0-9]+)_([0-9]{14})"), _read_stream_job),
    (re.compile(r"job_(post_scoring)_bypass_([0-9]{13})"), _read_bypass),
    (re.compile(r"smart_resume_([0-9]{13})_([0-9A-Za-z]+)"), _read_smart_resume),
    (re.compile(r"post_batch_standalone_([0-9]{13})"), _read_standalone),
)
