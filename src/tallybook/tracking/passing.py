"""A line over which the server stumbles holds up its own run alone.

Lines of other runs pass it. That they go through tells that the line is the trouble, and not the server.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tallybook.domain.errors import InvalidRunId, LedgerUnavailable
from tallybook.domain.runid import RunId
from tallybook.tracking.door import Door, Stumbled
from tallybook.tracking.saying import Saying
from tallybook.tracking.spool import SpoolFile, Waiting
from tallybook.tracking.writing import VERBS

MOST_STUCK = 10
"""After so many runs that are stuck nobody goes on looking for one that is not."""


class Stuck(NamedTuple):
    """The first line of a run that the server stumbled over."""

    file: SpoolFile
    line: Waiting
    error: Stumbled

    @property
    def key(self) -> str:
        return self.line.saying.key if self.line.saying else ""


def pass_by(front: Stuck, behind: Iterable[tuple[SpoolFile, Waiting]], door: Door, passed: set[str]) -> list[Stuck]:
    """Write what waits *behind* a line that is stuck: each run in order, up to its first line that is stuck too.

    Adds the keys of what was written to *passed*. Gives what is stuck; nothing where the server took nothing at all.
    """
    stuck, closed, took = [front], {_run_of(front.line.saying)}, False
    for file, line in behind:
        saying = line.saying
        if saying is None or saying.key in passed or _run_of(saying) in closed:
            continue
        try:
            if _writes(door, saying):
                passed.add(saying.key)
                took = True
                continue
        except Stumbled as error:
            stuck.append(Stuck(file, line, error))
        except (LedgerUnavailable, OSError):
            break
        closed.add(_run_of(saying))
        if len(stuck) > MOST_STUCK:
            break
    return stuck if took else []


def _writes(door: Door, saying: Saying) -> bool:
    """False: it cannot be said, which is seen to when it is in front. Raises LedgerUnavailable, OSError."""
    if saying.verb not in VERBS:
        return False
    try:
        door.replay([saying])
    except (LedgerUnavailable, OSError):
        raise
    except Exception:
        return False
    return True


def _run_of(saying: Saying | None) -> str:
    """Whose order must hold: of a run, by whichever of its names."""
    text = saying.run if saying else ""
    try:
        return RunId.parse(text).key
    except InvalidRunId:
        return text
