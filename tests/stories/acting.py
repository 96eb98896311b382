"""Short ways to tell a story: a house with an engine at work in it, plugs that misbehave, and other processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from benchmarks.house import RUBRIC, House, made_up_leads
from tallybook.database import Database
from tallybook.domain.client import Client, ClientId
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import LeadId, Outcome
from tallybook.domain.ports import Candidate, Clients, Operation, Scorer
from tallybook.domain.rubric import Rubric
from tallybook.domain.run import OperationName, Run
from tallybook.engine import trigger
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.ledger import read
from tallybook.ledger.audit import audit
from tallybook.ledger.keys import ClientKey
from tallybook.ledger.tables import calls, outcomes, worklist
from tallybook.ledger.write import dispatch, starts
from tallybook.ledger.write.starts import Caller, Request, Start
from tallybook.scorers.scripted import ScriptedScorer

LEAD_SCORING, POST_HARVESTING, POST_SCORING = OperationName
PATIENCE_S = 60.0
LONG_MS = 30_000
"""The latency of a call that nobody means to wait for."""

Operations = Mapping[OperationName, Operation]


def until(condition: Callable[[], Any], what: str = "it", within_s: float = PATIENCE_S) -> Any:
    """The first true answer. Fails after *within_s* seconds."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"after {within_s} s {what} has not come about")


def furnished(house: House, *client_ids: str, leads: int = 10, level: int = 1, stream: int = 1) -> None:
    house.clients.put_clients([Client(each, each.title(), stream=stream, service_level=level) for each in client_ids])
    for client_id in client_ids:
        house.clients.put_rubric(client_id, RUBRIC)
        house.clients.put_leads(client_id, list(made_up_leads(leads)))


def asked(
    *clients: str,
    operations: Iterable[OperationName] = (LEAD_SCORING,),
    stream: int | None = None,
    limit: int | None = None,
    key: str | None = None,
    queue_behind: bool = False,
    by: str = "Ada",
) -> Start:
    request = Request(tuple(operations), stream, tuple(clients), limit)
    return Start(request, Caller("cli", by), key, queue_behind)


@contextmanager
def at_work(
    house: House,
    scorer: Scorer | None = None,
    *,
    operations: Operations | None = None,
    clients: Clients | None = None,
    limits: Limits | None = None,
) -> Iterator[Engine]:
    """An engine of this process."""
    plugs = operations if operations is not None else house.operations(scorer or ScriptedScorer())
    with Engine(house.ledger, clients or house.clients, plugs, limits or Limits()) as engine:
        yield engine


def started(house: House, start: Start | None = None, engine: Engine | None = None) -> str:
    run_id = trigger.start(house.ledger, house.clients, start or asked()).run_id
    if engine is not None:
        engine.nudge()
    return run_id


def books(house: House, run_id: str) -> Run:
    """The run as the books tell it; they are in order."""
    differences = audit(house.database).differences
    assert not differences, differences
    return read.run(house.database, run_id)


def planned(house: House, leads: int = 10) -> ClientKey:
    """A run of one client that waits in the queue, and nobody works on."""
    furnished(house, "acme", leads=leads)
    run_id = started(house)
    house.ledger.do(starts.plan, run_id, house.clients.of_stream(None, ()))
    house.ledger.do(dispatch.dispatch, 4)
    return ClientKey(run_id, "acme")


def ended(house: House, run_id: str, within_s: float = PATIENCE_S) -> Run:
    """The run, once it has ended."""
    until(lambda: read.run(house.database, run_id).status.terminal, f"the end of {run_id}", within_s)
    return books(house, run_id)


def done(house: House, start: Start | None = None, scorer: Scorer | None = None, **facts: Any) -> Run:
    """A whole run."""
    with at_work(house, scorer, **facts) as engine:
        return ended(house, started(house, start, engine))


def calling(house: House, run_id: str, most: int = 1) -> Any:
    """Wait until *most* calls are in flight."""
    return until(lambda: read.run(house.database, run_id).unsettled >= most, f"{most} calls in flight")


def texts(house: House, run_id: str, kind: str) -> list[str]:
    return texts_of(house.database, run_id, kind)


def texts_of(database: Database, run_id: str, kind: str) -> list[str]:
    return [each.text for each in read.events_of(database, run_id) if each.kind == kind]


def count(house: House, table: sa.Table, *where: Any) -> int:
    with house.database.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one()


def unsaved(house: House) -> int:
    return count(house, outcomes, outcomes.c.saved_at.is_(None))


