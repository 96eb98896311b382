"""The child of `acting.Worker`: an engine at work until stdin is closed."""

import json
import sys

from benchmarks.house import open_house
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.scorers.scripted import ScriptedScorer


def main(url: str, facts: str) -> None:
    told = json.loads(facts)
    house = open_house(url)
    scorer = ScriptedScorer(latency_ms=told["latency_ms"])
    with Engine(house.ledger, house.clients, house.operations(scorer), Limits(**told["limits"])) as engine:
        print(engine.executor, flush=True)
        sys.stdin.read()
    house.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
