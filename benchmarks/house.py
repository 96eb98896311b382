"""A made-up operator for benchmarks and stories: clients with leads, a rubric, a scripted scorer."""

from collections.abc import Iterator
from dataclasses import dataclass

from tallybook import migrations
from tallybook.database import Database
from tallybook.domain.client import Client
from tallybook.domain.lead import Lead
from tallybook.domain.ports import Operation, Scorer
from tallybook.domain.rubric import Attribute, Category, Rubric
from tallybook.domain.run import OperationName
from tallybook.ledger.ledger import Ledger
from tallybook.operations.lead_scoring import LeadScoring
from tallybook.operations.post_scoring import PostScoring
from tallybook.stores.sql import SqlClients

RUBRIC = Rubric(
    attributes=(
        Attribute("seniority", "Decides on purchases", Category.POSITIVE, 40, phrases=("director", "head of", "owner")),
        Attribute("fit", "Works in a fitting trade", Category.POSITIVE, 60, phrases=("logistics", "law", "clinic")),
        Attribute("vendor", "Sells the same thing", Category.NEGATIVE, 30, phrases=("reseller", "agency")),
    ),
    post_attributes=(Attribute("topic", "Writes on topic", Category.POSITIVE, 10, phrases=("hiring", "growth")),),
)


@dataclass(frozen=True)
class House:
    """The books and the store on one database."""

    ledger: Ledger
    clients: SqlClients

    @property
    def database(self) -> Database:
        return self.ledger.database

    def operations(self, scorer: Scorer) -> dict[OperationName, Operation]:
        return {OperationName.LEAD_SCORING: LeadScoring(scorer), OperationName.POST_SCORING: PostScoring(scorer)}

    def close(self) -> None:
        self.clients.close()
        self.ledger.close()


def open_house(url: str) -> House:
    """The house on *url*; its tables are made when they are missing."""
    database = Database(url)
    migrations.ensure(database)
    return House(Ledger(database), SqlClients(database))


def client_ids(clients: int) -> list[str]:
    return [f"client-{number:04}" for number in range(clients)]


def furnish(house: House, clients: int, leads: int, *, stream: int = 1, thin_every: int = 0) -> None:
    """*clients* clients of *stream* with *leads* leads each; one lead in *thin_every* has nothing to judge."""
    ids = client_ids(clients)
    house.clients.put_clients([Client(each, each.title(), stream=stream) for each in ids])
    for client_id in ids:
        store = house.clients.store(client_id)
        store.put_rubric(RUBRIC)
        store.put_leads(list(made_up_leads(leads, thin_every, stream)))


def made_up_leads(count: int, thin_every: int = 0, town: int = 1) -> Iterator[Lead]:
    """Leads of realistic length, the same every time."""
    about = "Runs logistics for a growing firm and writes about hiring, growth and what went wrong. " * 4
    for number in range(count):
        thin = thin_every and number % thin_every == 0
        yield Lead(
            lead_id=f"people.test/in/person-{town}-{number:06}",
            profile_url=f"https://people.test/in/person-{town}-{number:06}",
            full_name=f"Person {number}",
            headline="" if thin else f"Head of logistics, site {number % 97}",
            about="" if thin else about,
        )
