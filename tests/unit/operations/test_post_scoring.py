"""What becomes of each lead when posts are scored."""

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.client import Client
from tallybook.domain.errors import ProviderStop
from tallybook.domain.lead import Lead, Post
from tallybook.domain.outcome import FailReason, Kind, Outcome, SkipReason, Versions
from tallybook.domain.ports import Answer, Failure, Item, Operation, Scorer
from tallybook.domain.rubric import FORMULA, Rubric
from tallybook.domain.run import OperationName
from tallybook.operations.post_scoring import PostScoring
from tallybook.scorers.keywords import KeywordScorer
from tallybook.scorers.scripted import ScriptedScorer
from tallybook.testing.demo_data import demo_clients
from tests.unit.operations.scripts import RUBRIC, UNWANTED, WANTED, ToldScorer, job, says

VERSIONS = Versions(rubric="r1", prompt="p7", formula=FORMULA, model="told-1")
DEMO = demo_clients()[0]


def work(scorer: Scorer, *leads: Lead, rubric: Rubric = RUBRIC) -> Sequence[Outcome]:
    return asyncio.run(PostScoring(scorer).work(leads, job(leads, rubric))).outcomes


def lead(*posts: Post, lead_id: str = "ada") -> Lead:
    return Lead(lead_id, posts=posts)


def by_text(item: Item) -> Answer:
    """A post whose text is a number earns it; of any other the text is the reason it failed for."""
    assert item.post
    text = item.post.text
    return says(float(text)) if text.isdigit() else Failure(FailReason(text), "so it was")


def scorer() -> ToldScorer:
    return ToldScorer(by_text)


def test_a_lead_one_of_whose_posts_was_not_asked_about_stays_pending() -> None:
    """The best of some posts would be taken for the best of all."""
    stop = ProviderStop("no more today", reason="quota", blocked_reason="provider_quota")
    halfway = ToldScorer(lambda item: stop if item.post and item.post.url == "u2" else says(20))
    leads = [lead(Post("u1", "5"), Post("u2", "5")), lead(Post("u3", "5"), lead_id="bob")]
    worked = asyncio.run(PostScoring(halfway).work(leads, job(leads)))
    assert ([each.lead_id for each in worked.outcomes], worked.stop) == (["bob"], stop)


def test_a_lead_is_worth_its_best_post() -> None:
    posts = (Post("u1", "5"), Post("u2", "20", "2025-01-01T00:00:00Z", is_repost=True), Post("u3", "10"))
    (outcome,) = work(scorer(), lead(*posts))
    assert outcome == Outcome(
        "ada",
        Kind.SCORED,
        score=66.67,
        breakdown={
            "u1": {"total": 16.67, "attributes": attributes_with(5), "is_repost": False},
            "u2": {"total": 66.67, "attributes": attributes_with(20), "is_repost": True},
            "u3": {"total": 33.33, "attributes": attributes_with(10), "is_repost": False},
        },
        assessment="The best of 3 posts. In favour: Runs a company (20 of 20).",
        best_post={"url": "u2", "text": "20", "score": 66.67, "is_repost": True},
        posts=3,
        versions=VERSIONS,
        input_hash="hash of ada",
    )
    assert json.loads(json.dumps(outcome.breakdown)) == outcome.breakdown


def attributes_with(points: float) -> dict[str, object]:
    return {
        "a": {"points": points, "max": 20, "evidence": "quote"},
        "b": {"points": 0, "max": 10, "evidence": ""},
        "z": {"points": 0, "penalty": 10, "evidence": ""},
    }


@pytest.mark.parametrize(
    "worse",
    [
        Post("u9", "5", "2025-09-09T00:00:00Z"),
        Post("u9", "10", "2025-09-09T00:00:00Z", is_repost=True),
        Post("u9", "10", "2025-01-01T00:00:00Z"),
        Post("u9", "10"),
        Post("u0", "10", "2025-02-01T00:00:00Z"),
    ],
)
def test_of_equal_posts_the_own_before_the_repost_and_the_newer_before_the_older_is_kept(worse: Post) -> None:
    best = Post("u1", "10", "2025-02-01T00:00:00Z")
    for posts in ((best, worse), (worse, best)):
        (outcome,) = work(scorer(), lead(*posts))
        assert outcome.best_post
        assert outcome.best_post["url"] == "u1"


