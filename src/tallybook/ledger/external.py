"""External runs as operations and their collector ask for them."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from tallybook.database import Database, stamp
from tallybook.domain.external import ExternalRun, ExternalState, Tag
from tallybook.domain.outcome import LeadId
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.server_tables import external_runs
from tallybook.ledger.tables import operation_runs, worklist
from tallybook.ledger.write import external


class ExternalBook:
    """`ports.ExternalRuns` for one operation run. *first_look*: after so long the provider is asked, told or not."""

    def __init__(self, ledger: Ledger, key: OperationKey, source: str, first_look: timedelta) -> None:
        self._ledger = ledger
        self._key = key
        self._source = source
        self._first_look = first_look

    async def in_flight(self) -> frozenset[LeadId] | None:
        return in_flight(self._ledger.database, self._key)

    async def starting(self, call_id: str, leads: Sequence[LeadId], until: datetime) -> None:
        unborn = ExternalRun(self._source, "", *self._key, call_id, until, leads=tuple(leads)).unborn
        await self._ledger.wait(external.start, unborn, self.now() + 2 * self._first_look)

    async def not_started(self, call_id: str, *, certain: bool) -> None:
        await self._ledger.wait(external.forget if certain else external.doubt, call_id, self._source)

    async def started(self, external_id: str, call_id: str, leads: Sequence[LeadId], until: datetime) -> None:
        named = ExternalRun(self._source, external_id, *self._key, call_id, until, leads=tuple(leads))
        await self._ledger.wait(external.start, named, self.now() + self._first_look)

    def tag(self, call_id: str, until: datetime) -> Tag:
        return Tag(self._key.run_id, self._key.client_id, call_id, until)

    def now(self) -> datetime:
        return self._ledger.clock()


def in_flight(database: Database, key: OperationKey) -> frozenset[LeadId] | None:
    """The leads that external runs of this operation run work on. None: one of them was started by a process that died
    before it had booked for whom.
    """
    statement = sa.select(external_runs.c.leads).where(
        *(external_runs.c[name] == value for name, value in zip(key._fields, key, strict=True)),
        external_runs.c.state != ExternalState.ENDED,
    )
    with database.reading() as connection:
        told = [leads for (leads,) in connection.execute(statement)]
    if None in told:
        return None
    return frozenset(lead for leads in told for lead in json.loads(leads))


def any_due(database: Database, now: datetime) -> bool:
    """Is there an external run whose provider is to be asked?"""
    due = sa.select(external_runs.c.source).where(external_runs.c.look_at <= stamp(now)).limit(1)
    with database.reading() as connection:
        return connection.execute(due).first() is not None


def hashes_of(database: Database, key: OperationKey) -> Mapping[LeadId, str]:
    """The input of each lead of a worklist, as it was frozen."""
    statement = sa.select(worklist.c.lead_id, worklist.c.input_hash).where(
        *(worklist.c[name] == value for name, value in zip(key._fields, key, strict=True))
    )
    with database.reading() as connection:
        return {lead_id: input_hash or "" for lead_id, input_hash in connection.execute(statement)}


def taken_since(database: Database, key: OperationKey, since: datetime) -> int:
    """Leads of its client that other runs began to work on since then; of ended runs, those that came to something."""
    done = operation_runs.c.scored + operation_runs.c.harvested + operation_runs.c.skipped + operation_runs.c.failed
    each = sa.case((operation_runs.c.ended_at.is_(None), operation_runs.c.found), else_=done)
    statement = sa.select(sa.func.coalesce(sa.func.sum(each), 0)).where(
        operation_runs.c.client_id == key.client_id,
        operation_runs.c.operation == key.operation,
        operation_runs.c.started_at >= stamp(since),
        operation_runs.c.run_id != key.run_id,
    )
    with database.reading() as connection:
        return int(connection.execute(statement).scalar_one())
