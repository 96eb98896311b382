"""Every benchmark, one after the other: what `./dev bench` runs. Name some to run only these.

PostgreSQL is measured on the server of the tests, which runs without fsync.
"""

import subprocess
import sys
from collections.abc import Sequence

from tests.postgres import running

BENCHMARKS = (
    "start",
    "keywords",
    "ledger_record",
    "lifecycles",
    "overhead",
    "models",
    "memory",
    "airtable_store",
    "kill",
    "serve",
    "server",
    "deliveries",
    "mirror",
    "schema",
    "pages",
)


def main(names: Sequence[str]) -> int:
    unknown = sorted(set(names) - {*BENCHMARKS})
    if unknown:
        print(f"there is no benchmark {unknown[0]}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    return max(_run(name) for name in names or BENCHMARKS)


def _run(name: str) -> int:
    code = _python("-m", f"benchmarks.{name}")
    if name == "overhead":
        with running() as server, server.fresh_database() as url:
            print("on PostgreSQL:", flush=True)
            code = max(code, _python("-m", "benchmarks.overhead", "--url", url))
    return code


def _python(*arguments: str) -> int:
    print(f"\n$ python {' '.join(arguments[:2])}", flush=True)
    return subprocess.run([sys.executable, *arguments], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
