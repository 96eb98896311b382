"""Charts as shares of what they are drawn in, so that they stretch with the page. Templates draw them as SVG."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tallybook.domain.run import ClientRun, Run
from tallybook.domain.tally import Tally
from tallybook.report import words

MOST_ROWS = 60
NARROWEST = 0.4
"""Percent: what took no time is still seen."""


@dataclass(frozen=True, slots=True)
class Share:
    """A piece of a bar, in percent. *said*: what it is, in words."""

    kind: str
    start: float
    size: float
    said: str


def shares(tally: Tally) -> Sequence[Share]:
    """What became of what was found."""
    kinds = (("ok", tally.ok), ("skipped", tally.skipped), ("failed", tally.failed), ("pending", tally.pending))
    found, start, pieces = max(1, tally.found), 0.0, []
    for kind, number in kinds:
        if number > 0:
            size = 100 * number / found
            pieces.append(Share(kind, round(start, 3), round(size, 3), f"{number:,} {kind}"))
            start += size
    return pieces


# -- timeline ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lane:
    """When the operations of one client ran."""

    name: str
    pieces: Sequence[Share]
    took: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """*left_out*: clients beyond MOST_ROWS."""

    begin: datetime
    end: datetime
    lanes: Sequence[Lane]
    left_out: int


def timeline(run: Run, now: datetime) -> Timeline | None:
    """None: nothing has begun."""
    begun = [each for client in run.clients for each in client.operations if each.started_at]
    if not begun:
        return None
    begin = min(each.started_at for each in begun if each.started_at)
    end = max([each.ended_at or now for each in begun])
    span = max((end - begin).total_seconds(), 0.001)
    visited = [each for each in run.clients if any(one.started_at for one in each.operations)]
    lanes = [_lane(each, begin, span, now) for each in visited[:MOST_ROWS]]
    return Timeline(begin, end, lanes, len(visited) - len(lanes))


def _lane(client: ClientRun, begin: datetime, span: float, now: datetime) -> Lane:
    pieces, took = [], 0.0
    for each in client.operations:
        if each.started_at is None:
            continue
        lasted = max(0.0, ((each.ended_at or now) - each.started_at).total_seconds())
        start = 100 * (each.started_at - begin).total_seconds() / span
        size = max(NARROWEST, 100 * lasted / span)
        said = f"{words.plain(each.operation)}, {words.plain(each.status)}, {words.duration(lasted)}"
        pieces.append(Share(each.operation.value, round(min(start, 100 - NARROWEST), 3), round(size, 3), said))
        took += lasted
    return Lane(client.client_name, pieces, words.duration(took))


# -- trends ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """One of a row of bars that stand: *start*, *width*, *height* in percent; *at*: where it leads."""

    start: float
    width: float
    height: float
    said: str
    at: str
    none: bool = False


def columns(values: Iterable[tuple[str, float | None, str]], top: float) -> Sequence[Column]:
    """*values*: (run, value, in words), oldest first; *top*: what fills the height. None is nothing known."""
    found = list(values)
    step = 100 / max(1, len(found))
    return [
        Column(
            round(place * step + step * 0.1, 3),
            round(step * 0.8, 3),
            round(max(1.5, 100 * (value or 0) / top), 3) if value is not None else 0.0,
            said,
            run_id,
            value is None,
        )
        for place, (run_id, value, said) in enumerate(found)
    ]
