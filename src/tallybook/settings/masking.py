"""No line says a secret: by type (`Secret` never shows itself), by value, and last by how secrets look."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from urllib.parse import quote, unquote, urlsplit

from tallybook.settings.secret import MASK, Secret
from tallybook.settings.sections import Settings

LEAST = 4
"""Shorter ones are in every second word; nobody who has such a secret has one."""
LEAST_PART = 6
"""Of the parts of a URL that may be a token."""
DEPTH = 3
"""A text that was quoted, within one that was quoted, within a line of JSON."""
LOOKS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"\b(?:tb_[\w-]{20,}|pat\w{14}\.\w{20,}|sk-[\w-]{16,}|AIza[\w-]{30,}|apify_api_\w{20,})"), MASK),
    (re.compile(r"(://[^\s/:@\"']*:)[^\s/@\"']+@"), rf"\1{MASK}@"),
    (
        re.compile(
            r"(?i)((?:api[_-]?key|access[_-]?token|webhook[_-]?secret|authorization|password|passwd)"
            r"\\?[\"']?\s*[=:]\s*\\?[\"']?)(?!bearer|basic)[^\s\"',;&\\]{4,}"
        ),
        rf"\1{MASK}",
    ),
)


class Mask:
    """Of one process, by its settings."""

    def __init__(self, settings: Settings) -> None:
        texts = {form for secret in secrets_of(settings) for part in _parts(secret) for form in _forms(part)}
        longest_first = sorted((each for each in texts if len(each) >= LEAST), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, line: str) -> str:
        if self._known is not None:
            line = self._known.sub(MASK, line)
        for pattern, instead in LOOKS:
            line = pattern.sub(instead, line)
        return line


def secrets_of(value: object) -> Iterator[Secret]:
    """Wherever they are in it."""
    if isinstance(value, Secret):
        yield value
    elif is_dataclass(value):
        for each in fields(value):
            yield from secrets_of(getattr(value, each.name))
    elif isinstance(value, tuple):
        for each in value:
            yield from secrets_of(each)


def _parts(secret: Secret) -> Iterator[str]:
    """All of it; and of a URL its password, and what in its path and query may be a token. Of a database's URL, all but
    the password is shown to people anyway.
    """
    text = secret.reveal()
    if str(secret) == text:  # nothing in it is secret: a file of SQLite
        return
    yield text
    if "://" not in text:
        return
    url = urlsplit(text)
    if url.password:
        yield url.password
    if url.scheme.startswith("postgres"):
        return
    user, _, place = url.netloc.rpartition("@")
    host = place if "." not in place and not place.startswith("localhost") else ""
    for part in (user.partition(":")[0], host, *re.split(r"[/?&=#,]+", f"{url.path}/{url.query}/{url.fragment}")):
        if len(part) >= LEAST_PART:
            yield part


def _forms(text: str) -> set[str]:
    """As it may turn up in a line: written in JSON, in a URL, as Python shows it, and such a text within another."""
    forms = {text}
    for _ in range(DEPTH):
        forms |= {write(each) for each in forms for write in _WRITTEN}
    return forms


_WRITTEN: Sequence[Callable[[str], str]] = (
    unquote,
    quote,
    lambda text: quote(text, safe=""),
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: repr(text)[1:-1],
    lambda text: text.replace("'", "\\'"),  # by repr, where there are quotes of both kinds around
)
