"""A clock, bases of older days, and what the door finds in them."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.resolved import Resolved, ResolvedTable, resolve
from tallybook.airtable.seen import OperatorBase
from tallybook.airtable.tables import CLIENT_RUN_RESULTS, JOB_TRACKING
from tallybook.testing import airtable_fields as fields
from tallybook.testing.airtable_fields import Column

TOKEN = "patLookAlike.0123456789abcdef"
START = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
AWKWARD = (
    "O'Hara & Sons",
    'the "best"',
    "{Run ID}",
    "back\\slash",
    "\\'",
    "ends with \\",
    "') OR TRUE() OR ('",
    "naïve 🙂 名前",
    "\u202eשלום עולם",
    "tab\tand, comma",
    "https://www.linkedin.test/in/ana-ß?x=1&y=%27",
)


class Clock:
    """Goes on only when somebody sleeps by it. May be used from any thread."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._slept_s = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        with self._lock:
            return self._slept_s

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._slept_s += seconds

    def today(self) -> datetime:
        return self._start + timedelta(seconds=self.now())


def older_tables() -> dict[str, list[Column]]:
    """Names and capitals of older bases; durations and rates are formulas there."""
    jobs = [
        fields.text("Run ID"),
        fields.select("Status", "running", "Completed", "Failed", "Completed_with_errors", "Canceled"),
        fields.select("Job Type", "lead_scoring", "smart_resume", "post_scoring", "post_harvesting"),
        fields.number("Stream"),
        fields.select("Triggered By", "Cron", "Manual", "API"),
        fields.date_time("Start Time"),
        fields.date_time("End Time"),
        fields.formula("Duration", "DATETIME_DIFF({End Time}, {Start Time}, 'minutes')"),
        fields.number("Total Clients"),
        fields.number("Successful Clients"),
        fields.percent("Success Rate"),
        fields.currency("Estimated Cost", 4),
        fields.long_text("Error Details"),
        fields.long_text("System notes"),
        fields.long_text("Notes"),
        fields.number("Head Count"),
        fields.modified_time("Last Modified"),
    ]
    clients = [
        fields.text("Run ID"),
        fields.link("Job", "Job Tracking"),
        fields.text("Client ID"),
        fields.text("Client Name"),
        fields.select("Status", "Running", "Completed", "Failed", "Completed_with_errors", "Canceled", "Timed_out"),
        fields.number("AI Tokens Used"),
        fields.long_text("Error Details"),
        fields.long_text("Notes"),
    ]
    people = [fields.text("Client ID"), fields.text("Client Name"), fields.select("Status", "Active", "Paused")]
    return {"Job Tracking": jobs, "Client Run Results": clients, "Clients": people}


@dataclass(frozen=True)
class Found:
    """What of our schema is in an operator's base."""

    resolved: Resolved[OperatorBase]

    @classmethod
    def of(cls, door: AirtableDoor, base: OperatorBase) -> "Found":
        return cls(resolve(base, door.tables(base)))

    @property
    def jobs(self) -> ResolvedTable[OperatorBase]:
        return self.resolved.table(JOB_TRACKING)

    @property
    def clients(self) -> ResolvedTable[OperatorBase]:
        return self.resolved.table(CLIENT_RUN_RESULTS)
