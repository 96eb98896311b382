"""Pause, cancel, timeout, resume: what nobody works on stops at once, the rest when its workers have let go."""

import pytest

from tallybook.database import Database
from tallybook.domain.errors import Conflict, NotFound, Terminal
from tallybook.domain.run import Status, Stop
from tallybook.ledger import work
from tallybook.ledger.keys import ClientKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import starts, stops
from tests.ledger.scenes import (
    NOON,
    Clock,
    asked,
    begun,
    client_of,
    closed,
    failed,
    frozen,
    planned,
    recorded,
    reported,
    scored,
    texts,
    told,
    working,
)


def statuses(ledger: Ledger, run_id: str) -> list[str]:
    run = told(ledger, run_id)
    return [run.status, *(each.status for each in run.clients)]


@pytest.mark.parametrize(
    ("stop", "status", "reason"),
    [(Stop.CANCEL, Status.CANCELED, "canceled"), (Stop.TIMEOUT, Status.TIMED_OUT, "timeout")],
)
def test_what_was_told_to_stop_ends_that_way_whatever_its_outcomes_say(
    ledger: Ledger, stop: Stop, status: Status, reason: str
) -> None:
    """F40"""
    run_id = planned(ledger, "done", "working", "waiting")
    first = frozen(ledger, begun(ledger, run_id, "done"), ["a"])
    recorded(ledger, first, *scored("a"))
    closed(ledger, first)
    second = frozen(ledger, begun(ledger, run_id, "working"), ["a", "b"])
    recorded(ledger, second, *scored("a"))
    ledger.do(stops.stop_run, run_id, stop, "by Ada")
    assert statuses(ledger, run_id) == ["running", "completed", "running", status]
    ledger.do(stops.stop_client, client_of(second), stop, "by Ada")
    run = told(ledger, run_id)
    assert (run.status, run.finish_reason, run.tally.pending) == (status, reason, 1)
    assert [each.status for each in run.clients] == ["completed", status, status]


def test_a_client_that_took_too_long_does_not_time_the_run_out(ledger: Ledger) -> None:
    """F40"""
    run_id = planned(ledger, "slow", "fast")
    slow = frozen(ledger, begun(ledger, run_id, "slow"), ["a"])
    ledger.do(stops.stop_client, client_of(slow), Stop.TIMEOUT, "30 min")
    fast = frozen(ledger, begun(ledger, run_id, "fast"), ["a"])
    recorded(ledger, fast, *scored("a"))
    closed(ledger, fast)
    assert statuses(ledger, run_id) == ["completed_with_errors", "timed_out", "completed"]


def test_a_run_that_nobody_has_begun_is_canceled_at_once(ledger: Ledger) -> None:
    run_id = ledger.do(starts.start, asked()).run_id
    ledger.do(stops.stop_run, run_id, Stop.CANCEL, "by Ada")
    assert statuses(ledger, run_id) == ["canceled"]
    run_id = planned(ledger, "a", "b")
    ledger.do(stops.stop_run, run_id, Stop.CANCEL, "by Ada\0")
    assert statuses(ledger, run_id) == ["canceled"] * 3
    assert texts(ledger, run_id, "cancel") == ["Cancel: by Ada"]


def test_a_paused_run_says_what_it_waits_for_and_goes_on_where_it_was(ledger: Ledger) -> None:
    run_id = planned(ledger, "a", "b")
    key = frozen(ledger, begun(ledger, run_id, "a"), ["x", "y"])
    recorded(ledger, key, *scored("x"))
    ledger.do(stops.stop_run, run_id, Stop.PAUSE, "the budget of the day is used up")
    assert statuses(ledger, run_id) == ["running", "running", "paused"]
    with pytest.raises(Conflict, match="still stopping"):
        ledger.do(stops.resume_run, run_id)
    ledger.do(stops.stop_client, client_of(key), Stop.PAUSE, "the budget of the day is used up")
    run = told(ledger, run_id)
    assert (run.status, run.blocked_reason) == (Status.PAUSED, "the budget of the day is used up")
    assert ledger.do(stops.resume_run, run_id)
    run = told(ledger, run_id)
    assert [run.blocked_reason, *statuses(ledger, run_id)] == [None, "running", "queued", "queued"]
    begun(ledger, run_id, "a")
    assert [lead for lead, _ in work.pending(ledger.database, key, after="", limit=9)] == ["y"]


def test_a_run_of_which_only_clients_were_paused_says_what_they_wait_for(ledger: Ledger) -> None:
    run_id = planned(ledger, "a")
    key = begun(ledger, run_id, "a")
    ledger.do(stops.stop_client, key, Stop.PAUSE, "the key was refused")
    run = told(ledger, run_id)
    assert (run.status, run.blocked_reason) == (Status.PAUSED, "the key was refused")


def test_a_run_paused_before_it_began_goes_back_in_the_queue(ledger: Ledger) -> None:
    run_id = ledger.do(starts.start, asked()).run_id
    ledger.do(stops.stop_run, run_id, Stop.PAUSE, "by Ada")
    assert statuses(ledger, run_id) == ["paused"]
    assert ledger.do(stops.resume_run, run_id)
    assert statuses(ledger, run_id) == ["queued"]


