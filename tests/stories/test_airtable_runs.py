"""Whole runs over clients and leads that are kept in Airtable: what stands there in the end is what the books say."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from benchmarks.house import House
from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.lanes import LanesInProcess
from tallybook.airtable.pacing import Pace
from tallybook.airtable.seen import OperatorBase
from tallybook.domain.lead import lead_id_of_url
from tallybook.domain.outcome import LeadId
from tallybook.domain.run import OperationName, Run
from tallybook.engine import patience
from tallybook.ledger.tables import outcomes
from tallybook.scorers.keywords import KeywordScorer
from tallybook.stores.airtable_clients import AirtableClients
from tallybook.testing.airtable_demo import add_demo, base_id_of
from tallybook.testing.airtable_faults import AirtableFault
from tallybook.testing.airtable_owner import OpenBase, OpenTable
from tallybook.testing.airtable_server import AirtableServer
from tests.airtable.premises import Clock
from tests.stories.acting import LEAD_SCORING, POST_SCORING, asked, at_work, done, ended, started, texts, unsaved

SCORINGS = (LEAD_SCORING, POST_SCORING)


@dataclass(frozen=True)
class Demo:
    """The demo's clients, imported from the look-alike. Nobody waits for Airtable's pace."""

    house: House
    server: AirtableServer
    operator: OpenBase
    clients: AirtableClients

    def leads(self, client_id: str) -> OpenTable:
        return self.server.base(base_id_of(client_id)).table("Leads")

    def run(self, *clients: str, **facts: Any) -> Run:
        return done(self.house, asked(*clients, operations=SCORINGS), KeywordScorer(), clients=self.clients, **facts)

    def scores(self, run_id: str, client_id: str, operation: OperationName) -> Mapping[LeadId, float]:
        """By the books."""
        where = (outcomes.c.run_id == run_id, outcomes.c.client_id == client_id, outcomes.c.operation == operation)
        with self.house.database.reading() as connection:
            rows = connection.execute(sa.select(outcomes.c.lead_id, outcomes.c.score).where(*where))
            return {lead_id: score for lead_id, score in rows if score is not None}

    def told(self, client_id: str, column: str) -> Mapping[LeadId, float]:
        """By Airtable."""
        rows = self.leads(client_id).rows
        return {lead_id_of_url(row["LinkedIn Profile URL"]): row[column] for row in rows if column in row}


@pytest.fixture
def demo(sqlite_house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    """A store that does not answer is asked again at once."""
    monkeypatch.setattr(patience, "AGAIN_AFTER_S", (0.0, 0.0, 0.0))
    with opened(sqlite_house) as found:
        yield found


@pytest.fixture
def any_demo(house: House) -> Iterator[Demo]:
    """On both databases."""
    with opened(house) as found:
        yield found


@contextmanager
def opened(house: House) -> Iterator[Demo]:
    clock = Clock()
    with AirtableServer() as server:
        operator = add_demo(server)
        pace = Pace(LanesInProcess(clock.now), "any", sleep=clock.sleep, today=clock.today)
        door = AirtableDoor("any", server.url, pace, sleep=clock.sleep)
        clients = AirtableClients(house.clients, door, OperatorBase(operator.id))
        clients.import_all()
        server.log.clear()
        yield Demo(house, server, operator, clients)


def test_the_scores_in_airtable_are_those_of_the_books(any_demo: Demo) -> None:
    demo = any_demo
    before = {each.name: each.table("Leads").rows for each in demo.server.bases if each.id != demo.operator.id}
    run = demo.run()
    assert len(run.clients) == 3
    assert unsaved(demo.house) == 0
    for client in run.clients:
        for operation, column in ((LEAD_SCORING, "AI Score"), (POST_SCORING, "Posts Relevance Score")):
            scores = demo.scores(run.run_id, client.client_id, operation)
            assert scores or operation is POST_SCORING
            assert demo.told(client.client_id, column) == scores
        by_status = demo.leads(client.client_id).where("Scoring Status", "Scored")
        assert len(by_status) == client.operations[0].tally.scored
    ours = {"Scoring Status", "Posts Content"}
    for name, rows in before.items():
        for old, new in zip(rows, demo.server.base(name).table("Leads").rows, strict=True):
            assert {key: new[key] for key in old if key not in ours} == {
                key: old[key] for key in old if key not in ours
            }


def test_a_second_run_finds_nothing_and_a_changed_base_is_heeded(demo: Demo) -> None:
    demo.run()
    acme = demo.leads("acme-law")
    again = demo.run()
    assert again.tally.scored == 0
    scored = acme.where("Scoring Status", "Scored")
    acme.edit(scored[0], {"Scoring Status": "To Be Scored"})
    acme.edit(scored[1], {"Scoring Status": "Excluded"})
    (third,) = demo.operator.table("Clients").where("Client ID", "north-harbor-it")
    demo.operator.table("Clients").edit(third, {"Status": "Paused"})
    run = demo.run()
    assert [each.client_id for each in run.clients] == ["acme-law", "brightside-coaching"]
    assert run.clients[0].operations[0].tally.scored == 1
    assert acme.row(scored[0])["Scoring Status"] == "Scored"
    assert acme.row(scored[1])["Scoring Status"] == "Excluded"


def test_a_run_asks_no_more_than_it_must(demo: Demo) -> None:
    """Clients once; leads a hundred to a call, and ten to a call to write."""
    run = demo.run("acme-law")
    assert demo.server.log.by_kind(demo.operator.id) == {"list": 1}
    kinds = demo.server.log.by_kind(base_id_of("acme-law"))
    pages = -(-len(demo.leads("acme-law")) // 100)
    tallies = [each.tally for each in run.clients[0].operations]
    written = sum(-(-(each.scored + each.skipped) // 10) for each in tallies)
    assert kinds["schema"] == 1
    assert kinds["list"] <= pages + 1 + 2, "the leads, the rubric, and once more where nothing was found"
    assert kinds["update"] <= written + len(tallies)


@pytest.mark.parametrize("fault", [AirtableFault.SERVER_ERROR, AirtableFault.LOST_ANSWER, AirtableFault.RESET])
def test_what_airtable_could_not_be_told_is_told_by_the_next_run(demo: Demo, fault: AirtableFault) -> None:
    demo.server.faults.rule(fault, when=lambda asked: asked.what == "update", times=8)
    first = demo.run("acme-law")
    assert texts(demo.house, first.run_id, "store_error")
    assert unsaved(demo.house) > 0
    demo.run("acme-law")
    assert unsaved(demo.house) == 0
    assert demo.told("acme-law", "AI Score") == demo.scores(first.run_id, "acme-law", LEAD_SCORING)


def test_leads_deleted_while_a_run_goes_on_do_not_hold_it_up(demo: Demo) -> None:
    acme = demo.leads("acme-law")
    gone = acme.ids[:5]

    def first_write(asked: Any) -> bool:
        if asked.what == "update" and gone[0] in acme.ids:
            acme.delete(*gone)
        return False

    demo.server.faults.rule(AirtableFault.BAD_ROW, when=first_write)
    with at_work(demo.house, KeywordScorer(), clients=demo.clients) as engine:
        run = ended(demo.house, started(demo.house, asked("acme-law"), engine))
    assert unsaved(demo.house) == 0
    assert not texts(demo.house, run.run_id, "store_error")
    assert len(demo.house.clients.leads("acme-law")) == len(acme)


def test_posts_stand_in_airtable_as_they_were_read(demo: Demo) -> None:
    acme = demo.leads("acme-law")
    before = {each: json.loads(row["Posts Content"]) for each, row in acme.by_id.items() if "Posts Content" in row}
    demo.run("acme-law")
    assert before
    after = {each: json.loads(row["Posts Content"]) for each, row in acme.by_id.items() if "Posts Content" in row}
    assert after == before
