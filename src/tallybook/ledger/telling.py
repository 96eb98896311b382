"""What followers were told, and what they are still to be told: versions against versions."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tallybook.database import Database, read_stamp, stamp
from tallybook.domain.client import ClientId
from tallybook.domain.outcome import Kind
from tallybook.domain.run import OperationName, Status
from tallybook.domain.telling import Changed, Part, RunStory, Said, Standing, Telling
from tallybook.ledger import figures, listing, read
from tallybook.ledger.server_tables import external_runs
from tallybook.ledger.tables import (
    SCOPE_OF_RUN,
    client_runs,
    events,
    follower_state,
    operation_runs,
    outcomes,
    runs,
    tellings,
)

_OPEN = [status.value for status in Status if not status.terminal]


# -- which runs --------------------------------------------------------------------------------------------------------


def changed_runs(
    database: Database, follower: str, since: datetime, *, after: Changed | None = None, limit: int
) -> list[Changed]:
    """Runs that are open; then, as they changed, some of those that have ended and changed at *since* or later, be it
    by a call that was settled late. *after*: what was given last; then ended ones alone.
    """
    asked = _changed_runs(follower)
    late = sa.select(operation_runs.c.run_id).where(operation_runs.c.late_call_at >= stamp(since))
    in_order = (runs.c.changed_at, runs.c.run_id)
    ended = asked.where(runs.c.changed_at >= stamp(since)).order_by(*in_order).limit(limit)
    if after is not None and after.changed_at is not None:
        questions = [ended.where(sa.tuple_(*in_order) > sa.tuple_(stamp(after.changed_at), after.run_id))]
    else:
        settled = asked.where(runs.c.run_id.in_(late), runs.c.changed_at < stamp(since))
        questions = [asked.where(runs.c.status.in_(_OPEN)), settled, ended]
    with database.reading() as connection:
        return [_changed(tuple(row)) for question in questions for row in connection.execute(question)]


def _changed_runs(follower: str) -> "sa.Select[Any]":
    whole = sa.and_(
        tellings.c.follower == follower, tellings.c.run_id == runs.c.run_id, tellings.c.client_id == SCOPE_OF_RUN
    )
    columns = (runs.c.run_id, runs.c.ended_at, runs.c.changed_at, tellings.c.told_at, tellings.c.standing)
    return sa.select(*columns).select_from(runs.outerjoin(tellings, whole))


def _changed(row: Sequence[Any]) -> Changed:
    run_id, ended_at, changed_at, told_at, standing = row
    return Changed(
        run_id,
        read_stamp(ended_at),
        read_stamp(changed_at),
        read_stamp(told_at),
        Standing(standing) if standing else Standing.OWED,
    )


def told_of(database: Database, follower: str, standings: Sequence[Standing]) -> list[str]:
    """Runs of which a part stands so, oldest first."""
    statement = (
        sa.select(tellings.c.run_id)
        .where(tellings.c.follower == follower, tellings.c.standing.in_(standings))
        .distinct()
        .order_by(tellings.c.run_id)
    )
    with database.reading() as connection:
        return [str(row[0]) for row in connection.execute(statement)]


def told_before(database: Database, follower: str, at: datetime, limit: int) -> list[str]:
    """Ended runs made before *at*, oldest first, of which the follower has a part beside which nobody wrote."""
    has = sa.exists().where(
        tellings.c.follower == follower,
        tellings.c.run_id == runs.c.run_id,
        tellings.c.ref.is_not(None),
        tellings.c.notes.is_(None),
        tellings.c.standing.in_((Standing.TOLD.value, Standing.PARKED.value)),
    )
    ended = sa.and_(runs.c.ended_at.is_not(None), runs.c.created_at < stamp(at))
    statement = sa.select(runs.c.run_id).where(ended, has).order_by(runs.c.created_at, runs.c.run_id).limit(limit)
    with database.reading() as connection:
        return [str(row[0]) for row in connection.execute(statement)]


def runs_made_since(database: Database, since: datetime, *, after: str = "", limit: int) -> list[str]:
    """Runs that followers are told of, by their ids, those after *after*."""
    told = sa.or_(runs.c.changed_at.is_not(None), runs.c.status.in_(_OPEN))
    statement = sa.select(runs.c.run_id).where(runs.c.created_at >= stamp(since), runs.c.run_id > after, told)
    with database.reading() as connection:
        return [str(row[0]) for row in connection.execute(statement.order_by(runs.c.run_id).limit(limit))]


# -- their parts -------------------------------------------------------------------------------------------------------


def tellings_of(database: Database, follower: str, run_id: str) -> list[Telling]:
    """The run as a whole first, then its clients in the order in which they are visited."""
    with database.reading() as connection:
        parts = dict(_parts(connection, run_id))
        known = {
            row["client_id"]: row
            for row in connection.execute(
                sa.select(tellings).where(tellings.c.follower == follower, tellings.c.run_id == run_id)
            ).mappings()
        }
    return [_telling(Part(run_id, client_id), *facts, known.get(client_id)) for client_id, facts in parts.items()]


def _parts(connection: sa.Connection, run_id: str) -> Iterator[tuple[ClientId, tuple[int, bool]]]:
    """Version, and whether it has begun. The sums only grow: nothing that they count is ever taken away."""
    version = connection.execute(sa.select(runs.c.version).where(runs.c.run_id == run_id)).scalar_one()
    operations = _by_client(connection, sa.func.sum(operation_runs.c.version), operation_runs, run_id)
    said = _by_client(connection, sa.func.count(), events, run_id)
    asked = (
        sa.select(client_runs.c.client_id, client_runs.c.version, client_runs.c.status, client_runs.c.started_at)
        .where(client_runs.c.run_id == run_id)
        .order_by(client_runs.c.position, client_runs.c.client_id)
    )
    clients = [tuple(row) for row in connection.execute(asked)]
    of_clients = sum(operations.values()) + sum(each[1] for each in clients)
    yield SCOPE_OF_RUN, (version + of_clients + sum(said.values()), True)
    for client_id, own, status, started_at in clients:
        begun = started_at is not None or Status(status).terminal
        yield client_id, (own + operations.get(client_id, 0) + said.get(client_id, 0), begun)


def _by_client(
    connection: sa.Connection, counted: sa.ColumnElement[int], table: sa.Table, run_id: str
) -> Mapping[ClientId, int]:
    asked = sa.select(table.c.client_id, counted).where(table.c.run_id == run_id).group_by(table.c.client_id)
    return {str(client_id): int(number) for client_id, number in connection.execute(asked)}


def _telling(part: Part, version: int, begun: bool, row: sa.RowMapping | None) -> Telling:
    if row is None:
        return Telling(part, version, begun)
    return Telling(
        part,
        version,
        begun,
        told_version=row["told_version"],
        told_at=read_stamp(row["told_at"]),
        standing=Standing(row["standing"]),
        ref=row["ref"],
        notes=row["notes"],
        tries=row["tries"],
        next_try_at=read_stamp(row["next_try_at"]),
        error=row["last_error"],
    )


def part_of_ref(database: Database, follower: str, refs: Sequence[str]) -> Mapping[str, Part]:
    """Whose rows these are, by where the follower has them."""
    statement = sa.select(tellings.c.ref, tellings.c.run_id, tellings.c.client_id).where(
        tellings.c.follower == follower, tellings.c.ref.in_(refs)
    )
    with database.reading() as connection:
        return {row[0]: Part(row[1], row[2]) for row in connection.execute(statement)}


def part_of_key(database: Database, keys: Sequence[str]) -> Mapping[str, Part]:
    """Whose run ids, display forms or labels these are."""
    whole = sa.literal(SCOPE_OF_RUN)
    asked = (
        sa.select(client_runs.c.label, client_runs.c.run_id, client_runs.c.client_id).where(
            client_runs.c.label.in_(keys)
        ),
        sa.select(runs.c.display, runs.c.run_id, whole).where(runs.c.display.in_(keys)),
        sa.select(runs.c.run_id, runs.c.run_id, whole).where(runs.c.run_id.in_(keys)),
    )
    with database.reading() as connection:
        rows = [tuple(row) for statement in asked for row in connection.execute(statement)]
    return {str(key): Part(run_id, client_id) for key, run_id, client_id in rows}


def refs(database: Database, follower: str, after: Part, *, limit: int) -> list[tuple[Part, str]]:
    """Where the follower has the parts that are kept up, in the order of their keys."""
    place = sa.tuple_(tellings.c.run_id, tellings.c.client_id)
    kept_up = [each.value for each in Standing if each.kept_up]
    statement = (
        sa.select(tellings.c.run_id, tellings.c.client_id, tellings.c.ref)
        .where(tellings.c.follower == follower, tellings.c.ref.is_not(None), tellings.c.standing.in_(kept_up))
        .where(place > sa.tuple_(*after))
        .order_by(tellings.c.run_id, tellings.c.client_id)
        .limit(limit)
    )
    with database.reading() as connection:
        return [(Part(row[0], row[1]), row[2]) for row in connection.execute(statement)]


def count_by_standing(database: Database, follower: str) -> Mapping[Standing, int]:
    statement = (
        sa.select(tellings.c.standing, sa.func.count())
        .where(tellings.c.follower == follower)
        .group_by(tellings.c.standing)
    )
    with database.reading() as connection:
        return {Standing(row[0]): int(row[1]) for row in connection.execute(statement)}


def parked(database: Database, follower: str, limit: int) -> list[tuple[Part, str]]:
    """Parts that were not taken, and why, newest first."""
    statement = (
        sa.select(tellings.c.run_id, tellings.c.client_id, tellings.c.last_error)
        .where(tellings.c.follower == follower, tellings.c.standing == Standing.PARKED.value)
        .order_by(tellings.c.run_id.desc(), tellings.c.client_id)
        .limit(limit)
    )
    with database.reading() as connection:
        return [(Part(row[0], row[1]), row[2] or "") for row in connection.execute(statement)]


def notes_of_people(database: Database, run_id: str) -> Mapping[ClientId, str]:
    """What people wrote beside a run and its clients where it is mirrored; the run's own under ""."""
    statement = sa.select(tellings.c.client_id, tellings.c.notes).where(
        tellings.c.run_id == run_id, tellings.c.notes.is_not(None)
    )
    with database.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(statement.order_by(tellings.c.follower))}


