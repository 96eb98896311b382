"""What workers ask of the ledger: what is left to do, what was told, who works on what."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tallybook.database import Database, read_stamp, stamp
from tallybook.domain.outcome import COUNTED_REASONS, Kind, LeadId, Outcome
from tallybook.domain.run import OperationName, Status, Stop
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.read import OUTCOME_FACTS
from tallybook.ledger.tables import client_runs, outcomes, runs, worklist
from tallybook.ledger.write.progress import outcome_of_row


def pending(database: Database, key: OperationKey, *, after: LeadId, limit: int) -> list[tuple[LeadId, str]]:
    """Leads of the worklist without an outcome, in id order, with the hash of their input."""
    same = sa.and_(*(outcomes.c[name] == worklist.c[name] for name in ("run_id", "client_id", "operation", "lead_id")))
    statement = (
        sa.select(worklist.c.lead_id, worklist.c.input_hash)
        .select_from(worklist.outerjoin(outcomes, same))
        .where(_of_operation(worklist, key), worklist.c.lead_id > after, outcomes.c.lead_id.is_(None))
        .order_by(worklist.c.lead_id)
        .limit(limit)
    )
    with database.reading() as connection:
        return [(row[0], row[1] or "") for row in connection.execute(statement)]


def last_frozen(database: Database, key: OperationKey) -> tuple[LeadId, int]:
    """The last lead on the worklist ('' if none) and how many there are: where freezing goes on after a crash."""
    statement = sa.select(sa.func.max(worklist.c.lead_id), sa.func.count()).where(_of_operation(worklist, key))
    with database.reading() as connection:
        last, count = connection.execute(statement).one()
        return last or "", int(count)


def unsaved(
    database: Database, client_id: str, *, run_id: str | None = None, limit: int = 100
) -> Iterator[tuple[OperationKey, list[Outcome]]]:
    """Outcomes that are recorded and not yet saved in the client's store, a part at a time, by operation run."""
    statement = (
        sa.select(outcomes.c.run_id, outcomes.c.operation, *OUTCOME_FACTS)
        .where(outcomes.c.client_id == client_id, outcomes.c.saved_at.is_(None))
        .order_by(outcomes.c.run_id, outcomes.c.operation, outcomes.c.lead_id)
        .limit(limit)
    )
    if run_id is not None:
        statement = statement.where(outcomes.c.run_id == run_id)
    with database.reading() as connection:
        rows = [tuple(row) for row in connection.execute(statement)]
    parts: dict[OperationKey, list[Outcome]] = {}
    for row in rows:
        key = OperationKey(row[0], client_id, OperationName(row[1]))
        parts.setdefault(key, []).append(outcome_of_row(row[2:]))
    yield from parts.items()


def _of_operation(table: sa.Table, key: OperationKey) -> Any:
    return sa.and_(*(table.c[name] == value for name, value in zip(key._fields, key, strict=True)))


@dataclass(frozen=True, slots=True)
class Past:
    """What earlier runs made of a lead: its newest outcome, and how many runs it failed per (input, rubric version)."""

    kind: Kind
    input_hash: str | None
    rubric_version: str | None
    failed: Mapping[tuple[str | None, str | None], int]


def past(
    database: Database, client_id: str, operation: OperationName, *, first: LeadId, last: LeadId
) -> Mapping[LeadId, Past]:
    """What earlier runs made of the leads from *first* to *last*."""
    statement = (
        sa.select(outcomes.c.lead_id, outcomes.c.kind, outcomes.c.reason)
        .add_columns(outcomes.c.input_hash, outcomes.c.rubric_version)
        .where(outcomes.c.client_id == client_id, outcomes.c.operation == operation)
        .where(outcomes.c.lead_id >= first, outcomes.c.lead_id <= last)
        .order_by(outcomes.c.lead_id, outcomes.c.at, outcomes.c.run_id)
    )
    found: dict[LeadId, Past] = {}
    with database.reading() as connection:
        for lead_id, kind, reason, input_hash, rubric_version in connection.execute(statement):
            failed = dict(found[lead_id].failed) if lead_id in found else {}
            if reason in COUNTED_REASONS:
                failed[input_hash, rubric_version] = failed.get((input_hash, rubric_version), 0) + 1
            found[lead_id] = Past(Kind(kind), input_hash, rubric_version, failed)
    return found


def request_of(database: Database, run_id: str) -> Mapping[str, object]:
    """What was asked for when the run was started, as JSON data."""
    with database.reading() as connection:
        found = connection.execute(sa.select(runs.c.request).where(runs.c.run_id == run_id)).scalar_one()
    data: Mapping[str, object] = json.loads(found)
    return data


def stops_of(database: Database, run_ids: Sequence[str]) -> Mapping[str, tuple[Stop, str]]:
    """Which of these runs were told to stop, and why."""
    statement = sa.select(runs.c.run_id, runs.c.stop, runs.c.blocked_reason).where(
        runs.c.run_id.in_(run_ids), runs.c.stop.is_not(None)
    )
    with database.reading() as connection:
        return {run_id: (Stop(stop), reason or "") for run_id, stop, reason in connection.execute(statement)}


def working_since(database: Database, run_ids: Sequence[str]) -> Mapping[str, datetime]:
    """Since when each of these runs has been worked on without a pause: since its first client was taken up."""
    statement = sa.select(runs.c.run_id, runs.c.working_since).where(
        runs.c.run_id.in_(run_ids), runs.c.working_since.is_not(None), runs.c.stop.is_(None)
    )
    with database.reading() as connection:
        found = {run_id: read_stamp(at) for run_id, at in connection.execute(statement)}
    return {run_id: at for run_id, at in found.items() if at is not None}


def workers(database: Database, run_id: str | None = None) -> Mapping[str, list[ClientKey]]:
    """The client runs that some process says it works on, by executor; it may be dead."""
    statement = sa.select(client_runs.c.worker, client_runs.c.run_id, client_runs.c.client_id).where(
        client_runs.c.worker.is_not(None), client_runs.c.status == Status.RUNNING
    )
    if run_id is not None:
        statement = statement.where(client_runs.c.run_id == run_id)
    found: dict[str, list[ClientKey]] = {}
    with database.reading() as connection:
        for worker, of_run, client_id in connection.execute(statement):
            executor, _, _ = worker.partition("/")
            found.setdefault(executor, []).append(ClientKey(of_run, client_id))
    return found


def waiting(database: Database) -> bool:
    """Is there a run whose client list nobody has read, or a client run that is not yet in the queue?"""
    unplanned = sa.and_(runs.c.status == Status.QUEUED, runs.c.started_at.is_(None))
    outside = sa.exists().where(
        client_runs.c.run_id == runs.c.run_id, client_runs.c.status == Status.QUEUED, client_runs.c.enqueued == 0
    )
    statement = (
        sa.select(runs.c.run_id)
        .where(runs.c.planned == 1, runs.c.stop.is_(None))
        .where(sa.or_(unplanned, sa.and_(runs.c.status == Status.RUNNING, outside)))
        .limit(1)
    )
    with database.reading() as connection:
        return connection.execute(statement).first() is not None


def paused_before(database: Database, before: datetime) -> list[str]:
    """Runs that have been paused since before that instant."""
    statement = sa.select(runs.c.run_id).where(runs.c.status == Status.PAUSED, runs.c.paused_at < stamp(before))
    with database.reading() as connection:
        return [run_id for (run_id,) in connection.execute(statement)]
