"""Lists, a page at a time."""

import shlex
from collections.abc import Callable, Sequence
from typing import TypeVar

from tallybook.cli import output

T = TypeVar("T")


def page_of(
    listed: Callable[[str | None, int], Sequence[T]], cursor: str | None, limit: int, cursor_of: Callable[[T], str]
) -> tuple[Sequence[T], str | None]:
    """At most *limit* things after *cursor*, and where to go on; None at the end.

    One more is asked for than is shown, so that nobody is sent to an empty page.
    """
    found = listed(cursor, limit + 1)
    items = found[:limit]
    return items, cursor_of(items[-1]) if len(found) > limit else None


def told_next(command: str, cursor: str | None) -> None:
    """How to see more, on stderr."""
    if cursor is not None:
        output.note(f"There is more: {command} --cursor {shlex.quote(cursor)}")
