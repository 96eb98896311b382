"""A provider that gives no answer: what is tried again, what it costs, and when asking stops."""

from dataclasses import replace
from datetime import timedelta

import pytest

from benchmarks.house import House
from tallybook.domain.run import Status, Stop
from tallybook.engine import trigger
from tallybook.engine.runner import Limits
from tallybook.ledger import read
from tallybook.testing.model_server import Fault, ModelServer
from tests.stories.acting import at_work, done, ended, started, texts, until
from tests.stories.asking import (
    QUICK,
    agree,
    asked_once,
    by_number,
    calls_of,
    furnished_with,
    leads,
    results,
    scored,
    scorer_of,
    sizes,
)


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        (Fault.RATE_LIMIT, "quota"),
        (Fault.RATE_LIMIT_SILENT, "quota"),
        (Fault.UNAVAILABLE, "unavailable"),
        (Fault.SERVER_ERROR, "unavailable"),
        (Fault.BAD_GATEWAY, "unavailable"),
        (Fault.HTML, "unavailable"),
        (Fault.RESET, "unavailable"),
    ],
)
def test_a_provider_that_fails_for_a_moment_is_asked_again(
    sqlite_house: House, server: ModelServer, provider: str, fault: Fault, result: str
) -> None:
    """F23: a 429 costs no lead."""
    furnished_with(sqlite_house, leads(5))
    server.then(fault, fault)
    run = asked_once(sqlite_house, server, scorer_of(server, provider))
    rows = calls_of(sqlite_house, run.run_id)
    assert [(call.attempt, call.result) for call in rows] == [(1, result), (2, result), (3, "ok")]
    assert [call.measured for call in rows] == [False, False, True]
    assert by_number(sqlite_house, run) == scored(1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("fault", "reason"), [(Fault.RATE_LIMIT, "quota"), (Fault.UNAVAILABLE, "unavailable"), (Fault.RESET, "unavailable")]
)
def test_a_provider_that_keeps_failing_costs_the_leads_asked_about_and_the_next_run_tries_them(
    sqlite_house: House, server: ModelServer, fault: Fault, reason: str
) -> None:
    """F28: a failed call stamps nobody as done."""
    furnished_with(sqlite_house, leads(5))
    server.then(*[fault] * 4)
    run = asked_once(sqlite_house, server)
    assert sizes(server) == [5, 5, 5, 5]
    assert set(by_number(sqlite_house, run).values()) == {f"failed({reason})"}
    assert done(sqlite_house, scorer=scorer_of(server)).tally.scored == 5


def test_the_wait_that_a_provider_asks_for_is_kept(sqlite_house: House, provider: str) -> None:
    furnished_with(sqlite_house, leads(5))
    with ModelServer(retry_after_s=1.0) as server:
        server.then(Fault.RATE_LIMIT)
        asked_once(sqlite_house, server, scorer_of(server, provider))
        first, second = server.log
        assert second.arrived_s - first.arrived_s >= 1.0


def test_an_answer_that_does_not_come_is_given_up_and_asked_for_again(sqlite_house: House, provider: str) -> None:
    """F40"""
    furnished_with(sqlite_house, leads(5))
    with ModelServer(slow_s=8.0) as server:
        server.then(Fault.SLOW)
        scorer = scorer_of(server, provider, replace(QUICK, request_timeout_s=1.5))
        run = asked_once(sqlite_house, server, scorer)
        assert results(sqlite_house, run.run_id) == ["timeout", "ok"]
        assert run.tally.unmeasured == 1
        assert by_number(sqlite_house, run) == scored(1, 2, 3, 4, 5)


def test_one_deadline_holds_for_all_tries_and_waits(sqlite_house: House) -> None:
    furnished_with(sqlite_house, leads(5))
    with ModelServer(retry_after_s=30.0) as server:
        server.then(*[Fault.RATE_LIMIT] * 9)
        run = asked_once(sqlite_house, server, scorer_of(server, patience=replace(QUICK, deadline_s=2.0)))
        assert sizes(server) == [5]
        assert set(by_number(sqlite_house, run).values()) == {"failed(quota)"}
        assert run.started_at is not None
        assert run.ended_at is not None
        assert run.ended_at - run.started_at < timedelta(seconds=20)  # the provider asked for 30


