"""What a server answers, read: objects of JSON, and its problems as the errors they were."""

import json
from collections.abc import Mapping
from typing import Any

from tallybook.domain.errors import (
    BadInput,
    Busy,
    ClaimRefused,
    ComputedField,
    Conflict,
    InvalidRunId,
    KeyReused,
    NotFound,
    RunIdsExhausted,
    TallybookError,
    Terminal,
    UnknownField,
    UnknownWord,
)

MOST_SHOWN = 300
_KINDS: Mapping[str, type[TallybookError]] = {
    each.__name__: each
    for each in (
        BadInput, InvalidRunId, UnknownWord, UnknownField, ComputedField, NotFound, Conflict, Busy, KeyReused, Terminal,
        ClaimRefused, RunIdsExhausted,
    )
}  # fmt: skip
_OF_STATUS: Mapping[int, type[TallybookError]] = {404: NotFound, 409: Conflict}
LATER = (408, 425, 429)
"""Of the client errors, those that ask to come again."""


def object_in(content: bytes) -> dict[str, Any] | None:
    """None: it is no object of JSON."""
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def refusal_in(problem: Mapping[str, Any], status: int) -> TallybookError | None:
    """The error that the server raised, if asking again would change nothing; None: the books are away."""
    kind = _KINDS.get(str(problem.get("code"))) or _kind_of_status(status)
    run_id = problem.get("run_id")
    return kind(str(problem.get("detail", "")), run_id=str(run_id) if run_id else None) if kind else None


def _kind_of_status(status: int) -> type[TallybookError] | None:
    """A client error is for good, also where the server is newer and has another name for it."""
    return _OF_STATUS.get(status, BadInput) if 400 <= status < 500 and status not in LATER else None


def detail_of(problem: Mapping[str, Any]) -> str:
    return str(problem.get("detail", ""))[:MOST_SHOWN]


def told(error: Exception) -> str:
    """In one line."""
    return f"{type(error).__name__} {str(error).strip().partition(chr(10))[0]}".strip()
