"""tallybook.toml: what it gives, and on which line."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tallybook.domain.errors import BadSetting
from tallybook.settings.origin import Given, Origin, Source, plain, unknown
from tallybook.settings.sections import SECTIONS, SETTINGS, Price, Schedule, Setting, settings_of

NAME = "tallybook.toml"
_HEADER = re.compile(r'\s*\[(\[)?\s*([A-Za-z0-9_-]+(?:\."[^"\\]+")?)\s*\]')
_KEY = re.compile(r"""\s*(?:([A-Za-z0-9_-]+)|"([^"\\]+)"|'([^']+)')\s*=""")


@dataclass(frozen=True, slots=True)
class Entry:
    """A schedule or a price: its *name* (`schedule.1`, `prices.openai:gpt-5`), and what it gives by key."""

    name: str
    origin: Origin
    given: Mapping[str, Given]


@dataclass(frozen=True, slots=True)
class Document:
    """What a file gives. Nothing is checked yet, except that there are such settings."""

    given: Mapping[str, Given] = field(default_factory=dict)
    schedules: Sequence[Entry] = ()
    prices: Sequence[Entry] = ()


def read_document(path: Path, shown: str) -> Document | None:
    """The file at *path*, which messages call *shown*; None if there is none.

    Raises BadSetting if it cannot be read, is not TOML, or sets what does not exist.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        tables = tomllib.loads(text, parse_float=str)  # as written: money is exact
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = f"cannot be read: {error.strerror}; make it readable"
    except UnicodeDecodeError:
        problem = "is not UTF-8: save it as UTF-8"
    except (ValueError, RecursionError) as error:
        problem = f"is not valid TOML: {plain(error)}; mend it there"
    else:
        return _Reader(plain(shown), _lines(text)).document(tables)
    raise BadSetting(f"{plain(shown)} {problem}")  # out here, as some of those errors carry the file, secrets and all


@dataclass(frozen=True, slots=True)
class _Reader:
    shown: str
    lines: Mapping[str, int]

    def document(self, tables: Mapping[str, object]) -> Document:
        given: dict[str, Given] = {}
        for name, table in tables.items():
            if name in ("schedule", "prices"):
                continue
            if name not in SECTIONS:
                raise unknown(name, str(self._origin(name)), [*SECTIONS, "schedule", "prices", *SETTINGS])
            given |= self._settings(name, table, SETTINGS)
        return Document(given, self._schedules(tables.get("schedule", [])), self._prices(tables.get("prices", {})))

    def _schedules(self, items: object) -> Sequence[Entry]:
        if not isinstance(items, list):
            raise self._given("schedule", items).refuse("schedule", "must be a list of [[schedule]] tables")
        return [self._entry(f"schedule.{number}", item, Schedule) for number, item in enumerate(items, 1)]

    def _prices(self, table: object) -> Sequence[Entry]:
        if not isinstance(table, dict):
            raise self._given("prices", table).refuse("prices", "must be a table of models")
        return [self._entry(f"prices.{model}", item, Price) for model, item in table.items()]

    def _entry(self, name: str, table: object, kind: type[object]) -> Entry:
        known = {setting.key: setting for setting in settings_of(kind, name)}
        return Entry(name, self._origin(name), self._settings(name, table, known))

    def _settings(self, name: str, table: object, known: Mapping[str, Setting]) -> dict[str, Given]:
        if not isinstance(table, dict):
            raise self._given(name, table).refuse(name, "must be a table of settings, not a value")
        for word in table:
            if f"{name}.{word}" not in known:
                raise unknown(f"{name}.{word}", str(self._origin(f"{name}.{word}")), known)
        return {f"{name}.{word}": self._given(f"{name}.{word}", value) for word, value in table.items()}

    def _given(self, key: str, value: object) -> Given:
        return Given(value, self._origin(key))

    def _origin(self, key: str) -> Origin:
        """The line of *key*, else of what it stands in, else only the file."""
        line = self.lines.get(key) or self.lines.get(key.rpartition(".")[0])
        return Origin(Source.FILE, f"{self.shown}:{line}" if line else self.shown)


def _lines(text: str) -> Mapping[str, int]:
    """The lines of keys and tables written in the plain way; tomllib does not tell.

    Without multi-line strings, no line within a value looks like a key or like a table of ours.
    """
    found: dict[str, int] = {}
    table, schedules = "", 0
    if '"""' in text or "'''" in text:
        return found
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            schedules += header[1] is not None
            table = header[2].replace('"', "") + (f".{schedules}" if header[1] else "")
            found.setdefault(table, number)
        elif line.lstrip().startswith("["):
            table = "?"
        elif key := _KEY.match(line):
            found.setdefault(f"{table}.{key[1] or key[2] or key[3]}".lstrip("."), number)
    return found
