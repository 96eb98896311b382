"""Whose posts are harvested, how many, how often; and what follows on a harvest."""

import pytest

from benchmarks.house import House
from tallybook.domain.client import Client
from tallybook.domain.lead import Lead
from tallybook.engine.engine import Engine
from tallybook.ledger import read
from tallybook.scorers.scripted import ScriptedScorer
from tests.engine.by_hand import LIMITS, OVER, ByHand, asked_to_harvest, harvest, harvesting, waiting
from tests.stories.acting import (
    POST_HARVESTING,
    POST_SCORING,
    asked,
    at_work,
    ended,
    furnished,
    kinds,
    started,
)


@pytest.fixture
def house(sqlite_house: House) -> House:
    furnished(sqlite_house, "acme", leads=3, level=2)
    return sqlite_house


# -- whom, and how many ------------------------------------------------------------------------------------------------


def test_leads_are_looked_at_again_after_so_many_days_and_not_before(house: House) -> None:
    harvester = ByHand()

    def end(_engine: Engine, _run_id: str) -> None:
        for external_id, _ in harvester.started:
            harvester.looks[external_id] = OVER

    assert harvest(house, harvester, end).tally.found == 3
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        again = ended(house, started(house, asked_to_harvest(), engine))
    assert (again.status, again.finish_reason, again.tally.found) == ("completed", "no_work", 0)


def test_a_clients_daily_target_bounds_what_all_runs_of_a_day_take(house: House) -> None:
    house.clients.put_clients([Client("acme", "Acme", service_level=2, daily_target=2, timezone="Europe/Lisbon")])
    harvester = ByHand()

    def end(_engine: Engine, _run_id: str) -> None:
        harvester.looks["x1"] = OVER

    assert harvest(house, harvester, end).tally.found == 2
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        again = ended(house, started(house, asked_to_harvest(), engine))
    (operation,) = again.clients[0].operations
    assert (operation.status, operation.finish_reason, again.tally.found) == ("completed", "daily_target_reached", 0)


def test_post_scoring_waits_for_the_harvest_and_finds_its_posts(house: House) -> None:
    harvester = ByHand()
    operations = {**house.operations(ScriptedScorer()), **harvesting(harvester)}
    with at_work(house, operations=operations, limits=LIMITS) as engine:
        run_id = started(house, asked(operations=(POST_HARVESTING, POST_SCORING)), engine)
        waiting(house, run_id, harvester)
        assert [each.operation for each in read.run(house.database, run_id).clients[0].operations] == [POST_HARVESTING]
        harvester.looks["x1"] = OVER
        run = ended(house, run_id)
    harvest_run, scoring = run.clients[0].operations
    assert (harvest_run.tally.harvested, scoring.tally.found) == (3, 3)


def test_leads_that_are_gone_when_the_result_comes_are_skipped(house: House) -> None:
    harvester = ByHand()

    def end(_engine: Engine, _run_id: str) -> None:
        first = house.clients.leads("acme")[0].lead
        assert isinstance(first, Lead)
        with house.database.writing() as tx:
            tx.execute("DELETE FROM @posts WHERE lead_id = ?", (first.lead_id,))
            tx.execute("DELETE FROM @leads WHERE lead_id = ?", (first.lead_id,))
        harvester.looks["x1"] = OVER

    run = harvest(house, harvester, end)
    assert sorted(kinds(house, run.run_id).values()) == ["harvested", "harvested", "skipped(lead_gone)"]
