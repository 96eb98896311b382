"""Stores, databases and our own writer fail; nothing is lost or asked twice, and the books say what happened."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from benchmarks.house import House, open_house
from tallybook import migrations
from tallybook.database import Database
from tallybook.domain.errors import StoreUnavailable
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import Kind, Outcome
from tallybook.domain.ports import Job, Worked
from tallybook.domain.run import Status, Stop
from tallybook.engine import patience, trigger, watch
from tallybook.engine.runner import Limits
from tallybook.ledger import read
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.tables import calls
from tallybook.ledger.write import progress
from tallybook.operations.lead_scoring import LeadScoring
from tallybook.scorers.scripted import ScriptedScorer
from tallybook.stores.sql import SqlClients
from tests.children import unmeasured
from tests.stories.acting import (
    LEAD_SCORING,
    LONG_MS,
    PATIENCE_S,
    TroubledClients,
    TroubledStore,
    asked,
    at_work,
    books,
    calling,
    count,
    done,
    ended,
    furnished,
    started,
    texts,
    unsaved,
    until,
)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "AGAIN_AFTER_S", (0.01, 0.02, 0.03))
    monkeypatch.setattr(watch, "PLAN_AGAIN_AFTER_S", 0.05)
    monkeypatch.setattr(watch, "LOOK_FOR_WORK_EVERY_S", 0.05)
    monkeypatch.setattr(watch, "FLAGS_EVERY_S", 0.05)


def unavailable(what: str, times: int = 10**6, after: int = 0) -> Callable[[str], None]:
    """*what* fails *times* times, once it has gone well *after* times."""
    seen = 0

    def trouble(doing: str) -> None:
        nonlocal seen
        if doing == what:
            seen += 1
            if after < seen <= after + times:
                raise StoreUnavailable(f"{what} does not answer")

    return trouble


@pytest.mark.parametrize("what", ["candidates", "load"])
def test_a_store_that_does_not_answer_closes_the_operation_and_the_next_run_does_the_work(
    house: House, what: str
) -> None:
    furnished(house, "acme", leads=10)
    run = done(house, clients=TroubledClients(house.clients, unavailable(what)))
    (operation,) = run.clients[0].operations
    assert (run.status, operation.status, operation.finish_reason) == (Status.FAILED, Status.FAILED, "store_error")
    assert f"{what} does not answer" in texts(house, run.run_id, "store_error")[0]
    assert done(house).tally.scored == 10


def test_a_page_under_way_is_ended_before_a_store_error_closes_its_operation(sqlite_house: House) -> None:
    """Nothing is in flight any more when the books say that it has ended; what came of it is saved by the next run."""
    furnished(sqlite_house, "acme", leads=250)
    clients = TroubledClients(sqlite_house.clients, unavailable("load", after=1))
    scorer = ScriptedScorer(latency_ms=150)
    with at_work(sqlite_house, scorer, clients=clients, limits=Limits(calls_at_once=4)) as engine:
        run = ended(sqlite_house, started(sqlite_house, engine=engine))
        assert run.unsettled == 0
        assert 0 < run.tally.scored == unsaved(sqlite_house) < 100
    again = done(sqlite_house)
    assert again.tally.scored == 250 - run.tally.scored
    assert unsaved(sqlite_house) == 0
    assert again.status is Status.COMPLETED


def test_outcomes_that_could_not_be_saved_are_saved_by_the_next_run_first(house: House) -> None:
    """Rule 2: and no lead is asked about again."""
    furnished(house, "acme", leads=12)
    run = done(house, clients=TroubledClients(house.clients, unavailable("save")))
    assert run.status is Status.COMPLETED_WITH_ERRORS
    assert run.tally.scored == 12 == unsaved(house)
    assert texts(house, run.run_id, "store_error")
    asked_before = count(house, calls)
    again = done(house)
    assert (again.status, again.finish_reason) == (Status.COMPLETED, "no_work")
    assert unsaved(house) == 0
    assert count(house, calls) == asked_before
    assert all(each.score is not None for each in house.clients.leads("acme"))


@pytest.mark.parametrize("what", ["rubric", "candidates", "load", "save"])
def test_a_store_that_answers_at_the_fourth_try_loses_nothing(sqlite_house: House, what: str) -> None:
    furnished(sqlite_house, "acme", leads=12)
    run = done(sqlite_house, clients=TroubledClients(sqlite_house.clients, unavailable(what, times=3)))
    assert (run.status, unsaved(sqlite_house)) == (Status.COMPLETED, 0)


def test_a_store_whose_rubric_cannot_be_read_fails_the_client_and_no_other(sqlite_house: House) -> None:
    class OneSilent(TroubledClients):
        def store(self, client_id: str) -> TroubledStore:
            store = super().store(client_id)
            return replace(store, trouble=unavailable("rubric")) if client_id == "bolt" else store

    furnished(sqlite_house, "acme", "bolt")
    run = done(sqlite_house, clients=OneSilent(sqlite_house.clients, lambda what: None))
    assert {client.client_id: str(client.status) for client in run.clients} == {"acme": "completed", "bolt": "failed"}
    assert run.clients[1].error == "StoreUnavailable: rubric does not answer"


def test_a_store_that_breaks_while_a_run_is_told_to_pause_does_not_close_it(sqlite_house: House) -> None:
    class FirstChunkQuick(LeadScoring):
        async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
            latency_ms = 0 if leads[0].lead_id.endswith("000000") else LONG_MS
            return await LeadScoring(ScriptedScorer(latency_ms=latency_ms)).work(leads, job)

    furnished(sqlite_house, "acme", leads=50)
    clients = TroubledClients(sqlite_house.clients, unavailable("save"))
    plugs = {LEAD_SCORING: FirstChunkQuick(ScriptedScorer())}
    with at_work(sqlite_house, operations=plugs, clients=clients) as engine:
        run_id = started(sqlite_house, engine=engine)
        until(lambda: read.run(sqlite_house.database, run_id).tally.scored, "a score")
        trigger.stop(sqlite_house.ledger, run_id, Stop.PAUSE, "user")
        until(lambda: read.run(sqlite_house.database, run_id).status is Status.PAUSED, "the pause")
        assert unsaved(sqlite_house) == 5
    with at_work(sqlite_house) as engine:
        trigger.resume(sqlite_house.ledger, run_id)
        run = ended(sqlite_house, run_id)
    assert (run.status, run.tally.scored, unsaved(sqlite_house)) == (Status.COMPLETED, 50, 0)


def test_a_store_file_that_is_no_database_any_more_is_unavailable_until_it_is_back(tmp_path: Path) -> None:
    """A real fault: somebody put another file there, and back."""
    place = tmp_path / "store.db"
    books_of = open_house(f"sqlite:///{tmp_path}/tallybook.db")
    store = Database(f"sqlite:///{place}")
    migrations.ensure(store)
    store.close()
    house = House(books_of.ledger, SqlClients(store))
    furnished(house, "acme", leads=10)

    def spoil(what: str) -> None:
        if what == "save" and place.exists():
            house.clients.close()
            place.rename(tmp_path / "away.db")
            place.with_suffix(".db-wal").unlink(missing_ok=True)
            place.mkdir()

    run = done(house, clients=TroubledClients(house.clients, spoil))
    assert (run.status, run.tally.scored, unsaved(house)) == (Status.COMPLETED_WITH_ERRORS, 10, 10)
    place.rmdir()
    (tmp_path / "away.db").rename(place)
    assert done(house).status is Status.COMPLETED
    assert unsaved(house) == 0
    house.close()


def test_a_store_that_does_not_answer_does_not_keep_a_run_from_being_canceled(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F40: it is not asked for ever."""
    monkeypatch.setattr(patience, "AGAIN_AFTER_S", (0.1,) * 600)
    furnished(sqlite_house, "acme")
    with at_work(sqlite_house, clients=TroubledClients(sqlite_house.clients, unavailable("load"))) as engine:
        run_id = started(sqlite_house, engine=engine)
        until(lambda: read.run(sqlite_house.database, run_id).tally.found, "a worklist")
        trigger.stop(sqlite_house.ledger, run_id, Stop.CANCEL, "user")
        assert ended(sqlite_house, run_id, within_s=10).status is Status.CANCELED


