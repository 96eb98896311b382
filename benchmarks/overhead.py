"""What keeping exact books costs per lead, over the bare loop of `benchmarks.floor` in the same minute.

`python -m benchmarks.overhead [--url postgresql://…] [--repeat N]`
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import floor
from benchmarks.house import furnish, open_house
from tallybook.domain.run import OperationName
from tallybook.engine import trigger
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.ledger import audit, read
from tallybook.ledger.write.starts import Request, Start
from tallybook.scorers.scripted import ScriptedScorer

LIMITS = Limits(concurrency=4, calls_at_once=floor.AT_ONCE, chunk_size=floor.CHUNK)


@dataclass(frozen=True)
class Case:
    """*clients* x *leads* leads, calls of *latency_ms*. The target is either ms per lead over the floor or a ratio."""

    name: str
    clients: int
    leads: int
    latency_ms: int
    target: str


CASES = (
    Case("10,000 leads, 0 ms", 20, 500, 0, "0.2 ms per lead over the floor (PostgreSQL 0.4)"),
    Case("1,000 leads, 0 ms", 20, 50, 0, "0.5 ms per lead over the floor"),
    Case("20 x 50 leads, 50 ms", 20, 50, 50, "1.2 x the floor's wall"),
    Case("10,000 leads, 50 ms", 20, 500, 50, "1.05 x the floor's wall"),
)


def run_wall_s(url: str, latency_ms: int, stream: int) -> dict[str, float]:
    """Work one run in this process, its engine already launched; gives seconds and peak memory."""
    house = open_house(url)
    scorer = ScriptedScorer(latency_ms=latency_ms)
    with Engine(house.ledger, house.clients, house.operations(scorer), LIMITS) as engine:
        time.sleep(0.5)  # launched and idle, as a serving process is
        started = time.perf_counter()
        run_id = trigger.start(
            house.ledger, house.clients, Start(Request((OperationName.LEAD_SCORING,), stream=stream))
        ).run_id
        engine.nudge()
        while not read.status(house.database, run_id).terminal:
            time.sleep(0.005)
        elapsed_s = time.perf_counter() - started
    found = audit.audit(house.database, run_id)
    run = read.run(house.database, run_id)
    house.close()
    if found.differences or run.tally.scored != run.tally.found:
        raise SystemExit(f"the books are wrong: {run.tally} {found.differences}")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall_s": elapsed_s, "leads": run.tally.found, "peak_mb": peak_mb}


def in_child(*arguments: str) -> dict[str, float]:
    """Run this module in a fresh process with *arguments*; gives the figures it prints."""
    command = [sys.executable, "-m", "benchmarks.overhead", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr or done.stdout)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(case: Case, url: str | None, repeat: int) -> dict[str, object]:
    """Medians of *repeat* pairs, floor and ours in turn."""
    ours, floors = [], []
    for number in range(repeat):
        with tempfile.TemporaryDirectory() as folder:
            floors.append(floor.wall_s(Path(folder) / "floor.db", case.clients, case.leads, case.latency_ms))
            target = url or f"sqlite:///{folder}/tallybook.db"
            stream = number + 1 + 1000 * CASES.index(case)
            house = open_house(target)
            _forget_leads(target)
            furnish(house, case.clients, case.leads, stream=stream)
            house.close()
            ours.append(in_child("--child", target, str(case.latency_ms), str(stream))["wall_s"])
    wall_s, floor_s = statistics.median(ours), statistics.median(floors)
    return {
        "case": asdict(case),
        "wall_s": round(wall_s, 3),
        "floor_s": round(floor_s, 3),
        "ratio": round(wall_s / floor_s, 2),
        "ms_per_lead": round(wall_s * 1000 / (case.clients * case.leads), 3),
        "ms_per_lead_over_floor": round((wall_s - floor_s) * 1000 / (case.clients * case.leads), 3),
    }


def _forget_leads(url: str) -> None:
    house = open_house(url)
    with house.database.writing() as tx:
        tx.execute("DELETE FROM @leads")
    house.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--child", nargs=3)
    asked = parser.parse_args()
    if asked.child:
        url, latency_ms, stream = asked.child
        print(json.dumps(run_wall_s(url, int(latency_ms), int(stream))))
        return
    print(f"chunks of {LIMITS.chunk_size}, {LIMITS.calls_at_once} calls and {LIMITS.concurrency} clients at once")
    for case in CASES:
        print(json.dumps(measure(case, asked.url, asked.repeat)), flush=True)


if __name__ == "__main__":
    main()
