"""Rows of a file, whatever it is: CSV with any delimiter, a JSON list, an object that holds one, or JSON Lines."""

import csv
import io
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tallybook.domain.errors import BadInput, ImportRefused
from tallybook.stores.cells import Row, blank, folded
from tallybook.stores.json_rows import Part, elements, is_whole, json_of, looks_like_json, members, whole_array

SEARCHED_LINES = 100
"""How far down the header is looked for."""
LONGEST_HEADER = 100_000
DELIMITERS = (",", ";", "\t", "|")

_NEXT_LINE = "\0"
"""What a quote that is still open swallows. No text of a file holds it (`decoded`)."""

# The limit is the whole process's. Our own is cells.LONGEST_TEXT, which costs a row and not the file.
csv.field_size_limit(sys.maxsize)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BadRow:
    """What was left out, and why. *line* counts from 1."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Imported(Generic[T]):
    """What a file holds. *repeated*: rows that told again of what an earlier row had told of."""

    rows: list[T]
    bad: list[BadRow]
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What file is looked for. *words* end the sentence "it should have …".

    *known* counts the folded column names that mean something; 0 when one that is needed is not among them.
    """

    words: str
    known: Callable[[Collection[str]], int]


@dataclass(frozen=True, slots=True)
class _Header:
    """*index* counts lines from 0. *names* are folded; a name that was there before is "" the second time."""

    index: int
    delimiter: str
    names: Sequence[str]


def decoded(data: bytes) -> str:
    """*data* as text: UTF-8 or UTF-16 by its mark, else UTF-8 unless it plainly is not, else cp1252.

    Line ends become \\n; NULs, which no text has, are dropped.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    else:
        text = _utf_8_or_cp1252(data.removeprefix(b"\xef\xbb\xbf"))
    return text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")


def _utf_8_or_cp1252(data: bytes) -> str:
    """A few broken bytes, or an end that was cut off, do not make a UTF-8 file another."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
    foreign = sum(not character.isascii() for character in text)
    return text if foreign >= 2 * text.count("\ufffd") else data.decode("cp1252", "replace")


def rows_of(text: str, wanted: Wanted) -> Iterator[Row | BadRow]:
    """The rows of a file. Raises ImportRefused when it is none, or has not the columns that are needed."""
    if not text.strip():
        raise ImportRefused(f"the file is empty; it should have {wanted.words}")
    return _json_rows(text, wanted) if looks_like_json(text) else _csv_rows(text, wanted)


def each_made(rows: Iterable[Row | BadRow], make: Callable[[Row], T]) -> Iterator[T | BadRow]:
    """What *make* makes of each row; a BadRow where it raises BadInput."""
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        try:
            made = make(row)
        except BadInput as error:
            yield BadRow(row.line, str(error))
        else:
            yield made


def checked(imported: Imported[T], wanted: Wanted) -> Imported[T]:
    """*imported*. Raises ImportRefused when nothing in the file can be used."""
    if imported.rows:
        return imported
    if not imported.bad:
        raise ImportRefused(f"the file has no rows; it should have {wanted.words}")
    first, *others = imported.bad
    more = f" (and {len(others):,} more)" if others else ""
    raise ImportRefused(
        f"no row of the file can be used: line {first.line}: {first.reason}{more}; it should have {wanted.words}"
    )


# -- CSV ---------------------------------------------------------------------------------------------------------------


def _csv_rows(text: str, wanted: Wanted) -> Iterator[Row | BadRow]:
    lines = list(io.StringIO(text))
    header = _header(lines, wanted)
    for line, cells in _records(lines, header.index + 1, header.delimiter):
        if cells is None:
            yield BadRow(line, "the quotes of this line do not pair up")
        elif any(map(str.strip, cells[len(header.names) :])):
            yield BadRow(line, f"{len(cells)} cells, but the header has {len(header.names)}")
        elif any(map(str.strip, cells)):
            yield Row(line, dict(zip(header.names, cells, strict=False)))


