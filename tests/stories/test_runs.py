"""Whole runs: what is due is worked, what is not says why, and the books add up."""

from collections.abc import Sequence

import pytest

from benchmarks.house import House
from tallybook.domain.errors import BadInput, NotFound
from tallybook.domain.lead import Lead, Post
from tallybook.domain.ports import Job, Worked
from tallybook.domain.rubric import Rubric
from tallybook.domain.run import OperationName, Run, Status
from tallybook.engine.runner import Limits
from tallybook.ledger import read
from tallybook.ledger.audit import audit
from tallybook.ledger.tables import run_ids
from tallybook.operations.lead_scoring import LeadScoring
from tallybook.operations.post_scoring import PostScoring
from tallybook.scorers.scripted import ScriptedScorer
from tests.stories.acting import (
    LEAD_SCORING,
    POST_HARVESTING,
    POST_SCORING,
    TroubledClients,
    TroubledStore,
    asked,
    at_work,
    books,
    count,
    done,
    ended,
    furnished,
    kinds,
    started,
    texts,
    unsaved,
    until,
)


def statuses(run: Run) -> dict[str, str]:
    return {each.client_id: str(each.status) for each in run.clients}


def test_a_run_is_terminal_only_when_every_operation_run_is(house: House) -> None:
    """F01, F36: the books are looked at all the time while a run goes on."""
    furnished(house, "acme", "bolt", "core", leads=40)
    with at_work(house, ScriptedScorer(latency_ms=60), limits=Limits(calls_at_once=3)) as engine:
        run_id = started(house, engine=engine)
        samples = 0
        while not (run := read.run(house.database, run_id)).status.terminal:
            assert len(run.clients) in (0, 3)
            assert audit(house.database, run_id).differences == ()
            samples += 1
        assert samples > 10
        assert all(client.status.terminal for client in run.clients)
        assert all(each.status.terminal for client in run.clients for each in client.operations)
        assert run.tally.pending == 0


def test_found_is_scored_and_skipped_and_failed_and_pending_over_several_clients(house: House) -> None:
    """F15, F37: tallies of clients and of the run are sums."""
    furnished(house, "acme", "bolt", "core", leads=120)
    house.clients.put_leads("acme", [Lead(f"x.test/thin-{n}") for n in range(7)])
    run = done(house, scorer=ScriptedScorer(fail_every=9))
    tally = run.tally
    assert tally.found == 367 == tally.scored + tally.skipped + tally.failed
    assert tally.skipped == 7
    assert tally.failed > 0
    assert run.status is Status.COMPLETED_WITH_ERRORS
    assert sum((client.tally for client in run.clients), type(tally)()) == tally
    assert unsaved(house) == 0


def test_one_client_that_finishes_does_not_finish_the_run(sqlite_house: House) -> None:
    """F36: the slow one is still at it."""
    furnished(sqlite_house, "quick", leads=1)
    furnished(sqlite_house, "slow", leads=600)
    with at_work(sqlite_house, ScriptedScorer(latency_ms=40), limits=Limits(calls_at_once=4)) as engine:
        run_id = started(sqlite_house, engine=engine)
        until(lambda: statuses(read.run(sqlite_house.database, run_id)).get("quick") == "completed", "the quick one")
        assert books(sqlite_house, run_id).status is Status.RUNNING
        assert ended(sqlite_house, run_id).tally.scored == 601


def test_a_worker_takes_the_run_id_it_is_given_and_mints_none(sqlite_house: House) -> None:
    """F06."""
    furnished(sqlite_house, "acme", "bolt")
    run = done(sqlite_house, asked(operations=OperationName))
    assert count(sqlite_house, run_ids) == 1
    assert {client.label for client in run.clients} == {f"{run.run_id}-acme", f"{run.run_id}-bolt"}


@pytest.mark.parametrize("wrong", [None, 7, "", "  ", "a\nb"])
def test_what_is_no_client_id_is_refused_at_the_edge(sqlite_house: House, wrong: object) -> None:
    """F39: nothing is started."""
    with pytest.raises(BadInput, match="client id"):
        started(sqlite_house, asked(wrong))  # type: ignore[arg-type]  # what a careless caller passes
    assert read.list_runs(sqlite_house.database) == []


def test_a_client_that_does_not_exist_is_refused(sqlite_house: House) -> None:
    with pytest.raises(NotFound, match="no client 'nobody'"):
        started(sqlite_house, asked("nobody"))


def test_operations_that_do_not_apply_close_at_once_and_say_why(house: House) -> None:
    furnished(house, "acme", level=1)
    furnished(house, "bolt", level=2)
    house.clients.put_rubric("bolt", Rubric())
    run = done(house, asked(operations=OperationName))
    told = {
        (c.client_id, o.operation): (o.status, o.finish_reason, o.tally.found)
        for c in run.clients
        for o in c.operations
    }
    completed = Status.COMPLETED
    assert told == {
        ("acme", LEAD_SCORING): (completed, None, 10),
        ("acme", POST_HARVESTING): (completed, "below_service_level", 0),
        ("acme", POST_SCORING): (completed, "below_service_level", 0),
        ("bolt", LEAD_SCORING): (completed, "no_rubric", 0),
        ("bolt", POST_HARVESTING): (completed, "no_harvester", 0),
        ("bolt", POST_SCORING): (completed, "no_rubric", 0),
    }
    assert run.status is Status.COMPLETED


