"""Work that is done outside: started, waited for without a thread, looked after, collected."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from benchmarks.house import House
from tallybook.domain.errors import ProviderError, ProviderStop, StoreUnavailable
from tallybook.domain.external import ExternalRun, Look
from tallybook.domain.outcome import FailReason
from tallybook.domain.run import Blocked, Stop
from tallybook.domain.tally import Money
from tallybook.engine import outside, trigger
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.ledger import external as reads
from tallybook.ledger import read
from tallybook.ledger.write import external
from tallybook.ledger.write.external import take_due
from tallybook.scorers.scripted import ScriptedScorer
from tests.engine.by_hand import LIMITS, OVER, SOON, UNDER_WAY, ByHand, asked_to_harvest, harvest, harvesting, waiting
from tests.stories.acting import (
    LEAD_SCORING,
    POST_HARVESTING,
    TroubledClients,
    asked,
    at_work,
    books,
    ended,
    furnished,
    kinds,
    started,
    texts,
    until,
)


def test_a_result_is_found_without_anybody_telling(house: House) -> None:
    harvester = ByHand()

    def end(_engine: Engine, run_id: str) -> None:
        assert books(house, run_id).clients[0].blocked_reason == "waiting for byhand run x1"
        harvester.looks["x1"] = OVER

    run = harvest(house, harvester, end)
    assert (run.status, run.tally.harvested, run.tally.posts, run.tally.calls) == ("completed", 3, 6, 1)
    assert str(run.tally.cost) == "0.5"
    assert all(len(lead.lead.posts) == 2 for lead in house.clients.leads("acme"))


def test_a_batch_is_an_external_run_of_its_own_and_what_one_had_is_not_started_again(house: House) -> None:
    harvester = ByHand()

    def end(engine: Engine, run_id: str) -> None:
        waiting(house, run_id, harvester, runs=2)
        harvester.looks["x1"] = OVER
        until(lambda: read.run(house.database, run_id).tally.harvested == 2)
        trigger.stop(house.ledger, run_id, Stop.PAUSE, "by Ada")
        trigger.resume(house.ledger, run_id)
        engine.nudge()
        waiting(house, run_id, harvester, runs=2)
        harvester.looks["x2"] = OVER

    run = harvest(house, harvester, end, batch=2)
    assert (run.tally.harvested, len(harvester.started)) == (3, 2)


def test_a_client_that_waits_holds_no_slot(house: House) -> None:
    """Five clients, one at a time: all of them wait at once, and a sixth is worked on meanwhile."""
    furnished(house, *"bcdef", leads=1, level=2)
    harvester = ByHand()
    limits = Limits(concurrency=1, calls_at_once=1, look_outside_every=SOON)
    with at_work(house, operations=harvesting(harvester), limits=limits) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        until(lambda: len(harvester.started) == 6, "six starts")
        for external_id, _ in harvester.started:
            harvester.looks[external_id] = OVER
        assert ended(house, run_id).tally.harvested == 8


def test_cancel_aborts_the_external_run_and_books_what_it_cost(house: House) -> None:
    """F40"""
    harvester = ByHand(posts=0)

    def cancel(_engine: Engine, run_id: str) -> None:
        trigger.stop(house.ledger, run_id, Stop.CANCEL, "by Ada")
        until(lambda: str(read.run(house.database, run_id).tally.cost) == "0.1", "the cost")

    run = harvest(house, harvester, cancel)
    assert (run.status, harvester.aborted) == ("canceled", ["x1"])
    assert list(kinds(house, run.run_id).values()) == ["failed(unavailable)"] * 3


def test_an_external_run_that_takes_too_long_is_ended(house: House) -> None:
    harvester = ByHand(posts=0)
    run = harvest(house, harvester, lambda *_: None, run_timeout=timedelta(0))
    assert harvester.aborted == ["x1"]
    assert (run.status, run.tally.failed) == ("failed", 3)


def test_a_provider_that_cannot_be_asked_is_asked_again(house: House) -> None:
    harvester = ByHand()

    def trouble(_engine: Engine, _run_id: str) -> None:
        harvester.looks["x1"] = ProviderError("no answer", reason=FailReason.UNAVAILABLE)
        time.sleep(0.3)
        harvester.looks["x1"] = OVER

    assert harvest(house, harvester, trouble).tally.harvested == 3


def test_one_that_cannot_be_asked_about_for_an_hour_is_lost_and_its_leads_have_failed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F29"""
    monkeypatch.setattr(external, "OVERDUE_FOR", timedelta(0))
    monkeypatch.setattr(outside, "TIME_TO_ASK", timedelta(0))
    harvester = ByHand()

    def trouble(_engine: Engine, _run_id: str) -> None:
        harvester.looks["x1"] = ProviderError("no answer", reason=FailReason.UNAVAILABLE)

    run = harvest(house, harvester, trouble, run_timeout=timedelta(0))
    assert set(kinds(house, run.run_id).values()) == {"failed(unavailable)"}
    assert (run.status, run.tally.unmeasured) == ("failed", 1)


