"""Work that is done outside is paid for once, and what was paid for is booked, whatever happens meanwhile."""

import threading
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from benchmarks.house import House
from tallybook.domain.errors import NotFound, ProviderError, StoreUnavailable
from tallybook.domain.outcome import FailReason
from tallybook.domain.run import Stop
from tallybook.engine import outside, trigger
from tallybook.engine.engine import Engine
from tallybook.ledger import external as reads
from tallybook.ledger import read
from tallybook.ledger.write import external, stops
from tests.engine.by_hand import (
    LIMITS,
    OVER,
    UNDER_WAY,
    ByHand,
    asked_to_harvest,
    blocked,
    harvest,
    harvesting,
    leaving,
    status,
    waiting,
)
from tests.stories.acting import TroubledClients, at_work, books, ended, furnished, started, until

NO_ANSWER = ProviderError("no answer", reason=FailReason.UNAVAILABLE)


def test_what_was_given_up_for_lost_and_is_heard_of_after_all_is_booked(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F30, F31"""
    harvester = ByHand()
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        harvester.looks["x1"] = NO_ANSWER
        with monkeypatch.context() as patched:
            patched.setattr(external, "OVERDUE_FOR", -timedelta(hours=2))
            patched.setattr(outside, "TIME_TO_ASK", timedelta(0))
            run = ended(house, run_id)
        assert (run.status, run.tally.failed, run.tally.unmeasured) == ("failed", 3, 1)
        for look in (NO_ANSWER, UNDER_WAY):
            harvester.looks["x1"], looked = look, harvester.looked
            house.ledger.do(external.look_now, "byhand", "x1")
            until(partial(harvester.has_looked, looked + 1), "a look in vain")
            until(lambda: not harvester.looking, "its end")
        harvester.looks["x1"] = OVER
        house.ledger.do(external.look_now, "byhand", "x1")
        until(lambda: books(house, run_id).tally.unmeasured == 0, "the bill")
        until(lambda: all(len(lead.lead.posts) == 2 for lead in house.clients.leads("acme")), "the posts")
    assert str(books(house, run_id).tally.cost) == "0.5"


def test_nobody_asks_for_ever_about_what_was_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "LOOK_FOR_LOST", -timedelta(hours=2))
    monkeypatch.setattr(outside, "LOST_AGAIN_AFTER", timedelta(0))
    monkeypatch.setattr(external, "OVERDUE_FOR", -timedelta(hours=2))
    monkeypatch.setattr(outside, "TIME_TO_ASK", timedelta(0))
    harvester = ByHand()

    def silence(_engine: Engine, _run_id: str) -> None:
        harvester.looks["x1"] = NO_ANSWER

    harvest(house, harvester, silence)
    with at_work(house, operations=harvesting(harvester), limits=LIMITS):
        in_a_year = house.ledger.clock() + timedelta(days=400)
        until(lambda: not reads.any_due(house.database, in_a_year), "the end of the asking")


@pytest.mark.parametrize("stop", [Stop.PAUSE, Stop.CANCEL])
def test_a_start_under_way_is_seen_to_its_end_when_its_run_is_told_to_stop(house: House, stop: Stop) -> None:
    """F40"""
    harvester = ByHand(gate=threading.Event())
    assert harvester.gate is not None
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        until(lambda: harvester.started, "the start")
        trigger.stop(house.ledger, run_id, stop, "by Ada")
        until(lambda: status(house, run_id) in ("paused", "canceled"), "the stop")
        harvester.gate.set()
        if stop is Stop.CANCEL:
            until(lambda: str(read.run(house.database, run_id).tally.cost) == "0.1", "the bill of the abort")
            return
        harvester.looks["x1"] = OVER
        until(lambda: read.run(house.database, run_id).tally.harvested == 3, "the result")
        trigger.resume(house.ledger, run_id)
        run = ended(house, run_id)
    assert (len(harvester.started), run.tally.calls, str(run.tally.cost)) == (1, 1, "0.5")


def test_a_start_cut_short_with_its_process_is_in_doubt(house: House) -> None:
    harvester = ByHand(gate=threading.Event())
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        started(house, asked_to_harvest(), engine)
        until(lambda: harvester.started, "the start")
    until(lambda: _states(house) == ["doubtful"], "the doubt")


def _states(house: House) -> list[str]:
    with house.database.reading() as connection:
        return list(connection.exec_driver_sql("SELECT state FROM external_runs").scalars())


def test_a_run_resumed_without_a_harvester_waits_for_what_it_has_paid_for(house: House) -> None:
    harvester = ByHand()
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        trigger.stop(house.ledger, run_id, Stop.PAUSE, "by Ada")
    house.ledger.do(stops.resume_run, run_id)
    with at_work(house, operations={}, limits=LIMITS):
        blocked(house, run_id, "waiting for byhand run x1")
    harvester.looks["x1"] = OVER
    with at_work(house, operations=harvesting(harvester), limits=LIMITS):
        assert ended(house, run_id).tally.harvested == 3


def test_a_run_resumed_for_a_client_that_wants_no_posts_any_more_takes_those_it_has_paid_for(house: House) -> None:
    harvester = ByHand()
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        trigger.stop(house.ledger, run_id, Stop.PAUSE, "by Ada")
        house.clients.put_clients([replace(house.clients.get("acme"), service_level=1)])
        trigger.resume(house.ledger, run_id)
        engine.nudge()
        waiting(house, run_id, harvester)
        harvester.looks["x1"] = OVER
        run = ended(house, run_id)
    assert (run.tally.harvested, run.clients[0].operations[0].finish_reason) == (3, "below_service_level")


def test_a_store_that_fails_halfway_does_not_close_over_what_is_under_way(house: House) -> None:
    furnished(house, "acme", leads=120, level=2)
    harvester, away = ByHand(posts=1), threading.Event()
    loads = []

    def trouble(what: str) -> None:
        if what == "load":
            loads.append(what)
            if len(loads) > 1 and not away.is_set():
                raise StoreUnavailable("the store is away")

    clients = TroubledClients(house.clients, trouble)
    operations = harvesting(harvester, batch=100)
    with at_work(house, operations=operations, clients=clients, limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        away.set()
        harvester.looks["x1"] = OVER
        until(lambda: len(harvester.started) == 2, "the second start")
        harvester.looks["x2"] = OVER
        run = ended(house, run_id)
    assert (run.status, run.tally.harvested) == ("completed", 120)


def test_a_worker_that_breaks_does_not_close_over_what_is_under_way(house: House) -> None:
    harvester, clients = ByHand(), leaving(house)
    with at_work(house, operations=harvesting(harvester), clients=clients, limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        trigger.stop(house.ledger, run_id, Stop.PAUSE, "by Ada")
        clients.why = NotFound("there is no client 'acme'")
        trigger.resume(house.ledger, run_id)
        engine.nudge()
        blocked(house, run_id, "waiting for byhand run x1")
        clients.why, harvester.looks["x1"] = None, OVER
        run = ended(house, run_id)
    assert (run.status, run.tally.harvested) == ("completed", 3)


def test_the_next_run_leaves_alone_what_an_earlier_one_has_under_way(house: House) -> None:
    harvester = ByHand(deaf=True)
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        trigger.stop(house.ledger, run_id, Stop.CANCEL, "by Ada")
        until(lambda: status(house, run_id) == "canceled", "the cancel")
        again = ended(house, started(house, asked_to_harvest(), engine))
        assert (again.tally.found, len(harvester.started)) == (0, 1)
        harvester.looks["x1"] = OVER
        until(lambda: books(house, run_id).tally.harvested == 3, "the late result")


def test_an_attempt_that_we_did_not_start_is_not_ours_to_end(house: House) -> None:
    harvester = ByHand()

    def resurrect(_engine: Engine, run_id: str) -> None:
        harvester.looks["x1"] = OVER
        ended(house, run_id)
        harvester.looks["x1"] = UNDER_WAY
        house.ledger.do(external.look_now, "byhand", "x1")
        until(lambda: _attempts(house) == 2, "the second attempt")
        house.ledger.do(lambda tx: tx.execute("UPDATE @external_runs SET until = started_at WHERE attempt = 2"))
        looking = harvester.looked
        until(lambda: harvester.looked > looking + 2, "more looks")

    harvest(house, harvester, resurrect)
    assert harvester.aborted == []


def _attempts(house: House) -> int:
    with house.database.reading() as connection:
        return int(connection.exec_driver_sql("SELECT COUNT(*) FROM external_runs").scalar_one())


def test_a_run_of_another_task_than_its_delivery_said_is_nobodys(house: House) -> None:
    """F32"""
    harvester = ByHand()

    def claim(_engine: Engine, _run_id: str) -> None:
        house.ledger.do(lambda tx: tx.execute("UPDATE @external_runs SET task = 'posts-of-acme'"))
        harvester.looks["x1"] = replace(OVER, task="posts-of-beta")
        until(lambda: len(harvester.started) == 2, "another start")
        harvester.looks["x2"] = OVER

    run = harvest(house, harvester, claim)
    assert (run.tally.harvested, str(run.tally.cost), run.tally.calls) == (3, "0.5", 2)
