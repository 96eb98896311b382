"""Why a file of the spool waits: a note beside it, for `doctor` and for the next process that takes the file over."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tallybook.database import read_stamp

ENDING = ".held"
LONGEST_WHY = 500


@dataclass(frozen=True, slots=True)
class Held:
    """*at*: since when, as UTC text. *denied*: the server does not let the token in. *tries*: key of a line -> how
    often the server stumbled over it while it took others.
    """

    at: str = ""
    why: str = ""
    denied: bool = False
    tries: Mapping[str, int] = field(default_factory=dict)


def write_held(path: Path, held: Held) -> None:
    """Raises OSError."""
    path.write_text(json.dumps(asdict(held)), encoding="utf-8")


def read_held(path: Path) -> Held:
    """What cannot be read says nothing."""
    try:
        return _held_of(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return Held()


def _held_of(data: Any) -> Held:
    """Raises ValueError."""
    if not isinstance(data, dict):
        raise ValueError("it is no note")
    at, tries = str(data.get("at", "")), data.get("tries")
    read_stamp(at)
    counts = {str(key): int(count) for key, count in tries.items()} if isinstance(tries, dict) else {}
    return Held(at, str(data.get("why", "")), data.get("denied") is True, counts)


def held_in(folder: Path) -> list[Held]:
    """What is noted beside the files of a spool, oldest first."""
    return sorted((read_held(path) for path in folder.glob(f"*{ENDING}")), key=lambda held: held.at)