def kinds(house: House, run_id: str) -> Mapping[LeadId, str]:
    """Lead -> 'kind' or 'kind(reason)', of one run."""
    return kinds_of(house.database, run_id)


def kinds_of(database: Database, run_id: str) -> Mapping[LeadId, str]:
    statement = sa.select(outcomes.c.lead_id, outcomes.c.kind, outcomes.c.reason).where(outcomes.c.run_id == run_id)
    with database.reading() as connection:
        return {lead: f"{kind}({why})" if why else kind for lead, kind, why in connection.execute(statement)}


def frozen(house: House, run_id: str) -> int:
    return count(house, worklist, worklist.c.run_id == run_id)


def spans(house: House) -> list[tuple[str, str, str, str]]:
    """(client, run, started, ended) of every call."""
    columns = (calls.c.client_id, calls.c.run_id, calls.c.started_at, calls.c.ended_at)
    with house.database.reading() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(calls.c.started_at))]


# -- plugs that misbehave ----------------------------------------------------------------------------------------------


Trouble = Callable[[str], None]
"""Called with what is about to be done; may raise, or wait."""


@dataclass
class TroubledStore:
    """A `Store` that keeps what the embedded one keeps, unless *trouble* says otherwise. Notes what it was asked."""

    store: Any
    trouble: Trouble
    asked: list[tuple[str, int]]

    def rubric(self) -> Rubric:
        self.trouble("rubric")
        found: Rubric = self.store.rubric()
        return found

    def candidates(self, operation: OperationName, after: LeadId | None, limit: int) -> Sequence[Candidate]:
        self.asked.append(("candidates", limit))
        self.trouble("candidates")
        found: Sequence[Candidate] = self.store.candidates(operation, after, limit)
        return found

    def load(self, lead_ids: Sequence[LeadId]) -> Sequence[Lead]:
        self.asked.append(("load", len(lead_ids)))
        self.trouble("load")
        found: Sequence[Lead] = self.store.load(lead_ids)
        return found

    def save(self, operation: OperationName, results: Sequence[Outcome]) -> None:
        self.asked.append(("save", len(results)))
        self.trouble("save")
        self.store.save(operation, results)

    def of_profiles(self, profiles: Sequence[LeadId]) -> Sequence[LeadId]:
        self.asked.append(("of_profiles", len(profiles)))
        self.trouble("of_profiles")
        found: Sequence[LeadId] = self.store.of_profiles(profiles)
        return found

    def add_posts(self, outcomes: Sequence[Outcome]) -> None:
        self.asked.append(("add_posts", len(outcomes)))
        self.trouble("add_posts")
        self.store.add_posts(outcomes)


@dataclass
class TroubledClients:
    """A `Clients` whose stores get into *trouble*; so does reading the client list."""

    clients: Any
    trouble: Trouble
    asked: list[tuple[str, int]] = field(default_factory=list)

    def of_stream(self, stream: int | None, only: Sequence[ClientId]) -> Sequence[Client]:
        self.trouble("of_stream")
        found: Sequence[Client] = self.clients.of_stream(stream, only)
        return found

    def get(self, client_id: ClientId) -> Client:
        found: Client = self.clients.get(client_id)
        return found

    def store(self, client_id: ClientId) -> TroubledStore:
        return TroubledStore(self.clients.store(client_id), self.trouble, self.asked)


# -- other processes ---------------------------------------------------------------------------------------------------


class Worker:
    """Another process with an engine at work, until it is told to end, or killed. *google_url*: whom it asks; without
    it a script.
    """

    def __init__(self, url: str, *, latency_ms: int = 0, google_url: str | None = None, **limits: float) -> None:
        facts = json.dumps({"latency_ms": latency_ms, "google_url": google_url, "limits": limits})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stories.worker", url, facts],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.executor = ""

    def ready(self) -> Self:
        assert self._process.stdout is not None
        self.executor = self._process.stdout.readline().strip()
        assert self.executor.startswith("slot-"), f"the worker said {self.executor!r}"
        return self

    def kill(self) -> float:
        """Gives the instant."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE_S)
        return time.monotonic()

    def ends(self) -> int:
        """Close its engine, and wait; gives the exit code."""
        if self._process.poll() is None:
            self._process.communicate(timeout=PATIENCE_S)
        return self._process.returncode

    def __enter__(self) -> Self:
        return self.ready()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._process.poll() is None:
            self._process.kill()
        code = self.ends()
        assert error is not None or code in (0, -signal.SIGKILL), f"the worker ended with {code}"
