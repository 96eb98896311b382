"""Many rows, ten at a time. A row that Airtable does not take is found by halving, and keeps no other from being
written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tallybook.airtable.client import MOST_PER_WRITE
from tallybook.airtable.errors import AirtableError, BadRow, SeveralRows

RowT = TypeVar("RowT")
AnswerT = TypeVar("AnswerT")

Batch = Mapping[str, RowT]
"""Rows by key, or by record id."""


@dataclass
class Written(Generic[AnswerT]):
    """*answers*: of the batches that were taken. *bad*: rows that were not, and why. *stopped*: why the rest was not
    tried, or nobody knows what became of it; *left*: its keys.
    """

    answers: list[AnswerT] = field(default_factory=list)
    bad: dict[str, AirtableError] = field(default_factory=dict)
    stopped: AirtableError | None = None
    left: list[str] = field(default_factory=list)


def write_in_tens(
    rows: Batch[RowT], write: Callable[[Batch[RowT]], AnswerT], *, bad_batches: int = 0
) -> Written[AnswerT]:
    """Have *write*, such as `door.update` for one table, write all of *rows*. *bad_batches*: so many that are not taken
    at all are put down to their rows.
    """
    written: Written[AnswerT] = Written()
    keys = list(rows)
    for start in range(0, len(keys), MOST_PER_WRITE):
        some = keys[start : start + MOST_PER_WRITE]
        left = _write_batch({key: rows[key] for key in some}, write, written)
        if not left and _all_are_bad(some, written):
            bad_batches -= 1
            left = _left(some, written) if bad_batches < 0 else []
        if written.stopped is not None:
            written.left = [*left, *keys[start + len(some) :]]
            break
    return written


def _write_batch(
    rows: Batch[RowT], write: Callable[[Batch[RowT]], AnswerT], written: Written[AnswerT]
) -> Sequence[str]:
    """What was not tried, because something has stopped it."""
    waiting = [list(rows)]
    while waiting:
        some = waiting.pop(0)
        try:
            written.answers.append(write({key: rows[key] for key in some}))
        except (BadRow, SeveralRows) as error:
            bad = _bad_among(some, error)
            written.bad.update(dict.fromkeys(bad, error))
            waiting[:0] = _halves([key for key in some if key not in bad], halve=not bad)
        except AirtableError as error:
            written.stopped = error
            return [*some, *(key for batch in waiting for key in batch)]
    return []


def _bad_among(keys: Sequence[str], error: AirtableError) -> Sequence[str]:
    """Empty: one of them is, and nobody knows which."""
    if len(keys) == 1:
        return keys
    return [key for key in keys if key in error.rows] if isinstance(error, SeveralRows) else []


def _halves(keys: Sequence[str], *, halve: bool) -> list[list[str]]:
    middle = len(keys) // 2 if halve else 0
    return [list(half) for half in (keys[:middle], keys[middle:]) if half]


def _all_are_bad(keys: Sequence[str], written: Written[AnswerT]) -> bool:
    """Not one of a whole batch is taken: then it may not lie in the rows, and the rest would fare no better."""
    return len(keys) == MOST_PER_WRITE and all(type(written.bad.get(key)) is BadRow for key in keys)


def _left(keys: Sequence[str], written: Written[AnswerT]) -> Sequence[str]:
    written.stopped = written.bad[keys[0]]
    for key in keys:
        del written.bad[key]
    return keys
