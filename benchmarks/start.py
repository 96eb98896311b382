"""How long `tallybook --help` takes, beside an interpreter that does nothing.

`python -m benchmarks.start`
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

TIMES = 9
TARGET_MS = 150
TALLYBOOK = str(Path(sys.executable).with_name("tallybook"))


def median_ms(command: Sequence[str]) -> float:
    """Wall time of *command*, median of nine, after one that warms the disk's cache."""
    took = [_took_ms(command) for _ in range(TIMES + 1)][1:]
    return statistics.median(took)


def _took_ms(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


def main() -> None:
    helped, bare = median_ms([TALLYBOOK, "--help"]), median_ms([sys.executable, "-c", "pass"])
    print(
        f"tallybook --help: {helped:.0f} ms, a bare interpreter: {bare:.0f} ms (median of {TIMES}; target {TARGET_MS})"
    )


if __name__ == "__main__":
    main()
