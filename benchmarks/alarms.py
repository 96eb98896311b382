"""How long it takes to look for alerts, and to answer a scrape, with 20,000 runs over 50 clients each in the books.

`python -m benchmarks.alarms [--runs N] [--url URL]`
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.house import furnish, open_house
from tallybook.database import Database, stamp
from tallybook.domain.alert import Alarms
from tallybook.domain.budget import Budgets, Ceiling
from tallybook.engine.alarm import Alarm
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.totals import Totals
from tests.ledger.scenes import asked, begun, called, frozen, planned, recorded, scored

CLIENTS = 50
AT_ONCE = 100
TIMES = 20
MOST_MS = 1_000.0
_RUN = (
    "INSERT INTO @runs (run_id, job_type, stream, triggered_by, status, created_at, started_at, ended_at, seen_at,"
    " changed_at, planned) VALUES (?, 'lead_scoring', 1, 'cron', 'completed', ?, ?, ?, ?, ?, 1)"
)
_CLIENT = (
    "INSERT INTO @client_runs (run_id, client_id, label, client_name, status, started_at, ended_at, origin)"
    " VALUES (?, ?, ?, 'Somebody', 'completed', ?, ?, 'planned')"
)
_OPERATION = (
    "INSERT INTO @operation_runs (run_id, client_id, operation, status, started_at, ended_at, basis, found, scored,"
    " failed, calls, input_tokens, output_tokens, cost_pico_usd)"
    " VALUES (?, ?, 'lead_scoring', 'completed', ?, ?, 'exact', 20, 19, 1, 1, 4000, 1000, 1000000)"
)
_CALL = (
    "INSERT INTO @calls (call_id, run_id, client_id, operation, provider, model, started_at, ended_at, result,"
    " input_tokens, output_tokens, cost_pico_usd)"
    " VALUES (?, ?, ?, 'lead_scoring', 'google', 'gemini', ?, ?, 'ok', 4000, 1000, 1000000)"
)


def main() -> int:
    """Print the figures; 1 when a look takes longer than it may."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=20_000)
    options.add_argument("--url", default="")
    asked_for = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return _measured(asked_for.url or f"sqlite:///{Path(folder)}/tallybook.db", asked_for.runs)


def _measured(url: str, runs: int) -> int:
    house = open_house(url)
    furnish(house, CLIENTS, 1)
    now = datetime.now(UTC)
    began = time.perf_counter()
    for first in range(0, runs, AT_ONCE):
        _write(house.database, range(first, min(runs, first + AT_ONCE)), now - timedelta(hours=runs))
    print(f"{runs:,} runs, {runs * CLIENTS:,} client runs written in {time.perf_counter() - began:.0f} s")
    _work(house.ledger)
    alarms = Alarms(budgets=Budgets(day=Ceiling(10**6), month=Ceiling(10**8)), followers=("airtable_mirror",))
    look_ms = _median_ms(Alarm(house.ledger, alarms).look)
    print(f"a look for alerts: {look_ms:.1f} ms")
    totals = Totals(house.database)
    print(f"the first scrape of a process: {_median_ms(lambda: totals.sums(now), 1):.0f} ms")
    print(f"each further one: {_median_ms(lambda: totals.sums(now)):.1f} ms")
    print(f"how it stands: {_median_ms(lambda: totals.standing(now, ['airtable_mirror'])):.1f} ms")
    house.close()
    return int(look_ms > MOST_MS)


def _write(database: Database, numbers: range, first_at: datetime) -> None:
    """A run every hour, up to now."""
    keys = [(_run_id(number), stamp(first_at + timedelta(hours=number))) for number in numbers]
    clients = [(run_id, f"client-{client:04}", at) for run_id, at in keys for client in range(CLIENTS)]
    with database.writing() as tx:
        tx.many(_RUN, [(run_id, at, at, at, at, at) for run_id, at in keys])
        tx.many(_CLIENT, [(run_id, client, f"{run_id}-{client}", at, at) for run_id, client, at in clients])
        tx.many(_OPERATION, [(run_id, client, at, at) for run_id, client, at in clients])
        tx.many(_CALL, [(f"{run_id} {client}", run_id, client, at, at) for run_id, client, at in clients])


def _run_id(number: int) -> str:
    return f"bench-{number:08}"


def _work(ledger: Ledger) -> None:
    """A run that is worked on, of all clients."""
    clients = [f"client-{client:04}" for client in range(CLIENTS)]
    run_id = planned(ledger, *clients, start=asked(*clients))
    for client in clients:
        key = frozen(ledger, begun(ledger, run_id, client), [f"lead {number}" for number in range(20)])
        recorded(ledger, key, *scored("lead 1"))
        called(ledger, key, f"{run_id} {client}")


def _median_ms(what: Callable[[], object], times: int = TIMES) -> float:
    return statistics.median(_each_ms(what, times))


def _each_ms(what: Callable[[], object], times: int) -> Iterator[float]:
    for _ in range(times):
        begun_at = time.perf_counter()
        what()
        yield (time.perf_counter() - begun_at) * 1000


if __name__ == "__main__":
    raise SystemExit(main())