def test_a_run_that_is_not_paused_is_not_resumed(ledger: Ledger) -> None:
    assert not ledger.do(stops.resume_run, planned(ledger, "a"))
    with pytest.raises(NotFound):
        ledger.do(stops.resume_run, "261123-000000")


def test_a_stronger_stop_overrides_a_weaker_one_and_never_the_other_way(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    for stop in (Stop.PAUSE, Stop.CANCEL, Stop.PAUSE, Stop.TIMEOUT):
        ledger.do(stops.stop_run, key.run_id, stop, f"told {stop}")
    assert work.stops_of(ledger.database, [key.run_id]) == {key.run_id: (Stop.CANCEL, "told cancel")}
    ledger.do(stops.stop_client, client_of(key), Stop.PAUSE, "let go late")
    assert statuses(ledger, key.run_id) == ["canceled", "canceled"]


def test_a_paused_run_can_be_canceled(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    ledger.do(stops.stop_run, key.run_id, Stop.PAUSE, "by Ada")
    ledger.do(stops.stop_client, client_of(key), Stop.PAUSE, "by Ada")
    ledger.do(stops.stop_run, key.run_id, Stop.CANCEL, "by Ada")
    assert statuses(ledger, key.run_id) == ["canceled", "canceled"]


def test_what_has_ended_is_neither_stopped_nor_resumed_nor_expired(ledger: Ledger) -> None:
    key = working(ledger, [])
    closed(ledger, key)
    before = told(ledger, key.run_id)
    for again in (
        lambda: ledger.do(stops.stop_run, key.run_id, Stop.CANCEL, "by Ada"),
        lambda: ledger.do(stops.resume_run, key.run_id),
        lambda: ledger.do(stops.expire_pause, key.run_id),
    ):
        with pytest.raises(Terminal, match="has ended"):
            again()
    for stop in Stop:
        ledger.do(stops.stop_client, client_of(key), stop, "by Ada")
    assert told(ledger, key.run_id) == before


def test_a_client_that_was_never_begun_is_stopped_once(ledger: Ledger) -> None:
    run_id = planned(ledger, "a", "b")
    for _time in range(2):
        ledger.do(stops.stop_client, ClientKey(run_id, "a"), Stop.CANCEL, "by Ada")
    assert statuses(ledger, run_id) == ["running", "canceled", "queued"]


def test_a_run_that_another_program_drives_is_not_stopped_from_here(ledger: Ledger) -> None:
    run_id = reported(ledger, "a")
    for again in (
        lambda: ledger.do(stops.stop_run, run_id, Stop.CANCEL, "by Ada"),
        lambda: ledger.do(stops.resume_run, run_id),
    ):
        with pytest.raises(Conflict, match="another program drives"):
            again()


# Expiry


def test_a_run_paused_for_a_day_ends_and_leaves_the_rest_to_the_next(database: Database) -> None:
    clock = Clock()
    ledger = Ledger(database, clock)
    run_id = planned(ledger, "a", "b")
    key = frozen(ledger, begun(ledger, run_id, "a"), ["x", "y"])
    recorded(ledger, key, *scored("x"))
    ledger.do(stops.stop_run, run_id, Stop.PAUSE, "quota")
    ledger.do(stops.stop_client, client_of(key), Stop.PAUSE, "quota")
    clock.pass_by(hours=24, seconds=1)
    assert work.paused_before(database, NOON) == []
    assert work.paused_before(database, clock.now) == [run_id]
    ledger.do(stops.expire_pause, run_id)
    run = told(ledger, run_id)
    assert (run.status, run.finish_reason) == (Status.COMPLETED_WITH_ERRORS, "pause_expired")
    assert [each.status for each in run.clients] == ["completed_with_errors", "failed"]
    assert (run.clients[0].operations[0].finish_reason, run.tally.pending) == ("pause_expired", 1)


def test_a_run_paused_for_a_day_without_anything_done_has_failed(ledger: Ledger) -> None:
    key = working(ledger, ["x"])
    recorded(ledger, key, *failed("x"))
    ledger.do(stops.stop_client, client_of(key), Stop.PAUSE, "quota")
    ledger.do(stops.expire_pause, key.run_id)
    run = told(ledger, key.run_id)
    assert (run.status, run.finish_reason) == (Status.FAILED, "pause_expired")


def test_a_run_paused_for_a_day_before_it_was_planned_has_failed(ledger: Ledger) -> None:
    run_id = ledger.do(starts.start, asked()).run_id
    ledger.do(stops.stop_run, run_id, Stop.PAUSE, "by Ada")
    ledger.do(stops.expire_pause, run_id)
    run = told(ledger, run_id)
    assert (run.status, run.finish_reason) == (Status.FAILED, "pause_expired")


def test_a_run_that_goes_on_does_not_expire(ledger: Ledger) -> None:
    run_id = planned(ledger, "a")
    ledger.do(stops.expire_pause, run_id)
    assert statuses(ledger, run_id) == ["running", "queued"]
