"""A drill: a real run, mirrored into a base of which somebody changes things meanwhile, through a door that breaks.

One seed, one schedule: of what goes wrong with requests, and of what people do. Nothing waits: whoever would sleep
until something passes moves the clock of this drill instead.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.house import House, furnish
from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.lanes import LanesInProcess
from tallybook.airtable.pacing import Pace
from tallybook.airtable.schema import COMPUTED_TYPES
from tallybook.airtable.seen import OperatorBase
from tallybook.database import Database
from tallybook.domain.run import OperationName, Run, Status
from tallybook.engine import trigger
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.followers import mirror_care
from tallybook.followers.airtable_mirror import NAME, AirtableMirror
from tallybook.followers.mirror_check import Check, Checked
from tallybook.followers.mirror_window import Window
from tallybook.ledger import read
from tallybook.ledger.audit import audit
from tallybook.ledger.following import FollowerBook
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write.starts import Caller, Request, Start
from tallybook.scorers.scripted import ScriptedScorer
from tallybook.stores.sql import SqlClients
from tallybook.testing import airtable_fields as fields
from tallybook.testing.airtable_demo import CLIENT_RUN_RESULTS, CLIENTS, JOB_TRACKING
from tallybook.testing.airtable_faults import AirtableFault, Asked
from tallybook.testing.airtable_limits import Limits as Allowed
from tallybook.testing.airtable_owner import OpenBase, OpenTable
from tallybook.testing.airtable_server import AirtableServer

TOKEN = "patDrill.0123456789abcdef"
CHANCES = {
    AirtableFault.LOST_ANSWER: 0.10,
    AirtableFault.RATE_LIMIT: 0.05,
    AirtableFault.SERVER_ERROR: 0.04,
    AirtableFault.BAD_GATEWAY: 0.03,
    AirtableFault.RESET: 0.05,
    AirtableFault.SLOW: 0.05,
    AirtableFault.MONTHLY_LIMIT: 0.01,
    AirtableFault.MONTHLY_LIMIT_LISTED: 0.01,
}
PATIENCE_S = 60.0
MOST_LATE_ACTIONS = 3
OURS = ("Stream", "Total Tokens", "Estimated Cost", "Error", "Total Leads", "Failed Leads", "System Notes", "Duration")
"""Fields that both tables have, or one of them, and that somebody may tamper with."""


class SkippingClock:
    """The time of day, which can be moved forward. May be used from any thread."""

    def __init__(self) -> None:
        self._skipped_s = 0.0
        self._lock = threading.Lock()

    def skip(self, seconds: float) -> None:
        with self._lock:
            self._skipped_s += max(0.0, seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._skipped_s)

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped_s


@dataclass
class Truth:
    """What people did, and what therefore has to be so. *written*: ids of fields that were ever sent to be written."""

    notes: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    written: Counter[str] = field(default_factory=Counter)


class Drill:
    """*folder*: of a database that has all tables."""

    def __init__(self, url: str, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.clock = SkippingClock()
        self.truth = Truth()
        self.broken = False
        self.house = House(Ledger(Database(url), self.clock.now), SqlClients(Database(url)))
        self.clients = self.chance.randint(2, 14)
        furnish(self.house, self.clients, leads=self.chance.randint(2, 8))
        self.server = AirtableServer(
            token=TOKEN, now=self.clock.now, slow_s=0.05, limits=Allowed(), chances=CHANCES, seed=seed
        )
        self.base = self._base()
        pace = Pace(LanesInProcess(self.clock.monotonic), TOKEN, sleep=self.clock.skip, today=self.clock.now)
        door = AirtableDoor(TOKEN, self.server.url, pace, sleep=self.clock.skip)
        self.mirror = AirtableMirror(door, OperatorBase(self.base.id), Window(timedelta(days=365), 50_000))
        self.book = FollowerBook(self.house.ledger, NAME)
        self._rule()

    def _base(self) -> OpenBase:
        """Now and then one of older days, where Airtable computes what we would."""
        jobs = list(JOB_TRACKING)
        if self.chance.random() < 0.4:
            formula = fields.formula("Duration", "DATETIME_DIFF({End Time}, {Start Time}, 'minutes')")
            jobs = [formula if each.name == "Duration" else each for each in jobs]
        return self.server.add_base(
            "Operator", {"Clients": CLIENTS, "Job Tracking": jobs, "Client Run Results": CLIENT_RUN_RESULTS}
        )

    @property
    def tables(self) -> tuple[OpenTable, OpenTable]:
        jobs, results = (each for each in self.base.tables if each.name != "Clients")
        return jobs, results

    # -- what happens

    def go(self) -> Run:
        """The run, as it ended."""
        mirror_care.set_up(self.mirror, self.book)
        self.broken = True
        scorer = ScriptedScorer(latency_ms=self.chance.choice((0, 20, 60)), fail_every=self.chance.choice((0, 3, 5)))
        plugs = self.house.operations(scorer)
        with Engine(self.house.ledger, self.house.clients, plugs, Limits(), followers=[self.mirror]) as engine:
            request = Request((OperationName.LEAD_SCORING,), 1)
            run_id = trigger.start(self.house.ledger, self.house.clients, Start(request, Caller("cli", "Ada"))).run_id
            engine.nudge()
            with self._people():
                self._wait_for_end(run_id)
            engine.tell_rest(0.2)
        self._mend(run_id)
        return read.run(self.house.database, run_id)

    def _rule(self) -> None:
        """While something is broken, requests meet what chance has in store; and now and then a row is not taken."""
        faults = self.server.faults
        faults.rule(AirtableFault.OK, lambda asked: self._noted(asked) or not self.broken)
        if self.chance.random() < 0.3:
            bad = f"client-{self.chance.randrange(self.clients):04}"
            faults.rule(AirtableFault.BAD_ROW, lambda asked: _writes_of(asked, bad), times=8)

    def _noted(self, asked: Asked) -> bool:
        """Looks at every request that writes, and says that it does not concern it."""
        if asked.what in ("upsert", "update", "create", "replace"):
            for record in asked.said.get("records", ()):
                self.truth.written.update(list(record["fields"]))
        return False

    @contextmanager
    def _people(self) -> Iterator[None]:
        """They do something every now and then, while the block runs."""
        over = threading.Event()
        thread = threading.Thread(target=self._tamper, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _tamper(self, over: threading.Event) -> None:
        for _ in range(self.chance.randint(0, 12)):
            if over.wait(self.chance.random() * 0.06):
                return
            self.chance.choice(_ACTIONS)(self)

    def _wait_for_end(self, run_id: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while not read.status(self.house.database, run_id).terminal:
            assert time.monotonic() < until, f"seed {self.seed}: the run does not end"
            time.sleep(0.01)

    def _mend(self, run_id: str) -> None:
        """What stood in the way has passed; the mirror has caught up."""
        for number in range(400):
            if number < MOST_LATE_ACTIONS and self.chance.random() < 0.5:
                self.chance.choice(_ACTIONS)(self)
            again_at = self.mirror.tell([run_id], self.book)
            if again_at is None and number >= MOST_LATE_ACTIONS:
                return
            self.clock.skip((again_at - self.clock.now()).total_seconds() if again_at else 1.0)
        raise AssertionError(f"seed {self.seed}: never told")

    # -- what is so

    def check(self, run: Run) -> Checked:
        assert run.status in (Status.COMPLETED, Status.COMPLETED_WITH_ERRORS, Status.FAILED), (self.seed, run.status)
        assert not audit(self.house.database).differences
        self.broken = False
        self.clock.skip(3600)
        found = Check(self.mirror, self.book).run()
        explained = self.truth.changed
        assert {each.column for each in found.differences} <= explained, (self.seed, found.differences, explained)
        mirror_care.repair(self.mirror, self.book, found, remove_copies=True)
        found = Check(self.mirror, self.book).run()
        assert not found.differences, (self.seed, found.differences)
        assert not found.parked, (self.seed, found.parked)
        assert len(found.gone) <= len(self.truth.deleted), (self.seed, found.gone, self.truth.deleted)
        self._check_rows(run)
        self._check_people()
        return found

    def _check_rows(self, run: Run) -> None:
        """One row for each that nobody deleted, and no more."""
        jobs, results = self.tables
        keys = Counter(row.get(self._key_name(results)) for row in results.rows)
        expected = {each.label for each in run.clients}
        noted = [each for each in self.truth.copies if each in results.ids and results.row(each).get("Notes")]
        assert not [key for key, rows in keys.items() if rows > 1 and not noted], (self.seed, keys)
        assert keys.keys() <= expected, (self.seed, keys)
        assert len(jobs) <= 1 + len(self.truth.copies), self.seed

    def _key_name(self, table: OpenTable) -> str:
        return next(iter(table.types))

    def _check_people(self) -> None:
        """Their cells are as they left them, and nothing that is theirs or Airtable's was ever sent to be written."""
        for table in self.tables:
            for record_id, text in self.truth.notes.items():
                if record_id in table.ids and "Notes" in table.types:
                    assert table.row(record_id).get("Notes") == text, (self.seed, record_id)
            never = [name for name, kind in table.types.items() if kind in COMPUTED_TYPES or name == "Notes"]
            sent = {name for name in never if self.truth.written[table.field_id(name)]}
            assert not sent - self.truth.changed, (self.seed, sent)


