"""What the mirror costs: calls for a hundred and for a thousand clients, a run's wall with and without it, and a drill.

python -m benchmarks.mirror [calls] [wall] [drill] [--schedules 500] [--seed 0]     without a word: all of them
"""

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from benchmarks.house import House, furnish, open_house
from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.lanes import LanesInProcess
from tallybook.airtable.pacing import Pace
from tallybook.airtable.seen import OperatorBase
from tallybook.domain.run import OperationName
from tallybook.engine import trigger
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.followers import mirror_care
from tallybook.followers.airtable_mirror import NAME, AirtableMirror
from tallybook.followers.mirror_check import Check
from tallybook.followers.mirror_window import Window
from tallybook.ledger import read
from tallybook.ledger.following import FollowerBook
from tallybook.ledger.write.starts import Caller, Request, Start
from tallybook.scorers.scripted import ScriptedScorer
from tallybook.testing.airtable_demo import OPERATOR_ID, add_operator
from tallybook.testing.airtable_limits import Limits as Allowed
from tallybook.testing.airtable_server import AirtableServer
from tests.books import SqliteBooks
from tests.followers.drilling import drilled

WORDS = ("calls", "wall", "drill")
TOKEN = "patBenchmark.0123456789abcdef"
UPDATES = 10
PAIRS = 7


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", choices=[*WORDS, []], help="which; all without")
    parser.add_argument("--schedules", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    words = asked.words or WORDS
    if "calls" in words:
        for clients in (100, 1_000):
            calls(clients)
    if "wall" in words:
        wall()
    if "drill" in words:
        drill(asked.seed, asked.schedules)
    return 0


@contextmanager
def mirrored(house: House) -> Iterator[tuple[AirtableServer, AirtableMirror]]:
    """Airtable with its own limits, and the mirror set up in it."""
    with AirtableServer(token=TOKEN, limits=Allowed()) as server:
        add_operator(server)
        door = AirtableDoor(TOKEN, server.url, Pace(LanesInProcess(time.monotonic), TOKEN))
        mirror = AirtableMirror(door, OperatorBase(OPERATOR_ID), Window(timedelta(days=365), 50_000))
        mirror_care.set_up(mirror, FollowerBook(house.ledger, NAME))
        server.log.clear()
        yield server, mirror


@contextmanager
def made_up(clients: int, leads: int) -> Iterator[House]:
    with tempfile.TemporaryDirectory() as folder:
        house = open_house(f"sqlite:///{Path(folder) / 'tallybook.db'}")
        furnish(house, clients, leads)
        yield house
        house.close()


def run(house: House, engine: Engine) -> tuple[str, float]:
    """(run id, seconds from its start to its end)."""
    request = Request((OperationName.LEAD_SCORING,), 1)
    run_id = trigger.start(house.ledger, house.clients, Start(request, Caller("cli", "benchmark"))).run_id
    engine.nudge()
    while not read.status(house.database, run_id).terminal:
        time.sleep(0.02)
    found = read.run(house.database, run_id)
    assert found.created_at
    assert found.ended_at
    return run_id, (found.ended_at - found.created_at).total_seconds()


# -- calls -------------------------------------------------------------------------------------------------------------


def calls(clients: int) -> None:
    with made_up(clients, UPDATES) as house, mirrored(house) as (server, mirror):
        plugs = house.operations(ScriptedScorer())
        with Engine(house.ledger, house.clients, plugs, Limits(chunk_size=1), followers=[mirror]) as engine:
            _, seconds = run(house, engine)
            since = time.monotonic()
            assert engine.tell_rest(120.0), "the mirror was not told"
            told_after = time.monotonic() - since
        asked = server.log.all
        book = FollowerBook(house.ledger, NAME)
        most = server.log.most_in_a_second()
        assert not Check(mirror, book).run().differences
    allowed = 2 * (-(-clients // 10) + 1)
    refused = [call for call in asked if not call.ok]
    print(
        f"{clients} clients with {UPDATES} updates each: {len(asked)} calls of {allowed} (and one flush per 30 s),"
        f" run {seconds:.1f} s, told {told_after:.1f} s after its end, {len(refused)} refused,"
        f" at most {most} in any second"
    )


# -- wall --------------------------------------------------------------------------------------------------------------


def wall() -> None:
    """In turn, so that what the machine does beside meets both."""
    ratios: list[float] = []
    both: dict[bool, list[float]] = {False: [], True: []}
    for number in range(PAIRS):
        seconds = {}
        for with_mirror in (False, True) if number % 2 else (True, False):
            seconds[with_mirror] = _wall(with_mirror)
            both[with_mirror].append(seconds[with_mirror])
        ratios.append(seconds[True] / seconds[False])
    without, beside = (statistics.median(both[each]) for each in (False, True))
    print(
        f"20 clients x 50 leads, 50 ms calls: {without:.2f} s without, {beside:.2f} s with the mirror;"
        f" ratio of medians {beside / without:.3f}, of pairs {min(ratios):.3f} to {max(ratios):.3f}"
    )


def _wall(with_mirror: bool) -> float:
    with made_up(20, 50) as house, mirrored(house) as (_, mirror):
        plugs = house.operations(ScriptedScorer(latency_ms=50))
        followers = [mirror] if with_mirror else []
        with Engine(house.ledger, house.clients, plugs, Limits(), followers=followers) as engine:
            return run(house, engine)[1]


# -- drill -------------------------------------------------------------------------------------------------------------


def drill(first: int, schedules: int) -> None:
    since, met = time.monotonic(), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        books = SqliteBooks(Path(folder))
        for seed in range(first, first + schedules):
            place = Path(folder) / str(seed)
            place.mkdir()
            met += drilled(books.copied_to(place), seed)
    what = ", ".join(f"{number} {name}" for name, number in sorted(met.items()))
    print(f"{schedules} schedules from seed {first} agree ({time.monotonic() - since:.0f} s): {what}")


if __name__ == "__main__":
    raise SystemExit(main())
