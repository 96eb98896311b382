"""What followers were told, and what they are still to be told: versions against versions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tallybook.database import Database, read_stamp, stamp
from tallybook.domain.client import ClientId
from tallybook.domain.outcome import Kind
from tallybook.domain.run import OperationName, Status
from tallybook.domain.telling import Changed, Part, RunStory, Said, Standing, Telling
from tallybook.ledger import figures, read
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

MOST_SAID = 1_000
"""Lines of System Notes: more do not fit into a cell."""
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


def tellings_of(database: Database, follower: str, run_ids: Sequence[str]) -> Mapping[str, list[Telling]]:
    """By run: the run as a whole first, then its clients in the order in which they are visited."""
    with database.reading() as connection:
        parts = _parts(connection, run_ids)
        told = sa.select(tellings).where(tellings.c.follower == follower, tellings.c.run_id.in_(run_ids))
        known = {Part(row["run_id"], row["client_id"]): row for row in connection.execute(told).mappings()}
    found: dict[str, list[Telling]] = {}
    for part, facts in parts:
        found.setdefault(part.run_id, []).append(_telling(part, facts, known.get(part)))
    return found


@dataclass(frozen=True, slots=True)
class _Facts:
    """Of a part, from the books. The version only grows: nothing that it counts is ever taken away."""

    version: int
    begun: bool
    followed: bool


def _parts(connection: sa.Connection, run_ids: Sequence[str]) -> Sequence[tuple[Part, _Facts]]:
    grown = _sums(connection, sa.func.sum(operation_runs.c.version), operation_runs, run_ids)
    grown.update(_sums(connection, sa.func.count(), events, run_ids))
    asked = sa.select(runs.c.run_id, runs.c.version, runs.c.status, runs.c.changed_at)
    wholes = {row[0]: tuple(row[1:]) for row in connection.execute(asked.where(runs.c.run_id.in_(run_ids)))}
    names = ("run_id", "client_id", "version", "status", "started_at")
    in_order = (client_runs.c.run_id, client_runs.c.position, client_runs.c.client_id)
    clients = sa.select(*(client_runs.c[name] for name in names)).where(client_runs.c.run_id.in_(run_ids))
    rows = [tuple(row) for row in connection.execute(clients.order_by(*in_order))]
    for run_id, _, version, _, _ in rows:
        grown[Part(run_id, SCOPE_OF_RUN)] += version
    followed = {run_id: whole[2] is not None or whole[1] in _OPEN for run_id, whole in wholes.items()}
    of_runs = Counter[str]()
    for part, number in grown.items():
        of_runs[part.run_id] += number
    return [
        *((Part(each, SCOPE_OF_RUN), _Facts(of_runs[each] + wholes[each][0], True, followed[each])) for each in wholes),
        *(
            (
                Part(run_id, client_id),
                _Facts(
                    version + grown[Part(run_id, client_id)],
                    started_at is not None or Status(status).terminal,
                    followed[run_id],
                ),
            )
            for run_id, client_id, version, status, started_at in rows
        ),
    ]


def _sums(
    connection: sa.Connection, counted: sa.ColumnElement[int], table: sa.Table, run_ids: Sequence[str]
) -> Counter[Part]:
    asked = sa.select(table.c.run_id, table.c.client_id, counted).where(table.c.run_id.in_(run_ids))
    rows = connection.execute(asked.group_by(table.c.run_id, table.c.client_id))
    return Counter({Part(run_id, client_id): int(number) for run_id, client_id, number in rows})


def _telling(part: Part, facts: _Facts, row: sa.RowMapping | None) -> Telling:
    if row is None:
        return Telling(part, facts.version, facts.begun, followed=facts.followed)
    return Telling(
        part,
        facts.version,
        facts.begun,
        followed=facts.followed,
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
    """Of each the newest, so that one that talks much leaves the others their own."""
    place = sa.func.row_number().over(partition_by=events.c.client_id, order_by=events.c.id.desc())
    columns = (events.c.id, events.c.client_id, events.c.at, events.c.kind, events.c.text)
    ranked = sa.select(*columns, place.label("place")).where(events.c.run_id == run_id).subquery()
    newest = sa.select(ranked).where(ranked.c.place <= MOST_SAID).order_by(ranked.c.id)
    said: dict[ClientId, list[Said]] = {}
    with database.reading() as connection:
        for _, client_id, at, kind, text, _ in connection.execute(newest):
            said.setdefault(client_id, []).append((read_stamp(at), kind, text))
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
