"""What everything came to since the books began, and what is open just now: for whoever asks every few seconds.

Sums over all runs take seconds where there are millions of client runs. So those of runs that were made long ago are
kept in memory for a day, and what is new is added up each time: the totals only ever grow, also over restarts.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from tallybook.database import Database, read_stamp, rows_of, stamp
from tallybook.domain.run import OperationName, Status
from tallybook.ledger.alerting import Wanted, list_alerts
from tallybook.ledger.spending import Ask
from tallybook.ledger.tables import TALLY

OLD_AFTER = timedelta(days=7)
"""Longer than any run is open, or changes. What changes later is seen a day later."""
OLD_FOR = timedelta(days=1)
MOST_ALERTS = 1000
_OPEN = "status IN ('queued', 'running', 'paused')"
_SUMS = ", ".join(f"SUM(o.{name})" for name in TALLY)
_OPERATIONS = (
    f"SELECT o.operation, {_SUMS} FROM @runs r JOIN @operation_runs o ON o.run_id = r.run_id"
    " WHERE r.created_at >= ? AND r.created_at < ? GROUP BY o.operation"
)
_CALLS = (
    "SELECT c.provider, c.operation, c.result, COUNT(*) FROM @runs r JOIN @calls c ON c.run_id = r.run_id"
    " WHERE r.created_at >= ? AND r.created_at < ? AND c.ended_at IS NOT NULL"
    " GROUP BY c.provider, c.operation, c.result"
)
_TOLD_UNTIL = "SELECT value FROM @follower_state WHERE follower = ? AND name = 'told_until'"
_BEHIND = (
    "SELECT MIN(r.changed_at), COUNT(*), SUM((SELECT COUNT(*) FROM @client_runs c WHERE c.run_id = r.run_id))"
    " FROM @runs r LEFT JOIN @tellings t ON t.follower = ? AND t.run_id = r.run_id AND t.client_id = ''"
    " WHERE r.changed_at >= ? AND (t.told_at IS NULL OR t.told_at < r.changed_at)"
    " AND COALESCE(t.standing, 'owed') IN ('owed', 'told')"
)
_BEGINNING, _END = "", "~"

Call = tuple[str, str, str]
"""Provider, operation, result."""


@dataclass(frozen=True, slots=True)
class Sums:
    """*operations*: operation -> sums in the order of TALLY. *calls*: those that are settled."""

    operations: Mapping[str, Sequence[int]]
    calls: Mapping[Call, int]

    def __add__(self, other: "Sums") -> "Sums":
        names = {*self.operations, *other.operations}
        nothing = (0,) * len(TALLY)
        both = {
            name: [
                a + b
                for a, b in zip(self.operations.get(name, nothing), other.operations.get(name, nothing), strict=True)
            ]
            for name in names
        }
        return Sums(both, Counter(self.calls) + Counter(other.calls))


@dataclass(frozen=True, slots=True)
class Behind:
    """How a follower lags: *lag_s* behind the oldest ended run that it was not told of; *owed*: parts of such runs."""

    lag_s: float
    owed: int
    in_trouble: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How everything stands just now. *runs*: by status, all that ever were. *client_runs*: open ones by status.

    *looked_at*: up to when the schedule that is furthest behind is accounted for; None: there is none.
    """

    runs: Mapping[str, int]
    client_runs: Mapping[str, int]
    oldest_open_s: float
    alerts: Mapping[str, int]
    inbox: Mapping[str, int]
    missed: int
    looked_at: datetime | None
    followers: Mapping[str, Behind]


class Totals:
    """For one database. Several threads may ask at once."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._old: tuple[datetime, Sums] | None = None

    def sums(self, now: datetime) -> Sums:
        """Of all runs."""
        with self._lock:
            if self._old is None or now - self._old[0] >= OLD_AFTER + OLD_FOR:
                border = now - OLD_AFTER
                self._old = border, self._of(_BEGINNING, stamp(border))
            border, old = self._old
        return old + self._of(stamp(border), _END)

    def _of(self, since: str, before: str) -> Sums:
        with self.database.reading() as connection:
            operations = rows_of(connection, _OPERATIONS, (since, before))
            calls = rows_of(connection, _CALLS, (since, before))
        return Sums(
            {str(row[0]): [int(each or 0) for each in row[1:]] for row in operations},
            {(str(row[0]), str(row[1]), str(row[2])): int(row[3]) for row in calls},
        )

    def standing(self, now: datetime, followers: Iterable[str]) -> Standing:
        database = self.database
        with database.reading() as connection:
            ask = partial(rows_of, connection)
            ((oldest,),) = ask(f"SELECT MIN(created_at) FROM @runs WHERE {_OPEN}", ())
            ((missed,),) = ask("SELECT COUNT(*) FROM @missed_runs", ())
            ((looked_at,),) = ask("SELECT MIN(checked_at) FROM @schedules", ())
            return Standing(
                runs=_counts(ask, "SELECT status, COUNT(*) FROM @runs GROUP BY status", Status),
                client_runs=_counts(
                    ask, f"SELECT status, COUNT(*) FROM @client_runs WHERE {_OPEN} GROUP BY status", _OPEN_ONES
                ),
                oldest_open_s=_age_s(oldest, now),
                alerts=Counter(each.kind for each in list_alerts(database, Wanted(), limit=MOST_ALERTS)),
                inbox=_counts(
                    ask,
                    "SELECT state, COUNT(*) FROM @inbox WHERE state IN ('orphan', 'received') GROUP BY state",
                    ("orphan", "received"),
                ),
                missed=int(missed),
                looked_at=read_stamp(looked_at),
                followers={name: _behind(ask, name, now) for name in followers},
            )


_OPEN_ONES = [each.value for each in Status if not each.terminal]
OPERATIONS = [each.value for each in OperationName]


def _counts(ask: Ask, statement: str, names: Iterable[str]) -> Mapping[str, int]:
    return {**dict.fromkeys(map(str, names), 0), **{str(name): int(count) for name, count in ask(statement, ())}}


def _age_s(at: str | None, now: datetime) -> float:
    since = read_stamp(at)
    return max(0.0, (now - since).total_seconds()) if since is not None else 0.0


def _behind(ask: Ask, follower: str, now: datetime) -> Behind:
    told_until = next((row[0] for row in ask(_TOLD_UNTIL, (follower,))), None)
    trouble = ask("SELECT 1 FROM @follower_state WHERE follower = ? AND name = 'trouble'", (follower,))
    if told_until is None:  # it was never told anything, so that nothing is owed to it
        return Behind(0.0, 0, bool(trouble))
    ((oldest, whole, parts),) = ask(_BEHIND, (follower, told_until))
    return Behind(_age_s(oldest, now), int(whole or 0) + int(parts or 0), bool(trouble))