def _writes_of(asked: Asked, client_id: str) -> bool:
    return asked.what in ("upsert", "update") and client_id in str(asked.said)


# -- what people do ----------------------------------------------------------------------------------------------------


def _some_row(drill: Drill) -> tuple[OpenTable, str] | None:
    rows = [(table, record_id) for table in drill.tables for record_id in table.ids]
    return drill.chance.choice(rows) if rows else None


def _some_field(drill: Drill) -> tuple[OpenTable, str] | None:
    table = drill.chance.choice(drill.tables)
    there = [name for name in OURS if name in table.types]
    return (table, drill.chance.choice(there)) if there else None


def _edit_notes(drill: Drill) -> None:
    if (found := _some_row(drill)) and "Notes" in found[0].types:
        text = f"noted {drill.chance.random():.3f} 'by' {{us}} 🙂"
        found[0].edit(found[1], {"Notes": text})
        drill.truth.notes[found[1]] = text


def _delete_row(drill: Drill) -> None:
    if found := _some_row(drill):
        drill.truth.deleted.add(found[1])
        found[0].delete(found[1])


def _copy_row(drill: Drill) -> None:
    if found := _some_row(drill):
        drill.truth.copies.add(found[0].duplicate(found[1]))


def _rename_field(drill: Drill) -> None:
    if found := _some_field(drill):
        drill.truth.changed.add(f"{found[1]} (ours)")
        found[0].rename_field(found[1], f"{found[1]} (ours)")


