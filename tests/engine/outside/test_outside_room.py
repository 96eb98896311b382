"""How much is under way outside at once: as the settings, the provider and the budgets have it."""

from functools import partial

import pytest

from benchmarks.house import House
from tallybook.domain.budget import Budgets, Ceiling
from tallybook.domain.errors import NoRoom
from tallybook.domain.external import Look
from tallybook.domain.tally import Money
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.operations import post_harvesting
from tests.engine.by_hand import LIMITS, OVER, SOON, ByHand, asked_to_harvest, blocked, harvest, harvesting, waiting
from tests.stories.acting import POST_HARVESTING, asked, at_work, books, ended, furnished, started, until


def test_no_more_are_under_way_at_once_than_is_said(house: House) -> None:
    harvester = ByHand()

    def end(_engine: Engine, _run_id: str) -> None:
        until(lambda: len(harvester.started) == 2, "two starts")
        assert harvester.under_way == 2
        harvester.looks.update(x1=OVER, x2=OVER)
        until(lambda: len(harvester.started) == 3, "the third")
        harvester.looks["x3"] = OVER

    assert harvest(house, harvester, end, batch=1, runs_at_once=2).tally.harvested == 3


def test_where_the_provider_has_no_room_the_rest_waits_for_those_under_way(house: House) -> None:
    harvester = ByHand(full_at=1)

    def end(_engine: Engine, _run_id: str) -> None:
        for number in (1, 2, 3):
            until(partial(harvester.has_started, number), f"start {number}")
            harvester.looks[f"x{number}"] = OVER

    run = harvest(house, harvester, end, batch=1)
    assert (run.status, run.tally.harvested, run.tally.failed) == ("completed", 3, 0)


def test_where_there_is_no_room_and_nothing_under_way_the_client_pauses_for_a_moment(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_harvesting, "AGAIN_AFTER", SOON)
    harvester = ByHand(refuses=NoRoom("the account has no memory left"))
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        blocked(house, run_id, "provider_quota")
        harvester.refuses = None
        until(lambda: harvester.started, "the start")
        harvester.looks["x1"] = OVER
        assert ended(house, run_id).tally.harvested == 3


def test_a_budget_holds_for_what_is_done_outside(house: House) -> None:
    """By what is set aside first, by the bills then: 0.5 for one lead, of 0.8 in all."""
    harvester = ByHand()
    budgets = Budgets(day=Ceiling(cost=Money.usd("0.8")))
    limits = Limits(look_outside_every=SOON, budgets=budgets)
    pace = {"batch": 1, "cost_of_a_lead": Money.usd("0.7")}
    with at_work(house, operations=harvesting(harvester, **pace), limits=limits) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        assert len(harvester.started) == 1
        harvester.looks["x1"] = OVER
        blocked(house, run_id, "budget_exhausted")
    assert (len(harvester.started), books(house, run_id).tally.harvested) == (1, 1)


@pytest.mark.parametrize("in_flight_s", [120.0, 0.01])
def test_money_set_aside_for_what_is_under_way_is_waited_for_however_long_that_takes(
    house: House, monkeypatch: pytest.MonkeyPatch, in_flight_s: float
) -> None:
    """Of a run's budget, with two clients: what one has set aside the other may have when it was not used. The whole
    run would pause for want of money that is about to be free.
    """
    monkeypatch.setattr(post_harvesting, "AGAIN_AFTER", SOON)
    furnished(house, "beta", "core", leads=1, level=2)
    harvester = ByHand()
    budgets = Budgets(run=Ceiling(cost=Money.usd("1")), in_flight_s=in_flight_s)
    limits = Limits(look_outside_every=SOON, budgets=budgets)
    with at_work(house, operations=harvesting(harvester, cost_of_a_lead=Money.usd("0.6")), limits=limits) as engine:
        run_id = started(house, asked("beta", "core", operations=(POST_HARVESTING,)), engine)
        until(lambda: harvester.started, "the start for one of them")
        blocked(house, run_id, "provider_quota")
        harvester.looks["x1"] = Look(over=True, result="succeeded", cost=Money.usd("0.01"), ended_at=OVER.ended_at)
        until(lambda: len(harvester.started) == 2, "the start for the other")
        harvester.looks["x2"] = OVER
        assert ended(house, run_id).tally.harvested == 2


def test_what_a_budget_has_room_for_is_fetched_though_it_is_not_a_whole_batch(house: House) -> None:
    harvester = ByHand()
    limits = Limits(look_outside_every=SOON, budgets=Budgets(day=Ceiling(cost=Money.usd("0.5"))))
    with at_work(house, operations=harvesting(harvester, cost_of_a_lead=Money.usd("0.2")), limits=limits) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        assert len(harvester.profiles["x1"]) == 2
        harvester.looks["x1"] = OVER
        blocked(house, run_id, "budget_exhausted")
    assert books(house, run_id).tally.harvested == 2
