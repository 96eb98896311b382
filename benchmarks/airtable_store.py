"""Leads that are kept in Airtable: calls and memory of reading all of them, and of writing a score back to each.

Against the look-alike of Airtable, which is no part of what is measured; nobody waits for its pace.

`python -m benchmarks.airtable_store [--leads 10000 100000]`
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.house import made_up_leads
from tallybook import migrations
from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.lanes import Gait, Lane, Scope
from tallybook.airtable.pacing import Pace
from tallybook.airtable.seen import OperatorBase
from tallybook.database import Database
from tallybook.domain.batches import batched
from tallybook.domain.outcome import Kind, LeadId, Outcome
from tallybook.domain.run import OperationName
from tallybook.stores.airtable_clients import AirtableClients
from tallybook.stores.sql import SqlClients
from tallybook.testing.airtable_demo import OPERATOR_ID, add_client, add_operator, lead_row
from tallybook.testing.airtable_server import AirtableServer

CLIENT, BASE_ID = "client-0000", "appBenchmark00000"
AT_ONCE, PAGE = 1_000, 100
TARGET_MB = 250


class Unhurried:
    """Lanes in which nobody waits."""

    @contextmanager
    def open(self, scopes: Sequence[Scope]) -> Iterator[tuple[Sequence[Lane], float]]:
        yield [Lane(Gait(1e-9, 1e-9)) for _ in scopes], time.monotonic()


def measure(leads: int) -> dict[str, object]:
    with AirtableServer() as server, tempfile.TemporaryDirectory() as folder:
        row = {"Client ID": CLIENT, "Status": "Active", "Service Level": "1", "Processing Stream": 1}
        add_operator(server, [(row, BASE_ID)])
        add_client(server, CLIENT, BASE_ID).table("Leads").add_many(map(lead_row, made_up_leads(leads)))
        words = [sys.executable, "-m", "benchmarks.airtable_store", "--child", server.url, f"sqlite:///{folder}/t.db"]
        figures = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
        calls = server.log.by_kind(BASE_ID)
        told = len(server.base(BASE_ID).table("Leads").where("Scoring Status", "Scored"))
    assert told == leads, f"{told} of {leads} have their score"
    most = {"list": -(-leads // PAGE), "update": -(-leads // 10)}
    return {"leads": leads, **figures, "target_mb": TARGET_MB, "calls": dict(calls), "floor_of_calls": most}


def work(server_url: str, database_url: str) -> dict[str, object]:
    """In a process of its own: what it takes to find, load and save all leads."""
    database = Database(database_url)
    migrations.ensure(database)
    door = AirtableDoor("any", server_url, Pace(Unhurried(), "any"))
    clients = AirtableClients(SqlClients(database), door, OperatorBase(OPERATOR_ID))
    clients.import_all()
    store = clients.store(CLIENT)
    begun = time.perf_counter()
    due: list[LeadId] = []
    while page := store.candidates(OperationName.LEAD_SCORING, due[-1] if due else None, AT_ONCE):
        due += [each.lead_id for each in page]
    found = time.perf_counter()
    for ids in batched(due, PAGE):
        assert len(store.load(ids)) == len(ids)
        store.save(
            OperationName.LEAD_SCORING, [Outcome(each, Kind.SCORED, score=50.0, assessment="Fits") for each in ids]
        )
    saved = time.perf_counter()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"peak_mb": round(peak_mb, 1), "find_s": round(found - begun, 1), "save_s": round(saved - found, 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(work(*asked.child)))
        return 0
    for leads in asked.leads:
        print(json.dumps(measure(leads)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
