"""Group commit: what waits together is committed together, in order; what fails fails alone; nobody waits for ever."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tallybook.database import Database, Tx, utc_now
from tallybook.domain.errors import BadInput, LedgerUnavailable, NotFound
from tallybook.ledger import commit
from tallybook.ledger.commit import GroupCommit
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import events, progress, starts
from tests.ledger.scenes import asked, scored, texts, told, working

IDLE = "SELECT 1"


@contextmanager
def held(ledger: Ledger) -> Iterator[None]:
    """The writer is kept busy, so that what is submitted inside waits together."""
    go = threading.Event()
    began = threading.Event()

    def wait(tx: Tx) -> None:
        began.set()
        go.wait(10)

    waiting = ledger.submit(wait)
    assert began.wait(10)
    try:
        yield
    finally:
        go.set()
    waiting.result()


def note(tx: Tx, text: str) -> str:
    events.append(tx, "note", text, run_id="r")
    return text


def noted(ledger: Ledger) -> list[str]:
    return texts(ledger, "r", "note")


def explode(tx: Tx) -> None:
    note(tx, "never")
    raise NotFound("nobody")


def counted_commits(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    sizes: list[int] = []
    real = commit._run_together

    def counting(writer: Any, group: Any) -> Any:
        sizes.append(len(group))
        return real(writer, group)

    monkeypatch.setattr(commit, "_run_together", counting)
    return sizes


def test_what_waits_together_is_committed_together_and_in_order(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = counted_commits(ledger, monkeypatch)
    with held(ledger):
        waiting = [ledger.submit(note, str(n)) for n in range(20)]
    assert [each.result(10) for each in waiting] == [str(n) for n in range(20)] == noted(ledger)
    assert sizes[-1] == 20


def test_a_group_has_a_largest_size(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = counted_commits(ledger, monkeypatch)
    with held(ledger):
        waiting = [ledger.submit(note, str(n)) for n in range(commit.MOST_TOGETHER + 1)]
    for each in waiting:
        each.result(10)
    assert sizes[-2:] == [commit.MOST_TOGETHER, 1]


def test_a_piece_that_fails_does_no_harm_to_the_others(ledger: Ledger) -> None:
    with held(ledger):
        before = [ledger.submit(note, "a"), ledger.submit(note, "b")]
        failing = [ledger.submit(explode), ledger.submit(explode)]
        after = [ledger.submit(note, "c"), ledger.submit(note, "d")]
    assert [each.result(10) for each in before + after] == ["a", "b", "c", "d"] == noted(ledger)
    for each in failing:
        with pytest.raises(NotFound, match="nobody"):
            each.result(10)


def _raise(error: Exception) -> Callable[[Tx], None]:
    def work(tx: Tx) -> None:
        raise error

    return work


@pytest.mark.parametrize(
    "error", [KeyError("k"), AttributeError("a"), RecursionError("r"), ZeroDivisionError("z"), TypeError("t")], ids=repr
)
def test_a_mistake_in_a_piece_goes_to_its_caller_and_leaves_the_writer_alive(ledger: Ledger, error: Exception) -> None:
    with pytest.raises(type(error)):
        ledger.do(_raise(error))
    assert ledger.do(note, "alive") == "alive"


def test_odd_and_huge_text_cannot_harm_the_writer(ledger: Ledger) -> None:
    for text in ("\0", "\ud800", "a\0b\udfffc", "x" * 5_000_000, "'; DROP TABLE runs; -- %s ? @runs"):
        ledger.do(note, text)
    assert [each[:9] for each in noted(ledger)] == ["", "\ufffd", "ab\ufffdc", "xxxxxxxxx", "'; DROP T"]


@pytest.mark.parametrize("odd", ["\ud800", 2**70, object(), "\0"], ids=["surrogate", "huge", "object", "nul"])
def test_a_value_that_no_database_keeps_is_refused_and_the_writer_lives(ledger: Ledger, odd: object) -> None:
    statement = "INSERT INTO @run_ids (run_id, reserved_at, number) VALUES (?, ?, ?)"
    values = ("x", "now", odd) if isinstance(odd, int) else (odd, "now", None)
    with held(ledger):
        refused = ledger.submit(lambda tx: tx.execute(statement, values))
        beside = ledger.submit(note, "alive")
    if ledger.database.sqlite and odd == "\0":
        assert refused.result(10) == 1  # SQLite keeps it; our own writes have dropped it before
    else:
        with pytest.raises(BadInput, match="cannot keep this"):
            refused.result(10)
    assert beside.result(10) == "alive"


def test_an_outcome_of_a_lead_that_is_not_on_the_worklist_is_refused_alone(ledger: Ledger) -> None:
    key = working(ledger, ["ada"])
    with held(ledger):
        right = ledger.submit(progress.record, key, scored("ada"))
        wrong = ledger.submit(progress.record, key, scored("eve"))
    assert right.result(10) == {"ada"}
    with pytest.raises(BadInput):
        wrong.result(10)
    assert told(ledger, key.run_id).tally.done == 1


def test_a_statement_that_the_database_does_not_know_fails_alone(ledger: Ledger) -> None:
    with held(ledger):
        wrong = ledger.submit(lambda tx: tx.execute("SELECT nothing FROM @nowhere"))
        right = ledger.submit(note, "alive")
    with pytest.raises(LedgerUnavailable, match="cannot be written"):
        wrong.result(10)
    assert right.result(10) == "alive"


# Contention


class InTheWay:
    """A piece that finds another transaction in its way, so many times."""

    def __init__(self, times: int, error: type[psycopg.Error] = psycopg.errors.DeadlockDetected) -> None:
        self.left = times
        self.error = error

    def __call__(self, tx: Tx) -> str:
        if self.left:
            self.left -= 1
            raise self.error("in the way")
        return note(tx, "through")


@pytest.mark.parametrize("error", [psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure])
def test_a_deadlock_is_sat_out_each_piece_alone(ledger: Ledger, error: type[psycopg.Error]) -> None:
    with held(ledger):
        waiting = [ledger.submit(note, "a"), ledger.submit(InTheWay(4, error)), ledger.submit(note, "b")]
    assert [each.result(10) for each in waiting] == ["a", "through", "b"] == noted(ledger)


def test_a_deadlock_that_does_not_end_is_given_up(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "PAUSE_S", 0.0)
    with pytest.raises(LedgerUnavailable, match="in the way"):
        ledger.do(InTheWay(99))
    assert ledger.do(note, "alive") == "alive"


def test_two_writers_that_lock_each_other_out_both_come_through(postgres_url: str) -> None:
    ledgers = [Ledger(_with_tables(postgres_url)), Ledger(_with_tables(postgres_url))]
    both = threading.Barrier(2, timeout=10)

    def lock(tx: Tx, first: str, second: str, wait: bool) -> str:
        tx.serialize(first)
        if wait:
            both.wait()
        tx.serialize(second)
        return note(tx, first)

    tries = [0, 0]

    def crosswise(n: int) -> Callable[[Tx], str]:
        def work(tx: Tx) -> str:
            tries[n] += 1
            first, second = "ab" if n == 0 else "ba"
            return lock(tx, first, second, wait=tries[n] == 1)

        return work

    waiting = [ledger.submit(crosswise(n)) for n, ledger in enumerate(ledgers)]
    assert [each.result(20) for each in waiting] == ["a", "b"]
    assert sorted(noted(ledgers[0])) == ["a", "b"]
    assert sum(tries) == 3
    for ledger in ledgers:
        ledger.close()


def _with_tables(url: str) -> Database:
    from tallybook import migrations

    database = Database(url)
    migrations.ensure(database)
    return database


# A database that goes away


def test_a_connection_that_the_server_closed_is_replaced_unnoticed(postgres_url: str) -> None:
    ledger = Ledger(_with_tables(postgres_url))
    ledger.do(note, "before")
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert ledger.do(note, "after") == "after"
    assert noted(ledger) == ["before", "after"]
    ledger.close()


def test_when_the_connection_is_lost_at_the_commit_the_caller_decides() -> None:
    """It may have been committed: whether doing it again is right is not the writer's to know."""
    group = [commit._Item(lambda tx: None)]
    assert commit._Failure(psycopg.OperationalError("gone"), at=1).tries(group) == 1
    assert commit._Failure(psycopg.OperationalError("gone"), at=0).tries(group) == 3


