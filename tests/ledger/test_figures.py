"""Figures summed from rows when somebody asks, and the glance at a run, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.house import House, furnish, open_house
from tallybook.domain.errors import NotFound
from tallybook.domain.figures import Failures, LeadFigures, UsageLine
from tallybook.domain.outcome import FailReason, Kind, Outcome, Versions
from tallybook.domain.ports import Candidate
from tallybook.domain.run import OperationName, Status
from tallybook.domain.tally import Usage
from tallybook.engine.worklist import MOST_RUNS
from tallybook.ledger import figures, read, snapshot
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.write import calls, progress, starts
from tallybook.ledger.write.starts import Request, Start
from tests.cli.past import PRICED, Past, at, past

LEADS, POSTS = OperationName.LEAD_SCORING, OperationName.POST_SCORING
ONE, TWO = "client-0000", "client-0001"


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    house = open_house(database_url)
    furnish(house, clients=2, leads=10)
    yield house
    house.close()


# Distinct leads


def test_a_lead_of_two_operations_is_one_lead(house: House) -> None:
    past(house, Past("261123-080000", failed=2, skipped=1))
    key = OperationKey("261123-080000", ONE, POSTS)
    first, second = ("people.test/in/person-1-000002", "people.test/in/person-1-000009")
    with at(house, datetime(2026, 11, 23, 9, tzinfo=UTC)) as tx:
        progress.open_operation(tx, key)
        progress.add_to_worklist(tx, key, [_candidate(first), _candidate(second), _candidate("new")])
        progress.record(tx, key, [Outcome(first, Kind.SCORED, score=1), Outcome.failed(second, FailReason.TIMEOUT)])
    found = figures.lead_figures(house.database, "261123-080000")
    assert found == {ONE: LeadFigures(11, 10, 7, 3, 0), TWO: LeadFigures(10, 10, 10, 0, 0)}
    assert sum(found.values(), LeadFigures()) == LeadFigures(21, 20, 17, 3, 0)
    assert found[ONE].success_rate == 0.7


def _candidate(lead_id: str) -> Candidate:
    return Candidate(lead_id, "same")


def test_a_run_without_a_worklist_has_no_leads(house: House) -> None:
    assert figures.lead_figures(house.database, "261123-080000") == {}


# Failures


def test_the_tries_left_are_counted_over_all_runs(house: House) -> None:
    past(house, Past("261121-080000", failed=3), Past("261122-080000", failed=2), Past("261123-080000", failed=1))
    assert [figures.failures(house.database, run_id, MOST_RUNS) for run_id in ("261121-080000", "261123-080000")] == [
        [Failures(ONE, LEADS, "output_truncated", 3, {0: 1}, settled=2)],
        [Failures(ONE, LEADS, "output_truncated", 1, {0: 1})],
    ]


def test_with_another_input_the_tries_begin_anew(house: House) -> None:
    past(house, Past("261122-080000", failed=1), Past("261123-080000"))
    key = OperationKey("261123-080000", ONE, LEADS)
    other = Outcome.failed("late", FailReason.EMPTY_RESPONSE, input_hash="other", versions=Versions(rubric="r1"))
    with at(house, datetime(2026, 11, 23, 9, tzinfo=UTC)) as tx:
        progress.add_to_worklist(tx, key, [_candidate("late")])
        progress.record(tx, key, [other])
    assert figures.failures(house.database, "261123-080000", MOST_RUNS) == [
        Failures(ONE, LEADS, "empty_response", 1, {2: 1})
    ]


def test_the_provider_s_trouble_uses_up_no_try(house: House) -> None:
    """F28"""
    past(house, Past("261123-080000"))
    key = OperationKey("261123-080000", ONE, LEADS)
    with at(house, datetime(2026, 11, 23, 9, tzinfo=UTC)) as tx:
        progress.add_to_worklist(tx, key, [_candidate("late")])
        progress.record(tx, key, [Outcome.failed("late", FailReason.QUOTA, input_hash="in")])
    assert figures.failures(house.database, "261123-080000", MOST_RUNS) == [Failures(ONE, LEADS, "quota", 1, {3: 1})]


# The run before


def test_the_run_before_is_of_the_same_stream_and_kind_and_has_ended(house: House) -> None:
    past(house, Past("261121-080000"), Past("261122-080000"))
    with at(house, datetime(2026, 11, 22, 9, tzinfo=UTC)) as tx:
        starts.start(tx, Start(Request((LEADS,), stream=2)))
        starts.start(tx, Start(Request((POSTS,), stream=1)))
    with at(house, datetime(2026, 11, 23, 8, tzinfo=UTC)) as tx:
        queued = starts.start(tx, Start(Request((LEADS,), stream=1))).run_id
    assert _previous(house, queued) == "261122-080000"
    assert _previous(house, "261122-080000") == "261121-080000"
    assert _previous(house, "261121-080000") is None


def test_runs_of_all_streams_are_compared_with_their_like(house: House) -> None:
    with at(house, datetime(2026, 11, 22, 9, tzinfo=UTC)) as tx:
        run_id = starts.start(tx, Start(Request((LEADS,)))).run_id
        starts.plan(tx, run_id, [])
    with at(house, datetime(2026, 11, 23, 9, tzinfo=UTC)) as tx:
        later = starts.start(tx, Start(Request((LEADS,)))).run_id
    assert _previous(house, later) == run_id


def _previous(house: House, run_id: str) -> str | None:
    return figures.previous_run(house.database, read.run(house.database, run_id))


# Usage


def test_usage_is_the_sum_of_the_calls_by_any_group(house: House) -> None:
    past(house, Past("261122-080000", usage=PRICED), Past("261123-080000", usage=Usage(10, 0, 5), model="other"))
    by_model = figures.usage(house.database, ["model", "client"])
    assert [(each.group, each.tally.calls) for each in by_model] == [
        ({"model": "google:gemini", "client": ONE}, 1),
        ({"model": "google:gemini", "client": TWO}, 1),
        ({"model": "other", "client": ONE}, 1),
        ({"model": "other", "client": TWO}, 1),
    ]
    (total,) = figures.usage(house.database)
    assert (total.tally.input_tokens, total.tally.unpriced, str(total.tally.cost)) == (2020, 2, "0.0246")
    (day,) = figures.usage(house.database, ["day"], since=datetime(2026, 11, 23, tzinfo=UTC))
    assert (day.group, day.tally.total_tokens) == ({"day": "2026-11-23"}, 30)
    (run,) = figures.usage(house.database, run_id="261122-080000")
    assert run.tally.cost == read.run(house.database, "261122-080000").tally.cost


def test_a_call_under_way_is_open_and_in_no_sum(house: House) -> None:
    past(house, Past("261122-080000"))
    with at(house, datetime(2026, 11, 23, 9, tzinfo=UTC)) as tx:
        calls.start_call(tx, calls.Call("c1", OperationKey("261122-080000", ONE, LEADS), "google", "m", 1, ""))
    (total,) = figures.usage(house.database)
    assert (total.open_calls, total.tally.calls, total.tally.unmeasured) == (1, 0, 0)


def test_usage_is_read_a_page_at_a_time(house: House) -> None:
    models = ("zeta", "Alpha", "other", "beta", "O'Neil")
    for day, model in enumerate(models):
        past(house, Past(f"2611{day + 10}-080000", usage=PRICED, model=model))
    by = ["model", "client", "day"]
    whole = figures.usage(house.database, by)
    seen: list[UsageLine] = []
    while page := figures.usage(house.database, by, after=list(seen[-1].group.values()) if seen else (), limit=2):
        seen += page
    assert seen == whole
    assert sorted({each.group["model"] for each in seen}) == sorted(models)
    assert figures.usage(house.database, by, client_id=ONE) == [each for each in whole if each.group["client"] == ONE]


def test_without_calls_usage_is_nothing(house: House) -> None:
    (total,) = figures.usage(house.database)
    assert (total.tally.calls, total.tally.input_tokens, total.open_calls) == (0, 0, 0)
    assert figures.usage(house.database, ["client"]) == []


# A glance


def test_a_glance_says_who_does_what(house: House) -> None:
    began = datetime(2026, 11, 23, 8, tzinfo=UTC)
    with at(house, began) as tx:
        run_id = starts.start(tx, Start(Request((LEADS,), stream=1))).run_id
        starts.plan(tx, run_id, house.clients.of_stream(1, ()))
        progress.begin_client(tx, ClientKey(run_id, ONE), "slot-0")
        progress.open_operation(tx, OperationKey(run_id, ONE, LEADS))
    with at(house, began + timedelta(seconds=1)) as tx:
        progress.freeze(tx, OperationKey(run_id, ONE, LEADS), [_candidate("a"), _candidate("b")], [], whole=True)
    seen = snapshot.glance(house.database, run_id)
    one, two = seen.clients
    assert (seen.status, seen.resting, seen.tally.found, seen.started_at) == (Status.RUNNING, False, 2, began)
    assert (one.status, one.doing, one.worked_on, one.tally.pending) == (Status.RUNNING, LEADS, True, 2)
    assert (two.status, two.doing, two.worked_on) == (Status.QUEUED, None, False)


def test_a_glance_agrees_with_the_books(house: House) -> None:
    past(house, Past("261123-080000", failed=2, skipped=1, usage=PRICED))
    run, seen = read.run(house.database, "261123-080000"), snapshot.glance(house.database, "261123-080000")
    assert seen.resting
    assert seen.tally == run.tally
    assert [each.status for each in seen.clients] == [each.status for each in run.clients]


def test_a_glance_at_nothing_is_refused(house: House) -> None:
    with pytest.raises(NotFound):
        snapshot.glance(house.database, "261123-080000")