def test_a_start_that_was_refused_fails_its_leads_and_one_that_is_pointless_pauses_the_run(house: House) -> None:
    """F29"""
    harvester = ByHand(refuses=ProviderError("slow down", reason=FailReason.QUOTA, refused=True))
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        run = ended(house, started(house, asked_to_harvest(), engine))
        assert set(kinds(house, run.run_id).values()) == {"failed(quota)"}
        harvester.refuses = ProviderStop("who are you?", reason=FailReason.AUTH, blocked_reason=Blocked.AUTH)
        run_id = started(house, asked_to_harvest(), engine)
        until(lambda: read.run(house.database, run_id).status == "paused", "the pause")
        assert books(house, run_id).tally.pending == 3


def test_leads_of_a_start_whose_answer_was_lost_fail_when_nothing_is_heard_of_it(house: House) -> None:
    """F29"""
    harvester = ByHand(refuses=ProviderError("the line broke", reason=FailReason.UNAVAILABLE))
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        run = ended(house, started(house, asked_to_harvest(), engine))
    assert list(kinds(house, run.run_id).values()) == ["failed(unavailable)"] * 3
    assert (run.tally.calls, run.tally.unmeasured) == (1, 1)


@pytest.mark.parametrize("heard_of", [True, False])
def test_a_start_whose_process_died_is_not_made_again(
    house: House, heard_of: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F30: it may have been made. It calls back, or its leads have failed and are left alone for a day."""
    monkeypatch.setattr(external, "LOOKED_AT_FOR", SOON)
    harvester = ByHand()
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
    ((_, tag),) = harvester.started
    now, leads = house.ledger.clock(), tuple(each.lead.lead_id for each in house.clients.leads("acme"))
    made = ExternalRun(
        "byhand", "x1", run_id, "acme", POST_HARVESTING, tag.call_id, now + timedelta(hours=1), leads=leads
    )
    house.ledger.do(lambda tx: tx.execute("DELETE FROM @external_runs"))
    house.ledger.do(external.start, made.unborn, now)
    harvester.looks["x1"] = OVER
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        if heard_of:
            house.ledger.do(external.start, replace(made, leads=None), now)
        run = ended(house, run_id)
        again = ended(house, started(house, asked_to_harvest(), engine))
    expected = "harvested" if heard_of else "failed(unavailable)"
    assert set(kinds(house, run_id).values()) == {expected}
    assert (len(harvester.started), run.tally.calls, again.tally.found) == (1, 1, 0)


def test_a_resurrected_run_adds_its_posts_and_its_cost(house: House) -> None:
    """F31"""
    harvester = ByHand()

    def end(engine: Engine, run_id: str) -> None:
        harvester.looks["x1"] = OVER
        ended(house, run_id)
        house.ledger.do(external.look_now, "byhand", "x1")
        until(lambda: not reads.any_due(house.database, house.ledger.clock() + timedelta(days=1)), "no news")
        assert books(house, run_id).tally.calls == 1
        harvester.posts, harvester.looks["x1"] = 3, UNDER_WAY
        house.ledger.do(external.look_now, "byhand", "x1")
        until(lambda: texts(house, run_id, "resurrected"), "the second attempt")
        later = OVER.ended_at and OVER.ended_at + timedelta(hours=1)
        harvester.looks["x1"] = Look(over=True, result="succeeded", cost=Money.usd("0.75"), ended_at=later)
        until(lambda: str(read.run(house.database, run_id).tally.cost) == "0.75", "the second bill")
        engine.nudge()

    run = harvest(house, harvester, end)
    assert (run.status, run.tally.harvested, run.tally.posts, run.tally.calls) == ("completed", 3, 6, 2)
    until(lambda: all(len(lead.lead.posts) == 3 for lead in house.clients.leads("acme")), "the third post")


def test_posts_of_strangers_are_noted_and_belong_to_nobody(house: House) -> None:
    harvester = ByHand(strangers=2)

    def end(_engine: Engine, _run_id: str) -> None:
        harvester.looks["x1"] = OVER

    run = harvest(house, harvester, end)
    noted = "byhand run x1 found something for 2 profiles that are no leads of the client"
    assert texts(house, run.run_id, "strangers") == [noted]


def test_what_was_not_understood_of_an_answer_is_noted(house: House) -> None:
    """F29"""
    harvester = ByHand(odd=("headline", "mood"))

    def end(_engine: Engine, _run_id: str) -> None:
        harvester.looks["x1"] = OVER

    run = harvest(house, harvester, end)
    (noted,) = texts(house, run.run_id, "unread")
    assert noted.startswith("byhand run x1: ")
    assert "headline, mood" in noted


def test_a_store_that_is_away_is_waited_for(house: House) -> None:
    harvester = ByHand()
    away = [True]

    def trouble(what: str) -> None:
        if what == "save" and away[0]:
            raise StoreUnavailable("the store is away")

    clients = TroubledClients(house.clients, trouble)
    with at_work(house, operations=harvesting(harvester), clients=clients, limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        outside_again = outside.STORE_AGAIN_AFTER
        try:
            outside.STORE_AGAIN_AFTER = SOON
            harvester.looks["x1"] = OVER
            until(lambda: read.run(house.database, run_id).tally.harvested == 3, "the outcomes")
            away[0] = False
            assert ended(house, run_id).status == "completed"
        finally:
            outside.STORE_AGAIN_AFTER = outside_again


@pytest.mark.parametrize("others", ["nothing", "another operation", "another provider"])
def test_a_process_leaves_external_runs_alone_that_it_cannot_ask_for(house: House, others: str) -> None:
    harvester, stranger = ByHand(), ByHand()
    stranger.source = "elsewhere"
    does = {
        "nothing": {},
        "another operation": {LEAD_SCORING: harvesting(harvester)[POST_HARVESTING]},
        "another provider": harvesting(stranger),
    }[others]
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
    harvester.looks["x1"] = OVER
    looks = _looks(house)
    with at_work(house, operations=does, limits=LIMITS):
        time.sleep(0.4)
        assert books(house, run_id).clients[0].blocked_reason == "waiting for byhand run x1"
    assert _looks(house) == looks
    with at_work(house, operations=harvesting(harvester), limits=LIMITS):
        assert ended(house, run_id).tally.harvested == 3


def test_what_breaks_while_a_result_is_taken_is_logged_and_tried_again(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external, "LOOKED_AT_FOR", SOON)
    harvester = ByHand()

    def trouble(_engine: Engine, _run_id: str) -> None:
        harvester.looks["x1"] = RuntimeError("a mistake")
        until(lambda: "could not be looked after" in caplog.text, "the line in the log")
        harvester.looks["x1"] = OVER

    assert harvest(house, harvester, trouble).status == "completed"


def _looks(house: House) -> int:
    with house.database.reading() as connection:
        return int(connection.exec_driver_sql("SELECT MAX(looks) FROM external_runs").scalar_one())


def test_a_result_that_takes_long_is_taken_once_at_a_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has it in hand says so, again and again; no other process gets it."""
    monkeypatch.setattr(external, "LOOKED_AT_FOR", timedelta(seconds=0.4))
    monkeypatch.setattr(outside, "HELD_AGAIN_AFTER_S", 0.1)
    harvester = ByHand(slow_s=1.2)
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        until(lambda: harvester.looking, "the look")
        harvester.looks["x1"] = OVER
        while harvester.looking:
            assert house.ledger.do(take_due, 8) == []
            time.sleep(0.05)
        assert ended(house, run_id).tally.harvested == 3
    assert harvester.most_at_once == 1


# -- told to stop ------------------------------------------------------------------------------------------------------


def test_calls_in_flight_are_waited_for_when_a_process_is_told_to_stop(house: House) -> None:
    slow = house.operations(ScriptedScorer(latency_ms=400))
    engine = Engine(house.ledger, house.clients, slow, Limits(chunk_size=1, calls_at_once=1))
    run_id = started(house, asked(operations=(LEAD_SCORING,)), engine)
    until(engine._runner._calls.calls.locked, "a call that was let through")
    engine.close(grace_s=10)
    run = books(house, run_id)
    assert (run.status, run.clients[0].status) == ("running", "queued")
    assert (run.unsettled, run.tally.unmeasured) == (0, 0)
    assert 0 < run.tally.scored < 3
