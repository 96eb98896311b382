"""JSON that knows in which line each of its parts begins. The standard parser tells that of errors only."""

import json
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from tallybook.domain.errors import ImportRefused

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(strict=False)  # a line end inside a text is no reason to refuse a file


@dataclass(frozen=True, slots=True)
class Part:
    """An element of an array, or a member of an object by its *key*. Its value begins in *line* (from 1) and *at*."""

    line: int
    at: int
    value: object
    key: str = ""


def looks_like_json(text: str) -> bool:
    return text.lstrip()[:1] in ("[", "{")


def json_of(text: str) -> object:
    """The one value that *text* is. Raises ImportRefused."""
    value, end = _decoded(text, _skip(text, 0))
    _refuse_more(text, end)
    return value


def is_whole(text: str) -> bool:
    """Whether *text* is one JSON value, complete."""
    try:
        json_of(text)
    except ImportRefused:
        return False
    return True


def whole_array(text: str) -> Iterator[Part]:
    """The elements of the array that *text* is. Raises ImportRefused where it is broken."""
    end = yield from elements(text, 0)
    _refuse_more(text, end)


def elements(text: str, at: int) -> Generator[Part, None, int]:
    """The elements of the array that begins at or after *at*; gives where it ends. Raises ImportRefused."""
    lines = _Lines(text)
    at = _skip(text, _skip(text, at) + 1)
    while text[at : at + 1] != "]":
        value, end = _decoded(text, at)
        yield Part(lines.of(at), at, value)
        at = _next(text, end, "]")
    return at + 1


def members(text: str) -> Iterator[Part]:
    """The members of the object that *text* is, complete (`json_of`)."""
    lines = _Lines(text)
    at = _skip(text, _skip(text, 0) + 1)
    while text[at : at + 1] != "}":
        key, end = _decoded(text, at)
        start = _skip(text, _skip(text, end) + 1)  # past the colon
        value, end = _decoded(text, start)
        yield Part(lines.of(start), start, value, str(key))
        at = _next(text, end, "}")


class _Lines:
    """Counts lines forward, so that many questions cost one pass."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1

    def of(self, at: int) -> int:
        self._line += self._text.count("\n", self._at, at)
        self._at = at
        return self._line


def _next(text: str, end: int, closing: str) -> int:
    """Where the next element begins, or the closing bracket stands."""
    at = _skip(text, end)
    if text[at : at + 1] == closing:
        return at
    if text[at : at + 1] != ",":
        raise _refused(text, at, f"expecting ',' or '{closing}'")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _decoded(text: str, at: int) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise _refused(text, error.pos, error.msg) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; brackets in brackets in brackets
        raise _refused(text, at, str(error)) from None


def _refuse_more(text: str, end: int) -> None:
    if _skip(text, end) != len(text):
        raise _refused(text, end, "more text after the end")


def _refused(text: str, at: int, reason: str) -> ImportRefused:
    line = text.count("\n", 0, at) + 1
    return ImportRefused(f"the file is broken JSON, or only a part of it: line {line}: {reason}")
