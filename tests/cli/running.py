"""An operator's folder in which runs are started and followed."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.house import RUBRIC, House, furnish, open_house
from tallybook.ledger import audit, read, snapshot
from tallybook.ledger.snapshot import Glance
from tests.cli.console import SCRIPT, console, environment
from tests.cli.inside import inside

SCRIPTED = {"TALLYBOOK_SCORER__MODEL": "scripted"}
PATIENCE_S = 60.0
RUN_FACTS = {
    "run_id", "status", "finish_reason", "blocked_reason", "job_type", "stream", "triggered_by", "started_at",
    "ended_at", "wake_at", "duration_s", "totals", "clients",
}  # fmt: skip
CLIENT_FACTS = {
    "client_id", "client_name", "label", "status", "finish_reason", "wake_at", "origin", "error", "totals",
    "operations",
}  # fmt: skip
OPERATION_FACTS = {"operation", "status", "finish_reason", "totals", "reasons"}


@dataclass(frozen=True)
class Office:
    """A working folder with clients `client-0000` … of stream 1, and the command line in it."""

    home: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.home}/tallybook.db"

    @contextmanager
    def house(self) -> Iterator[House]:
        house = open_house(self.url)
        try:
            yield house
        finally:
            house.close()

    def furnish(self, clients: int = 2, leads: int = 10, **more: int) -> "Office":
        with self.house() as house:
            furnish(house, clients, leads, **more)
        return self

    def __call__(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        return inside(*args, cwd=self.home, **{**SCRIPTED, **env})

    def outside(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        """By the installed console script."""
        return console(*args, cwd=self.home, **{**SCRIPTED, **env})

    def json(self, *args: str, code: int = 0, **env: str) -> Any:
        said = self(*args, "--json", **env)
        assert said.returncode == code, said
        return json.loads(said.stdout)

    def detached(self, *args: str) -> str:
        """The id of a run that is started and that nobody works on."""
        said = self("run", "start", *args, "--detach")
        assert said.returncode == 0, said
        return said.stdout.strip()

    @contextmanager
    def working(self, *args: str, latency_ms: int = 300, **env: str) -> Iterator["subprocess.Popen[str]"]:
        """A process of the command line that goes on while the block runs; killed at its end if it still lives."""
        slow = {**SCRIPTED, "TALLYBOOK_SCRIPTED__LATENCY_MS": str(latency_ms), "TALLYBOOK_ENGINE__CALLS_AT_ONCE": "2"}
        process = subprocess.Popen(
            [SCRIPT, *args],
            cwd=self.home,
            env=environment(**{**slow, **env}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def glance(self, run_id: str) -> Glance:
        with self.house() as house:
            return snapshot.glance(house.database, run_id)

    def newest(self) -> str | None:
        with self.house() as house:
            runs = read.list_runs(house.database, limit=1)
        return runs[0].run_id if runs else None

    def under_way(self, done: int = 1) -> str:
        """Wait until the newest run is worked on and has *done* outcomes; gives its id."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            run_id = self.newest()
            if run_id is not None and self.glance(run_id).tally.done >= done:
                return run_id
            time.sleep(0.05)
        raise AssertionError("no run got under way")

    def audited(self) -> bool:
        with self.house() as house:
            return not audit.audit(house.database).differences


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Code, stdout and stderr of a process that ends by itself."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


def interrupt(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGINT)


def without_rubric(office: Office, client_id: str) -> None:
    """Nothing can be judged for this client any more."""
    with office.house() as house:
        house.clients.put_rubric(client_id, type(RUBRIC)())
