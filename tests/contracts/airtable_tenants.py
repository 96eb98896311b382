"""Clients whose leads are in Airtable, as the contract knows clients: what is put goes to their bases and is read."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from tallybook.database import Database
from tallybook.domain.client import Client, ClientId
from tallybook.domain.errors import BadInput
from tallybook.domain.lead import Lead, lead_id_of_url
from tallybook.domain.outcome import LeadId
from tallybook.domain.rubric import Rubric
from tallybook.stores.airtable_store import AirtableStore
from tallybook.stores.putting import Changes
from tallybook.stores.rows import StoredLead
from tallybook.stores.sql import PAGE, SqlClients, SqlStore
from tallybook.testing.airtable_demo import lead_row
from tests.airtable.premises import Clock
from tests.stores.tenancy import Tenancy, tenancy


class Tenants(SqlClients):
    """Leads whose ids are not those of their URLs have no place in Airtable; they are put here alone."""

    house: Tenancy

    def store(self, client_id: ClientId) -> SqlStore | AirtableStore:  # type: ignore[override]  # a run is promised the same
        return self.house.clients.store(client_id)

    def lead(self, client_id: ClientId, lead_id: LeadId) -> StoredLead:
        return self.house.local.lead(client_id, lead_id)

    def leads(self, client_id: ClientId, after: LeadId | None = None, limit: int = PAGE) -> Sequence[StoredLead]:
        return self.house.local.leads(client_id, after, limit)

    def put_rubric(self, client_id: ClientId, rubric: Rubric) -> bool:
        return self.house.local.put_rubric(client_id, rubric)

    def of_stream(self, stream: int | None, only: Sequence[ClientId]) -> Sequence[Client]:
        return self.house.clients.of_stream(stream, only)

    def put_leads(self, client_id: ClientId, leads: Sequence[Lead]) -> Changes:
        self.house.local.put_leads(client_id, [lead for lead in leads if not _placed(lead)])
        table, known = self.house.leads(client_id), self._rows(client_id)
        for lead in filter(_placed, leads):
            row = lead_row(lead)
            if lead.lead_id in known:
                table.edit(known[lead.lead_id], {name: cell for name, cell in row.items() if name != "Scoring Status"})
            else:
                known[lead.lead_id] = table.add(row)
        self.house.store(client_id).refresh()
        return Changes()

    def exclude(self, client_id: ClientId, lead_id: LeadId, excluded: bool) -> None:
        self.store(client_id).exclude(lead_id, excluded)

    def _rows(self, client_id: ClientId) -> dict[LeadId, str]:
        rows = self.house.leads(client_id).by_id
        return {lead_id_of_url(row["LinkedIn Profile URL"]): record_id for record_id, row in rows.items()}


def _placed(lead: Lead) -> bool:
    try:
        return lead_id_of_url(lead.profile_url) == lead.lead_id
    except BadInput:
        return False


class MovingClock(Clock):
    """A second later each time, for whoever looks."""

    def today(self) -> datetime:
        self.sleep(1)
        return super().today()


@contextmanager
def tenants(url: str) -> Iterator[Tenants]:
    """With two clients, acme and bolt, under a clock that moves with every look."""
    clock = MovingClock()
    database = Database(url)
    with tenancy(url, clock) as house:
        clients = Tenants(database, clock.today)
        clients.house = house
        yield clients
        clients.close()
    database.close()
