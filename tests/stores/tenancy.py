"""An operator whose clients and leads are in Airtable: look-alike, door, local tables. All go by one clock."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.lanes import LanesInProcess
from tallybook.airtable.pacing import Pace
from tallybook.airtable.seen import OperatorBase
from tallybook.database import Database
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import LeadId, Outcome
from tallybook.domain.run import OperationName
from tallybook.stores.airtable_clients import AirtableClients
from tallybook.stores.airtable_store import AirtableStore
from tallybook.stores.rows import StoredLead
from tallybook.stores.sql import SqlClients
from tallybook.testing.airtable_demo import add_client, add_operator, lead_row
from tallybook.testing.airtable_owner import OpenBase, OpenTable
from tallybook.testing.airtable_server import AirtableServer
from tests.airtable.premises import TOKEN, Clock

LEAD_SCORING, POST_HARVESTING, POST_SCORING = OperationName
ACME, BOLT = "acme", "bolt"
BASES = {ACME: "appAcme0000000000", BOLT: "appBolt0000000000"}


def client_row(client_id: str, base_id: str | None, **more: object) -> dict[str, Any]:
    told = {
        "Client ID": client_id,
        "Client Name": client_id.title(),
        "Status": "Active",
        "Airtable Base ID": base_id,
        "Service Level": "2-Lead Scoring + Post Scoring",
        "Processing Stream": 1,
    }
    return {name: value for name, value in {**told, **more}.items() if value is not None}


@dataclass
class Tenancy:
    clock: Clock
    server: AirtableServer
    operator: OpenBase
    door: AirtableDoor
    local: SqlClients
    clients: AirtableClients

    @property
    def table(self) -> OpenTable:
        """Of clients."""
        return self.operator.table("Clients")

    def leads(self, client_id: str = ACME) -> OpenTable:
        return self.server.base(BASES[client_id]).table("Leads")

    def attributes(self, client_id: str = ACME) -> OpenTable:
        return self.server.base(BASES[client_id]).table("Scoring Attributes")

    def store(self, client_id: str = ACME) -> AirtableStore:
        found = self.clients.store(client_id)
        assert isinstance(found, AirtableStore)
        return found

    def add(self, *leads: Lead, **cells: object) -> list[str]:
        """Rows of acme; gives their ids."""
        return self.leads().add_many({**lead_row(lead), **cells} for lead in leads)

    def ids(self, operation: OperationName = LEAD_SCORING, store: AirtableStore | None = None) -> Sequence[LeadId]:
        return [each.lead_id for each in (store or self.store()).candidates(operation, None, 1_000)]

    def saved(self, *outcomes: Outcome, operation: OperationName = LEAD_SCORING) -> None:
        self.store().save(operation, outcomes)

    def row_of(self, lead_id: LeadId) -> dict[str, Any]:
        """Of a lead of `embedded.lead`."""
        (record_id,) = self.leads().where("LinkedIn Profile URL", f"https://{lead_id}")
        return self.leads().row(record_id)

    def copy_of(self, lead_id: LeadId) -> StoredLead:
        return self.local.lead(ACME, lead_id)

    def notice(self, client_id: str = ACME) -> str:
        asked = "SELECT notice FROM @airtable_bases WHERE client_id = ?"
        with self.local.connections.reading() as tx:
            row = tx.row(asked, (client_id,))
        return (row[0] or "") if row else ""

    def minutes_pass(self, minutes: float = 2) -> None:
        self.clock.sleep(timedelta(minutes=minutes).total_seconds())

    def calls(self, client_id: str = ACME) -> dict[str, int]:
        return dict(self.server.log.by_kind(BASES[client_id]))


@contextmanager
def tenancy(url: str, clock: Clock | None = None) -> Iterator[Tenancy]:
    """acme and bolt, imported; their bases have no lead yet, and nobody has counted the calls so far."""
    clock = clock or Clock()
    database = Database(url)
    local = SqlClients(database, clock.today)
    with AirtableServer(token=TOKEN, now=clock.today, slow_s=0.2) as server:
        pace = Pace(LanesInProcess(clock.now), TOKEN, sleep=clock.sleep, today=clock.today, drawn=lambda: 0.5)
        door = AirtableDoor(TOKEN, server.url, pace, sleep=clock.sleep)
        operator = add_operator(server)
        clients = AirtableClients(local, door, OperatorBase(operator.id))
        for client_id, base_id in BASES.items():
            operator.table("Clients").add(client_row(client_id, base_id))
            add_client(server, client_id.title(), base_id)
        clients.import_all()
        server.log.clear()
        yield Tenancy(clock, server, operator, door, local, clients)
    local.close()
    database.close()
