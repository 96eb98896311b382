"""What the pages ask that nobody else does, a bounded number of rows at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from tallybook.database import Database, read_stamp
from tallybook.domain.client import ClientId
from tallybook.domain.delivery import State
from tallybook.domain.run import Status
from tallybook.ledger import listing, read
from tallybook.ledger.read import Event
from tallybook.ledger.server_tables import inbox
from tallybook.ledger.tables import SCOPE_OF_RUN, client_runs, events, runs


@dataclass(frozen=True, slots=True)
class Visit:
    """How one client's part of a run stands, without its figures."""

    status: Status
    note: str | None
    started_at: datetime | None
    ended_at: datetime | None


def newest_events(database: Database, run_id: str, tenant: ClientId | None, limit: int) -> list[Event]:
    """What happened last in a run, newest first, as *tenant* may read it."""
    found = sa.select(events).where(events.c.run_id == run_id).order_by(events.c.id.desc()).limit(limit)
    if tenant is not None:
        shared = sa.and_(events.c.client_id == SCOPE_OF_RUN, events.c.kind.in_(listing.SHARED_EVENTS))
        found = found.where(sa.or_(events.c.client_id == tenant, shared))
    with database.reading() as connection:
        rows = [read.event_of(row) for row in connection.execute(found).mappings()]
    return [told for each in rows if (told := listing.told_to(each, tenant)) is not None]


def visits(database: Database, client_id: ClientId, run_ids: Sequence[str]) -> Mapping[str, Visit]:
    """One client's parts of these runs, by run."""
    names = ("run_id", "status", "blocked_reason", "error", "finish_reason", "started_at", "ended_at")
    asked = sa.select(*(client_runs.c[name] for name in names)).where(
        client_runs.c.client_id == client_id, client_runs.c.run_id.in_(run_ids)
    )
    with database.reading() as connection:
        return {row["run_id"]: _visit(row) for row in connection.execute(asked).mappings()}


def _visit(row: sa.RowMapping) -> Visit:
    status = Status(row["status"])
    note = row["error"] if status.terminal else row["blocked_reason"]
    return Visit(status, note or row["finish_reason"], read_stamp(row["started_at"]), read_stamp(row["ended_at"]))


def newest_visits(database: Database, client_ids: Sequence[ClientId]) -> Mapping[ClientId, tuple[str, Status]]:
    """The newest run of each of these clients, by the order of run ids, and how its part of it stands."""
    found: dict[ClientId, tuple[str, Status]] = {}
    with database.reading() as connection:
        for client_id in client_ids:
            newest = sa.select(client_runs.c.run_id, client_runs.c.status).where(client_runs.c.client_id == client_id)
            row = connection.execute(newest.order_by(client_runs.c.run_id.desc()).limit(1)).first()
            if row is not None:
                found[client_id] = (row[0], Status(row[1]))
    return found


def clients_of(database: Database, run_ids: Sequence[str]) -> Mapping[str, Mapping[Status, int]]:
    """How many clients of each of these runs stand how."""
    counted = (
        sa.select(client_runs.c.run_id, client_runs.c.status, sa.func.count())
        .where(client_runs.c.run_id.in_(run_ids))
        .group_by(client_runs.c.run_id, client_runs.c.status)
    )
    found: dict[str, dict[Status, int]] = {}
    with database.reading() as connection:
        for run_id, status, number in connection.execute(counted):
            found.setdefault(run_id, {})[Status(status)] = int(number)
    return found


def orphans(database: Database, most: int) -> int:
    """How many deliveries wait for somebody to say whose they are; counted up to *most*."""
    some = sa.select(sa.literal(1)).where(inbox.c.state == State.ORPHAN).limit(most).subquery()
    with database.reading() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def streams(database: Database, most: int) -> Sequence[int]:
    """Of the newest *most* runs."""
    newest = sa.select(runs.c.stream).order_by(runs.c.created_at.desc(), runs.c.run_id.desc()).limit(most).subquery()
    named = sa.select(newest.c.stream).where(newest.c.stream.is_not(None)).distinct().order_by(newest.c.stream)
    with database.reading() as connection:
        return [int(row[0]) for row in connection.execute(named)]