# -- the list of clients -----------------------------------------------------------------------------------------------


def test_a_client_list_that_is_read_at_the_third_try_is_as_good_as_any(sqlite_house: House) -> None:
    furnished(sqlite_house, "acme")
    run = done(sqlite_house, clients=TroubledClients(sqlite_house.clients, unavailable("of_stream", times=2)))
    assert run.tally.scored == 10


@pytest.mark.parametrize("error", [StoreUnavailable("Airtable is away"), KeyError("a plug that breaks")])
def test_a_client_list_that_cannot_be_read_fails_its_run_and_no_other(sqlite_house: House, error: Exception) -> None:
    furnished(sqlite_house, "acme")
    bad = started(sqlite_house)

    def trouble(what: str) -> None:
        if what == "of_stream" and not read.run(sqlite_house.database, bad).status.terminal:
            raise error

    with at_work(sqlite_house, clients=TroubledClients(sqlite_house.clients, trouble)) as engine:
        run = ended(sqlite_house, bad)
        assert (run.status, run.finish_reason) == (Status.FAILED, "clients_unreadable")
        assert ended(sqlite_house, started(sqlite_house, engine=engine)).status is Status.COMPLETED


def test_a_client_that_vanished_between_start_and_plan_fails_the_run_at_once(sqlite_house: House) -> None:
    furnished(sqlite_house, "acme")
    run_id = started(sqlite_house, asked("acme"))
    with sqlite_house.database.writing() as tx:
        for table in ("posts", "leads", "rubrics", "clients"):
            tx.execute(f"DELETE FROM @{table}")
    with at_work(sqlite_house):
        run = ended(sqlite_house, run_id)
    assert (run.status, run.finish_reason, run.error) == (
        Status.FAILED, "clients_unreadable", "there is no client 'acme'",
    )  # fmt: skip