def test_only_posts_without_a_score_and_with_words_are_judged() -> None:
    told = scorer()
    posts = (Post("u1", "5"), Post("u2", "20", scored=True), Post("u3", " \n"), Post("u4", "10"))
    (outcome,) = work(told, lead(*posts))
    assert [[item.post.url for item in items if item.post] for items in told.asked] == [["u1", "u4"]]
    assert (outcome.score, outcome.posts) == (33.33, 2)


def test_a_blank_post_is_in_the_breakdown_so_that_it_is_taken_as_done() -> None:
    (outcome,) = work(scorer(), lead(Post("u1", "5"), Post("u2", " ", is_repost=True)))
    assert outcome.breakdown
    assert outcome.breakdown["u2"] == {"total": None, "attributes": {}, "is_repost": True}


@pytest.mark.parametrize(
    ("posts", "reason"),
    [
        ((), SkipReason.NO_POSTS),
        ((Post("u1", "20", scored=True),), SkipReason.NO_POSTS),
        ((Post("u1", ""), Post("u2", " \t\n"), Post("u3", "5", scored=True)), SkipReason.NO_CONTENT),
    ],
)
def test_a_lead_with_nothing_to_read_is_skipped_before_anything_is_asked(
    posts: tuple[Post, ...], reason: SkipReason
) -> None:
    told = scorer()
    (outcome,) = work(told, lead(*posts))
    assert (outcome.kind, outcome.reason, outcome.posts, outcome.score) == (Kind.SKIPPED, reason, 0, None)
    assert (outcome.versions, outcome.input_hash) == (Versions(rubric="r1"), "hash of ada")
    assert told.asked == []


def test_posts_the_scorer_could_judge_by_nothing_are_no_content() -> None:
    (outcome,) = work(ToldScorer(lambda _: says(None, None, None)), lead(Post("u1", "x"), Post("u2", "y")))
    assert (outcome.reason, outcome.posts, outcome.versions) == (SkipReason.NO_CONTENT, 2, VERSIONS)


def test_a_post_judged_by_nothing_has_no_total_and_is_never_the_best() -> None:
    told = ToldScorer(lambda item: says(None, None, None) if item.key.endswith("u2") else says(0))
    (outcome,) = work(told, lead(Post("u1", "x"), Post("u2", "y")))
    assert outcome.breakdown
    assert outcome.breakdown["u2"]["total"] is None  # type: ignore[index]  # plain JSON data
    assert (outcome.score, outcome.posts) == (0, 2)


def test_a_lead_is_scored_only_when_every_post_was_judged() -> None:
    """A maximum over some of the posts would be taken for the maximum over all. (F28)"""
    posts = (Post("u1", "20"), Post("u2", "safety_block"), Post("u3", "timeout"))
    (outcome,) = work(scorer(), lead(*posts))
    assert outcome == Outcome.failed(
        "ada",
        FailReason.SAFETY_BLOCK,
        detail="2 of 3 posts failed: so it was",
        posts=3,
        versions=VERSIONS,
        input_hash="hash of ada",
    )


def test_a_failure_without_words_is_told_by_its_reason() -> None:
    (outcome,) = work(ToldScorer(lambda _: Failure(FailReason.TIMEOUT)), lead(Post("u1", "x")))
    assert outcome.detail == "1 of 1 posts failed: timeout"


def test_a_failure_is_of_its_lead_alone() -> None:
    """F23"""
    outcomes = work(scorer(), lead(Post("u1", "quota")), lead(Post("u1", "20"), lead_id="ben"))
    assert [(outcome.lead_id, outcome.ok) for outcome in outcomes] == [("ada", False), ("ben", True)]


def test_answers_belong_to_posts_by_key_and_not_by_place() -> None:
    """F26"""
    told = ToldScorer(by_text, extra={"stranger": says(20)}, silent_on=frozenset({"cy"}))
    leads = (lead(Post("u1", "5")), lead(Post("u1", "10"), lead_id="ben"), lead(Post("u1", "20"), lead_id="cy"))
    first, second, missing = work(told, *leads)
    assert (first.score, second.score) == (16.67, 33.33)
    assert missing.reason is FailReason.MISSING_FROM_ANSWER


