"""What `doctor` finds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    NOTICE = "notice"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """*check*: a stable name to script against; *mend*: what to do, empty when there is nothing to do."""

    check: str
    level: Level
    said: str
    mend: str = ""

    def as_json(self) -> Mapping[str, str | None]:
        return {"check": self.check, "level": self.level.value, "said": self.said, "mend": self.mend or None}


Findings = Iterator[Finding]


def ok(check: str, said: str) -> Finding:
    return Finding(check, Level.OK, said)


def notice(check: str, said: str, mend: str = "") -> Finding:
    return Finding(check, Level.NOTICE, said, mend)


def wrong(check: str, said: str, mend: str) -> Finding:
    return Finding(check, Level.WRONG, said, mend)
