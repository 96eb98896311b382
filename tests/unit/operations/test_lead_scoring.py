"""What becomes of each lead when leads are scored."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.client import Client
from tallybook.domain.errors import ProviderStop
from tallybook.domain.lead import Lead, Position
from tallybook.domain.outcome import FailReason, Kind, Outcome, SkipReason, Versions
from tallybook.domain.ports import Answer, Failure, Item, Judgement, Operation, Scorer
from tallybook.domain.rubric import FORMULA, Rubric, Verdict
from tallybook.domain.run import OperationName
from tallybook.operations.lead_scoring import LeadScoring
from tallybook.scorers.keywords import KeywordScorer
from tallybook.scorers.scripted import ScriptedScorer
from tallybook.testing.demo_data import demo_clients
from tests.unit.operations.scripts import RUBRIC, UNWANTED, WANTED, ToldScorer, job, says

ADA = Lead("ada", headline="Founder")
BEN = Lead("ben", positions=(Position("Clerk"),))
THIN = Lead("thin", about="Hello.", full_name="Theo Thin", positions=(Position(" ", "", "Did things"),))
VERSIONS = Versions(rubric="r1", prompt="p7", formula=FORMULA, model="told-1")
DEMO = demo_clients()[0]


def work(scorer: Scorer, *leads: Lead, rubric: Rubric = RUBRIC) -> Sequence[Outcome]:
    return asyncio.run(LeadScoring(scorer).work(leads, job(leads, rubric))).outcomes


def told(answer: Answer) -> ToldScorer:
    return ToldScorer(lambda _: answer)


def test_a_judged_lead_is_scored_with_everything_a_store_saves() -> None:
    (outcome,) = work(told(says(15, 5, -3, assessment="Fine.")), ADA)
    assert outcome == Outcome(
        "ada",
        Kind.SCORED,
        score=56.67,
        breakdown={
            "a": {"points": 15, "max": 20, "evidence": "quote"},
            "b": {"points": 5, "max": 10, "evidence": ""},
            "z": {"points": -3, "penalty": 10, "evidence": ""},
        },
        assessment="Fine.",
        versions=VERSIONS,
        input_hash="hash of ada",
    )


def test_without_the_scorers_own_words_the_assessment_is_told_from_the_breakdown() -> None:
    (outcome,) = work(told(says(15, 0, -3)), ADA)
    assert outcome.assessment == "In favour: Runs a company (15 of 20). Against: Seeks a job (-3)."


def test_thin_profiles_are_skipped_before_anything_is_asked() -> None:
    scorer = told(says(20))
    skipped, scored = work(scorer, THIN, ADA)
    assert (skipped.kind, skipped.reason, skipped.score) == (Kind.SKIPPED, SkipReason.INSUFFICIENT_PROFILE, None)
    assert skipped.detail == "neither headline nor history"
    assert (skipped.versions, skipped.input_hash) == (Versions(rubric="r1"), "hash of thin")
    assert scored.ok
    assert [[item.key for item in items] for items in scorer.asked] == [["ada"]]


def test_a_chunk_of_thin_profiles_asks_nothing_at_all() -> None:
    scorer = told(says(20))
    outcomes = work(scorer, THIN, replace(THIN, lead_id="thin-2"))
    assert [outcome.reason for outcome in outcomes] == [SkipReason.INSUFFICIENT_PROFILE] * 2
    assert scorer.asked == []


def test_a_history_without_a_headline_is_enough() -> None:
    assert work(told(says(20)), BEN)[0].ok


def test_a_lead_the_scorer_could_judge_by_nothing_is_skipped() -> None:
    (outcome,) = work(told(says(None, None, None)), ADA)
    assert outcome.reason is SkipReason.INSUFFICIENT_PROFILE
    assert outcome.versions == VERSIONS


def test_a_failure_is_of_its_lead_alone() -> None:
    """F23"""
    scorer = ToldScorer(lambda item: Failure(FailReason.QUOTA, "429") if item.key == "ada" else says(20))
    failed, scored = work(scorer, ADA, BEN)
    assert failed == Outcome.failed("ada", FailReason.QUOTA, detail="429", versions=VERSIONS, input_hash="hash of ada")
    assert scored.score == 66.67


def test_a_failure_without_words_has_no_detail() -> None:
    assert work(told(Failure(FailReason.TIMEOUT)), ADA)[0].detail is None


def test_a_failed_attempt_leaves_no_score_behind() -> None:
    """F28"""
    (outcome,) = work(told(Failure(FailReason.UNAVAILABLE)), ADA)
    assert (outcome.ok, outcome.score, outcome.breakdown, outcome.assessment) == (False, None, None, None)


def test_answers_belong_to_leads_by_key_and_not_by_place() -> None:
    """F26"""
    scorer = ToldScorer(lambda item: says(20 if item.key == "ada" else 10), extra={"stranger": says(20)})
    assert [(outcome.lead_id, outcome.score) for outcome in work(scorer, BEN, ADA)] == [("ben", 33.33), ("ada", 66.67)]


def test_a_lead_missing_from_the_answer_failed() -> None:
    """F26"""
    scorer = ToldScorer(lambda _: says(20), silent_on=frozenset({"ada"}))
    missing, scored = work(scorer, ADA, BEN)
    assert missing.reason is FailReason.MISSING_FROM_ANSWER
    assert scored.ok


def test_who_is_excluded_keeps_the_score() -> None:
    rubric = Rubric((WANTED, replace(UNWANTED, disqualifying=True)))
    (outcome,) = work(told(says(20, z=-5)), ADA, rubric=rubric)
    assert (outcome.score, outcome.excluded_by) == (75.0, "z")


@pytest.mark.parametrize(("answer", "flagged"), [(says(20), False), (says(21), True), (says(20, flagged=True), True)])
def test_a_strange_answer_is_flagged(answer: Answer, flagged: bool) -> None:
    assert work(told(answer), ADA)[0].flagged is flagged


def test_only_active_attributes_are_asked_about() -> None:
    scorer = told(says(20))
    work(scorer, ADA, rubric=Rubric((WANTED, replace(UNWANTED, active=False))))
    assert scorer.attributes == (WANTED,)


def test_when_asking_is_pointless_the_word_is_passed_on() -> None:
    def stop(_: Item) -> Answer:
        raise ProviderStop("no more today", reason="quota", blocked_reason="provider_quota")

    with pytest.raises(ProviderStop):
        work(ToldScorer(stop), ADA)


def test_what_was_answered_before_asking_ended_is_kept_and_the_rest_stays_pending() -> None:
    stop = ProviderStop("no more today", reason="quota", blocked_reason="provider_quota")
    other = replace(ADA, lead_id="other")
    scorer = ToldScorer(lambda item: stop if item.lead is other else says(20))
    worked = asyncio.run(LeadScoring(scorer).work([ADA, other], job([ADA, other], RUBRIC)))
    assert ([each.lead_id for each in worked.outcomes], worked.stop) == ([ADA.lead_id], stop)


def test_a_failure_that_ends_the_asking_is_an_outcome_and_a_stop() -> None:
    stop = ProviderStop("mend the key", reason="auth", blocked_reason="auth")
    scorer = told(Failure(FailReason.AUTH, "refused", stop))
    worked = asyncio.run(LeadScoring(scorer).work([ADA], job([ADA], RUBRIC)))
    assert ([each.reason for each in worked.outcomes], worked.stop) == ([FailReason.AUTH], stop)


def test_it_applies_to_every_client_that_has_a_rubric_for_leads() -> None:
    operation: Operation = LeadScoring(told(says(20)))
    client = Client("acme-law", "Acme Law", service_level=0)
    assert operation.name is OperationName.LEAD_SCORING
    assert operation.does_not_apply(client, Rubric((WANTED,))) is None
    assert operation.does_not_apply(client, Rubric((), (WANTED,))) == "no_rubric"
    assert operation.does_not_apply(client, Rubric((replace(WANTED, active=False),))) == "no_rubric"
    assert operation.judged_by(Rubric((WANTED,), (UNWANTED,))) == (WANTED,)


@pytest.mark.parametrize("scorer", [KeywordScorer(), ScriptedScorer(fail_every=9, truncate_every=11)])
@given(st.randoms(use_true_random=False), st.integers(1, 50))
def test_a_lead_comes_to_the_same_in_any_order_and_any_chunk(scorer: Scorer, rng: random.Random, size: int) -> None:
    """F25"""
    leads = [*DEMO.leads]
    expected = {outcome.lead_id: outcome for outcome in work(scorer, *leads, rubric=DEMO.rubric)}
    rng.shuffle(leads)
    chunks = [leads[at : at + size] for at in range(0, len(leads), size)]
    outcomes = [outcome for chunk in chunks for outcome in work(scorer, *chunk, rubric=DEMO.rubric)]
    assert {outcome.lead_id: outcome for outcome in outcomes} == expected


@given(st.randoms(use_true_random=False))
def test_the_order_of_the_rubric_changes_no_outcome(rng: random.Random) -> None:
    """F25"""
    attributes = [*DEMO.rubric.attributes]
    expected = work(KeywordScorer(), *DEMO.leads, rubric=DEMO.rubric)
    rng.shuffle(attributes)
    assert work(KeywordScorer(), *DEMO.leads, rubric=Rubric(tuple(attributes))) == expected


def test_an_attribute_the_answer_leaves_out_is_unscored() -> None:
    scorer = told(Judgement({"a": Verdict(10)}))
    assert work(scorer, ADA)[0].score == 50
