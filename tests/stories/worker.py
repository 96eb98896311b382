"""The child of `acting.Worker`: an engine at work until stdin is closed."""

import json
import sys
from typing import Any

from benchmarks.house import open_house
from tallybook.domain.ports import Scorer
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.scorers.attempts import Patience
from tallybook.scorers.model import ModelScorer, Named
from tallybook.scorers.scripted import ScriptedScorer


def _scorer(told: dict[str, Any]) -> Scorer:
    if told["google_url"]:
        return ModelScorer(Named("google", "gemini-2.5-flash", "k", told["google_url"]), Patience())
    return ScriptedScorer(latency_ms=told["latency_ms"])


def main(url: str, facts: str) -> None:
    told = json.loads(facts)
    house = open_house(url)
    scorer = _scorer(told)
    with Engine(house.ledger, house.clients, house.operations(scorer), Limits(**told["limits"])) as engine:
        print(engine.executor, flush=True)
        sys.stdin.read()
    house.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
