"""Why no mail goes out, since when, and when it is tried again: kept in the books, so that all processes wait alike."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from tallybook.domain.following import FollowerState
from tallybook.followers.smtp import NotSent

PAUSES = tuple(timedelta(seconds=each) for each in (30, 60, 300, 900, 3600))
_TROUBLE = "trouble"


@dataclass(frozen=True, slots=True)
class Trouble:
    """*tries*: so often it was tried in vain, one after the other. *until*: then it is tried again."""

    text: str
    since: datetime
    until: datetime
    tries: int


def pause(tries: int) -> timedelta:
    """How long to wait after so many tries in vain."""
    return PAUSES[min(tries, len(PAUSES)) - 1]


def note_trouble(error: NotSent, book: FollowerState) -> Trouble:
    now, before = book.now(), trouble_in(book)
    tries = (before.tries if before else 0) + 1
    found = Trouble(str(error), before.since if before else now, now + pause(tries), tries)
    kept = {
        "kind": type(error).__name__,
        "text": found.text,
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "tries": tries,
    }
    book.keep(_TROUBLE, json.dumps(kept))
    return found


def trouble_in(book: FollowerState) -> Trouble | None:
    kept = json.loads(book.kept(_TROUBLE) or "{}")
    if not kept:
        return None
    since, until = (datetime.fromisoformat(kept[name]) for name in ("since", "until"))
    return Trouble(kept["text"], since, until, kept["tries"])


def no_trouble(book: FollowerState) -> None:
    if book.kept(_TROUBLE):
        book.keep(_TROUBLE, None)
