"""What post_harvesting makes of an external run that is over."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tallybook.domain.external import ExternalRun, Look
from tallybook.domain.lead import Lead, lead_id_of_url
from tallybook.domain.outcome import LeadId
from tallybook.domain.ports import Candidate, Collected
from tallybook.domain.run import OperationName
from tallybook.domain.tally import LOST, Money
from tallybook.operations.post_harvesting import Pace, PostHarvesting
from tests.engine.by_hand import OVER, ByHand

ADA = "https://people.test/in/ada"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
OURS = ExternalRun(
    "byhand", "x1", "a-run", "acme", OperationName.POST_HARVESTING, "a-call", NOON, leads=("crm-1", "crm-2")
)


async def load(lead_ids: Sequence[LeadId]) -> Sequence[Lead]:
    """crm-1 and crm-3 are there; ids that were made of profiles are not."""
    return [Lead(each, ADA) for each in lead_ids if each in ("crm-1", "crm-3")]


async def find(profiles: Sequence[LeadId]) -> Sequence[LeadId]:
    return ["crm-1", "crm-3"] if lead_id_of_url(ADA) in profiles else []


def collected(external: ExternalRun = OURS, look: Look = OVER, profiles: Sequence[str] = (ADA,)) -> Collected:
    operation = PostHarvesting(ByHand(profiles={"x1": profiles}), Pace())
    return asyncio.run(operation.collect(external, look, load, {"crm-1": "never"}, find))


def kinds(told: Collected) -> dict[LeadId, str]:
    return {each.lead_id: str(each.reason or each.kind) for each in told.outcomes}


def test_leads_that_went_meanwhile_are_skipped() -> None:
    told = collected()
    assert kinds(told) == {"crm-1": "harvested", "crm-2": "lead_gone"}
    assert (told.result, told.finish_reason, told.error, told.strangers, told.unread) == ("succeeded", None, "", 0, "")


def test_where_nobody_has_said_for_whom_it_is_for_those_with_its_profiles() -> None:
    """F31: whatever their ids were made of."""
    told = collected(replace(OURS, leads=None))
    assert kinds(told) == {"crm-1": "harvested", "crm-3": "harvested"}
    assert kinds(collected(replace(OURS, leads=None), profiles=["https://people.test/in/bea"])) == {}


def test_a_run_that_went_wrong_says_how_and_why() -> None:
    told = collected(look=Look(over=True, result="failed", detail="3:0 for the wall", cost=Money.usd(200_000)))
    error = "the run that was to fetch posts ended failed: 3:0 for the wall"
    assert (told.finish_reason, told.error, told.cost) == ("failed", error, None)


def test_nothing_is_asked_of_a_run_that_is_lost() -> None:
    """F29"""
    told = collected(look=Look(over=True, result=LOST, detail="nobody knows it"), profiles=["unasked"])
    assert kinds(told) == {"crm-1": "unavailable", "crm-2": "lead_gone"}
    assert told.strangers == 0


def test_what_is_not_understood_is_told() -> None:
    """F29"""
    told = collected(profiles=["\0"])
    assert told.unread.startswith("2 items of the answer were not understood")
    assert kinds(told)["crm-1"] == "missing_from_answer"


@pytest.mark.parametrize(
    ("input_hash", "done"), [("never 1a2b", None), ("2026-11-20T12:00:00Z 1a2b", NOON - timedelta(days=5))]
)
def test_a_candidates_input_tells_when_it_was_harvested(input_hash: str, done: datetime | None) -> None:
    operation = PostHarvesting(ByHand(), Pace(recheck_after=timedelta(days=6)))
    candidate = Candidate("crm-1", input_hash)
    assert operation.last_done(candidate) == done
    assert operation.is_due(candidate, NOON) is (done is None)
    assert operation.is_due(candidate, NOON + timedelta(days=1))