# -- late outcomes -----------------------------------------------------------------------------------------------------


def test_a_late_outcome_fills_its_lead_and_the_status_stays(house: House) -> None:
    furnished(house, "acme", leads=5)
    with at_work(house, ScriptedScorer(latency_ms=LONG_MS)) as engine:
        run_id = started(house, engine=engine)
        calling(house, run_id)
        trigger.stop(house.ledger, run_id, Stop.CANCEL, "user")
        assert ended(house, run_id).tally.pending == 5
    key = OperationKey(run_id, "acme", LEAD_SCORING)
    lead_id = "people.test/in/person-1-000002"
    late = Outcome(lead_id, Kind.SCORED, score=42.0)
    assert house.ledger.do(progress.record, key, [late]) == {lead_id}
    run = books(house, run_id)
    assert (run.status, run.tally.scored, run.tally.pending) == (Status.CANCELED, 1, 4)
    assert read.why(house.database, "acme", lead_id)[0].late
    assert done(house).tally.found == 4
    assert unsaved(house) == 0


# -- the ledger itself -------------------------------------------------------------------------------------------------


def test_all_sessions_lost_at_once_are_opened_anew_and_the_run_ends_exactly(
    postgres_house: House, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart of PostgreSQL, as a working process sees it: its slot is lost, taken again, and the work goes on."""
    monkeypatch.setattr(watch, "ADOPT_EVERY_S", 0.2)
    house = postgres_house
    furnished(house, "acme", "bolt", leads=60)
    with at_work(house, ScriptedScorer(latency_ms=50), limits=Limits(calls_at_once=2)) as engine:
        run_id = started(house, engine=engine)
        until(lambda: read.run(house.database, run_id).tally.scored, "a score")
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        until(lambda: not engine._queues.claiming, "the loss")
        until(lambda: engine._queues.claiming and engine._slot.held(), "the slot")
        run = ended(house, run_id)
    assert (run.status, run.tally.scored, unsaved(house)) == (Status.COMPLETED, 120, 0)


LOSES_ITS_WRITER = """
import sys
from benchmarks.house import open_house
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.operations.lead_scoring import LeadScoring
from tallybook.scorers.scripted import ScriptedScorer
from tests.stories.acting import calling

house = open_house(sys.argv[1])
with Engine(house.ledger, house.clients, house.operations(ScriptedScorer(latency_ms=400)), Limits(calls_at_once=2)):
    calling(house, sys.argv[2])
    house.ledger.submit(lambda tx: sys.exit("out of memory"))
    sys.stdin.read()
"""


def test_a_process_whose_writer_died_ends_and_another_goes_on(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F02: it could book nothing any more, and would hold its clients for ever."""
    unmeasured(monkeypatch)  # what measures cannot always save its figures while other threads run
    furnished(sqlite_house, "acme", leads=30)
    run_id = started(sqlite_house)
    command = [sys.executable, "-c", LOSES_ITS_WRITER, str(sqlite_house.database.url), run_id]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stderr=pipe, text=True) as child:
        assert child.wait(PATIENCE_S) == 1
        assert child.stderr is not None
        assert "the ledger's writer has died" in child.stderr.read()
    with at_work(sqlite_house):
        assert ended(sqlite_house, run_id).tally.scored == 30
