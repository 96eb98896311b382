"""An outcome says one thing about a lead, and why."""

import pytest

from tallybook.domain.errors import BadInput, UnknownWord
from tallybook.domain.outcome import FailReason, Kind, Outcome, SkipReason, read_reason


def test_a_lead_that_came_out_well_has_no_reason() -> None:
    assert Outcome("ada", Kind.SCORED, score=0.0).ok
    assert Outcome("ada", Kind.HARVESTED, posts=3).ok
    with pytest.raises(BadInput, match="scored has no reason"):
        Outcome("ada", Kind.SCORED, SkipReason.NO_POSTS)


def test_a_lead_that_did_not_says_why_in_a_word_of_its_kind() -> None:
    assert not Outcome.skipped("ada", SkipReason.NO_POSTS, posts=0).ok
    assert not Outcome.failed("ada", FailReason.QUOTA, detail="429").ok
    for kind, reason in ((Kind.SKIPPED, FailReason.QUOTA), (Kind.FAILED, SkipReason.NO_POSTS), (Kind.FAILED, None)):
        with pytest.raises(BadInput, match="needs one of"):
            Outcome("ada", kind, reason)


@pytest.mark.parametrize("score", [-0.01, 100.01, float("nan"), float("inf")])
def test_a_score_is_0_to_100(score: float) -> None:
    with pytest.raises(BadInput, match="a score is 0 to 100"):
        Outcome("ada", Kind.SCORED, score=score)


def test_posts_are_counted_from_0() -> None:
    with pytest.raises(BadInput, match="counted from 0"):
        Outcome("ada", Kind.HARVESTED, posts=-1)


def test_a_reason_is_read_as_its_kind_means_it() -> None:
    assert read_reason(Kind.SKIPPED, "no_posts") is SkipReason.NO_POSTS
    assert read_reason(Kind.FAILED, "quota") is FailReason.QUOTA
    assert read_reason(Kind.SCORED, "anything") is None
    assert read_reason(Kind.FAILED, None) is None
    with pytest.raises(UnknownWord, match="use one of: safety_block"):
        read_reason(Kind.FAILED, "no_posts")
