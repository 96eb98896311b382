"""Files that people hand in, and what is told about their import."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tallybook.cli import output
from tallybook.domain.errors import BadInput, ImportRefused
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.stores.putting import Changes
    from tallybook.stores.tabular import BadRow

T = TypeVar("T")
MOST_LISTED = 20
"""How many bad rows are listed on stderr; --json has them all."""


def imported_from(path: str, read: Callable[[bytes], T]) -> T:
    """What *read* makes of the file. Raises BadInput when there is none, ImportRefused when it is another one."""
    data = _bytes_of(path)
    try:
        return read(data)
    except ImportRefused as error:
        raise ImportRefused(f"{path}: {error}") from None


def _bytes_of(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        problem = "there is no such file"
    except IsADirectoryError:
        problem = "that is a folder; name the file in it"
    except PermissionError:
        problem = "it must not be read by you; change its permissions"
    except (OSError, ValueError) as error:  # ValueError: a name no file can have
        problem = f"it cannot be read: {getattr(error, 'strerror', None) or error}"
    raise BadInput(f"{path}: {problem}")


def told_bad(path: str, bad: Sequence["BadRow"]) -> None:
    """The rows that were left out, and why, on stderr."""
    if not bad:
        return
    output.note(f"{path}: {words.count(len(bad), 'problem')}; all else was taken")
    for each in bad[:MOST_LISTED]:
        output.note(f"  line {each.line}: {output.one_line(each.reason)}")
    if len(bad) > MOST_LISTED:
        output.note(f"  … and {len(bad) - MOST_LISTED:,} more; --json lists them all")


def changes_in_words(changes: "Changes") -> str:
    """'3 new, 1 changed, 56 unchanged'; nothing that is none."""
    parts = {"new": changes.new, "changed": changes.changed, "unchanged": changes.unchanged}
    return ", ".join(f"{number:,} {word}" for word, number in parts.items() if number) or "none"


def changes_in_json(path: str, changes: "Changes", bad: Sequence["BadRow"], repeated: int) -> Mapping[str, Any]:
    return {
        "file": path,
        "new": changes.new,
        "changed": changes.changed,
        "unchanged": changes.unchanged,
        "repeated": repeated,
        "bad": bad_in_json(bad),
    }


def bad_in_json(bad: Sequence["BadRow"]) -> list[Mapping[str, Any]]:
    return [{"line": each.line, "reason": each.reason} for each in bad]
