"""External runs as operations and their collector ask for them."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from tallybook.database import Database, rows_of, stamp
from tallybook.domain.batches import batched
from tallybook.domain.budget import Budgets
from tallybook.domain.client import ClientId
from tallybook.domain.errors import LedgerUnavailable, WriterDied
from tallybook.domain.external import ExternalRun, ExternalState, Tag, Taken
from tallybook.domain.outcome import LeadId
from tallybook.domain.run import OperationName
from tallybook.domain.tally import Money
from tallybook.ledger.budgets import left_for
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.server_tables import external_runs
from tallybook.ledger.tables import calls, outcomes, worklist
from tallybook.ledger.write import external
from tallybook.ledger.write.external import Whose

AT_ONCE = 500
"""Leads asked for in one statement."""
LAST_BILLS = 20
AGAIN_AFTER_S = 1.0
LONGEST_START = timedelta(seconds=45)
"""Longer than any provider is given to answer that it has started a run."""
DOUBTED_FOR = timedelta(days=1)
"""So long the leads of a start of which nothing was heard are left alone."""
OPEN = external_runs.c.state != ExternalState.ENDED


class ExternalBook:
    """`ports.ExternalRuns` for one operation run. *first_look*: after so long the provider is asked, told or not."""

    def __init__(self, ledger: Ledger, key: OperationKey, source: str, first_look: timedelta, budgets: Budgets) -> None:
        self._ledger = ledger
        self._key = key
        self._source = source
        self._first_look = first_look
        self._budgets = budgets

    async def taken(self, leads: Sequence[LeadId]) -> Taken:
        return await asyncio.to_thread(taken, self._ledger.database, self._key, leads)

    async def starting(self, call_id: str, leads: Sequence[LeadId], until: datetime) -> None:
        unborn = ExternalRun(self._source, "", *self._key, call_id, until, leads=tuple(leads)).unborn
        await self._ledger.wait(external.start, unborn, self.now() + max(2 * self._first_look, LONGEST_START))

    async def started(self, external_id: str, call_id: str, leads: Sequence[LeadId], until: datetime) -> None:
        named = ExternalRun(self._source, external_id, *self._key, call_id, until, leads=tuple(leads))
        while True:
            try:
                await self._ledger.wait(external.start, named, self.now() + self._first_look)
                return
            except WriterDied:
                raise
            except LedgerUnavailable:  # it was paid for: how it is called is not thrown away
                await asyncio.sleep(AGAIN_AFTER_S)

    async def refused(self, call_id: str) -> None:
        await self._ledger.wait(external.forget, call_id, self._source)

    def in_doubt(self, call_id: str) -> None:
        self._ledger.submit(external.doubt, call_id, self._source, self.now() + 2 * self._first_look)

    async def cost_of_a_lead(self) -> Money | None:
        return await asyncio.to_thread(cost_of_a_lead, self._ledger.database, self._key.client_id, self._source)

    async def left(self) -> Money | None:
        return await asyncio.to_thread(left_for, self._ledger.database, self._key, self._budgets, self.now())

    def tag(self, call_id: str, until: datetime) -> Tag:
        return Tag(self._key.run_id, self._key.client_id, call_id, until)

    def now(self) -> datetime:
        return self._ledger.clock()


def taken(database: Database, key: OperationKey, leads: Sequence[LeadId]) -> Taken:
    """Which of *leads* need no external run to be started, in one view: one that ends meanwhile has them still, or its
    outcomes are there.
    """
    statement = sa.select(external_runs.c.leads).where(
        *(external_runs.c[name] == value for name, value in zip(key._fields, key, strict=True)), OPEN
    )
    done: set[LeadId] = set()
    with database.reading() as connection:
        told = [leads for (leads,) in connection.execute(statement)]
        for part in batched(leads, AT_ONCE):
            with_outcome = _of_leads(outcomes, key, part).with_only_columns(outcomes.c.lead_id)
            done.update(connection.execute(with_outcome).scalars())
    named = None if None in told else frozenset(lead for leads in told for lead in json.loads(leads)) | done
    return Taken(len(told), named)


def in_flight(database: Database, client_id: ClientId, operation: OperationName, now: datetime) -> frozenset[LeadId]:
    """The leads of a client that external runs of any run are at work on, as far as they are known; and for a day those
    of a start of which nothing was heard again, for it may have been made.
    """
    doubted = sa.and_(
        external_runs.c.external_id.startswith("?"), external_runs.c.started_at > stamp(now - DOUBTED_FOR)
    )
    statement = sa.select(external_runs.c.leads).where(
        external_runs.c.client_id == client_id,
        external_runs.c.operation == operation,
        external_runs.c.leads.is_not(None),
        sa.or_(OPEN, doubted),
    )
    with database.reading() as connection:
        return frozenset(lead for (leads,) in connection.execute(statement) for lead in json.loads(leads))


def cost_of_a_lead(database: Database, client_id: ClientId, source: str) -> Money | None:
    """What a client's last external runs at a provider were billed for a lead, on average."""
    statement = (
        sa.select(external_runs.c.leads, calls.c.cost_pico_usd)
        .join(calls, calls.c.call_id == external_runs.c.call_id)
        .where(
            external_runs.c.client_id == client_id,
            external_runs.c.source == source,
            external_runs.c.leads.is_not(None),
            external_runs.c.attempt == 1,
            calls.c.cost_pico_usd > 0,
        )
        .order_by(external_runs.c.started_at.desc())
        .limit(LAST_BILLS)
    )
    with database.reading() as connection:
        bills = [(len(json.loads(leads)), int(pico_usd)) for leads, pico_usd in connection.execute(statement)]
    leads = sum(each for each, _ in bills)
    return Money(max(1, sum(pico_usd for _, pico_usd in bills) // leads)) if leads else None


def any_due(database: Database, now: datetime, whose: Whose = None, *, forsaken: bool = False) -> bool:
    """Is there an external run whose provider is to be asked?"""
    which, values = external.due(now, whose, forsaken=forsaken)
    with database.reading() as connection:
        return bool(rows_of(connection, f"SELECT 1 FROM @external_runs e WHERE {which} LIMIT 1", values))


def hashes_of(database: Database, key: OperationKey, leads: Sequence[LeadId] | None) -> Mapping[LeadId, str]:
    """The input of each of *leads* on a worklist, as it was frozen. None: of all that are on it."""
    if leads is None:
        statements = [_of_operation(worklist, key)]
    else:
        statements = [_of_leads(worklist, key, part) for part in batched(leads, AT_ONCE)]
    found: dict[LeadId, str] = {}
    with database.reading() as connection:
        for statement in statements:
            asked = statement.with_only_columns(worklist.c.lead_id, worklist.c.input_hash)
            found.update((lead_id, input_hash or "") for lead_id, input_hash in connection.execute(asked))
    return found


def _of_operation(table: sa.Table, key: OperationKey) -> sa.Select[Any]:
    return sa.select(table).where(*(table.c[name] == value for name, value in zip(key._fields, key, strict=True)))


def _of_leads(table: sa.Table, key: OperationKey, leads: Sequence[LeadId]) -> sa.Select[Any]:
    return _of_operation(table, key).where(table.c.lead_id.in_(leads))


def taken_since(database: Database, key: OperationKey, since: datetime) -> int:
    """Leads of its client for which other runs have had external runs started since then, each counted once. Of an
    external run that somebody else started: those that it was found to be for.
    """
    of_client = (
        external_runs.c.client_id == key.client_id,
        external_runs.c.operation == key.operation,
        external_runs.c.run_id != key.run_id,
        external_runs.c.started_at >= stamp(since),
        external_runs.c.attempt == 1,
    )
    named = sa.select(external_runs.c.leads).where(*of_client, external_runs.c.leads.is_not(None))
    found = (
        sa.select(worklist.c.lead_id)
        .join(external_runs, sa.and_(*(external_runs.c[name] == worklist.c[name] for name in key._fields)))
        .where(*of_client, external_runs.c.leads.is_(None))
    )
    with database.reading() as connection:
        leads = {lead for told in connection.execute(named).scalars() for lead in json.loads(told)}
        return len(leads.union(connection.execute(found).scalars()))