def _header(lines: Sequence[str], wanted: Wanted) -> _Header:
    """The first line that has the needed columns, read with the delimiter that finds most."""
    for index, line in enumerate(lines[:SEARCHED_LINES]):
        read = [_Header(index, delimiter, _names(line, delimiter)) for delimiter in DELIMITERS]
        best = max(read, key=lambda header: wanted.known(header.names))
        if wanted.known(best.names):
            return best
    raise ImportRefused(f"no header was recognised; the file should have {wanted.words}")


def _names(line: str, delimiter: str) -> Sequence[str]:
    names = [folded(cell) for cell in next(csv.reader([line[:LONGEST_HEADER]], delimiter=delimiter), [])]
    return [name if name not in names[:at] else "" for at, name in enumerate(names)]


def _records(lines: Sequence[str], start: int, delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """Records from the line with index *start*, each with its line number; None where the quotes do not pair up.

    A quote that is never closed, or by one that opens another cell, would swallow the rows between. So that line alone
    is given up, and the next is read afresh.
    """
    while start < len(lines):
        reader = csv.reader(map(lines.__getitem__, range(start, len(lines))), delimiter=delimiter, strict=True)
        read = 0
        try:
            for cells in reader:
                yield start + read + 1, cells
                read = reader.line_num
        except csv.Error:
            alone = reader.line_num == read + 1
            yield start + read + 1, _loosely_quoted(lines[start + read], delimiter) if alone else None
            read += 1
        start += read


def _loosely_quoted(line: str, delimiter: str) -> list[str] | None:
    """A line with text after a closing quote, as in `"Old" Sons`; None when its last quote is not closed."""
    cells = next(csv.reader([line, _NEXT_LINE], delimiter=delimiter))
    return None if cells[-1].endswith(_NEXT_LINE) else cells


# -- JSON --------------------------------------------------------------------------------------------------------------


def _json_rows(text: str, wanted: Wanted) -> Iterator[Row | BadRow]:
    if text.lstrip().startswith("["):
        return map(object_row, whole_array(text))
    if _has_lines_of_json(text):
        return _json_lines(text)
    whole = json_of(text)
    if isinstance(whole, dict) and wanted.known([folded(name) for name in whole]):
        return iter([object_row(Part(1 + text[: text.index("{")].count("\n"), 0, whole))])
    return map(object_row, elements(text, _list_in(text, wanted).at))


def _list_in(text: str, wanted: Wanted) -> Part:
    """The list of rows in an object: the only list there, or the only one whose first row is recognised."""
    lists = [part for part in members(text) if isinstance(part.value, list)]
    found = lists if len(lists) == 1 else [part for part in lists if _recognised(part.value, wanted)]
    if len(found) != 1:
        raise ImportRefused(f"the JSON object holds no list of rows; it should have {wanted.words}")
    return found[0]


def _recognised(rows: object, wanted: Wanted) -> bool:
    first = rows[0] if isinstance(rows, list) and rows else None
    return isinstance(first, dict) and wanted.known([folded(name) for name in first]) > 0


def _has_lines_of_json(text: str) -> bool:
    first, _, rest = text.strip().partition("\n")
    return bool(rest) and is_whole(first)


def _json_lines(text: str) -> Iterator[Row | BadRow]:
    for line, each in enumerate(text.split("\n"), start=1):
        if not blank(each):
            yield _json_line(line, each)


def _json_line(line: int, text: str) -> Row | BadRow:
    try:
        return object_row(Part(line, 0, json_of(text)))
    except ImportRefused:
        return BadRow(line, "the line is broken JSON, or only a part of it")


def object_row(part: Part) -> Row | BadRow:
    """The row that an object stands for."""
    if not isinstance(part.value, dict):
        return BadRow(part.line, "not a JSON object")
    return Row(part.line, {folded(name): value for name, value in part.value.items()})
