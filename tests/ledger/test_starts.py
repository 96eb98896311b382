"""Starting: the same key is the same run, an overlapping scope is busy, and who comes second is told by whom."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tallybook.database import Database
from tallybook.domain.errors import BadInput, Busy, KeyReused
from tallybook.domain.run import JobType, OperationName, Status, Stop, Trigger
from tallybook.ledger import read, work
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import starts, stops
from tests.ledger.scenes import (
    LEAD_SCORING,
    NOON,
    ODD_IDS,
    POST_HARVESTING,
    POST_SCORING,
    Clock,
    asked,
    begun,
    clients,
    closed,
    frozen,
    planned,
    recorded,
    reported,
    scored,
    told,
)


def test_a_run_is_booked_with_all_that_was_asked_and_by_whom(ledger: Ledger) -> None:
    start = asked("acme", operations=[POST_SCORING, LEAD_SCORING], limit=5, by="Ada\0 \ud800")
    run = told(ledger, ledger.do(starts.start, start).run_id)
    assert (run.status, run.job_type, run.stream, run.trigger) == (Status.QUEUED, JobType.SMART_RESUME, 1, "manual")
    assert run.requested_by == "Ada \ufffd"
    request = starts.Request.of_json(work.request_of(ledger.database, run.run_id))
    assert request == starts.Request((LEAD_SCORING, POST_SCORING), 1, ("acme",), 5)


def test_a_request_comes_back_from_the_books_as_it_went_in() -> None:
    request = starts.Request((POST_HARVESTING,), None, ("a", "b"), 3, Trigger.CRON)
    assert starts.Request.of_json(request.as_json()) == request
    assert starts.Request.of_json({}) == starts.Request(())


def test_an_operation_may_have_a_limit_of_its_own() -> None:
    request = starts.Request(limit=7, limits={POST_SCORING: 3})
    assert [request.limit_of(each) for each in OperationName] == [7, 7, 3]
    assert starts.Request.of_json(request.as_json()) == request
    assert request.as_json() != starts.Request(limit=7).as_json()


def test_a_request_without_such_limits_is_kept_as_it_always_was() -> None:
    """Keys that are known hold it against what was kept before there were any."""
    assert list(starts.Request().as_json()) == ["operations", "stream", "clients", "limit", "trigger"]


# The same key


def test_the_same_key_with_the_same_request_is_the_same_run(ledger: Ledger) -> None:
    """F13"""
    first = ledger.do(starts.start, asked("b", "a", key="k"))
    again = ledger.do(starts.start, asked("a", "b", "a", key="k", by="Bob"))
    assert (again.run_id, first.replayed, again.replayed) == (first.run_id, False, True)


def test_the_same_key_is_the_same_run_after_it_has_ended_too(ledger: Ledger) -> None:
    """F13"""
    run_id = ledger.do(starts.start, asked(key="k")).run_id
    ledger.do(starts.plan, run_id, [])
    assert told(ledger, run_id).status is Status.COMPLETED
    assert ledger.do(starts.start, asked(key="k")) == starts.Started(run_id, replayed=True)


def test_the_same_key_from_sixteen_threads_starts_one_run(ledger: Ledger) -> None:
    """F13"""
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: ledger.do(starts.start, asked(key="k")), range(32)))
    assert len({each.run_id for each in found}) == 1
    assert sorted(each.replayed for each in found) == [False] + [True] * 31


def test_the_same_key_with_another_request_is_refused(ledger: Ledger) -> None:
    """F13"""
    run_id = ledger.do(starts.start, asked(key="k")).run_id
    with pytest.raises(KeyReused, match=f"started run {run_id} with another request") as caught:
        ledger.do(starts.start, asked(key="k", limit=1))
    assert caught.value.run_id == run_id


def test_keys_of_different_callers_are_different_keys(ledger: Ledger) -> None:
    first = ledger.do(starts.start, asked(key="k", stream=1))
    other = ledger.do(starts.start, asked(key="k", stream=2, scope="api"))
    assert first.run_id != other.run_id
    assert not other.replayed


def test_a_key_is_known_for_90_days(database: Database) -> None:
    """F13"""
    clock = Clock()
    ledger = Ledger(database, clock)
    first = ledger.do(starts.start, asked(key="k"))
    ledger.do(starts.plan, first.run_id, [])
    clock.pass_by(days=90)
    assert ledger.do(starts.start, asked(key="k")).replayed
    clock.pass_by(seconds=1)
    second = ledger.do(starts.start, asked(key="k"))
    assert not second.replayed
    assert second.run_id != first.run_id
    assert ledger.do(starts.start, asked(key="k")) == starts.Started(second.run_id, replayed=True)


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb", "\0", "\ud800"])
def test_a_key_that_no_index_could_hold_is_refused(key: str) -> None:
    with pytest.raises(BadInput, match="an idempotency key is"):
        asked(key=key)


# Busy


def test_who_comes_second_is_told_which_run_who_started_it_and_when(database: Database) -> None:
    """F13"""
    clock = Clock()
    ledger = Ledger(database, clock)
    run_id = ledger.do(starts.start, asked(by="Ada")).run_id
    clock.pass_by(seconds=4)
    with pytest.raises(Busy, match=rf"run {run_id} .*by Ada \(manual\) at 2026-11-23 12:00:00 UTC.*--new") as caught:
        ledger.do(starts.start, asked(by="Bob"))
    assert caught.value.run_id == run_id


def test_of_sixteen_starts_without_a_key_one_wins(ledger: Ledger) -> None:
    """F13, F14"""

    def try_it(_: int) -> str | None:
        try:
            return ledger.do(starts.start, asked()).run_id
        except Busy:
            return None

    with ThreadPoolExecutor(16) as pool:
        assert sum(each is not None for each in pool.map(try_it, range(32))) == 1


ALL = tuple(OperationName)
OVERLAPS = {
    "the same stream": (asked(), asked(), True),
    "another stream": (asked(stream=1), asked(stream=2), False),
    "every stream": (asked(stream=None), asked(stream=2), True),
    "into every stream": (asked(stream=2), asked(stream=None), True),
    "a client of it": (asked(), asked("acme"), True),
    "a client, then its stream": (asked("acme"), asked(), True),
    "the same client": (asked("acme", "b"), asked("acme", "c"), True),
    "the same client in any stream": (asked("acme", stream=None), asked("acme", stream=2), True),
    "other clients": (asked("acme"), asked("b"), False),
    "another operation": (asked(operations=[LEAD_SCORING]), asked(operations=[POST_SCORING]), False),
    "one of its operations": (asked(operations=ALL), asked(operations=[POST_SCORING]), True),
}


@pytest.mark.parametrize("case", OVERLAPS)
def test_a_start_is_busy_when_its_scope_overlaps_one_that_is_not_over(ledger: Ledger, case: str) -> None:
    """F14"""
    first, second, overlaps = OVERLAPS[case]
    ledger.do(starts.start, first)
    if overlaps:
        with pytest.raises(Busy):
            ledger.do(starts.start, second)
    else:
        assert not ledger.do(starts.start, second).replayed


def test_a_run_whose_clients_are_known_keeps_only_those_busy(ledger: Ledger) -> None:
    """F14"""
    planned(ledger, "acme", start=asked(stream=None))
    ledger.do(starts.start, asked("b"))
    with pytest.raises(Busy):
        ledger.do(starts.start, asked("acme"))
    with pytest.raises(Busy):
        ledger.do(starts.start, asked())


def test_a_paused_run_is_busy_and_an_ended_one_is_not(ledger: Ledger) -> None:
    """F14"""
    run_id = planned(ledger, "acme")
    ledger.do(stops.stop_run, run_id, Stop.PAUSE, "by Ada")
    with pytest.raises(Busy, match="paused"):
        ledger.do(starts.start, asked())
    ledger.do(stops.stop_run, run_id, Stop.CANCEL, "by Ada")
    ledger.do(starts.start, asked())


def test_a_run_that_another_program_drives_keeps_nobody_out(ledger: Ledger) -> None:
    reported(ledger, "acme")
    ledger.do(starts.start, asked("acme"))


def test_who_asks_to_queue_is_not_refused(ledger: Ledger) -> None:
    first = ledger.do(starts.start, asked())
    second = ledger.do(starts.start, asked(queue_behind=True))
    assert first.run_id != second.run_id


# Planning


def test_the_client_list_is_recorded_once_with_odd_ids_and_all(ledger: Ledger) -> None:
    """F04, F16"""
    run_id = planned(ledger, *ODD_IDS)
    ledger.do(starts.plan, run_id, clients("another"))
    found = told(ledger, run_id)
    assert [each.client_id for each in found.clients] == list(ODD_IDS)
    for each in found.clients:
        assert each.label == f"{run_id}-{each.client_id}" == read.label(ledger.database, run_id, each.client_id)
        assert read.find_run(ledger.database, each.label) == run_id


def test_a_run_without_clients_is_completed_without_work(ledger: Ledger) -> None:
    run_id = planned(ledger)
    run = told(ledger, run_id)
    assert (run.status, run.finish_reason) == (Status.COMPLETED, "no_work")


def test_planning_a_run_that_is_unknown_or_over_changes_nothing(ledger: Ledger) -> None:
    ledger.do(starts.plan, "261123-115959", clients("acme"))
    run_id = ledger.do(starts.start, asked()).run_id
    ledger.do(stops.stop_run, run_id, Stop.CANCEL, "by Ada")
    ledger.do(starts.plan, run_id, clients("acme"))
    assert told(ledger, run_id).clients == ()


def test_a_run_paused_before_it_was_planned_is_planned_paused(ledger: Ledger) -> None:
    run_id = ledger.do(starts.start, asked()).run_id
    ledger.do(stops.stop_run, run_id, Stop.PAUSE, "by Ada")
    ledger.do(starts.plan, run_id, clients("acme"))
    run = told(ledger, run_id)
    assert (run.status, run.clients[0].status, run.blocked_reason) == (Status.PAUSED, Status.PAUSED, "by Ada")


def test_times_are_those_of_the_clock(database: Database) -> None:
    clock = Clock()
    ledger = Ledger(database, clock)
    run_id = planned(ledger, "acme")
    key = frozen(ledger, begun(ledger, run_id, "acme"), ["ada"])
    recorded(ledger, key, *scored("ada"))
    clock.pass_by(minutes=5)
    closed(ledger, key)
    run = told(ledger, run_id)
    assert run.created_at == run.started_at == NOON
    assert run.ended_at == clock.now