def test_keys_of_posts_are_unlike_whatever_the_ids_hold() -> None:
    told = scorer()
    work(told, lead(Post("b c", "1"), lead_id="a"), lead(Post("c", "1"), lead_id="a b"))
    assert len({item.key for item in told.asked[0]}) == 2


def test_of_a_post_given_twice_the_later_counts() -> None:
    (outcome,) = work(scorer(), lead(Post("u1", "20"), Post("u1", "5")))
    assert (outcome.score, outcome.posts) == (16.67, 1)


def test_the_scorers_own_words_about_the_best_post_are_kept() -> None:
    told = ToldScorer(lambda item: says(20 if item.key.endswith("u2") else 0, assessment=item.key[-2:]))
    assert work(told, lead(Post("u1", "x"), Post("u2", "y")))[0].assessment == "u2"


def test_one_post_is_not_called_the_best_of_one() -> None:
    assert work(scorer(), lead(Post("u1", "0")))[0].assessment == "Nothing that the rubric looks for was found."


def test_who_is_excluded_is_so_by_the_best_post() -> None:
    rubric = Rubric((), (WANTED, replace(UNWANTED, disqualifying=True)))
    told = ToldScorer(lambda item: says(20, z=-5) if item.key.endswith("u1") else says(5))
    (outcome,) = work(told, lead(Post("u1", "x"), Post("u2", "y")), rubric=rubric)
    assert (outcome.score, outcome.excluded_by) == (75.0, "z")


def test_one_strange_answer_flags_the_lead() -> None:
    assert work(scorer(), lead(Post("u1", "5"), Post("u2", "21")))[0].flagged
    assert work(ToldScorer(lambda _: says(5, flagged=True)), lead(Post("u1", "5")))[0].flagged
    assert not work(scorer(), lead(Post("u1", "5"), Post("u2", "20")))[0].flagged


@pytest.mark.parametrize(
    ("level", "rubric", "reason"),
    [
        (1, RUBRIC, "below_service_level"),
        (1, Rubric(), "below_service_level"),
        (2, RUBRIC, None),
        (3, RUBRIC, None),
        (2, Rubric((WANTED,)), "no_rubric"),
        (2, Rubric((), (replace(WANTED, active=False),)), "no_rubric"),
    ],
)
def test_it_applies_from_service_level_2_to_clients_with_a_rubric_for_posts(
    level: int, rubric: Rubric, reason: str | None
) -> None:
    operation: Operation = PostScoring(scorer())
    assert operation.name is OperationName.POST_SCORING
    assert operation.does_not_apply(Client("c", "C", service_level=level), rubric) == reason


def test_it_judges_by_the_rubric_for_posts() -> None:
    told = scorer()
    rubric = Rubric((UNWANTED,), (WANTED, replace(UNWANTED, active=False)))
    assert PostScoring(told).judged_by(rubric) == (WANTED,)
    work(told, lead(Post("u1", "5")), rubric=rubric)
    assert told.attributes == (WANTED,)


@pytest.mark.parametrize("scorer", [KeywordScorer(), ScriptedScorer(fail_every=9)])
@given(st.randoms(use_true_random=False), st.integers(1, 50))
def test_a_lead_comes_to_the_same_in_any_order_and_any_chunk(scorer: Scorer, rng: random.Random, size: int) -> None:
    """F25"""
    leads = [replace(each, posts=tuple(rng.sample(each.posts, len(each.posts)))) for each in DEMO.leads]
    expected = {outcome.lead_id: outcome for outcome in work(scorer, *DEMO.leads, rubric=DEMO.rubric)}
    rng.shuffle(leads)
    chunks = [leads[at : at + size] for at in range(0, len(leads), size)]
    outcomes = [outcome for chunk in chunks for outcome in work(scorer, *chunk, rubric=DEMO.rubric)]
    assert {outcome.lead_id: outcome for outcome in outcomes} == expected