REFUSED = {
    Fault.BAD_KEY: ("auth", "scorer.api_key"),
    Fault.FORBIDDEN: ("auth", "scorer.api_key"),
    Fault.NOT_FOUND: ("model_config", "scorer.model"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_key_or_model_that_is_refused_stops_the_asking_and_says_what_to_mend(
    sqlite_house: House, server: ModelServer, provider: str, fault: Fault
) -> None:
    reason, cure = REFUSED[fault]
    furnished_with(sqlite_house, leads(400))
    server.rule(fault, lambda question: True)
    with at_work(sqlite_house, scorer_of(server, provider)) as engine:
        run_id = started(sqlite_house, engine=engine)
        until(lambda: read.run(sqlite_house.database, run_id).status is Status.PAUSED, "a pause")
        run = read.run(sqlite_house.database, run_id)
    agree(sqlite_house, run, server)
    assert run.blocked_reason == reason
    assert (run.tally.failed, run.tally.pending) == (5, 395)
    assert set(by_number(sqlite_house, run).values()) == {f"failed({reason})"}
    assert len(server.log) <= 16
    assert cure in texts(sqlite_house, run_id, "provider_stop")[0]


def test_a_refused_key_stops_after_the_first_question_where_they_are_asked_one_by_one(
    sqlite_house: House, server: ModelServer
) -> None:
    furnished_with(sqlite_house, leads(30))
    server.rule(Fault.BAD_KEY, lambda question: True)
    with at_work(sqlite_house, scorer_of(server), limits=Limits(calls_at_once=1)) as engine:
        run_id = started(sqlite_house, engine=engine)
        until(lambda: read.run(sqlite_house.database, run_id).status is Status.PAUSED, "a pause")
    assert sizes(server) == [5]
    run = read.run(sqlite_house.database, run_id)
    assert (run.tally.failed, run.tally.pending) == (5, 25)


def test_the_quota_of_the_day_pauses_the_run_and_the_rest_stays_pending(
    sqlite_house: House, server: ModelServer, provider: str
) -> None:
    furnished_with(sqlite_house, leads(200))
    server.then(*[Fault.OK] * 3)
    server.rule(Fault.DAILY_QUOTA, lambda question: question.number > 3)
    with at_work(sqlite_house, scorer_of(server, provider)) as engine:
        run_id = started(sqlite_house, engine=engine)
        until(lambda: read.run(sqlite_house.database, run_id).status is Status.PAUSED, "a pause")
        run = read.run(sqlite_house.database, run_id)
    agree(sqlite_house, run, server)
    assert run.blocked_reason == "provider_quota"
    assert (run.tally.failed, run.tally.scored + run.tally.pending) == (0, 200)
    assert run.tally.scored == 15


def test_what_was_answered_before_the_quota_ended_is_kept(sqlite_house: House, server: ModelServer) -> None:
    """Half of a chunk was paid for: it is not asked about again."""
    furnished_with(sqlite_house, leads(4))
    server.then(Fault.TRUNCATED, Fault.OK, Fault.DAILY_QUOTA)
    with at_work(sqlite_house, scorer_of(server)) as engine:
        run_id = started(sqlite_house, engine=engine)
        until(lambda: read.run(sqlite_house.database, run_id).status is Status.PAUSED, "a pause")
        run = read.run(sqlite_house.database, run_id)
        agree(sqlite_house, run, server)
        assert (run.tally.scored, run.tally.failed, run.tally.pending) == (2, 0, 2)


def test_a_provider_that_is_down_is_left_alone_and_only_a_few_leads_have_failed(
    sqlite_house: House, server: ModelServer
) -> None:
    furnished_with(sqlite_house, leads(400))
    server.rule(Fault.UNAVAILABLE, lambda question: True)
    with at_work(sqlite_house, scorer_of(server)) as engine:
        run_id = started(sqlite_house, engine=engine)
        until(lambda: read.run(sqlite_house.database, run_id).status is Status.PAUSED, "a pause")
        run = read.run(sqlite_house.database, run_id)
    agree(sqlite_house, run, server)
    assert run.blocked_reason == "provider_unavailable"
    assert run.tally.failed <= 3 * 5
    assert run.tally.failed + run.tally.pending == 400


def test_cancel_reaches_the_call_in_flight_and_its_row_says_so(sqlite_house: House, provider: str) -> None:
    """F40"""
    furnished_with(sqlite_house, leads(20))
    with ModelServer(latency_s=4.0) as server:
        with at_work(sqlite_house, scorer_of(server, provider)) as engine:
            run_id = started(sqlite_house, engine=engine)
            until(lambda: len(server.log) == 4, "four calls in flight")
            trigger.stop(sqlite_house.ledger, run_id, Stop.CANCEL, "user")
            run = ended(sqlite_house, run_id, within_s=3.0)
        assert results(sqlite_house, run_id) == ["canceled"] * 4
        assert (run.status, run.tally.pending, run.tally.unmeasured) == (Status.CANCELED, 20, 4)
        agree(sqlite_house, run, server)
