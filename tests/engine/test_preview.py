"""A dry run: what a start would find, without writing a row or asking anybody."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.house import House, furnish, open_house
from tallybook.domain.client import Client
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import Kind, LeadId, Outcome
from tallybook.domain.ports import Job, Operation, Scorer, Worked
from tallybook.domain.rubric import Attribute, Rubric
from tallybook.domain.run import OperationName
from tallybook.domain.tally import Estimate, Usage
from tallybook.engine.preview import OperationPreview, SilentScorer, preview
from tallybook.ledger.write.starts import Request
from tallybook.operations.post_harvesting import Pace, PostHarvesting
from tallybook.scorers.scripted import ScriptedScorer
from tallybook.stores.sql import SqlStore
from tests.engine.by_hand import ByHand
from tests.stories.acting import asked, done

LEADS = OperationName.LEAD_SCORING
SCRIPTED = ScriptedScorer()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(f"sqlite:///{tmp_path}/tallybook.db")
    furnish(house, clients=1, leads=10, thin_every=5)
    yield house
    house.close()


def looked(
    house: House, request: Request, operations: dict[OperationName, Operation] | None = None, scorer: Scorer = SCRIPTED
) -> list[OperationPreview]:
    def operations_with(scorer: Scorer) -> Mapping[OperationName, Operation]:
        return house.operations(scorer) if operations is None else operations

    (client,) = preview(house.ledger, house.clients, scorer, operations_with, request, chunk_size=3)
    return list(client.operations)


def test_each_operation_says_what_is_due_or_why_nothing_is(house: House) -> None:
    assert looked(house, Request()) == [
        OperationPreview(
            LEADS, due=10, skips={"insufficient_profile": 2}, estimate=Estimate(4, 4 * 400, 4 * 100, unpriced=4)
        ),
        OperationPreview(OperationName.POST_HARVESTING, finish_reason="below_service_level"),
        OperationPreview(OperationName.POST_SCORING, finish_reason="below_service_level"),
    ]


def test_the_limit_leaves_the_rest_for_later(house: House) -> None:
    (found,) = looked(house, Request((LEADS,), limit=3))
    assert (found.due, found.beyond, found.attempted) == (3, 7, 2)


def test_what_works_outside_is_counted_and_nothing_is_set_going(house: House) -> None:
    house.clients.put_clients([Client("client-0000", "First", service_level=2, daily_target=4)])
    harvesting: dict[OperationName, Operation] = {OperationName.POST_HARVESTING: PostHarvesting(ByHand(), Pace())}
    (found,) = looked(house, Request((OperationName.POST_HARVESTING,)), harvesting)
    assert (found.due, found.beyond, found.skips) == (4, 6, {})


def test_of_what_works_outside_those_are_shown_that_would_be_taken(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were never looked at, before those that were long ago."""
    house.clients.put_clients([Client("client-0000", "First", service_level=2)])
    ids = [each.lead.lead_id for each in house.clients.leads("client-0000")]
    before = [Outcome(each, Kind.HARVESTED, input_hash="never") for each in ids[:7]]
    house.clients.store("client-0000").save(OperationName.POST_HARVESTING, before)
    load = SqlStore.load
    shown: list[LeadId] = []

    def listening(store: SqlStore, lead_ids: Sequence[LeadId]) -> Sequence[Lead]:
        shown.extend(lead_ids)
        return load(store, lead_ids)

    monkeypatch.setattr(SqlStore, "load", listening)
    harvesting = PostHarvesting(ByHand(), Pace(daily_target=4, recheck_after=timedelta(0)))
    (found,) = looked(house, Request((OperationName.POST_HARVESTING,)), {OperationName.POST_HARVESTING: harvesting})
    assert (found.due, found.beyond, found.waiting) == (4, 6, 0)
    assert shown == [ids[0], *ids[7:]]


def test_those_that_would_be_given_up_are_shown_as_skipped(house: House) -> None:
    """F28"""
    for _ in range(3):
        done(house, asked(), ScriptedScorer(fail_every=1))
    (found,) = looked(house, Request((LEADS,)))
    assert (found.due, found.attempted, found.skips) == (8, 0, {"gave_up": 8})


def test_a_lead_that_goes_meanwhile_would_be_skipped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    load = SqlStore.load

    def one_less(store: SqlStore, lead_ids: Sequence[LeadId]) -> Sequence[Lead]:
        return load(store, lead_ids[1:])

    monkeypatch.setattr(SqlStore, "load", one_less)
    (found,) = looked(house, Request((LEADS,)))
    assert found.skips == {"lead_gone": 1, "insufficient_profile": 1}


class Metered:
    """An operation that books a call itself, whoever scores."""

    name = LEADS

    def does_not_apply(self, client: Client, rubric: Rubric) -> str | None:
        return None

    def judged_by(self, rubric: Rubric) -> Sequence[Attribute]:
        return rubric.for_leads

    async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
        call_id = await job.meter.start(provider="google", model="m")
        await job.meter.pause(0)
        job.meter.note("kind", "text")
        job.meter.settle(call_id, result="ok", usage=Usage())
        return Worked([Outcome(lead.lead_id, Kind.SCORED, score=1) for lead in leads])


def test_nothing_is_booked_whatever_an_operation_does(house: House) -> None:
    (found,) = looked(house, Request((LEADS,)), {LEADS: Metered()})
    assert (found.due, found.attempted) == (10, 10)
    with house.database.reading() as connection:
        for table in ("runs", "calls", "outcomes", "worklist", "events"):
            assert connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table}").scalar_one() == 0
    assert (SilentScorer(SCRIPTED).model, SilentScorer(SCRIPTED).prompt_version) == ("scripted", None)
