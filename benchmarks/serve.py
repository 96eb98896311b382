"""The server at rest: how soon it is ready, what memory it takes, what it costs when nothing happens.

The floor is a process that imports what the server is built on and does nothing with it.

    python -m benchmarks.serve [--starts 5] [--idle-s 20]
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIBRARIES = "import alembic, dbos, fastapi, httpx, sqlalchemy, uvicorn, uvloop"
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--idle-s", type=float, default=20.0)
    asked = parser.parse_args()
    floor_s = statistics.median(_import_s() for _ in range(asked.starts))
    with tempfile.TemporaryDirectory() as folder:
        first, *again = [_start(Path(folder)) for _ in range(asked.starts + 1)]
        idle = _idle_share(Path(folder), asked.idle_s)
    ready_s = statistics.median(ready for ready, _ in again)
    rss_mb = statistics.median(rss for _, rss in again)
    print(f"imports alone {floor_s:.2f} s (the floor)")
    print(f"ready, with a new database {first[0]:.2f} s")
    print(f"ready, median of {asked.starts}: {ready_s:.2f} s = {ready_s / floor_s:.2f} x the floor (target: under 2 s)")
    print(f"memory {rss_mb:.0f} MB (target: under 150)")
    print(f"idle for {asked.idle_s:g} s: {idle:.1%} of a core (target: below 3 %)")
    return 0


def _import_s() -> float:
    since = time.monotonic()
    subprocess.run([sys.executable, "-c", LIBRARIES], check=True)
    return time.monotonic() - since


@contextmanager
def _serving(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """(the process, seconds until it was ready)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    since = time.monotonic()
    command = [sys.executable, "-m", "tallybook.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
    try:
        while not _ready(port):
            time.sleep(0.01)
        yield process, time.monotonic() - since
    finally:
        process.terminate()
        process.wait(30)


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def _start(folder: Path) -> tuple[float, float]:
    """(seconds until ready, MB)."""
    with _serving(folder) as (process, ready_s):
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        rss_kb = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
        return ready_s, rss_kb / 1024


def _idle_share(folder: Path, idle_s: float) -> float:
    with _serving(folder) as (process, _):
        time.sleep(2)
        before = _cpu_s(process.pid)
        time.sleep(idle_s)
        return (_cpu_s(process.pid) - before) / idle_s


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    raise SystemExit(main())
