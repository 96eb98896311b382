"""What people and programs see: facts on stdout, remarks on stderr. How figures look is report.words' business."""

import codecs
import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TextIO

GAP = "  "
_ORNAMENTS = {
    "·": "-",
    "–": "-",
    "—": "-",
    "…": "...",
    "✓": "ok",
    "✗": "x",
    "×": "x",
    "→": "->",
    "█": "#",
    "░": ".",
    "▸": ">",
    "‖": "=",
}
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


# -- streams -----------------------------------------------------------------------------------------------------------


def make_safe() -> None:
    """No character may fail on an odd terminal: ornaments become plain ones, all else its escape."""
    codecs.register_error("tallybook", _plainly)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="tallybook")


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(
        _ORNAMENTS.get(each) or each.encode("ascii", "backslashreplace").decode() for each in text
    ), error.end


def flush() -> None:
    """Say it all now, so that a full disk or a closed pipe is seen. Raises OSError."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def forget() -> None:
    """Nobody reads stdout any more: what is still to be written goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def say(text: object = "") -> None:
    """A line of facts, on stdout."""
    print(text)


def note(text: object = "") -> None:
    """A line of progress, or a remark, on stderr."""
    print(text, file=sys.stderr, flush=True)


def complain(text: str) -> None:
    """The one line of an error. A stderr that is gone is no reason to fail twice."""
    with suppress(OSError):
        note(one_line(text))


def emit(data: object) -> None:
    """One JSON document on stdout; readable as it is where the terminal can show it."""
    import json

    utf8 = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    say(json.dumps(data, indent=2, ensure_ascii=not utf8))


def page(items: Sequence[object], next_cursor: str | None = None) -> None:
    """A list as every list is printed with --json."""
    emit({"items": items, "next_cursor": next_cursor})


# -- text --------------------------------------------------------------------------------------------------------------


def one_line(text: object) -> str:
    """*text* without line ends and control characters, which could move the cursor or hide what follows."""
    return "".join(each if each.isprintable() else " " for each in str(text)).strip()


def width(text: str) -> int:
    """Columns of a terminal."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, most: int) -> str:
    """*text*, with an ellipsis when it is longer than *most* columns."""
    if width(text) <= most:
        return text
    kept = ""
    for character in text:
        if width(kept + character) > most - 1:
            break
        kept += character
    return f"{kept.rstrip()}…"


def padded(text: str, columns: int, *, right: bool = False) -> str:
    gap = " " * max(0, columns - width(text))
    return gap + text if right else text + gap


def lines_of(rows: Iterable[Sequence[object]], headings: Sequence[str] = (), right: Iterable[int] = ()) -> list[str]:
    """*rows* in columns of plain text; those whose number (from 0) is in *right* end flush."""
    cells = [[one_line(cell) for cell in row] for row in ([headings] if headings else []) + list(rows)]
    if not cells:
        return []
    flush_right = set(right)
    widths = [max(width(row[n]) for row in cells) for n in range(len(cells[0]))]
    lines = (GAP.join(padded(cell, widths[n], right=n in flush_right) for n, cell in enumerate(row)) for row in cells)
    return [line.rstrip() for line in lines]


def table(rows: Iterable[Sequence[object]], headings: Sequence[str] = (), right: Iterable[int] = ()) -> None:
    """`lines_of`, on stdout, the headings dim."""
    for number, line in enumerate(lines_of(rows, headings, right)):
        say(painted(line, "dim") if headings and number == 0 else line)


def facts(pairs: Mapping[str, object]) -> None:
    """Name and value, a line each; None is left out."""
    table([(name, value) for name, value in pairs.items() if value is not None])


def painted(text: str, style: str, stream: TextIO | None = None) -> str:
    """*text* in a style (bold, dim, red, green, yellow) where colours are shown; never the only sign of anything."""
    return f"\033[{_STYLES[style]}m{text}\033[0m" if colours(stream) else text


def colours(stream: TextIO | None = None) -> bool:
    """Does *stream* (stdout) show colours: a terminal, and nobody said NO_COLOR?"""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def is_terminal(stream: TextIO | None = None) -> bool:
    found = stream if stream is not None else sys.stdout
    return bool(found) and found.isatty()
