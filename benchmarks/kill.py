"""Kills a working process again and again, then checks that the books are exact.

`python -m benchmarks.kill --rounds 1000 [--url postgresql://…]`; without a URL it works on a temporary SQLite file.
"""

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import sqlalchemy as sa

from benchmarks import killed
from benchmarks.house import House, furnish, open_house
from tallybook.domain.run import Run
from tallybook.ledger import audit, read
from tallybook.ledger.tables import calls, outcomes, worklist

CLIENTS, LEADS, THIN_EVERY, FAIL_EVERY = 5, 200, 50, 40
LONGEST_LIFE_S = 0.45
MOST_MISSED = 5


@dataclass
class Figures:
    """What a series came to: *rounds* kills, *missed* children that ended before theirs. *faults* must be empty."""

    rounds: int = 0
    missed: int = 0
    runs: int = 0
    calls: int = 0
    calls_lost: int = 0
    points: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


Plan = Sequence[str | None]
"""Where to kill, one after the other: one of `killed.POINTS`, or None for a random instant."""


def plan_of(rounds: int) -> Plan:
    """Of 35 rounds ten are adversarial, one at each point, and 25 random."""
    points = itertools.cycle(killed.POINTS)
    return [next(points) if number % 7 in (0, 3) else None for number in range(rounds)]


def series(url: str, plan: Plan, seed: int) -> Figures:
    """Kill as planned. What a kill leaves is worked on by the next child until the run ends; then it is checked, and
    a run over fresh leads follows. The last child of the last run is not killed.
    """
    figures, chance = Figures(), random.Random(seed)
    house = open_house(url)
    try:
        while figures.rounds < len(plan):
            stream = figures.runs + 1
            _forget_leads(house)
            furnish(house, CLIENTS, LEADS, stream=stream, thin_every=THIN_EVERY)
            run = _one_run(house, stream, plan, figures, chance)
            figures.runs += 1
            figures.faults.extend(f"run {run.run_id}: {fault}" for fault in faults(house, run))
            _count_calls(house, run, figures)
    finally:
        house.close()
    return figures


def _forget_leads(house: House) -> None:
    """Every run has leads of its own: those that an earlier run skipped would rightly not be due."""
    with house.database.writing() as tx:
        tx.execute("DELETE FROM @leads")


def _one_run(house: House, stream: int, plan: Plan, figures: Figures, chance: random.Random) -> Run:
    while True:
        left = plan[figures.rounds :]
        child = _Child(house.database.url, stream, left[0] if left else None, seed=chance.randrange(10**6))
        if left:
            _kill(child, left[0], figures, chance)
        else:
            child.ends()
        runs = read.list_runs(house.database, limit=1, stream=stream)
        if runs and runs[0].status.terminal:
            return read.run(house.database, runs[0].run_id)


def _kill(child: "_Child", point: str | None, figures: Figures, chance: random.Random) -> None:
    """One round. A child that ends before it comes to the point was no round: the next run tries that point again."""
    if child.dies(chance.uniform(0.0, LONGEST_LIFE_S) if point is None else None):
        figures.rounds += 1
        figures.points[point or "random"] = figures.points.get(point or "random", 0) + 1
        return
    figures.missed += 1
    if figures.missed > MOST_MISSED * (figures.rounds + 1):
        raise SystemExit(f"children keep ending before {point or 'a random instant'}: {figures}")


class _Child:
    """A process that works the run of *stream* until it ends or is killed."""

    def __init__(self, url: sa.URL, stream: int, point: str | None, seed: int) -> None:
        shown = url.render_as_string(hide_password=False)
        command = [sys.executable, "-m", "benchmarks.killed", shown, str(stream), point or "-", str(seed)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def dies(self, after_s: float | None) -> bool:
        """Wait until it kills itself, or kill it *after_s* seconds of work. False: it had finished before."""
        assert self._process.stdout is not None
        self._process.stdout.readline()
        if after_s is not None:
            time.sleep(after_s)
            self._process.kill()
        return self.ends() < 0

    def ends(self) -> int:
        code = self._process.wait(120)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code


def faults(house: House, run: Run) -> list[str]:
    """Everything that is not as it must be after a run; nothing of it may happen."""
    found: list[str] = []
    tally = run.tally
    expected = CLIENTS * LEADS
    _expect(found, "found", tally.found, expected)
    _expect(found, "pending", tally.pending, 0)
    _expect(found, "skipped", tally.skipped, CLIENTS * (LEADS // THIN_EVERY))
    _expect(found, "status", str(run.status), "completed_with_errors" if tally.failed else "completed")
    with house.database.reading() as connection:
        for name, table in (("worklist rows", worklist), ("outcome rows", outcomes)):
            _expect(found, name, _count(connection, table, table.c.run_id == run.run_id), expected)
        _expect(found, "unsaved", _count(connection, outcomes, outcomes.c.saved_at.is_(None)), 0)
        _expect(found, "unsettled", _count(connection, calls, calls.c.ended_at.is_(None)), 0)
        tokens = sa.select(sa.func.sum(calls.c.input_tokens + calls.c.output_tokens)).where(
            calls.c.run_id == run.run_id
        )
        _expect(found, "tokens", tally.total_tokens, int(connection.execute(tokens).scalar() or 0))
    _expect(found, "scored in the store", _scored_in_store(house), tally.scored)
    differences = audit.audit(house.database).differences
    _expect(found, "audit", [asdict(each) for each in differences], [])
    return found


def _expect(found: list[str], what: str, got: object, wanted: object) -> None:
    if got != wanted:
        found.append(f"{what} is {got}, not {wanted}")


def _count(connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table).where(where)).scalar_one()


def _scored_in_store(house: House) -> int:
    with house.database.writing() as tx:
        row = tx.row("SELECT COUNT(*) FROM @leads WHERE scored_at IS NOT NULL")
    return int(row[0]) if row else 0


def _count_calls(house: House, run: Run, figures: Figures) -> None:
    with house.database.reading() as connection:
        figures.calls += _count(connection, calls, calls.c.run_id == run.run_id)
        lost = sa.and_(calls.c.run_id == run.run_id, calls.c.result == "lost")
        figures.calls_lost += _count(connection, calls, lost)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=35)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--url")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = series(asked.url or f"sqlite:///{Path(folder)}/tallybook.db", plan_of(asked.rounds), asked.seed)
    print(json.dumps(asdict(figures), indent=2))
    return 1 if figures.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
