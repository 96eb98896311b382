"""What an external run found comes to, lead by lead; that there are no posts is said only where it is certain (F29)."""

from collections.abc import Iterable

import pytest

from tallybook.domain.external import Found, Look
from tallybook.domain.lead import Lead, Post
from tallybook.domain.outcome import COUNTED_REASONS, Kind, Outcome, SkipReason
from tallybook.domain.rubric import rubric_version
from tallybook.domain.tally import Money
from tallybook.operations.harvest import Harvest, billed, failed, outcomes_of, profile_urls

ADA, BEA = Lead("ada", "https://people.test/in/ada"), Lead("bea", "https://people.test/in/bea")
OVER = Look(over=True, result="succeeded")
ON_PRICING = Post("https://people.test/posts/1", "On pricing")


def harvest(*found: Found) -> Harvest:
    made = Harvest()
    for each in found:
        made.add(each)
    return made


def outcomes(found: Iterable[Found], *leads: Lead, look: Look = OVER) -> list[Outcome]:
    return outcomes_of(leads or (ADA,), harvest(*found), look, {"ada": "never", "bea": "never"})


def said(found: Iterable[Found], look: Look = OVER) -> tuple[str | None, str | None]:
    """Reason and detail of what is said of Ada, of whom nothing was found."""
    (outcome,) = outcomes(found, look=look)
    return outcome.reason, outcome.detail


def test_what_was_found_is_the_leads_whatever_way_its_profile_is_spelled() -> None:
    (outcome,) = outcomes([Found("http://WWW.people.test/in/Ada/?x=1", ON_PRICING)])
    facts = {"text": "On pricing", "posted_at": None, "is_repost": False}
    assert (outcome.kind, outcome.posts, outcome.breakdown) == (Kind.HARVESTED, 1, {ON_PRICING.url: facts})


def test_two_leads_with_one_profile_have_the_same_posts_and_ask_for_them_once() -> None:
    again = Lead("crm-1", "https://www.people.test/in/ADA/")
    assert [each.kind for each in outcomes([Found(ADA.profile_url, ON_PRICING)], ADA, again)] == [Kind.HARVESTED] * 2
    assert profile_urls([ADA, again, BEA]) == [ADA.profile_url, BEA.profile_url]


def test_an_answer_that_was_given_and_is_empty_means_no_posts() -> None:
    assert said([]) == (SkipReason.NO_POSTS, "the profile has no posts")
    first, second = outcomes([Found(ADA.profile_url, ON_PRICING)], ADA, BEA)
    assert (first.kind, second.reason) == (Kind.HARVESTED, SkipReason.NO_POSTS)


@pytest.mark.parametrize(
    ("found", "detail"),
    [
        ([Found(fields=("text",))], "but an item of it names no profile"),
        ([Found(fields=("text",))] * 3, "but 3 items of it name no profile"),
        ([Found("", ON_PRICING)], "but an item of it names no profile"),
        ([Found("\ud800\0", ON_PRICING)], "but an item of it names no profile"),
        ([Found("https://de.people.test/in/ada", ON_PRICING)], "but a profile in it is no lead's as spelled there"),
        (
            [Found(), *(Found(f"https://people.test/in/{n}", error="x") for n in range(2))],
            "but an item of it names no profile and 2 profiles in it are no lead's as spelled there",
        ),
        ([Found(ADA.profile_url)], "the answer names it, with neither a post nor an error"),
        ([Found(ADA.profile_url, Post("x" * 2_001, "too long"))], "the answer names it, with neither"),
        ([Found(ADA.profile_url, error="private")], "the answer says of it: private"),
        ([Found(ADA.profile_url, error="\0 ")], "the answer names it, with neither"),
    ],
)
def test_where_anything_is_unclear_the_lead_is_missing_from_the_answer(found: list[Found], detail: str) -> None:
    """F29"""
    reason, told = said(found)
    assert reason == "missing_from_answer"
    assert detail in str(told)


def test_an_item_that_names_another_lead_says_nothing_of_this_one() -> None:
    _, other = outcomes([Found(ADA.profile_url)], ADA, BEA)
    assert other.reason is SkipReason.NO_POSTS


