"""Schedules as they are kept and shown: up to when each is accounted for, what it started, what it missed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from tallybook.database import Database, read_stamp, stamp
from tallybook.domain.run import Status
from tallybook.domain.schedule import KEY_SCOPE, due_of, key_prefix
from tallybook.ledger.server_tables import missed_runs, schedules
from tallybook.ledger.tables import runs

_AFTER_ANY_TIME = "~"


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest run that a schedule started."""

    run_id: str
    status: Status
    due_at: datetime


@dataclass(frozen=True, slots=True)
class MissedRun:
    """A due time at which no run began. *run_id*: the run that was in the way."""

    schedule_id: str
    due_at: datetime
    stream: int | None
    reason: str
    run_id: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """*checked_at*: up to when it is accounted for; None for a schedule that no server has seen yet. *missed*: how many
    due times; *newest_missed*: the last of them.
    """

    checked_at: datetime | None
    last_run: LastRun | None
    missed: int
    newest_missed: MissedRun | None


def checked(database: Database) -> Mapping[str, datetime]:
    """Up to when each schedule is accounted for, by its id."""
    with database.reading() as connection:
        found = connection.execute(sa.select(schedules.c.schedule_id, schedules.c.checked_at))
        return {schedule_id: _at(checked_at) for schedule_id, checked_at in found}


def standings(database: Database, schedule_ids: Sequence[str]) -> Mapping[str, Standing]:
    """How each of these schedules stands."""
    with database.reading() as connection:
        return {each: _standing(connection, each) for each in schedule_ids}


def missed_since(database: Database, since: datetime) -> Sequence[MissedRun]:
    """What was due after that instant and missed, whatever schedule it belongs to, newest first."""
    with database.reading() as connection:
        return missed_in(connection, since)


def missed_in(connection: sa.Connection, since: datetime) -> Sequence[MissedRun]:
    """`missed_since`, on an open connection."""
    statement = sa.select(missed_runs).where(missed_runs.c.due_at > stamp(since))
    found = connection.execute(statement.order_by(missed_runs.c.due_at.desc(), missed_runs.c.schedule_id))
    return [_missed(row) for row in found.mappings()]


def _standing(connection: sa.Connection, schedule_id: str) -> Standing:
    of_it = missed_runs.c.schedule_id == schedule_id
    checked_at = connection.execute(
        sa.select(schedules.c.checked_at).where(schedules.c.schedule_id == schedule_id)
    ).scalar()
    count = connection.execute(sa.select(sa.func.count()).select_from(missed_runs).where(of_it)).scalar_one()
    newest = connection.execute(
        sa.select(missed_runs).where(of_it).order_by(missed_runs.c.due_at.desc()).limit(1)
    ).mappings()
    last = next((_missed(row) for row in newest), None)
    return Standing(_at(checked_at) if checked_at else None, last_run_of(connection, schedule_id), int(count), last)


def last_run_of(connection: sa.Connection, schedule_id: str) -> LastRun | None:
    """The newest run that it started."""
    first = key_prefix(schedule_id)
    key = runs.c.idempotency_key
    row = connection.execute(
        sa.select(runs.c.run_id, runs.c.status, key)
        .where(runs.c.key_scope == KEY_SCOPE, key > first, key < first + _AFTER_ANY_TIME)
        .order_by(key.desc())
        .limit(1)
    ).first()
    return LastRun(row[0], Status(row[1]), due_of(row[2])) if row else None


def _missed(row: sa.RowMapping) -> MissedRun:
    return MissedRun(row["schedule_id"], _at(row["due_at"]), row["stream"], row["reason"], row["run_id"])


def _at(text: str) -> datetime:
    found = read_stamp(text)
    assert found is not None, "a time that is never NULL"
    return found