def _delete_field(drill: Drill) -> None:
    if found := _some_field(drill):
        found[0].delete_field(found[1])


def _retype_field(drill: Drill) -> None:
    if found := _some_field(drill):
        table, name = found
        kinds: Mapping[str, Callable[[str], Any]] = {
            "text": fields.long_text,
            "number": lambda each: fields.number(each, 2),
            "formula": lambda each: fields.formula(each, "1 + 1"),
            "checkbox": fields.checkbox,
        }
        drill.truth.changed.add(name)
        table.retype_field(name, drill.chance.choice(list(kinds.values()))(name))


def _add_field(drill: Drill) -> None:
    table = drill.chance.choice(drill.tables)
    if "Mine" not in table.types:
        table.add_field(fields.text("Mine"))


def _time_passes(drill: Drill) -> None:
    """So that the mirror is told of a run that goes on."""
    drill.clock.skip(31.0)


_ACTIONS: tuple[Callable[[Drill], None], ...] = (
    *(3 * (_time_passes,)), *(2 * (_edit_notes,)), _delete_row, _copy_row, _rename_field, _delete_field, _retype_field,
    _add_field,
)  # fmt: skip


def drilled(url: str, seed: int) -> Counter[str]:
    """One schedule, checked. Gives how often what happened."""
    drill = Drill(url, seed)
    with drill.server, closing(drill.house):
        found = drill.check(drill.go())
        kinds = Counter(call.fault or "ok" for call in drill.server.log.all)
        return kinds + Counter({"gone": len(found.gone), "notices": len(found.notices)})
