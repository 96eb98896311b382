"""When asking ends early: what was paid for is kept, who waits learns of it, and nobody is given up for it."""

import time
from datetime import timedelta

import pytest

from benchmarks.house import House
from tallybook.domain.lead import Lead, Post
from tallybook.domain.run import Run, Status
from tallybook.engine import trigger
from tallybook.engine.runner import Limits
from tallybook.ledger import read
from tallybook.testing.model_server import Fault, ModelServer
from tests.stories.acting import (
    LEAD_SCORING,
    POST_SCORING,
    asked,
    at_work,
    done,
    ended,
    furnished,
    kinds,
    started,
    until,
)
from tests.stories.asking import QUICK, agree, furnished_with, leads, results, scorer_of, sizes


def paused(house: House, run_id: str) -> Run:
    until(lambda: read.run(house.database, run_id).status is Status.PAUSED, "a pause")
    return read.run(house.database, run_id)


def test_calls_of_other_clients_that_are_in_flight_when_a_quota_ends_are_waited_for(house: House) -> None:
    """They are paid for: their answers are taken."""
    for client_id in ("acme", "bolt", "core", "dune"):
        furnished_with(house, leads(60), client_id)
    with ModelServer(latency_s=0.3) as server:
        server.rule(Fault.DAILY_QUOTA, lambda question: question.number == 20)
        with at_work(house, scorer_of(server)) as engine:
            run = paused(house, started(house, engine=engine))
        agree(house, run, server)
    told = results(house, run.run_id)
    assert "canceled" not in told
    assert told.count("quota") == 1
    assert run.tally.scored == 5 * told.count("ok") >= 5 * 20
    assert (run.tally.failed, run.tally.found) == (0, 240)


def test_whom_a_provider_failed_three_nights_is_asked_about_in_the_fourth(house: House, server: ModelServer) -> None:
    """F28: it says nothing about the lead that the provider was down."""
    furnished_with(house, leads(5))
    server.rule(Fault.UNAVAILABLE, lambda question: True, times=4 * QUICK.tries)
    for _ in range(4):
        assert set(kinds(house, done(house, scorer=scorer_of(server)).run_id).values()) == {"failed(unavailable)"}
    assert done(house, scorer=scorer_of(server)).tally.scored == 5


def test_a_lead_that_fails_by_itself_is_given_up_all_the_same(house: House, server: ModelServer) -> None:
    """F28"""
    furnished_with(house, leads(1))
    server.rule(Fault.SAFETY, lambda question: True)
    told = [list(kinds(house, done(house, scorer=scorer_of(server)).run_id).values()) for _ in range(5)]
    assert told == [["failed(safety_block)"]] * 3 + [["skipped(gave_up)"], []]


def test_who_waits_for_its_minute_learns_at_once_that_the_key_is_refused(
    sqlite_house: House, server: ModelServer
) -> None:
    furnished_with(sqlite_house, leads(200), "acme")
    furnished_with(sqlite_house, leads(200), "bolt")
    server.rule(Fault.BAD_KEY, lambda question: True)
    begun = time.monotonic()
    with at_work(sqlite_house, scorer_of(server), limits=Limits(requests_per_minute=3)) as engine:
        run = paused(sqlite_house, started(sqlite_house, engine=engine))
    assert time.monotonic() - begun < 20
    agree(sqlite_house, run, server)
    assert (run.blocked_reason, run.tally.failed, run.tally.pending) == ("auth", 5, 395)
    assert len(server.log) <= 3


def test_waiting_for_its_minute_takes_nothing_off_a_client_s_time(
    sqlite_house: House, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallybook.engine.metering.MINUTE_S", 1.0)
    furnished_with(sqlite_house, leads(30))
    limits = Limits(requests_per_minute=1, client_timeout_s=2.0)
    run = done(sqlite_house, scorer=scorer_of(server), limits=limits)
    assert run.started_at is not None
    assert run.ended_at is not None
    assert run.ended_at - run.started_at > timedelta(seconds=4)
    assert (run.status, run.tally.scored) == (Status.COMPLETED, 30)


def test_a_trouble_while_requests_are_paced_is_tried_again(
    sqlite_house: House, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait for our own limit is not the provider's time."""
    monkeypatch.setattr("tallybook.engine.metering.MINUTE_S", 1.5)
    furnished_with(sqlite_house, leads(10))
    server.then(Fault.UNAVAILABLE)
    scorer = scorer_of(server, patience=type(QUICK)(tries=3, request_timeout_s=5, deadline_s=1.0, backoff_s=0.01))
    run = done(sqlite_house, scorer=scorer, limits=Limits(requests_per_minute=1))
    agree(sqlite_house, run, server)
    assert run.tally.scored == 10


def test_a_refused_prompt_costs_one_lead_and_a_run_goes_on_after_a_refused_key(
    sqlite_house: House, server: ModelServer
) -> None:
    furnished_with(sqlite_house, leads(20))
    server.rule(Fault.BAD_KEY, lambda question: True, times=1)
    with at_work(sqlite_house, scorer_of(server), limits=Limits(calls_at_once=1)) as engine:
        run_id = started(sqlite_house, engine=engine)
        assert paused(sqlite_house, run_id).tally.failed == 5
        assert trigger.resume(sqlite_house.ledger, run_id)
        engine.nudge()
        run = ended(sqlite_house, run_id)
    agree(sqlite_house, run, server)
    assert (run.tally.scored, run.tally.failed) == (15, 5)


def test_posts_are_asked_about_in_several_questions_and_the_best_one_counts(
    sqlite_house: House, server: ModelServer
) -> None:
    furnished(sqlite_house, "acme", leads=0, level=2)
    posts = [Post(f"https://x.test/{number}", f"Growth and hiring, part {number}") for number in range(25)]
    people = [Lead(f"people.test/in/{name}", headline="Owner", posts=tuple(posts)) for name in ("ada", "bob")]
    sqlite_house.clients.put_leads("acme", people)
    run = done(sqlite_house, asked(operations=(LEAD_SCORING, POST_SCORING)), scorer=scorer_of(server))
    agree(sqlite_house, run, server)
    assert sorted(sizes(server)) == [2, 10, 20, 20]
    assert (run.tally.scored, run.tally.posts) == (4, 50)
    (ada,) = [each for each in sqlite_house.clients.leads("acme") if each.lead.lead_id.endswith("ada")]
    told = read.why(sqlite_house.database, "acme", ada.lead.lead_id)
    best = next(each.outcome for each in told if each.operation is POST_SCORING)
    totals = [line["total"] for line in (best.breakdown or {}).values()]  # type: ignore[index]  # plain JSON data
    assert best.score == max(totals)
    assert len(totals) == 25


def test_a_stop_between_the_questions_about_one_lead_s_posts_leaves_it_pending(
    sqlite_house: House, server: ModelServer
) -> None:
    furnished(sqlite_house, "acme", leads=0, level=2)
    posts = [Post(f"https://x.test/{number}", f"Growth, part {number}") for number in range(25)]
    sqlite_house.clients.put_leads("acme", [Lead("people.test/in/ada", headline="Owner", posts=tuple(posts))])
    server.then(Fault.OK, Fault.DAILY_QUOTA)
    with at_work(sqlite_house, scorer_of(server)) as engine:
        run = paused(sqlite_house, started(sqlite_house, asked(operations=(POST_SCORING,)), engine))
    agree(sqlite_house, run, server)
    assert (sizes(server), run.tally.pending, run.tally.failed) == ([20, 5], 1, 0)