def test_an_error_at_the_commit_tries_each_piece_alone() -> None:
    items = [commit._Item(lambda tx: None) for _ in range(3)]
    failure = commit._Failure(sqlite3.IntegrityError("deferred"), at=3)
    assert [list(part) for part in failure.parts(items)] == [[each] for each in items]


def test_a_database_that_cannot_be_reached_fails_all_who_wait_at_once() -> None:
    ledger = Ledger(Database("postgresql://nobody@127.0.0.1:1/none"))
    waiting = [ledger.submit(note, str(n)) for n in range(30)]
    began = time.monotonic()
    for each in waiting:
        with pytest.raises(LedgerUnavailable, match=r"the database postgresql://.* cannot be written"):
            each.result(10)
    assert time.monotonic() - began < 5
    ledger.close()


# Endings


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_dies_leaves_nobody_waiting(ledger: Ledger) -> None:
    def die(tx: Tx) -> None:
        raise SystemExit("out of memory")

    with held(ledger):
        waiting: list[Future[Any]] = [ledger.submit(note, "a"), ledger.submit(die), ledger.submit(note, "b")]
    for each in waiting:
        with pytest.raises(LedgerUnavailable, match="writer has died"):
            each.result(10)
    with pytest.raises(LedgerUnavailable, match="start the process again"):
        ledger.do(note, "c")
    assert noted(ledger) == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_dies_leaves_committed_what_of_its_group_was(ledger: Ledger) -> None:
    def die(tx: Tx) -> None:
        raise SystemExit

    with held(ledger):
        before, failing = ledger.submit(note, "a"), ledger.submit(explode)
        dying = ledger.submit(die)
    assert before.result(10) == "a"
    with pytest.raises(NotFound):
        failing.result(10)
    with pytest.raises(LedgerUnavailable, match="writer has died"):
        dying.result(10)
    assert noted(ledger) == ["a"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_dies_fails_those_behind_its_group_and_spares_those_before(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "MOST_TOGETHER", 2)

    def die(tx: Tx) -> None:
        raise SystemExit

    with held(ledger):
        waiting: list[Future[Any]] = [ledger.submit(note, each) for each in "ab"]
        waiting += [ledger.submit(die), ledger.submit(note, "c")]
        behind = ledger.submit(note, "d")
        closing = threading.Thread(target=ledger.close)
        closing.start()
        time.sleep(0.05)
    closing.join(10)
    assert [each.result(10) for each in waiting[:2]] == ["a", "b"] == noted(ledger)
    for each in [*waiting[2:], behind]:
        with pytest.raises(LedgerUnavailable, match="writer has died"):
            each.result(10)


def test_closing_commits_what_was_submitted(ledger: Ledger) -> None:
    waiting = [ledger.submit(note, str(n)) for n in range(50)]
    ledger.close()
    assert all(each.done() for each in waiting)
    assert len(noted(ledger)) == 50


def test_a_ledger_that_was_closed_writes_again_and_keeps_the_order(database: Database) -> None:
    commits = GroupCommit(database, utc_now)
    submitted: list[Future[str]] = []
    for n in range(40):
        submitted.append(commits.submit(lambda tx, n=n: note(tx, f"{n:02}")))  # type: ignore[misc]  # bound now
        if n % 4 == 0:
            threading.Thread(target=commits.close).start()
    assert [each.result(10) for each in submitted] == [f"{n:02}" for n in range(40)]
    commits.close()
    commits.close()
    assert noted(Ledger(database)) == [f"{n:02}" for n in range(40)]


def test_a_task_that_is_canceled_while_it_waits_still_commits(ledger: Ledger) -> None:
    """F40"""

    async def cancel_it() -> bool:
        with held(ledger):
            task = asyncio.create_task(ledger.wait(note, "committed"))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return task.cancelled()

    assert asyncio.run(cancel_it())
    ledger.close()
    assert noted(ledger) == ["committed"]


def test_a_task_gets_what_was_made_or_what_went_wrong(ledger: Ledger) -> None:
    assert asyncio.run(ledger.wait(note, "x")) == "x"
    with pytest.raises(NotFound):
        asyncio.run(ledger.wait(explode))


def test_a_database_locked_by_another_for_two_seconds_only_delays(tmp_path: Any) -> None:
    database = _with_tables(f"sqlite:///{tmp_path}/locked.db")
    ledger = Ledger(database)
    other = sqlite3.connect(str(database.path), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    threading.Timer(2.0, other.rollback).start()
    began = time.monotonic()
    run_id = ledger.do(starts.start, asked()).run_id
    assert 1.5 < time.monotonic() - began < 10
    assert told(ledger, run_id).run_id == run_id
    other.close()
    ledger.close()
