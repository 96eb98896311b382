"""Pauses that end by themselves: what was told to wait until an instant goes on then, and nothing else does."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from tallybook.database import Database
from tallybook.domain.budget import Ceiling, Per
from tallybook.domain.errors import Conflict
from tallybook.domain.run import Run, Status, Stop
from tallybook.ledger.keys import ClientKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import budgets, dispatch, progress, starts, stops
from tests.ledger.scenes import (
    NOON,
    Clock,
    asked,
    begun,
    client_of,
    closed,
    frozen,
    planned,
    recorded,
    reported,
    scored,
    texts,
    told,
    working,
)

MIDNIGHT = NOON + timedelta(hours=12)
LATER = MIDNIGHT + timedelta(hours=3)
SPENT = "budget_exhausted"


def paused(ledger: Ledger, key: ClientKey, wake_at: datetime | None = MIDNIGHT, reason: str = SPENT) -> None:
    """The client alone, by its worker."""
    ledger.do(stops.stop_client, key, Stop.PAUSE, reason, wake_at=wake_at)


def paused_run(ledger: Ledger, run_id: str, wake_at: datetime | None = MIDNIGHT, reason: str = SPENT) -> None:
    ledger.do(stops.stop_run, run_id, Stop.PAUSE, reason, wake_at=wake_at)


def statuses(run: Run) -> list[str]:
    return [run.status, *(each.status for each in run.clients)]


def woken_at(ledger: Ledger, clock: Clock, at: datetime) -> list[str]:
    clock.now = at
    return ledger.do(stops.wake_due)


def test_a_run_told_to_wait_until_an_instant_goes_on_then(books: Ledger, clock: Clock) -> None:
    run_id = planned(books, "a", "b")
    key = frozen(books, begun(books, run_id, "a"), ["x", "y"])
    recorded(books, key, *scored("x"))
    paused_run(books, run_id)
    assert woken_at(books, clock, MIDNIGHT) == []  # its worker has not let go
    paused(books, client_of(key))
    run = told(books, run_id)
    assert (run.status, run.blocked_reason, run.wake_at, run.goes_on_at) == (Status.PAUSED, SPENT, MIDNIGHT, MIDNIGHT)
    assert woken_at(books, clock, MIDNIGHT - timedelta(microseconds=1)) == []
    assert woken_at(books, clock, MIDNIGHT) == [run_id]
    run = told(books, run_id)
    assert statuses(run) == ["running", "queued", "queued"]
    assert (run.stop, run.blocked_reason, run.wake_at, run.goes_on_at) == (None, None, None, None)
    assert [each.wake_at for each in run.clients] == [None, None]
    assert texts(books, run_id, "woken") == ["Goes on by itself; it waited for: budget_exhausted"]
    assert woken_at(books, clock, LATER) == []
    assert len(books.do(dispatch.dispatch, 4)) == 2


def test_a_run_paused_before_it_began_goes_back_in_the_queue_by_itself(books: Ledger, clock: Clock) -> None:
    run_id = books.do(starts.start, asked()).run_id
    paused_run(books, run_id)
    assert woken_at(books, clock, MIDNIGHT) == [run_id]
    assert told(books, run_id).status is Status.QUEUED


def test_a_client_that_paused_alone_goes_on_alone(books: Ledger, clock: Clock) -> None:
    run_id = planned(books, "a", "b", "c")
    for name in ("a", "b", "c"):
        begun(books, run_id, name)
    paused(books, ClientKey(run_id, "a"))
    paused(books, ClientKey(run_id, "b"), LATER)
    run = told(books, run_id)
    assert statuses(run) == ["running", "paused", "paused", "running"]
    assert [each.wake_at for each in run.clients] == [MIDNIGHT, LATER, None]
    assert run.goes_on_at is None
    assert woken_at(books, clock, MIDNIGHT) == [run_id]
    run = told(books, run_id)
    assert statuses(run) == ["running", "queued", "paused", "running"]
    assert (run.clients[0].blocked_reason, run.clients[0].wake_at) == (None, None)
    assert [ticket.turn for ticket in books.do(dispatch.dispatch, 4)] == [1]
    assert books.do(progress.begin_client, ClientKey(run_id, "a"), "w2").go


def test_a_run_of_which_all_clients_paused_by_themselves_goes_on_with_the_first_of_them(
    books: Ledger, clock: Clock
) -> None:
    run_id = planned(books, "a", "b", "c")
    for name, wake_at, reason in (("a", LATER, SPENT), ("b", MIDNIGHT, SPENT), ("c", None, "unpriced_model")):
        begun(books, run_id, name)
        paused(books, ClientKey(run_id, name), wake_at, reason)
    run = told(books, run_id)
    assert (run.status, run.blocked_reason, run.wake_at, run.goes_on_at) == (Status.PAUSED, SPENT, None, MIDNIGHT)
    assert woken_at(books, clock, MIDNIGHT) == [run_id]
    run = told(books, run_id)
    assert [run.blocked_reason, *statuses(run)] == [None, "running", "paused", "queued", "paused"]
    assert len(texts(books, run_id, "woken")) == 1
    assert books.do(dispatch.dispatch, 4)[0].key.client_id == "b"
    closed(books, frozen(books, begun(books, run_id, "b"), []))
    run = told(books, run_id)
    assert (run.status, run.goes_on_at) == (Status.PAUSED, LATER)
    assert woken_at(books, clock, LATER) == [run_id]
    assert statuses(told(books, run_id)) == ["running", "queued", "completed", "paused"]


def test_a_run_that_a_person_paused_is_not_woken(books: Ledger, clock: Clock) -> None:
    run_id = planned(books, "a", "b")
    begun(books, run_id, "a")
    paused(books, ClientKey(run_id, "a"))
    paused_run(books, run_id, None, "paused by Ada")
    run = told(books, run_id)
    assert (run.status, run.blocked_reason, run.goes_on_at) == (Status.PAUSED, "paused by Ada", None)
    assert woken_at(books, clock, LATER) == []
    assert books.do(stops.resume_run, run_id)
    assert statuses(told(books, run_id)) == ["running", "queued", "queued"]


@pytest.mark.parametrize("person_first", [True, False])
def test_of_a_persons_pause_and_one_that_would_end_by_itself_the_persons_wins(
    books: Ledger, clock: Clock, person_first: bool
) -> None:
    run_id = planned(books, "a")
    key = begun(books, run_id, "a")
    for by_person in (person_first, not person_first):
        paused_run(books, run_id, None if by_person else MIDNIGHT, "paused by Ada" if by_person else SPENT)
    paused(books, key)
    run = told(books, run_id)
    assert (run.status, run.blocked_reason, run.wake_at) == (Status.PAUSED, "paused by Ada", None)
    assert woken_at(books, clock, LATER) == []


def test_of_two_pauses_that_end_by_themselves_the_last_told_counts(books: Ledger, clock: Clock) -> None:
    run_id = planned(books, "a")
    for wake_at in (MIDNIGHT, LATER):
        paused_run(books, run_id, wake_at, "provider_quota")
    assert woken_at(books, clock, MIDNIGHT) == []
    assert woken_at(books, clock, LATER) == [run_id]


def test_what_is_resumed_before_its_time_is_not_woken_again(books: Ledger, clock: Clock) -> None:
    run_id = planned(books, "a")
    paused(books, ClientKey(run_id, "a"))
    assert books.do(stops.resume_run, run_id)
    begun(books, run_id, "a")
    assert woken_at(books, clock, MIDNIGHT) == []
    assert texts(books, run_id, "woken") == []


@pytest.mark.parametrize("stop", [Stop.CANCEL, Stop.TIMEOUT])
def test_what_was_canceled_while_it_waited_stays_so(books: Ledger, clock: Clock, stop: Stop) -> None:
    whole, alone = (planned(books, each) for each in ("a", "b"))
    paused_run(books, whole)
    paused(books, ClientKey(alone, "b"))
    for run_id in (whole, alone):
        books.do(stops.stop_run, run_id, stop, "by Ada", wake_at=LATER)
    assert woken_at(books, clock, LATER) == []
    for run_id in (whole, alone):
        run = told(books, run_id)
        assert (run.status.terminal, run.wake_at, run.clients[0].wake_at) == (True, None, None)


def test_a_pause_that_would_end_after_a_day_runs_out_as_any_other(books: Ledger, clock: Clock) -> None:
    key = working(books, ["x"])
    paused(books, client_of(key), NOON + timedelta(hours=24))
    assert told(books, key.run_id).goes_on_at is None
    books.do(stops.expire_pause, key.run_id)
    run = told(books, key.run_id)
    assert (run.status, run.finish_reason, run.clients[0].wake_at) == (Status.FAILED, "pause_expired", None)
    assert woken_at(books, clock, NOON + timedelta(days=2)) == []


@pytest.mark.parametrize("reason", [SPENT, "unpriced_model"])
def test_a_client_that_is_given_another_budget_goes_on_by_itself(books: Ledger, clock: Clock, reason: str) -> None:
    run_id = planned(books, "a", "b", "c")
    for name, why in (("a", reason), ("b", reason), ("c", "auth")):
        begun(books, run_id, name)
        paused(books, ClientKey(run_id, name), None, why)
    for name in ("a", "c"):
        books.do(budgets.set_budget, name, Per.DAY, Ceiling(5))
    assert books.do(stops.wake_due) == [run_id]
    assert statuses(told(books, run_id)) == ["running", "queued", "paused", "paused"]
    begun(books, run_id, "a")
    paused(books, ClientKey(run_id, "a"))
    assert not books.do(budgets.clear_budget, "a", Per.MONTH)
    assert books.do(stops.wake_due) == []
    assert books.do(budgets.clear_budget, "a", Per.DAY)
    assert books.do(stops.wake_due) == [run_id]


def test_what_another_program_drives_is_not_woken(books: Ledger, clock: Clock) -> None:
    run_id = reported(books, "a")
    paused(books, ClientKey(run_id, "a"))
    with pytest.raises(Conflict, match="another program drives"):
        paused_run(books, run_id)
    assert woken_at(books, clock, MIDNIGHT) == []
    assert told(books, run_id).clients[0].status is Status.PAUSED


def test_whoever_finds_that_another_was_faster_wakes_nobody(books: Ledger, clock: Clock) -> None:
    """The clients were due when it looked, and are at work when it has the run's lock."""
    run_id = planned(books, "a", "b")
    paused(books, begun(books, run_id, "a"))
    assert woken_at(books, clock, MIDNIGHT) == [run_id]
    before = told(books, run_id)
    assert not books.do(stops._wake, run_id)
    assert told(books, run_id) == before


def test_of_many_who_wake_at_once_one_does(database: Database, database_url: str, clock: Clock) -> None:
    ledgers = [Ledger(Database(database_url), clock) for _ in range(4)]
    run_ids = [planned(ledgers[0], f"client {n}") for n in range(6)]
    for number, run_id in enumerate(run_ids):
        paused(ledgers[0], ClientKey(run_id, f"client {number}"))
    clock.now = MIDNIGHT
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda ledger: ledger.do(stops.wake_due), ledgers))
    assert sorted(run_id for each in found for run_id in each) == run_ids
    for run_id in run_ids:
        assert len(texts(ledgers[0], run_id, "woken")) == 1
    for ledger in ledgers:
        ledger.close()
