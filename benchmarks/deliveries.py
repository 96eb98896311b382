"""A thousand random schedules of deliveries against a look-alike of Apify: posts, statuses and cost equal its truth.

python -m benchmarks.deliveries [--schedules 1000] [--seed 1]
"""

import argparse
import tempfile
import time
from pathlib import Path

from tallybook import migrations
from tallybook.database import Database
from tests.stories.deliveries import drill, troubled_apify
from tests.stories.harvesting import street

AT_ONCE = 100


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    since = time.monotonic()
    for number in range(-(-asked.schedules // AT_ONCE)):
        schedules = min(AT_ONCE, asked.schedules - number * AT_ONCE)
        seed = asked.seed * 1_000 + number
        runs, usd = _drill(schedules, seed)
        print(f"seed {seed}: {schedules} schedules, {runs} runs at Apify, ${usd} billed and booked", flush=True)
    print(f"{asked.schedules} schedules agree ({time.monotonic() - since:.0f} s)")
    return 0


def _drill(schedules: int, seed: int) -> tuple[int, str]:
    """(runs at Apify, what they cost). Raises AssertionError where the books differ."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'tallybook.db'}"
        migrations.ensure(Database(url))
        with troubled_apify(schedules, seed) as apify, street(url, apify, engine__concurrency=8) as found:
            drill(found, apify, schedules, seed)
            return len(apify.runs), str(apify.billed_usd)


if __name__ == "__main__":
    raise SystemExit(main())
