"""Readers: each makes a value of text, or of what TOML or a flag gives, and says what it should have been.

A reader raises ValueError with the predicate of a sentence whose subject is the setting: "must be …, not 'abc'".
Readers of secrets and of URLs never repeat the value.
"""

import re
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from typing import TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from tallybook.domain.client import read_timezone
from tallybook.domain.run import OperationName
from tallybook.domain.runid import Form
from tallybook.domain.tally import Money
from tallybook.settings.secret import MASK, Secret

T = TypeVar("T")
Reader = Callable[[object], T]

LONGEST = 4_000  # characters of any text
MOST_USD = 1_000_000_000
_POSTGRES = re.compile(
    r"((?:postgresql(?:\+psycopg)?|postgres)://)"
    r"(?:([^:/@?]*)(:[^@]*)?@)?"  # user, password
    r"((?:\[[0-9A-Fa-f:.]+\]|[^@/:?\[\]]*)(?::[0-9]{1,5})?(?:/[^@?]*)?)"  # host, port, name
    r"(\?.*)?"
)
_ADDRESS = r"[^\s@<>,]+@[^\s@<>,]+"


def said(value: object) -> str:
    """*value* as an error repeats it: on one line, at most 60 characters, without what lists and tables contain."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:59] + "…") if value.strip() else "empty"
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else "so large a number"
    if isinstance(value, float | date | time):
        return str(value)[:60]
    return f"a {type(value).__name__}"


# Text


def text(value: object) -> str:
    """One printable line; white space around it is dropped."""
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")
    stripped = value.strip()
    if not stripped:
        raise ValueError("must not be empty")
    if not stripped.isprintable() or len(stripped) > LONGEST:
        raise ValueError(f"must be one printable line of at most {LONGEST} characters")
    return stripped


def matching(pattern: str, form: str) -> Reader[str]:
    """Text that as a whole is *pattern*; *form* says so to people."""
    compiled = re.compile(pattern)

    def read(value: object) -> str:
        stripped = value.strip() if isinstance(value, str) else ""
        if not compiled.fullmatch(stripped) or not stripped.isprintable() or len(stripped) > LONGEST:
            raise ValueError(f"must be {form}, not {said(value)}")
        return stripped

    return read


model = matching(
    r"keywords|scripted|(?:google|openai|anthropic):\S+",
    "keywords, scripted, google:NAME, openai:NAME or anthropic:NAME",
)
host = matching(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", "a host name or an address such as 127.0.0.1")
base_id = matching(r"app[A-Za-z0-9]{14}", "the id of an Airtable base: app and 14 letters or digits")
actor_id = matching(r"[A-Za-z0-9._~/-]+", "the id of an Apify actor or USER/ACTOR")
address = matching(rf"{_ADDRESS}|[^<>@]*<{_ADDRESS}>", "a mail address such as tallybook@example.org")


# Numbers and words


def whole(low: int, high: int) -> Reader[int]:
    """A whole number from *low* to *high*, both included."""

    def read(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,18}\s*", value):
            return read(int(value))
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        raise ValueError(f"must be a whole number from {low} to {high}, not {said(value)}")

    return read


def usd(value: object) -> Money:
    """US dollars, from 0 to MOST_USD, kept exact to the twelfth decimal."""
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    written = str(value) if plain and not (isinstance(value, int) and abs(value) > MOST_USD) else ""
    if re.fullmatch(r"\s*[0-9][0-9_]{0,20}(\.[0-9][0-9_]{0,40})?([Ee][+-]?[0-9]{1,2})?\s*", written):
        amount = Decimal(written.strip())
        if amount <= MOST_USD:
            return Money.usd(amount)
    raise ValueError(f"must be an amount in US dollars from 0 to {MOST_USD}, such as 2.50, not {said(value)}")


def run_id_form(value: object) -> Form:
    made = (Form.TIMESTAMP, Form.STRUCTURED)
    if isinstance(value, str) and value.strip() in made:
        return Form(value.strip())
    raise ValueError(f"must be {' or '.join(made)}, not {said(value)}")


def timezone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(read_timezone(text(value)))
    except ValueError:
        raise ValueError(f"must be a timezone such as Europe/Berlin, not {said(value)}") from None


def operations(value: object) -> tuple[OperationName, ...]:
    """Each once, in the order given. Text is split at commas and white space."""
    words = value if isinstance(value, list) else re.split(r"[\s,]+", text(value))
    try:
        return tuple(dict.fromkeys(OperationName.read(text(word)) for word in words))
    except ValueError:
        raise ValueError(f"must be a list of: {', '.join(OperationName)}; not {said(value)}") from None


# Secrets and URLs: the value is never repeated


def secret(value: object) -> Secret:
    """ASCII without white space: it has to fit into an HTTP header, and be compared in constant time."""
    plain = text(value)
    if not plain.isascii() or " " in plain:
        raise ValueError("must be printable ASCII without spaces")
    return Secret(plain)


def http_url(value: object) -> str:
    """Without the slash at its end."""
    plain = text(value)
    if not _is_url(plain, ("http", "https"), bare=True):
        raise ValueError(
            "must be http://HOST or https://HOST, if need be with a port and a path, without user or query"
        )
    return plain.rstrip("/")


def smtp_url(value: object) -> Secret:
    plain = text(value)
    if not _is_url(plain, ("smtp", "smtps"), bare=False):
        raise ValueError("must be smtp://USER:PASSWORD@HOST:PORT or smtps://…, with special characters as %XX")
    return Secret(plain)


def _is_url(plain: str, schemes: tuple[str, ...], *, bare: bool) -> bool:
    """*bare*: nothing in it is, or looks like, a credential."""
    try:
        url = urlsplit(plain)
        known = url.scheme in schemes and re.fullmatch(r"[a-z0-9][a-z0-9._-]*|[0-9a-f:.]+", url.hostname or "")
        fits = known and url.port != 0 and plain.isascii() and " " not in plain
    except ValueError:
        return False
    return bool(fits) and not (bare and ("@" in url.netloc or "?" in plain or "#" in plain))


def database_url(value: object) -> Secret:
    """Shown without its password, even one whose / and ? somebody forgot to write as %XX."""
    plain = text(value)
    file = re.fullmatch(r"sqlite:///(.+)", plain)
    if file and file[1] != ":memory:":
        return Secret(plain, shown=plain)
    found = _POSTGRES.fullmatch(plain)
    if not found:
        raise ValueError(
            "must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME, with @ in a password as %40"
        )
    scheme, user, password, place, query = found.groups("")
    hidden = f"{user}{':' + MASK if password else ''}@" if user or password else ""
    return Secret(plain, MASK if "pass" in plain.partition("?")[2].lower() else f"{scheme}{hidden}{place}{query}")


# Lists


def pairs(value: object) -> tuple[tuple[str, str], ...]:
    """NAME=VALUE, each name once. Text is split at commas and white space."""
    words = value if isinstance(value, list) else re.split(r"[\s,]+", text(value))
    found = [text(word).partition("=") for word in words]
    if not all(name and mark and told for name, mark, told in found) or len({name for name, _, _ in found}) < len(
        found
    ):
        raise ValueError(f"must be a list of NAME=VALUE, each name once; not {said(value)}")
    return tuple((name.strip(), told.strip()) for name, _, told in found)


def addresses(value: object) -> tuple[str, ...]:
    """Mail addresses. Text is split at commas."""
    return tuple(map(address, value if isinstance(value, list) else text(value).split(",")))


def alert_urls(value: object) -> tuple[Secret, ...]:
    """Apprise URLs. Text is split at the white space or comma before each SCHEME://."""
    scheme = r"[A-Za-z][A-Za-z0-9+.-]*://"
    urls = value if isinstance(value, list) else re.split(rf"[\s,]+(?={scheme})", str(value).strip())
    plain = [text(url) for url in urls] if isinstance(value, list | str) else [""]
    if not all(re.fullmatch(rf"{scheme}\S+", url) for url in plain):
        raise ValueError("must be Apprise URLs (SCHEME://…), with spaces between them")
    return tuple(map(Secret, plain))
