"""Where a value comes from, and how a wrong one is refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from tallybook.domain.errors import BadSetting
from tallybook.settings.readers import said


class Source(StrEnum):
    """The stronger one last."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Origin:
    """*where*: `tallybook.toml:12` of a file, the name of a variable, '' of a default or a flag."""

    source: Source
    where: str = ""

    def __str__(self) -> str:
        return self.where or self.source.value

    @property
    def remedy(self) -> str:
        """What to do about a wrong value from here."""
        if self.source is Source.FILE:
            return f"change or remove it in {self.where}"
        if self.source is Source.ENVIRONMENT:
            return f"change or unset {self.where}"
        return "change or leave out its flag"


DEFAULT = Origin(Source.DEFAULT)
FLAG = Origin(Source.FLAG)


@dataclass(frozen=True, slots=True)
class Given:
    """A value as somebody gave it, not yet checked."""

    value: object
    origin: Origin

    def refuse(self, key: str, problem: str) -> BadSetting:
        return BadSetting(f"{plain(key)} {problem}: {self.origin.remedy}")


def plain(name: object) -> str:
    """*name* on one line, quoted if it would not be otherwise."""
    written = str(name)
    return written if written.isprintable() and written.strip() and len(written) <= 200 else said(written)


def unknown(name: str, where: str, known: Iterable[str]) -> BadSetting:
    """The error for a setting of a *name* that nothing has; *where* it stands, '' if the name says it."""
    place = f" in {where}" if where else ""
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    remedy = f"did you mean {near[0]}?" if near else "remove it; `tallybook config show` lists every setting"
    return BadSetting(f"there is no setting {plain(name)}{place}: {remedy}")
