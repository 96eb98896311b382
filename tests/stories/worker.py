"""The other processes of the stories: an engine at work, and somebody who starts a run."""

import json
import signal
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from benchmarks.house import House, open_house
from tallybook.domain.errors import Busy
from tallybook.domain.ports import Scorer
from tallybook.engine import trigger
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write.starts import Start
from tallybook.scorers.attempts import Patience
from tallybook.scorers.model import ModelScorer, Named
from tallybook.scorers.scripted import ScriptedScorer
from tests.children import Child, until_hung_up

Facts = Mapping[str, Any]


class Worker:
    """Another process with an engine at work, until it is told to end, or killed. *google_url*: whom it asks; without
    it a script.
    """

    def __init__(self, url: str, *, latency_ms: int = 0, google_url: str | None = None, **limits: float) -> None:
        self._child = Child(work, url, {"latency_ms": latency_ms, "google_url": google_url, "limits": limits})
        self.executor = ""

    def ready(self) -> Self:
        self.executor = self._child.says()
        return self

    def kill(self) -> float:
        """Gives the instant."""
        self._child.kill()
        return time.monotonic()

    def ends(self) -> int:
        """Close its engine, and wait; gives the exit code."""
        return self._child.ends()

    def __enter__(self) -> Self:
        return self.ready()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._child.kill()
        code = self.ends()
        assert error is not None or code in (0, -signal.SIGKILL), f"the worker ended with {code}"


# -- what they do ------------------------------------------------------------------------------------------------------


def work(line: Connection, url: str, told: Facts) -> None:
    house = open_house(url)
    with Engine(house.ledger, house.clients, house.operations(_scorer(told)), Limits(**told["limits"])) as engine:
        line.send(engine.executor)
        until_hung_up(line)
    house.close()


def _scorer(told: Facts) -> Scorer:
    if told["google_url"]:
        return ModelScorer(Named("google", "gemini-2.5-flash", "k", told["google_url"]), Patience())
    return ScriptedScorer(latency_ms=told["latency_ms"])


def start(line: Connection, url: str, asked: Start, later_s: float) -> None:
    """Start a run when told to, *later_s* seconds later than it is; says the run and whether it was known, or whose run
    keeps it from being started.
    """
    house = open_house(url)
    later = House(Ledger(house.database, lambda: datetime.now(UTC) + timedelta(seconds=later_s)), house.clients)
    line.send("ready")
    line.recv()
    try:
        started = trigger.start(later.ledger, later.clients, asked)
        line.send((started.run_id, started.replayed))
    except Busy as busy:
        line.send((busy.run_id, str(busy)))
    later.ledger.close()
    house.close()


def main(url: str, facts: str) -> None:
    """The child of `acting.Worker`."""
    told = json.loads(facts)
    house = open_house(url)
    with Engine(house.ledger, house.clients, house.operations(_scorer(told)), Limits(**told["limits"])) as engine:
        print(engine.executor, flush=True)
        sys.stdin.read()
    house.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