def test_a_lead_whose_profile_url_is_no_text_to_go_by_is_missing() -> None:
    (outcome,) = outcomes([], Lead("ada", "\0"))
    assert (outcome.reason, outcome.detail) == (
        "missing_from_answer",
        "its profile URL cannot be recognised in any answer",
    )


@pytest.mark.parametrize(
    ("look", "reason", "detail"),
    [
        (Look(over=True, result="timed_out"), "timeout", "ended timed_out"),
        (Look(over=True, result="failed", detail="it crashed"), "unavailable", "ended failed: it crashed"),
        (Look(over=True, result="lost"), "unavailable", "ended lost"),
    ],
)
def test_a_run_that_went_wrong_says_nothing_of_posts(look: Look, reason: str, detail: str) -> None:
    """F29"""
    assert said([Found()], look) == (reason, f"the run that was to fetch posts {detail}")


def test_a_failure_of_the_profiles_own_counts_as_a_try_with_its_input() -> None:
    """F28"""
    (outcome,) = outcomes([Found(ADA.profile_url, error="no such profile")])
    assert outcome.reason in COUNTED_REASONS
    same = failed("ada", outcome.reason, outcome.detail or "", "never")  # type: ignore[arg-type]  # it has failed
    assert outcome == same
    assert (same.input_hash, same.versions.rubric) == ("never", rubric_version(()))


def test_an_answer_of_which_nothing_can_be_told_counts_as_a_try_of_nobody() -> None:
    """F28: it is the actor's, or ours, and no reason to give all leads up."""
    stranger, understood = Found("https://de.people.test/in/ada", ON_PRICING), Found(BEA.profile_url, ON_PRICING)
    assert [each.versions.rubric for each in outcomes([stranger], ADA, BEA)] == [None, None]
    assert [each.versions.rubric for each in outcomes([stranger, understood], ADA, BEA)] == [rubric_version(())] * 2


def test_what_was_not_understood_is_told_by_the_names_of_its_fields() -> None:
    """F29, F35"""
    assert harvest(Found(ADA.profile_url, ON_PRICING)).not_understood == ""
    assert harvest(Found(fields=("a\0\n", "b.c"))).not_understood == (
        "an item of the answer was not understood: no profile, or neither a post nor an error; the first has the"
        " fields: a, b.c"
    )
    many = tuple(f"f{n}" for n in range(40))
    told = harvest(Found(), Found(fields=many), Found(fields=("later",))).not_understood
    assert told.startswith("3 items of the answer were not understood")
    assert told.endswith("f28, f29")
    assert harvest(Found()).not_understood.endswith("nor an error")


def test_of_one_post_the_last_word_counts_unless_it_is_none() -> None:
    url = ON_PRICING.url
    found = [Found(ADA.profile_url, each) for each in (ON_PRICING, Post(url, "On price", "2026"), Post(url, " "))]
    assert harvest(*found).posts == {"people.test/in/ada": {url: Post(url, "On price", None)}}


def test_what_no_database_takes_is_not_kept() -> None:
    """F32: one odd item costs itself."""
    odd = Post(f" {ON_PRICING.url}\ud800\0 ", f"hi \ud800\0{'x' * 200_000}", "p\0\n\ud800" + "9" * 999, True)
    (post,) = harvest(Found(ADA.profile_url, odd)).posts["people.test/in/ada"].values()
    assert (post.url, post.text[:5], len(post.text)) == (f"{ON_PRICING.url}\ufffd", "hi \ufffdx", 100_000)
    assert (str(post.posted_at)[:3], len(str(post.posted_at))) == ("p \ufffd", 300)
    gone = [Found("https://people.test/" + "x" * 2_000, ON_PRICING), Found(ADA.profile_url, Post("\0", "hi"))]
    assert harvest(*gone).posts == {}
    assert harvest(Found(ADA.profile_url, Post("p", "", "\0"))).posts["people.test/in/ada"]["p"].posted_at is None


@pytest.mark.parametrize(("usd", "known"), [("0", True), ("100000", True), ("100000.01", False), ("-0.01", False)])
def test_a_bill_that_cannot_be_true_is_none(usd: str, known: bool) -> None:
    assert (billed(Money.usd(usd)) == Money.usd(usd)) is known
    assert billed(None) is None
