"""The API held against its own description with ten thousand requests that are made up: not one answer may be wrong.

`python -m benchmarks.schema [--most N] [--seed N]`; --most: cases of each route that are made up, beside those that
follow from the description.
"""

import argparse
import tempfile
import time
from pathlib import Path

from tallybook.web import doorkeeper
from tests.web.conforming import PHASES, Tried, tried
from tests.web.scenes import everything
from tests.web.serving import app_on, made_token, served

TARGET_CASES = 10_000


def main() -> int:
    """Print what was tried; 1 when something was wrong, or too little was tried."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--most", type=int, default=210)
    asked.add_argument("--seed", type=int, default=time.time_ns() % 10**6)
    options = asked.parse_args()
    began = time.perf_counter()
    found = _tried(options.most, options.seed)
    took_s = time.perf_counter() - began
    cases = sum(found.cases.values())
    print(f"{cases:,} requests, {dict(found.cases)}, seed {options.seed}, {took_s:.0f} s; wrong: {len(found.troubles)}")
    for each in found.troubles:
        print(f"\n{each}")
    return 0 if cases >= TARGET_CASES and not found.troubles else 1


def _tried(most: int, seed: int) -> Tried:
    doorkeeper.MOST_FAILURES = 10**9  # wrong credentials are a part of it
    with tempfile.TemporaryDirectory() as folder:
        app = app_on(f"sqlite:///{Path(folder)}/tallybook.db")
        everything(app)
        with served(app) as url:
            found = tried(url, made_token(app).text, phases=PHASES, most=most, seed=seed)
        app.close()
    return found


if __name__ == "__main__":
    raise SystemExit(main())
