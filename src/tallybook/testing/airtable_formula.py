"""Airtable's formulas as text: parsed as far as they are understood, and refused otherwise."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARISONS = ("=", "!=", "<", ">", "<=", ">=")
_ESCAPED = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "t": "\t", "r": "\r"}
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)
    |(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |\{(?P<field>(?:[^}\\]|\\\}|\\(?!\}))*)\}
    |(?P<name>[^\W\d]\w*)
    |(?P<sign><=|>=|!=|[=<>&+\-*/(),])""",
    re.VERBOSE | re.DOTALL,
)
DEEPEST, MOST_DIGITS = 60, 16


class NotUnderstood(Exception):
    """A formula that is wrong, or that this look-alike does not know. Says why, as Airtable does."""


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | float


@dataclass(frozen=True, slots=True)
class Reference:
    """To a field, by its name or id."""

    name: str


@dataclass(frozen=True, slots=True)
class Invoked:
    """A function. *name* in capitals."""

    name: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """Two by a sign between them."""

    sign: str
    left: "Node"
    right: "Node"


Node = Literal | Reference | Invoked | Joined


def parsed(formula: str) -> Node:
    """Raises NotUnderstood."""
    return _Parser(list(_tokens(formula))).whole()


def invalid() -> NotUnderstood:
    return NotUnderstood("Invalid formula. Please check your formula text.")


def field_spans(formula: str) -> Iterator[tuple[int, int, str]]:
    """Where fields stand in braces: begin, end, and the name. Raises NotUnderstood."""
    for found in _matches(formula):
        if found.lastgroup == "field":
            yield found.start(), found.end(), _field_name(found["field"])


def _matches(formula: str) -> Iterator[re.Match[str]]:
    at = 0
    while at < len(formula):
        found = _TOKEN.match(formula, at)
        if found is None:
            raise invalid()
        at = found.end()
        if found.lastgroup != "space":
            yield found


def _tokens(formula: str) -> Iterator[tuple[str, str]]:
    for found in _matches(formula):
        kind = str(found.lastgroup)
        said = found[kind]
        if kind == "text":
            said = _unescaped(said[1:-1])
        elif kind == "field":
            said = _field_name(said)
        yield kind, said


def _unescaped(text: str) -> str:
    """Raises NotUnderstood for an escape whose meaning is not certain."""
    parts = iter(re.split(r"\\(.)", text, flags=re.DOTALL))
    said = [next(parts)]
    for escaped, plain in zip(parts, parts, strict=True):
        if escaped not in _ESCAPED:
            raise invalid()
        said.append(_ESCAPED[escaped] + plain)
    return "".join(said)


def _field_name(text: str) -> str:
    r"""Airtable reads only one `\}` in a name right. Raises NotUnderstood."""
    if text.count(r"\}") > 1:
        raise invalid()
    return text.replace(r"\}", "}")


class _Parser:
    """From the sign that binds least to the one that binds most: comparisons, &, + -, * /, the minus of a number."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._comparison()
        if self._at < len(self._tokens):
            raise invalid()
        return node

    def _comparison(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise invalid()
        node = self._joined_by(COMPARISONS, lambda: self._joined_by(("&",), self._sum))
        self._depth -= 1
        return node

    def _sum(self) -> Node:
        return self._joined_by(("+", "-"), lambda: self._joined_by(("*", "/"), self._signed))

    def _joined_by(self, signs: tuple[str, ...], part: Callable[[], Node]) -> Node:
        node = part()
        while self._peek() in [("sign", sign) for sign in signs]:
            node = Joined(self._take()[1], node, part())
        return node

    def _signed(self) -> Node:
        if self._peek() != ("sign", "-"):
            return self._single()
        self._take()
        return Joined("-", Literal(0), self._signed())

    def _single(self) -> Node:
        kind, said = self._take()
        if kind == "number":
            return Literal(int(said) if said.isdecimal() and len(said) < MOST_DIGITS else float(said))
        if kind == "text":
            return Literal(said)
        if kind == "field":
            return Reference(said)
        if kind == "name":
            return self._named(said)
        return self._bracketed(said)

    def _bracketed(self, said: str) -> Node:
        if said != "(":
            raise invalid()
        node = self._comparison()
        self._expect(")")
        return node

    def _named(self, name: str) -> Node:
        """A function when a bracket follows, else a field."""
        if self._peek() != ("sign", "("):
            return Reference(name)
        self._take()
        arguments: list[Node] = []
        while self._peek() != ("sign", ")"):
            if arguments:
                self._expect(",")
            arguments.append(self._comparison())
        self._take()
        return Invoked(name.upper(), tuple(arguments))

    def _peek(self) -> tuple[str, str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        if token is None:
            raise invalid()
        self._at += 1
        return token

    def _expect(self, sign: str) -> None:
        if self._take() != ("sign", sign):
            raise invalid()
