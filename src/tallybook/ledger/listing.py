"""Lists a page at a time, for whoever may see all of it or one tenant's part alone.

A tenant sees of the runs that it shares: that they ran, when, how they ended, and its own rows.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from tallybook.database import Database, stamp
from tallybook.domain.client import ClientId
from tallybook.domain.errors import NotFound
from tallybook.domain.run import ClientRun, JobType, Run, Status
from tallybook.ledger import read
from tallybook.ledger.read import Event
from tallybook.ledger.tables import SCOPE_OF_RUN, client_runs, events, runs

SHARED_EVENTS = ("started", "ended")
"""Of what happened to a run as a whole, the kinds that every tenant in it is told."""
MOST_STREAMS = 1000
LONGEST_NOTES = 10_000
"""Of one run or client run, how many of the newest events are told as its notes."""

Place = tuple[int, ClientId]
"""Of a client run in its run: `position`, then `client_id`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs. *statuses* empty: whatever theirs is. *since*: made then or later. *of_client*: those that visit it.

    *tenant*: who asks, where they may see one client alone.
    """

    stream: int | None = None
    statuses: Sequence[Status] = ()
    since: datetime | None = None
    of_client: ClientId | None = None
    tenant: ClientId | None = None
    job_type: JobType | None = None


def page_of_runs(database: Database, wanted: Wanted, *, after: tuple[str, str] | None, limit: int) -> list[Run]:
    """Without their clients, newest first. *after*: `key_of` the last one seen."""
    found = read.list_runs(
        database,
        before=None if after is None else "|".join(after),
        limit=limit,
        stream=wanted.stream,
        where=list(_conditions(wanted)),
        only=wanted.tenant,
    )
    return found if wanted.tenant is None else [_without_others(each) for each in found]


def key_of(run: Run) -> tuple[str, str]:
    """Where a list of runs goes on after this one; it never changes."""
    assert run.created_at is not None, "every run in the books says when it was made"
    return stamp(run.created_at), run.run_id


def _conditions(wanted: Wanted) -> Sequence[sa.ColumnElement[bool]]:
    concerning = [_concerns(each) for each in (wanted.of_client, wanted.tenant) if each is not None]
    since = [] if wanted.since is None else [runs.c.created_at >= stamp(wanted.since)]
    status = [runs.c.status.in_(wanted.statuses)] if wanted.statuses else []
    job_type = [] if wanted.job_type is None else [runs.c.job_type == wanted.job_type.value]
    return [*concerning, *since, *status, *job_type]


def _concerns(client_id: ClientId) -> sa.ColumnElement[bool]:
    """It visits the client; or it will, being for that client alone, and nobody has read the list of clients yet."""
    visits = runs.c.run_id.in_(sa.select(client_runs.c.run_id).where(client_runs.c.client_id == client_id))
    alone = f'"clients": {json.dumps([client_id])}, '  # as `Request.as_json` is kept; in no text of it, quotes escaped
    asked_for = sa.func.replace(runs.c.request, alone, "") != runs.c.request
    return sa.or_(visits, sa.and_(runs.c.started_at.is_(None), asked_for))


def newest_of_streams(database: Database, *, stream: int | None = None, tenant: ClientId | None = None) -> list[Run]:
    """The newest run of our engine of each stream, or of one; the one over all streams counts as one more, first."""
    newest_first = (runs.c.created_at.desc(), runs.c.run_id.desc())
    place = sa.func.row_number().over(partition_by=runs.c.stream, order_by=newest_first)
    ours = sa.select(runs.c.run_id, place.label("place")).where(runs.c.planned == 1)
    if tenant is not None:
        ours = ours.where(_concerns(tenant))
    ranked = ours.subquery()
    first = runs.c.run_id.in_(sa.select(ranked.c.run_id).where(ranked.c.place == 1))
    found = read.list_runs(database, stream=stream, where=[first], only=tenant, limit=MOST_STREAMS)
    in_order = sorted(found, key=lambda run: (run.stream is not None, run.stream or 0))
    return in_order if tenant is None else [_without_others(each) for each in in_order]


# -- one run -----------------------------------------------------------------------------------------------------------


def run_seen_by(database: Database, run_id: str, tenant: ClientId | None) -> Run:
    """The run, with that part of it that *tenant* may see; None: all of it. Raises NotFound where it has no part."""
    refuse_unconcerned(database, run_id, tenant)
    found = read.run(database, run_id, only=tenant)
    return found if tenant is None else _without_others(found)


def refuse_unconcerned(database: Database, run_id: str, tenant: ClientId | None) -> None:
    """Raises NotFound where *tenant* has no part in the run: to it, there is no such run."""
    if tenant is None:
        return
    with database.reading() as connection:
        if connection.execute(sa.select(1).where(runs.c.run_id == run_id, _concerns(tenant))).first() is None:
            raise NotFound(f"there is no run {run_id}")


def _without_others(run: Run) -> Run:
    """What is said of the run as a whole may be about anybody in it."""
    return replace(run, error=None, blocked_reason=None, requested_by=None, claims={})


def find_label(database: Database, label: str) -> ClientId | None:
    """Whose client run is called *label*."""
    with database.reading() as connection:
        found = connection.execute(sa.select(client_runs.c.client_id).where(client_runs.c.label == label)).scalar()
    return None if found is None else str(found)


def client_run(database: Database, run_id: str, client_id: ClientId) -> ClientRun | None:
    with database.reading() as connection:
        return next(iter(read.client_runs_of(connection, run_id, [client_id])), None)


def page_of_client_runs(
    database: Database, run_id: str, *, tenant: ClientId | None, after: Place | None, limit: int
) -> list[tuple[Place, ClientRun]]:
    """In the order in which they are visited, each with its place: where the list goes on after it."""
    place = (client_runs.c.position, client_runs.c.client_id)
    statement = sa.select(*place).where(client_runs.c.run_id == run_id).order_by(*place).limit(limit)
    if after is not None:
        statement = statement.where(sa.tuple_(*place) > sa.tuple_(*after))
    if tenant is not None:
        statement = statement.where(client_runs.c.client_id == tenant)
    with database.reading() as connection:
        places = [(int(position), str(client_id)) for position, client_id in connection.execute(statement)]
        found = read.client_runs_of(connection, run_id, [client_id for _, client_id in places])
    return list(zip(places, found, strict=True))


# -- events ------------------------------------------------------------------------------------------------------------


def notes(database: Database, run_id: str, client_id: ClientId = SCOPE_OF_RUN) -> list[Event]:
    """What happened to a run as a whole, or to one client of it, oldest first."""
    of_it = (events.c.run_id == run_id, events.c.client_id == client_id)
    newest_first = sa.select(events).where(*of_it).order_by(events.c.id.desc()).limit(LONGEST_NOTES)
    with database.reading() as connection:
        return [read.event_of(row) for row in connection.execute(newest_first).mappings()][::-1]


def told_to(event: Event, tenant: ClientId | None) -> Event | None:
    """*event* as *tenant* may read it; None: not at all. Who started a run is nothing to its tenants."""
    if tenant is None or event.client_id == tenant:
        return event
    if event.client_id != SCOPE_OF_RUN or event.kind not in SHARED_EVENTS:
        return None
    return replace(event, text="Started") if event.kind == "started" else event
