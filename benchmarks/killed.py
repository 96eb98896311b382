"""The child of `benchmarks.kill`: works a run, and kills itself at the point it was told."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.house import House, open_house
from tallybook.domain.run import OperationName
from tallybook.engine import pages, runner, trigger, watch, worklist
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.ledger import commit, read
from tallybook.ledger.write import endings, progress
from tallybook.ledger.write.starts import Request, Start
from tallybook.scorers.scripted import ScriptedScorer
from tallybook.stores.sql import SqlStore

LATENCY_MS, FAIL_EVERY = 20, 40
LIMITS = Limits(calls_at_once=2, concurrency=3)
MOST_BEFORE = 12


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _dies_at(call: int) -> Callable[[], None]:
    """Kills at the *call*-th time it is called."""
    count = iter(range(1, 10**9))

    def counted() -> None:
        if next(count) == call:
            die()

    return counted


def _before(owner: Any, name: str, hit: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def dying(*args: Any, **kwargs: Any) -> Any:
        hit()
        return original(*args, **kwargs)

    setattr(owner, name, dying)


def _after(owner: Any, name: str, hit: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def dying(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        hit()
        return result

    setattr(owner, name, dying)


def _in_group(hit: Callable[[], None]) -> None:
    """Between two pieces of one group commit: some have run, nothing is committed."""
    original = commit._run_together

    def dying(writer: Any, group: Sequence[Any]) -> Any:
        for item in group[1:]:
            _before(item, "work", hit)
        return original(writer, group)

    commit._run_together = dying


PLANT: dict[str, Callable[[Callable[[], None]], None]] = {
    "outcomes committed, nobody told": lambda hit: _after(commit, "_run_together", hit),
    "recorded, not saved": lambda hit: _before(SqlStore, "save", hit),
    "saved, not noted": lambda hit: _after(SqlStore, "save", hit),
    "within a group commit": _in_group,
    "worklist half frozen": lambda hit: _after(progress, "freeze", hit),
    "operation open, nothing frozen": lambda hit: _before(worklist, "freeze", hit),
    "operation closed, client open": lambda hit: _before(endings, "close_client", hit),
    "all closed, engine not told": lambda hit: _after(runner.Runner, "_let_go", hit),
    "planned, not dispatched": lambda hit: _after(watch.Watcher, "_plan", hit),
    "page begun, none recorded": lambda hit: _before(pages, "_end_page", hit),
}
POINTS = tuple(PLANT)


def work(house: House, stream: int) -> None:
    """Start the run of *stream*, or join it, and see it through."""
    scorer = ScriptedScorer(latency_ms=LATENCY_MS, fail_every=FAIL_EVERY)
    asked = Start(Request((OperationName.LEAD_SCORING,), stream=stream), key=f"story {stream}")
    run_id = trigger.start(house.ledger, house.clients, asked).run_id
    with Engine(house.ledger, house.clients, house.operations(scorer), LIMITS):
        print("working", flush=True)
        while not read.run(house.database, run_id).status.terminal:
            time.sleep(0.02)


def main(url: str, stream: str, point: str, seed: str) -> None:
    if point in PLANT:
        often = 2 if point in ("operation closed, client open", "all closed, engine not told") else MOST_BEFORE
        once = point in ("planned, not dispatched", "operation open, nothing frozen", "worklist half frozen")
        PLANT[point](_dies_at(1 if once else random.Random(seed).randint(1, often)))
    house = open_house(url)
    work(house, int(stream))
    house.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