def test_a_stream_without_clients_completes_without_work(house: House) -> None:
    run = done(house, asked(stream=7))
    assert (run.status, run.finish_reason, run.clients) == (Status.COMPLETED, "no_work", ())


def test_a_paused_client_is_not_visited(sqlite_house: House) -> None:
    furnished(sqlite_house, "acme", "bolt")
    sqlite_house.clients.pause("bolt", paused=True)
    assert statuses(done(sqlite_house)) == {"acme": "completed"}


def test_a_limit_counts_per_client_and_operation(house: House) -> None:
    furnished(house, "acme", "bolt", leads=10, level=2)
    for client_id in ("acme", "bolt"):
        leads = [Lead(f"x.test/{n}", posts=(Post(f"p{n}", "hiring"),)) for n in range(10)]
        house.clients.put_leads(client_id, leads)
    run = done(house, asked(operations=(LEAD_SCORING, POST_SCORING), limit=4))
    assert [each.tally.found for client in run.clients for each in client.operations] == [4, 4, 4, 4]


def test_operations_of_one_client_run_in_order_and_several_clients_at_once(sqlite_house: House) -> None:
    seen: list[tuple[str, str]] = []

    class Noting(LeadScoring):
        async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
            seen.append((job.client.client_id, "lead"))
            return await super().work(leads, job)

    class NotingPosts(PostScoring):
        async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
            seen.append((job.client.client_id, "post"))
            return await super().work(leads, job)

    names = ["acme", "bolt", "core", "dent"]
    furnished(sqlite_house, *names, leads=0, level=2)
    for each in names:
        sqlite_house.clients.put_leads(
            each, [Lead(f"x.test/{n}", headline="Owner", posts=(Post(f"p{n}", "hiring"),)) for n in range(10)]
        )
    scorer = ScriptedScorer(latency_ms=60)
    plugs = {LEAD_SCORING: Noting(scorer), POST_SCORING: NotingPosts(scorer)}
    done(sqlite_house, asked(operations=OperationName), operations=plugs)
    for each in names:
        assert [what for who, what in seen if who == each] == ["lead", "lead", "post", "post"]
    assert len({who for who, _ in seen[:6]}) > 1


def test_an_operation_that_breaks_fails_its_chunk_and_no_other(sqlite_house: House) -> None:
    class Breaking(LeadScoring):
        async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
            if leads[0].lead_id.endswith("000005"):
                raise ZeroDivisionError("nobody expects this")
            return await super().work(leads, job)

    furnished(sqlite_house, "acme", leads=15)
    run = done(sqlite_house, operations={LEAD_SCORING: Breaking(ScriptedScorer())})
    assert (run.tally.scored, run.tally.failed, run.status) == (10, 5, Status.COMPLETED_WITH_ERRORS)
    told = read.why(sqlite_house.database, "acme", "people.test/in/person-1-000007")[0].outcome
    assert (told.reason, told.detail) == ("unknown", "ZeroDivisionError: nobody expects this")
    assert told.versions.rubric is not None


def test_an_operation_that_forgets_a_lead_or_invents_one_fails_only_what_it_forgot(sqlite_house: House) -> None:
    """F26."""

    class Careless(LeadScoring):
        async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
            told = await super().work(leads[1:], job)
            invented = await super().work([Lead("x.test/invented", headline="Owner")], job)
            return Worked([*told.outcomes, *invented.outcomes])

    furnished(sqlite_house, "acme", leads=10)
    run = done(sqlite_house, operations={LEAD_SCORING: Careless(ScriptedScorer())})
    assert (run.tally.found, run.tally.scored, run.tally.failed) == (10, 8, 2)


def test_a_client_whose_record_is_gone_fails_alone(house: House) -> None:
    class Vanishing(TroubledClients):
        def store(self, client_id: str) -> TroubledStore:
            return super().store("nobody" if client_id == "bolt" else client_id)

    furnished(house, "acme", "bolt", leads=5)
    run = done(house, clients=Vanishing(house.clients, lambda what: None))
    assert statuses(run) == {"acme": "completed", "bolt": "failed"}
    assert run.status is Status.COMPLETED_WITH_ERRORS
    assert texts(house, run.run_id, "client_error") == ["NotFound: there is no client 'nobody'"]


def test_leads_deleted_after_they_were_frozen_are_skipped_as_gone(house: House) -> None:
    furnished(house, "acme", leads=7)

    def delete_one(what: str) -> None:
        if what == "load":
            with house.database.writing() as tx:
                tx.execute("DELETE FROM @leads WHERE lead_id LIKE '%000003'")

    run = done(house, clients=TroubledClients(house.clients, delete_one))
    told = kinds(house, run.run_id)
    assert (run.tally.scored, run.tally.skipped, run.status) == (6, 1, Status.COMPLETED)
    assert told["people.test/in/person-1-000003"] == "skipped(lead_gone)"
