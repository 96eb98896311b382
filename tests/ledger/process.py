"""What the processes of test_processes.py do.

Each says "ready" when it is set up, begins when it is told to, and says what came of it.
"""

import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection

from tallybook import migrations
from tallybook.database import Database, Tx
from tallybook.domain.budget import Budgets, Ceiling
from tallybook.domain.errors import Busy
from tallybook.domain.outcome import Outcome
from tallybook.domain.run import OperationName
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import claims, endings, progress, starts
from tallybook.ledger.write.budgets import Go
from tests.ledger.scenes import asked, called, scored, skipped
from tests.ledger.spending import settled, tokens, used, wanting

Found = object
RUN = "261123-120000"


def make_tables(database: Database, _: str) -> Found:
    migrations.ensure(database)
    return migrations.current(database)


def start(database: Database, key: str) -> Found:
    ledger = Ledger(database)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: ledger.do(starts.start, asked(key=key)), range(16)))
    return [each.run_id for each in found]


def start_without_key(database: Database, _: str) -> Found:
    ledger = Ledger(database)
    won = []
    for _try in range(8):
        with suppress(Busy):
            won.append(ledger.do(starts.start, asked()).run_id)
    return won


def reserve(database: Database, count: str) -> Found:
    ledger = Ledger(database)
    return [ledger.do(starts.reserve_run_id, starts.RunIdStyle()) for _ in range(int(count))]


def create(database: Database, client_id: str) -> Found:
    """50 threads, each with both verbs."""
    ledger = Ledger(database)

    def create_both(_: int) -> bool:
        ledger.do(claims.create_run, RUN, claims.Job(auto_created="late"))
        return ledger.do(claims.create_client, ClientKey(RUN, client_id), None, "late")

    with ThreadPoolExecutor(50) as pool:
        return sum(pool.map(create_both, range(50)))


def begin(database: Database, run_id: str) -> Found:
    ledger = Ledger(database)
    return ledger.do(progress.begin_client, ClientKey(run_id, "acme"), "w").go


def finish(database: Database, run_and_client: str) -> Found:
    """Work one client of a run to its end: the last one to do so ends the run."""
    run_id, client_id = run_and_client.split("|")
    ledger = Ledger(database)
    key = OperationKey(run_id, client_id, OperationName.LEAD_SCORING)
    ledger.do(progress.begin_client, ClientKey(run_id, client_id), "w")
    ledger.do(progress.open_operation, key)
    ledger.do(progress.freeze, key, [], [], whole=True)
    called(ledger, key, f"call of {client_id}")
    ledger.do(endings.close_operation, key)
    ledger.do(endings.close_client, ClientKey(run_id, client_id))
    return "done"


def spend(database: Database, facts: str) -> Found:
    """Calls of ten tokens, by 16 threads, until the budget of a thousand is used up; gives how many were made."""
    run_id, client_id, per = facts.split("|")
    ledger = Ledger(database)
    key = OperationKey(run_id, client_id, OperationName.LEAD_SCORING)
    holding = replace(Budgets(), **{per: Ceiling(tokens=1000)})  # type: ignore[arg-type]  # by the name of a field

    def until_it_ends(_thread: int) -> int:
        made = 0
        for call_id in (uuid.uuid4().hex for _ in range(10_000)):
            found = wanting(ledger, key, call_id, tokens(10), holding)
            if isinstance(found, Exception):
                return made
            if found is Go.RESERVED:
                settled(ledger, call_id, used(10))
                made += 1
        raise AssertionError("it has not ended")

    with ThreadPoolExecutor(16) as pool:
        return sum(pool.map(until_it_ends, range(16)))


def record_for_ever(line: Connection, url: str, run_id: str) -> None:
    """Two leads and a call in every piece, as many pieces as possible in a commit, until killed."""
    ledger = Ledger(Database(url))
    key = OperationKey(run_id, "acme", OperationName.LEAD_SCORING)
    waiting: list[Future[None]] = []
    for n in range(0, 100_000, 2):
        waiting.append(ledger.submit(_pair, key, [*scored(f"{n:05}"), *skipped(f"{n + 1:05}")]))
        if n == 400:
            line.send("working")
        if len(waiting) > 100:
            waiting.pop(0).result()


def _pair(tx: Tx, key: OperationKey, outcomes: list[Outcome]) -> None:
    for each in outcomes:
        progress.record(tx, key, [each], saved=True)


def act(line: Connection, action: Callable[[Database, str], Found], url: str, argument: str) -> None:
    database = Database(url)
    line.send("ready")
    line.recv()
    line.send(action(database, argument))
