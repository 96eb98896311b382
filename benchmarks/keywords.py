"""Profiles per second of the offline scorer, on one core.

`python -m benchmarks.keywords [--profiles N]`
"""

import argparse
import asyncio
import time

from tallybook.domain.ports import Item
from tallybook.engine.preview import NoMeter
from tallybook.scorers.keywords import KeywordScorer
from tallybook.testing.demo_data import demo_clients, many_leads

CHUNK = 5
TARGET_PER_S = 5_000


def profiles_per_s(profiles: int, seed: int = 1) -> float:
    """CPU time only: what other processes do on a shared core does not count."""
    return asyncio.run(_score(profiles, seed))


async def _score(profiles: int, seed: int) -> float:
    attributes = demo_clients()[0].rubric.for_leads
    leads = list(many_leads(profiles, seed))
    scorer = KeywordScorer()
    started = time.process_time()
    for first in range(0, profiles, CHUNK):
        items = [Item(lead.lead_id, lead) for lead in leads[first : first + CHUNK]]
        await scorer.judge(attributes, items, NoMeter())
    return profiles / (time.process_time() - started)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--profiles", type=int, default=20_000)
    rate = profiles_per_s(asked.parse_args().profiles)
    print(f"keywords: {rate:,.0f} profiles per second of one core, chunks of {CHUNK} (target {TARGET_PER_S:,})")


if __name__ == "__main__":
    main()
