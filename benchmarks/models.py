"""How near a run against a paid model comes to the ideal: the time of its answers, shared by the calls at once.

The look-alike provider answers from a process of its own, through the real client library. The floor is the same
library asked by bare asyncio, with nothing booked, in the same minute.

`python -m benchmarks.models [--leads N] [--latency-ms N] [--provider google|openai|anthropic] [--rounds N]`
"""

import argparse
import asyncio
import json
import math
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.house import RUBRIC, House, furnish, made_up_leads, open_house
from tallybook.domain.client import Client
from tallybook.domain.ports import Item
from tallybook.domain.run import OperationName
from tallybook.engine import trigger
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.ledger import audit, read
from tallybook.ledger.write.starts import Request, Start
from tallybook.scorers.attempts import Patience
from tallybook.scorers.model import ModelScorer, Named
from tallybook.scorers.prompt import question
from tallybook.scorers.provider import Turn

AT_ONCE, CHUNK = 16, 5
MODELS = {"google": "gemini-2.5-flash", "openai": "gpt-5-mini", "anthropic": "claude-haiku-4-5"}
TARGET = 1.15


@contextmanager
def provider_at(latency_ms: int) -> Iterator[str]:
    """The address of a look-alike provider in another process."""
    command = [
        sys.executable,
        "-m",
        "tallybook.cli",
        "testing",
        "model",
        "--port",
        "0",
        "--latency-ms",
        str(latency_ms),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    url = next(line.partition("BASE_URL=")[2].split()[0] for line in process.stderr if "BASE_URL=" in line)
    try:
        yield url.removesuffix("/v1")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()


def scorer_of(provider: str, url: str) -> ModelScorer:
    base_url = f"{url}/v1" if provider == "openai" else url
    return ModelScorer(Named(provider, MODELS[provider], "any-key", base_url), Patience())


def run_wall_s(house: House, scorer: ModelScorer, stream: int) -> float:
    """Seconds from start to end of a run, its engine launched and the library warm, as in a serving process."""
    limits = Limits(calls_at_once=AT_ONCE, chunk_size=CHUNK)
    with Engine(house.ledger, house.clients, house.operations(scorer), limits) as engine:
        _finished(house, engine, 0)
        time.sleep(0.5)
        started = time.perf_counter()
        run_id = _finished(house, engine, stream)
        elapsed_s = time.perf_counter() - started
    run = read.run(house.database, run_id)
    if audit.audit(house.database, run_id).differences or run.tally.scored != run.tally.found:
        raise SystemExit(f"the books are wrong: {run.tally}")
    return elapsed_s


def _finished(house: House, engine: Engine, stream: int) -> str:
    request = Request((OperationName.LEAD_SCORING,), stream=stream)
    run_id = trigger.start(house.ledger, house.clients, Start(request)).run_id
    engine.nudge()
    while not read.status(house.database, run_id).terminal:
        time.sleep(0.02)  # asking more often would compete with what is measured
    return run_id


async def floor_wall_s(scorer: ModelScorer, leads: int) -> float:
    """The same requests by the same library, and nothing else."""
    people = list(made_up_leads(leads))
    chunks = [people[first : first + CHUNK] for first in range(0, leads, CHUNK)]
    permits = asyncio.Semaphore(AT_ONCE)

    async def ask(chunk: int) -> None:
        asked = question(RUBRIC.for_leads, [Item(lead.lead_id, lead) for lead in chunks[chunk]])
        async with permits:
            await scorer.provider.ask(asked.instructions, [Turn(asked.text)], f"floor-{chunk}")

    await ask(0)
    started = time.perf_counter()
    await asyncio.gather(*map(ask, range(len(chunks))))
    return time.perf_counter() - started


def measured(provider: str, leads: int, latency_ms: int, rounds: int) -> dict[str, object]:
    ours, floors = [], []
    ideal_s = math.ceil(leads / CHUNK / AT_ONCE) * latency_ms / 1_000
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder, provider_at(latency_ms) as url:
            house = open_house(f"sqlite:///{folder}/tallybook.db")
            furnish(house, clients=4, leads=leads // 4, stream=1)
            house.clients.put_clients([Client("warm-up", "Warm-up", stream=0)])
            house.clients.put_rubric("warm-up", RUBRIC)
            house.clients.put_leads("warm-up", list(made_up_leads(AT_ONCE * CHUNK)))
            scorer = scorer_of(provider, url)
            ours.append(run_wall_s(house, scorer, 1))
            floors.append(asyncio.run(floor_wall_s(scorer, leads)))
            house.close()
    wall_s, floor_s = statistics.median(ours), statistics.median(floors)
    return {
        "provider": provider,
        "leads": leads,
        "latency_ms": latency_ms,
        "wall_s": round(wall_s, 3),
        "ideal_s": round(ideal_s, 3),
        "over_ideal": round(wall_s / ideal_s, 3),
        "floor_s": round(floor_s, 3),
        "over_floor": round(wall_s / floor_s, 3),
        "target": f"{TARGET} x the ideal",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=1000)
    parser.add_argument("--latency-ms", type=int, default=200)
    parser.add_argument("--provider", choices=MODELS, action="append")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(f"chunks of {CHUNK}, {AT_ONCE} calls at once, 4 clients")
    for provider in asked.provider or MODELS:
        print(json.dumps(measured(provider, asked.leads, asked.latency_ms, asked.rounds)), flush=True)


if __name__ == "__main__":
    main()
