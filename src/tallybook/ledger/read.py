"""What the books say. Totals of runs and client runs are sums over their operation runs, made here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict

import sqlalchemy as sa

from tallybook.database import Database, read_stamp
from tallybook.domain import runid
from tallybook.domain.client import ClientId
from tallybook.domain.errors import NotFound
from tallybook.domain.fields import storable
from tallybook.domain.outcome import LeadId, Outcome
from tallybook.domain.run import (
    Basis,
    ClientRun,
    JobType,
    OperationName,
    OperationRun,
    Origin,
    Run,
    Status,
    Stop,
    Trigger,
)
from tallybook.domain.tally import Tally
from tallybook.ledger.tables import (
    SCOPE_OF_RUN,
    TALLY,
    calls,
    client_runs,
    events,
    operation_runs,
    outcomes,
    reported,
    runs,
)
from tallybook.ledger.write.progress import outcome_of_row

OUTCOME_FACTS = tuple(
    outcomes.c[name]
    for name in (
        "lead_id", "kind", "reason", "detail", "score", "breakdown", "assessment", "best_post", "posts", "excluded_by",
        "flagged", "rubric_version", "prompt_version", "formula", "model", "input_hash",
    )
)  # fmt: skip
"""In the order of `outcome_of_row`."""


@dataclass(frozen=True, slots=True)
class Event:
    event_id: int
    run_id: str | None
    client_id: str
    at: datetime | None
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """An outcome with where and when it was reached."""

    run_id: str
    operation: OperationName
    at: datetime | None
    late: bool
    saved: bool
    outcome: Outcome

    @property
    def where(self) -> "Where":
        return Where(run_id=self.run_id, operation=self.operation, at=self.at, late=self.late, saved=self.saved)


class Where(TypedDict):
    """All of `Told` but the outcome."""

    run_id: str
    operation: OperationName
    at: datetime | None
    late: bool
    saved: bool


def find_run(database: Database, text: str) -> str:
    """The run that *text* (a run id, a display form or a client-run label) means. Raises InvalidRunId, NotFound."""
    if storable(str(text)) != text:
        runid.RunId.parse(text)  # refuses it; no database is to be asked for what it could not keep
    with database.reading() as connection:
        for statement in (
            sa.select(runs.c.run_id).where(runs.c.run_id == text),
            sa.select(client_runs.c.run_id).where(client_runs.c.label == text),
            sa.select(runs.c.run_id).where(runs.c.display == text),
        ):
            found = connection.execute(statement).scalar()
            if found:
                return str(found)
        key = runid.RunId.parse(text).key
        if connection.execute(sa.select(runs.c.run_id).where(runs.c.run_id == key)).scalar():
            return key
    raise NotFound(f"there is no run {text}; `tallybook run list` shows the runs")


def label(database: Database, run_id: str, client_id: str) -> str | None:
    with database.reading() as connection:
        found = connection.execute(
            sa.select(client_runs.c.label).where(client_runs.c.run_id == run_id, client_runs.c.client_id == client_id)
        ).scalar()
        return str(found) if found else None


def run(database: Database, run_id: str, *, only: ClientId | None = None) -> Run:
    """The run with its client runs and operation runs. *only*: as if that client were its only one. Raises NotFound."""
    with database.reading() as connection:
        row = connection.execute(sa.select(runs).where(runs.c.run_id == run_id)).mappings().first()
        if row is None:
            raise NotFound(f"there is no run {run_id}; `tallybook run list` shows the runs")
        children = client_runs_of(connection, run_id, None if only is None else [only])
        tally = sum((each.tally for each in children), Tally())
        claims = _claims(connection, run_id, [SCOPE_OF_RUN]).get(SCOPE_OF_RUN, {})
        return _run_of(row, tally, children, claims=claims, unsettled=_unsettled(connection, run_id, only))


def status(database: Database, run_id: str) -> Status:
    """Just the status: what whoever waits for a run asks again and again. Raises NotFound."""
    with database.reading() as connection:
        found = connection.execute(sa.select(runs.c.status).where(runs.c.run_id == run_id)).scalar()
    if found is None:
        raise NotFound(f"there is no run {run_id}; `tallybook run list` shows the runs")
    return Status(found)


def list_runs(
    database: Database,
    *,
    before: str | None = None,
    limit: int = 50,
    stream: int | None = None,
    where: Sequence[sa.ColumnElement[bool]] = (),
    only: ClientId | None = None,
) -> list[Run]:
    """Runs without their clients, claims and calls under way, newest first. *before*: the cursor, the
    `created_at|run_id` of the last one seen. *where*: further conditions; *only*: the client whose figures count. One
    that is paused because its clients are has the *wake_at* of the first of them.
    """
    statement = sa.select(runs).order_by(runs.c.created_at.desc(), runs.c.run_id.desc()).where(*where).limit(limit)
    if before is not None:
        at, _, run_id = before.partition("|")
        statement = statement.where(sa.tuple_(runs.c.created_at, runs.c.run_id) < sa.tuple_(at, run_id))
    if stream is not None:
        statement = statement.where(runs.c.stream == stream)
    with database.reading() as connection:
        rows = connection.execute(statement).mappings().all()
        ids = [row["run_id"] for row in rows]
        tallies, waking = _tallies_of_runs(connection, ids, only), _first_wakes(connection, ids, only)
        found = [_run_of(row, tallies.get(row["run_id"], Tally())) for row in rows]
    return [each if each.stop else replace(each, wake_at=waking.get(each.run_id)) for each in found]


def cursor_of(seen: Run, database: Database) -> str:
    """Where `list_runs` goes on after *seen*."""
    with database.reading() as connection:
        at = connection.execute(sa.select(runs.c.created_at).where(runs.c.run_id == seen.run_id)).scalar()
    return f"{at}|{seen.run_id}"


def _tallies_of_runs(
    connection: sa.Connection, run_ids: Sequence[str], only: ClientId | None = None
) -> Mapping[str, Tally]:
    sums = [sa.func.sum(operation_runs.c[name]) for name in TALLY]
    statement = sa.select(operation_runs.c.run_id, *sums).where(operation_runs.c.run_id.in_(run_ids))
    if only is not None:
        statement = statement.where(operation_runs.c.client_id == only)
    rows = connection.execute(statement.group_by(operation_runs.c.run_id))
    return {row[0]: Tally(*map(int, row[1:])) for row in rows}


def _first_wakes(
    connection: sa.Connection, run_ids: Sequence[str], only: ClientId | None = None
) -> Mapping[str, datetime | None]:
    """When the first of the clients that are paused alone goes on by itself."""
    first = sa.func.min(client_runs.c.wake_at)
    statement = sa.select(client_runs.c.run_id, first).where(client_runs.c.run_id.in_(run_ids))
    if only is not None:
        statement = statement.where(client_runs.c.client_id == only)
    rows = connection.execute(statement.where(client_runs.c.wake_at.is_not(None)).group_by(client_runs.c.run_id))
    return {row[0]: read_stamp(row[1]) for row in rows}


def _run_of(
    row: sa.RowMapping,
    tally: Tally,
    children: Sequence[ClientRun] = (),
    *,
    claims: Mapping[str, object] | None = None,
    unsettled: int = 0,
) -> Run:
    return Run(
        run_id=row["run_id"],
        job_type=JobType(row["job_type"]),
        status=Status(row["status"]),
        trigger=Trigger(row["triggered_by"]),
        tally=tally,
        stream=row["stream"],
        finish_reason=row["finish_reason"],
        blocked_reason=row["blocked_reason"],
        paused_at=read_stamp(row["paused_at"]),
        wake_at=read_stamp(row["wake_at"]),
        started_at=read_stamp(row["started_at"]),
        ended_at=read_stamp(row["ended_at"]),
        created_at=read_stamp(row["created_at"]),
        requested_by=row["requested_by"],
        request=json.loads(row["request"]),
        stop=Stop(row["stop"]) if row["stop"] else None,
        planned=bool(row["planned"]),
        display=row["display"],
        error=row["error"],
        unsettled=unsettled,
        clients=tuple(children),
        claims=claims or {},
    )


def _unsettled(connection: sa.Connection, run_id: str, only: ClientId | None) -> int:
    open_calls = sa.select(sa.func.count()).where(calls.c.run_id == run_id, calls.c.ended_at.is_(None))
    if only is not None:
        open_calls = open_calls.where(calls.c.client_id == only)
    return int(connection.execute(open_calls).scalar_one())


def _of(table: sa.Table, run_id: str, only: Sequence[ClientId] | None) -> sa.ColumnElement[bool]:
    """Rows of a run; of *only* these clients, where they are named."""
    of_run = table.c.run_id == run_id
    return of_run if only is None else sa.and_(of_run, table.c.client_id.in_(only))


def _claims(
    connection: sa.Connection, run_id: str, only: Sequence[ClientId] | None
) -> Mapping[str, Mapping[str, object]]:
    claims: dict[str, dict[str, object]] = {}
    for row in connection.execute(sa.select(reported).where(_of(reported, run_id, only))).mappings():
        claims.setdefault(row["client_id"], {})[row["field"]] = json.loads(row["value"])
    return claims


def client_runs_of(connection: sa.Connection, run_id: str, only: Sequence[ClientId] | None = None) -> list[ClientRun]:
    """In the order in which they are visited; those of *only* these clients, where they are named."""
    operations = _operation_runs_of(connection, run_id, only)
    claims = _claims(connection, run_id, only)
    statement = (
        sa.select(client_runs)
        .where(_of(client_runs, run_id, only))
        .order_by(client_runs.c.position, client_runs.c.client_id)
    )
    return [
        ClientRun(
            client_id=row["client_id"],
            client_name=row["client_name"] or row["client_id"],
            label=row["label"],
            status=Status(row["status"]),
            finish_reason=row["finish_reason"],
            blocked_reason=row["blocked_reason"],
            wake_at=read_stamp(row["wake_at"]),
            origin=Origin(row["origin"]),
            origin_reason=row["origin_reason"],
            error=row["error"],
            errors=row["errors"],
            started_at=read_stamp(row["started_at"]),
            ended_at=read_stamp(row["ended_at"]),
            operations=tuple(operations.get(row["client_id"], ())),
            claims=claims.get(row["client_id"], {}),
        )
        for row in connection.execute(statement).mappings()
    ]


def _operation_runs_of(
    connection: sa.Connection, run_id: str, only: Sequence[ClientId] | None
) -> Mapping[str, list[OperationRun]]:
    reasons = _reasons_of(connection, run_id, only)
    found: dict[str, list[OperationRun]] = {}
    for row in connection.execute(sa.select(operation_runs).where(_of(operation_runs, run_id, only))).mappings():
        operation = OperationName(row["operation"])
        found.setdefault(row["client_id"], []).append(
            OperationRun(
                operation=operation,
                status=Status(row["status"]),
                tally=Tally(*(row[name] for name in TALLY)),
                finish_reason=row["finish_reason"],
                started_at=read_stamp(row["started_at"]),
                ended_at=read_stamp(row["ended_at"]),
                basis=Basis(row["basis"]),
                reasons=reasons.get((row["client_id"], operation), {}),
            )
        )
    order = list(OperationName)
    return {client_id: sorted(each, key=lambda o: order.index(o.operation)) for client_id, each in found.items()}


def _reasons_of(
    connection: sa.Connection, run_id: str, only: Sequence[ClientId] | None
) -> Mapping[tuple[str, str], Mapping[str, int]]:
    reasons: dict[tuple[str, str], dict[str, int]] = {}
    columns = (outcomes.c.client_id, outcomes.c.operation, outcomes.c.reason)
    statement = (
        sa.select(*columns, sa.func.count())
        .where(_of(outcomes, run_id, only), outcomes.c.reason.is_not(None))
        .group_by(*columns)
        .order_by(*columns)
    )
    for client_id, operation, reason, count in connection.execute(statement):
        reasons.setdefault((client_id, operation), {})[reason] = count
    return reasons


def events_of(
    database: Database, run_id: str, *, after: int = 0, until: int | None = None, limit: int = 1000
) -> list[Event]:
    """What happened in a run, oldest first, those after event *after*, up to event *until*."""
    statement = (
        sa.select(events).where(events.c.run_id == run_id, events.c.id > after).order_by(events.c.id).limit(limit)
    )
    if until is not None:
        statement = statement.where(events.c.id <= until)
    with database.reading() as connection:
        return [event_of(row) for row in connection.execute(statement).mappings()]


def newest_event(database: Database, run_id: str, kind: str) -> Event | None:
    """The last time that something of this kind happened in a run."""
    of_kind = sa.select(events).where(events.c.run_id == run_id, events.c.kind == kind)
    with database.reading() as connection:
        row = connection.execute(of_kind.order_by(events.c.id.desc()).limit(1)).mappings().first()
        return event_of(row) if row else None


def event_of(row: sa.RowMapping) -> Event:
    return Event(row["id"], row["run_id"], row["client_id"], read_stamp(row["at"]), row["kind"], row["text"])


def why(database: Database, client_id: str, lead_id: LeadId) -> list[Told]:
    """Every outcome of a lead over all runs, newest first."""
    statement = (
        sa.select(outcomes.c.run_id, outcomes.c.operation, outcomes.c.at, outcomes.c.late, outcomes.c.saved_at)
        .add_columns(*OUTCOME_FACTS)
        .where(outcomes.c.client_id == client_id, outcomes.c.lead_id == lead_id)
        .where(outcomes.c.operation.in_(list(OperationName)))
        .order_by(outcomes.c.at.desc(), outcomes.c.run_id.desc())
    )
    with database.reading() as connection:
        return [
            Told(row[0], OperationName(row[1]), read_stamp(row[2]), bool(row[3]), bool(row[4]), outcome_of_row(row[5:]))
            for row in (tuple(each) for each in connection.execute(statement))
        ]
