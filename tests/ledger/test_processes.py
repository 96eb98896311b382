"""Many processes on one database: what the ledger promises, it promises to all of them together."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa

from tallybook import migrations
from tallybook.database import Database
from tallybook.domain.run import Status
from tallybook.ledger import read
from tallybook.ledger.audit import audit
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.tables import client_runs, outcomes, runs
from tallybook.ledger.write import starts
from tests.children import Child
from tests.ledger import process
from tests.ledger.scenes import asked, begun, clients, frozen, planned, told


def all_at_once(action: Callable[..., object], url: str, arguments: Sequence[str]) -> list[Any]:
    """What came of *action* in one process for each argument, all told to begin together."""
    with ExitStack() as stack:
        children = [stack.enter_context(Child(process.act, action, url, each)) for each in arguments]
        for each in children:
            assert each.says() == "ready"
        for each in children:
            each.hears("go")
        return [each.says() for each in children]


def test_four_processes_make_the_tables_of_a_new_database_together(empty_database_url: str) -> None:
    found = all_at_once(process.make_tables, empty_database_url, [""] * 4)
    assert found == [migrations.head()] * 4


def test_the_same_key_from_sixteen_threads_in_four_processes_is_one_run(database: Database, database_url: str) -> None:
    """F13"""
    found = all_at_once(process.start, database_url, ["k"] * 4)
    assert len({run_id for each in found for run_id in each}) == 1
    with database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(runs)).scalar() == 1


def test_of_many_starts_in_four_processes_one_wins(database: Database, database_url: str) -> None:
    """F13, F14"""
    assert sum(map(len, all_at_once(process.start_without_key, database_url, [""] * 4))) == 1


def test_ids_minted_by_four_processes_in_one_second_are_distinct(database: Database, database_url: str) -> None:
    """F06"""
    found = all_at_once(process.reserve, database_url, ["12"] * 4)
    assert len({run_id for each in found for run_id in each}) == 48


def test_fifty_threads_in_four_processes_creating_one_client_run_leave_one_row(
    database: Database, database_url: str
) -> None:
    """F03"""
    odd = 'O\'Neil "👩\u200d🚀" {x} \\ %s ?'
    assert sum(all_at_once(process.create, database_url, [odd] * 4)) == 1
    with database.reading() as connection:
        assert connection.execute(sa.select(client_runs.c.label)).all() == [(f"{process.RUN}-{odd}",)]
        assert connection.execute(sa.select(sa.func.count()).select_from(runs)).scalar() == 1
    kinds = [each.kind for each in read.events_of(database, process.RUN)]
    assert kinds == ["auto_created", "auto_created"]


def test_of_two_runs_with_the_same_client_only_one_begins_it(database: Database, database_url: str) -> None:
    """F14"""
    ledger = Ledger(database)
    first = planned(ledger, "acme")
    second = ledger.do(starts.start, asked("acme", queue_behind=True)).run_id
    ledger.do(starts.plan, second, clients("acme"))
    found = all_at_once(process.begin, database_url, [second, first, second])
    assert found == [False, True, False]


def test_a_run_that_was_planned_late_waits_for_the_client_that_another_works_on(ledger: Ledger) -> None:
    """F14"""
    first = ledger.do(starts.start, asked("acme")).run_id
    second = planned(ledger, "acme", start=asked("acme", queue_behind=True))
    begun(ledger, second, "acme")
    ledger.do(starts.plan, first, clients("acme"))
    found = all_at_once(process.begin, ledger.database.url.render_as_string(hide_password=False), [first] * 2)
    assert found == [False, False]


@pytest.mark.parametrize("time_", range(3))
def test_the_last_of_six_processes_to_finish_its_client_ends_the_run(
    database: Database, database_url: str, time_: int
) -> None:
    """F01, F36"""
    names = [f"client {time_} {n}" for n in range(6)]
    ledger = Ledger(database)
    run_id = planned(ledger, *names)
    all_at_once(process.finish, database_url, [f"{run_id}|{name}" for name in names])
    run = told(ledger, run_id)
    assert (run.status, run.tally.calls, run.unsettled) == (Status.COMPLETED, 6, 0)
    assert [each.kind for each in read.events_of(database, run_id)].count("ended") == 1


@pytest.mark.parametrize("after_s", [0.01, 0.05, 0.11])
def test_a_kill_in_the_middle_of_a_group_commit_leaves_whole_transactions(
    database: Database, database_url: str, after_s: float
) -> None:
    """F02"""
    ledger = Ledger(database)
    run_id = planned(ledger, "acme")
    frozen(ledger, begun(ledger, run_id, "acme"), [f"{n:05}" for n in range(20_000)])
    with Child(process.record_for_ever, database_url, run_id) as worker:
        assert worker.says() == "working"
        time.sleep(after_s)
        worker.kill()
    with database.reading() as connection:
        rows = connection.execute(sa.select(outcomes.c.lead_id).order_by(outcomes.c.lead_id)).scalars().all()
    assert rows == [f"{n:05}" for n in range(len(rows))]
    assert len(rows) % 2 == 0
    assert len(rows) >= 100
    assert audit(database).differences == ()
