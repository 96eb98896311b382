"""How much memory a run of one client with very many leads takes.

`python -m benchmarks.memory [--leads 100000]`
"""

import argparse
import json
import subprocess
import sys
import tempfile

from benchmarks.overhead import in_child

TARGET_MB = 250


def measure(leads: int) -> dict[str, object]:
    """Peak memory of the working process; the leads are put in the store by another one."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/tallybook.db"
        furnish = f"from benchmarks.house import *; h = open_house({url!r}); furnish(h, 1, {leads}); h.close()"
        subprocess.run([sys.executable, "-c", furnish], check=True)
        figures = in_child("--child", url, "0", "1")
    return {
        "leads": leads,
        "peak_mb": round(figures["peak_mb"], 1),
        "target_mb": TARGET_MB,
        "ms_per_lead": round(figures["wall_s"] * 1000 / leads, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=100_000)
    print(json.dumps(measure(parser.parse_args().leads)))


if __name__ == "__main__":
    main()
