"""Lanes that all processes on one database share, by the database's own clock."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from tallybook.airtable.lanes import Gait, Lane, Scope, Spent, gait_of
from tallybook.database import (
    ODD_VALUES,
    Database,
    Tx,
    Writer,
    driver_errors,
    metadata,
    read_stamp,
    stamp,
    told_as_ours,
)

METADATA = metadata()

airtable_lanes = sa.Table(
    "airtable_lanes",
    METADATA,
    sa.Column("scope", sa.Text, primary_key=True),  # base:ID, or token: and a part of its hash
    sa.Column("free_at", sa.Double, nullable=False),  # seconds since 1970, as the three below
    sa.Column("pushed", sa.Double, nullable=False),
    sa.Column("passed_at", sa.Double, nullable=False),
    sa.Column("rests_until", sa.Double, nullable=False),
    sa.Column("spent_since", sa.Text),  # RFC 3339, as all other times
    sa.Column("spent_until", sa.Text),
)

_COLUMNS = "free_at, pushed, passed_at, rests_until, spent_since, spent_until"


def database_seconds(tx: Tx) -> float:
    """The clocks of machines differ; that of their database is one. SQLite is on one machine only."""
    if tx.sqlite:
        return time.time()
    row = tx.row("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)")
    assert row is not None  # a SELECT without FROM has one row
    return float(row[0])


class LanesInDatabase:
    """Holds one connection. May be used from any thread. Raises LedgerUnavailable."""

    def __init__(self, database: Database, clock: Callable[[Tx], float] = database_seconds) -> None:
        self._where = database.shown
        self._writer = Writer(database)
        self._clock = clock
        self._lock = threading.Lock()

    @contextmanager
    def open(self, scopes: Sequence[Scope]) -> Iterator[tuple[Sequence[Lane], float]]:
        try:
            with self._lock, self._writer.transaction() as tx:
                kept = _locked(tx, scopes)
                before = {scope: _cells(lane) for scope, lane in kept.items()}
                now = self._clock(tx)
                for lane in kept.values():
                    lane.set_clock(now)
                yield [kept[scope] for scope in scopes], now
                _keep(tx, {scope: lane for scope, lane in kept.items() if _cells(lane) != before[scope]})
        except ODD_VALUES + driver_errors() as error:
            raise told_as_ours(error, self._where) from error

    def close(self) -> None:
        with self._lock:
            self._writer.close()


def _locked(tx: Tx, scopes: Sequence[Scope]) -> dict[Scope, Lane]:
    """Always in one order, so that no two wait for each other."""
    wanted = sorted(scopes)
    found = _read(tx, wanted)
    if len(found) < len(wanted):
        for scope in wanted:
            row = (scope, *_cells(Lane(gait_of(scope))))
            tx.execute(
                f"INSERT INTO @airtable_lanes (scope, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                row,
            )
        found = _read(tx, wanted)
    return found


def _read(tx: Tx, scopes: Sequence[Scope]) -> dict[Scope, Lane]:
    marks = ", ".join("?" for _ in scopes)
    statement = f"SELECT scope, {_COLUMNS} FROM @airtable_lanes WHERE scope IN ({marks}) ORDER BY scope @lock"
    return {row[0]: _lane(gait_of(row[0]), *row[1:]) for row in tx.rows(statement, scopes)}


def _lane(gait: Gait, *cells: Any) -> Lane:
    free_at, pushed, passed_at, rests_until, since, until = cells
    found, turns = read_stamp(since), read_stamp(until)
    return Lane(gait, free_at, pushed, passed_at, rests_until, Spent(found, turns) if found and turns else None)


def _cells(lane: Lane) -> tuple[object, ...]:
    spent = (stamp(lane.spent.since), stamp(lane.spent.until)) if lane.spent else (None, None)
    return lane.free_at, lane.pushed, lane.passed_at, lane.rests_until, *spent


def _keep(tx: Tx, lanes: Mapping[Scope, Lane]) -> None:
    names = ", ".join(f"{name.strip()} = ?" for name in _COLUMNS.split(","))
    tx.many(
        f"UPDATE @airtable_lanes SET {names} WHERE scope = ?", [(*_cells(lane), scope) for scope, lane in lanes.items()]
    )