# -- the story of a run ------------------------------------------------------------------------------------------------


def story_of(database: Database, run_id: str) -> RunStory:
    """Raises NotFound."""
    run = read.run(database, run_id)
    return RunStory(
        run,
        figures.lead_figures(database, run_id),
        _said(database, run_id),
        _outside(database, run_id),
        _posts_scored(database, run_id),
    )


def _said(database: Database, run_id: str) -> Mapping[ClientId, Sequence[Said]]:
    newest_first = (
        sa.select(events.c.client_id, events.c.at, events.c.kind, events.c.text)
        .where(events.c.run_id == run_id)
        .order_by(events.c.id.desc())
        .limit(listing.LONGEST_NOTES)
    )
    said: dict[ClientId, list[Said]] = {}
    with database.reading() as connection:
        for client_id, at, kind, text in connection.execute(newest_first):
            said.setdefault(client_id, []).insert(0, (read_stamp(at), kind, text))
    return said


def _outside(database: Database, run_id: str) -> Mapping[ClientId, Sequence[str]]:
    statement = (
        sa.select(external_runs.c.client_id, external_runs.c.external_id)
        .where(external_runs.c.run_id == run_id, external_runs.c.external_id.not_like("?%"))
        .order_by(external_runs.c.started_at, external_runs.c.external_id)
    )
    found: dict[ClientId, dict[str, None]] = {}
    with database.reading() as connection:
        for client_id, external_id in connection.execute(statement):
            found.setdefault(client_id, {})[external_id] = None
    return {client_id: list(ids) for client_id, ids in found.items()}


def _posts_scored(database: Database, run_id: str) -> Mapping[ClientId, int]:
    statement = (
        sa.select(outcomes.c.client_id, sa.func.sum(outcomes.c.posts))
        .where(
            outcomes.c.run_id == run_id,
            outcomes.c.operation == OperationName.POST_SCORING.value,
            outcomes.c.kind == Kind.SCORED.value,
        )
        .group_by(outcomes.c.client_id)
    )
    with database.reading() as connection:
        return {row[0]: int(row[1]) for row in connection.execute(statement)}


# -- a follower's own notes --------------------------------------------------------------------------------------------


def state_of(database: Database, follower: str) -> Mapping[str, str]:
    statement = sa.select(follower_state.c.name, follower_state.c.value).where(follower_state.c.follower == follower)
    with database.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(statement)}
