"""Work that is done outside when something goes wrong: nothing waits for ever, nothing is paid for twice."""

import threading
from concurrent.futures import Future
from datetime import timedelta

import pytest

from benchmarks.house import House
from tallybook.domain.errors import LedgerUnavailable, NotFound, ProviderError, StoreUnavailable
from tallybook.domain.outcome import FailReason
from tallybook.engine import outside, watch
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.ledger import external as reads
from tallybook.ledger.write import external
from tests.engine.by_hand import (
    LIMITS,
    OVER,
    SOON,
    ByHand,
    asked_to_harvest,
    harvest,
    harvesting,
    leaving,
    waiting,
)
from tests.stories.acting import TroubledClients, at_work, ended, kinds, started, until

NO_ANSWER = ProviderError("no answer", reason=FailReason.UNAVAILABLE)


@pytest.fixture
def overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is past its time is so for long."""
    monkeypatch.setattr(external, "OVERDUE_FOR", timedelta(0))
    monkeypatch.setattr(outside, "TIME_TO_ASK", timedelta(0))


@pytest.mark.usefixtures("overdue")
def test_a_result_that_cannot_be_taken_is_lost_when_its_time_is_long_past(house: House) -> None:
    """F29, F02"""
    harvester = ByHand()

    def trouble(_engine: Engine, _run_id: str) -> None:
        harvester.looks["x1"] = RuntimeError("an odd answer")

    run = harvest(house, harvester, trouble, run_timeout=timedelta(0))
    assert (run.status, set(kinds(house, run.run_id).values())) == ("failed", {"failed(unknown)"})


@pytest.mark.usefixtures("overdue")
def test_one_that_does_not_end_though_it_was_told_to_is_lost(house: House) -> None:
    """F40"""
    harvester = ByHand(deaf=True)
    run = harvest(house, harvester, lambda *_: None, run_timeout=timedelta(seconds=1))
    assert (run.status, set(kinds(house, run.run_id).values())) == ("failed", {"failed(timeout)"})


def test_one_that_does_not_end_is_told_so_now_and_then_only(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    harvester = ByHand(deaf=True)
    monkeypatch.setattr(outside, "GIVEN_UP_SOON", SOON)
    limits = Limits(look_outside_every=timedelta(seconds=2))
    with at_work(house, operations=harvesting(harvester, run_timeout=timedelta(0)), limits=limits) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        house.ledger.do(external.look_now, "byhand", "x1")
        until(lambda: len(harvester.aborted) == 2, "the second word")
        until(lambda: not reads.any_due(house.database, house.ledger.clock() + timedelta(seconds=1)), "a pause")
        harvester.looks["x1"] = OVER
        assert ended(house, run_id).tally.harvested == 3


def test_where_nobody_looks_after_it_any_more_its_leads_have_failed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external, "FORSAKEN_FOR", timedelta(0))
    harvester = ByHand()
    with at_work(house, operations=harvesting(harvester, run_timeout=timedelta(0)), limits=Limits()) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
    house.ledger.do(external.look_now, "byhand", "x1")
    with at_work(house, operations={}, limits=LIMITS):
        run = ended(house, run_id)
    assert set(kinds(house, run_id).values()) == {"failed(unavailable)"}
    assert run.clients[0].operations[0].finish_reason == "no_harvester"


@pytest.mark.usefixtures("overdue")
def test_a_client_that_is_gone_keeps_nobody_waiting(house: House) -> None:
    harvester, clients = ByHand(), leaving(house)
    operations = harvesting(harvester, run_timeout=timedelta(seconds=0.5))
    with at_work(house, operations=operations, clients=clients, limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        clients.why = NotFound("there is no client 'acme'")
        run = ended(house, run_id)
    assert (run.status, run.tally.unmeasured) == ("failed", 1)


def test_a_ledger_that_is_away_is_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(external, "LOOKED_AT_FOR", SOON)
    harvester, clients = ByHand(), leaving(house)
    with at_work(house, operations=harvesting(harvester), clients=clients, limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        clients.why = LedgerUnavailable("the database is away")
        harvester.looks["x1"] = OVER
        until(lambda: "waits for the ledger" in caplog.text, "the line in the log")
        clients.why = None
        assert ended(house, run_id).tally.harvested == 3


def test_what_cannot_even_be_put_off_is_logged_and_looked_at_again_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    broken: Future[None] = Future()
    broken.set_exception(LedgerUnavailable("the database is away"))
    outside._log_broken(broken)
    assert "an external run could not be looked after" in caplog.text


def test_a_store_that_does_not_tell_its_leads_is_asked_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "STORE_AGAIN_AFTER", SOON)
    harvester, trouble = ByHand(), [False]

    def away(what: str) -> None:
        if what == "load" and trouble[0]:
            trouble[0] = False
            raise StoreUnavailable("the store is away")

    clients = TroubledClients(house.clients, away)
    with at_work(house, operations=harvesting(harvester), clients=clients, limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        trouble[0], harvester.looks["x1"] = True, OVER
        assert ended(house, run_id).tally.harvested == 3
    assert not trouble[0]


@pytest.mark.usefixtures("overdue")
@pytest.mark.parametrize("trouble", [StoreUnavailable("the store is away"), ValueError("it does not take one row")])
def test_a_store_that_does_not_come_back_keeps_nobody_waiting(house: House, trouble: Exception) -> None:
    harvester, away = ByHand(), threading.Event()

    def fail(what: str) -> None:
        if what == "save" and away.is_set():
            raise trouble

    clients = TroubledClients(house.clients, fail)
    operations = harvesting(harvester, run_timeout=timedelta(seconds=1))
    with at_work(house, operations=operations, clients=clients, limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        away.set()
        harvester.looks["x1"] = OVER
        run = ended(house, run_id)
        away.clear()
        assert (run.status, run.tally.harvested, str(run.tally.cost)) == ("completed_with_errors", 3, "0.5")
        ended(house, started(house, asked_to_harvest(), engine))
    assert all(len(lead.lead.posts) == 2 for lead in house.clients.leads("acme"))


@pytest.mark.usefixtures("overdue")
def test_a_bill_that_is_known_is_booked_though_nothing_else_can_be_read(house: House) -> None:
    """F30"""
    harvester = ByHand(unreadable=NO_ANSWER)

    def end(_engine: Engine, _run_id: str) -> None:
        harvester.looks["x1"] = OVER

    run = harvest(house, harvester, end, run_timeout=timedelta(seconds=1))
    assert (set(kinds(house, run.run_id).values()), str(run.tally.cost)) == ({"failed(unavailable)"}, "0.5")


def test_after_a_downtime_nothing_is_given_up_before_there_was_time_to_ask(house: House) -> None:
    harvester = ByHand()
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
    long_ago = "UPDATE @external_runs SET until = '2026-01-01T00:00:00.000000Z', look_at = started_at"
    house.ledger.do(lambda tx: tx.execute(long_ago))
    harvester.looks["x1"], looked = NO_ANSWER, harvester.looked
    with at_work(house, operations=harvesting(harvester), limits=LIMITS):
        until(lambda: harvester.looked > looked + 1, "a second try")
        harvester.looks["x1"] = OVER
        assert ended(house, run_id).tally.harvested == 3


def test_who_waits_for_nothing_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a backup was restored: the wait is in the books, what it was for is not."""
    monkeypatch.setattr(watch, "RECONCILE_EVERY_S", 0.1)
    harvester = ByHand()

    def forget(_engine: Engine, _run_id: str) -> None:
        house.ledger.do(lambda tx: tx.execute("DELETE FROM @external_runs"))
        until(lambda: len(harvester.started) == 2, "another start")
        harvester.looks["x2"] = OVER

    assert harvest(house, harvester, forget).tally.harvested == 3


def test_news_that_comes_while_it_is_looked_at_is_looked_at_next(house: House) -> None:
    """F40"""
    harvester = ByHand(slow_s=0.4)
    with at_work(
        house, operations=harvesting(harvester), limits=Limits(look_outside_every=timedelta(hours=1))
    ) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        house.ledger.do(external.look_now, "byhand", "x1")
        until(lambda: harvester.looking, "a look")
        house.ledger.do(external.look_now, "byhand", "x1")
        until(lambda: not harvester.looking, "its end")
        harvester.looks["x1"] = OVER
        assert ended(house, run_id).tally.harvested == 3
