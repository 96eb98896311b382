"""Lists, a page at a time: as a table, or as JSON."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tallybook.cli import output

T = TypeVar("T")
Read = Callable[[str | None, int], Sequence[T]]
"""So many things after a cursor."""


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """How things are listed. *cursor*: where the list goes on after one. *nothing*: what is said where there is none.

    *right*: the columns of numbers.
    """

    headings: Sequence[str]
    row: Callable[[T], Sequence[object]]
    facts: Callable[[T], Mapping[str, Any]]
    cursor: Callable[[T], str]
    nothing: str
    right: Sequence[int] = ()

    def show(self, read: Read[T], command: str, *, cursor: str | None, limit: int, as_json: bool) -> None:
        """A page of what *read* finds. *command*: what lists the same again."""
        items, following = _page_of(read, cursor, limit, self.cursor)
        if as_json:
            output.page([self.facts(each) for each in items], following)
            return
        if not items:
            output.note(self.nothing)
            return
        output.table([self.row(each) for each in items], self.headings, self.right)
        if following is not None:
            output.note(f"There is more: {command} --limit {limit} --cursor {shlex.quote(following)}")


def _page_of(
    read: Read[T], cursor: str | None, limit: int, cursor_of: Callable[[T], str]
) -> tuple[Sequence[T], str | None]:
    """At most *limit* things after *cursor*, and where to go on; None at the end.

    One more is asked for than is shown, so that nobody is sent to an empty page.
    """
    found = read(cursor, limit + 1)
    items = found[:limit]
    return items, cursor_of(items[-1]) if len(found) > limit else None
