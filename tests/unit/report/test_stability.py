"""What rounds come to, and what is said about it: figures worked out by hand."""

from collections.abc import Mapping

import pytest

from tallybook.domain.outcome import FailReason
from tallybook.domain.ports import Failure, Judgement
from tallybook.domain.rounds import Round
from tallybook.domain.rubric import Attribute, Category, Verdict
from tallybook.report import stability as report
from tallybook.report.stability import Heard, Spread, Stability

FIT = Attribute("fit", "Fits", Category.POSITIVE, 60)
SIZE = Attribute("size", "Is large enough", Category.POSITIVE, 40, min_to_qualify=10)
RIVAL = Attribute("rival", "Sells the same", Category.NEGATIVE, 20)
RUBRIC = (FIT, SIZE, RIVAL)
FAILED = Failure(FailReason.OUTPUT_TRUNCATED)


def said(fit: float | None = 30, size: float | None = 20, rival: float | None = 0) -> Judgement:
    return Judgement({"fit": Verdict(fit), "size": Verdict(size), "rival": Verdict(rival)})


ROUNDS = (Round(1, ()), Round(5, ()), Round(5, (), shuffled=True), Round(10, (), shuffled=True))


def found(*heard: Heard) -> Stability:
    return report.stability(RUBRIC, ROUNDS[: len(heard)], heard)


def by_id(told: Stability) -> Mapping[str, tuple[int, float | None, float | None, int]]:
    """Leads, mean, largest and how often unscored, of each attribute; shares to four decimals."""
    facts = report.stability_facts(told)["attributes"]
    assert isinstance(facts, list)
    names = ("leads", "mean_spread", "largest_spread", "at_times_unscored")
    return {each["id"]: tuple(each[name] for name in names) for each in facts}


def test_the_same_answers_have_no_spread_and_scores_do_not_depend_on_the_chunk() -> None:
    told = found({"a": said(), "b": said(fit=60)}, {"a": said(), "b": said(fit=60)})
    assert told.steady
    assert (told.total, told.largest_lead, told.moved) == (Spread(2, 0, 0), None, 0)
    assert by_id(told) == {"fit": (2, 0, 0, 0), "size": (2, 0, 0, 0), "rival": (2, 0, 0, 0)}
    assert report.meaning(told, 5) == "Scores do not depend on the chunk."
    assert list(report.remarks(told)) == []


def test_the_spread_is_from_the_fewest_points_to_the_most_over_all_rounds() -> None:
    """F25: a lead's score moved with its batch mates, and nobody saw it. Of a: 50, 62.5 and 38 points of 100."""
    told = found(
        {"a": said(), "b": said(size=24)},
        {"a": said(fit=42.5), "b": said(size=20)},
        {"a": said(fit=18), "b": said(size=24, rival=-1)},
    )
    assert by_id(told) == {
        "fit": (2, 0.2042, 0.4083, 0),
        "size": (2, 0.05, 0.1, 0),
        "rival": (2, 0.025, 0.05, 0),
    }
    assert told.total == Spread(2, 14.25, 24.5)
    assert (told.largest_lead, told.moved, told.exclusion_changed) == ("a", 1, 0)
    assert [(each.scored, each.mean) for each in told.rounds] == [(2, 52), (2, 56.25), (2, 45.5)]


def test_exactly_five_points_are_not_more_than_five() -> None:
    told = found({"a": said(fit=30.1)}, {"a": said(fit=35.1)})
    assert (told.total.largest, told.moved) == (5.0, 0)


def test_who_is_excluded_by_something_else_in_another_round_is_counted() -> None:
    told = found({"a": said(size=10), "b": said(size=5)}, {"a": said(size=9), "b": said(size=5)})
    assert told.exclusion_changed == 1
    assert "Excluded in some rounds only, or by another attribute: 1 of 2 leads." in list(report.remarks(told))


def test_a_failure_is_counted_and_left_out_and_never_a_score_of_0() -> None:
    told = found(
        {"a": said(), "b": said(), "c": FAILED},
        {"a": said(), "b": FAILED, "c": FAILED},
        {"a": said(), "b": FAILED, "c": Failure(FailReason.QUOTA)},
    )
    assert told.total == Spread(1, 0, 0)
    assert by_id(told)["fit"] == (1, 0, 0, 0)
    assert [(each.scored, each.mean) for each in told.rounds] == [(2, 50), (1, 50), (1, 50)]
    assert list(told.failures.items()) == [("output_truncated", 4), ("quota", 1)]
    assert "Failed, and left out: 4 answers, output_truncated (the answer was cut off)." in list(report.remarks(told))
    assert told.steady


def test_an_attribute_unscored_in_some_rounds_is_counted_and_has_no_spread() -> None:
    told = found({"a": said(), "b": said()}, {"a": said(fit=None), "b": said()}, {"a": said(fit=None), "b": said()})
    assert by_id(told)["fit"] == (1, 0, 0, 1)
    assert not told.steady
    assert report.spread_rows(told)[0] == ("fit", "+60", "1", "0 %", "0 %", "1")


def test_an_attribute_that_is_never_judged_is_steady() -> None:
    told = found({"a": said(rival=None)}, {"a": said(rival=None)})
    assert by_id(told)["rival"] == (0, None, None, 0)
    assert told.steady
    assert report.spread_rows(told)[2] == ("rival", "-20", "0", "–", "–", "")


def test_an_answer_that_judges_by_no_attribute_gives_no_score() -> None:
    nothing = said(None, None, None)
    told = found({"a": said(), "b": said()}, {"a": nothing, "b": said()})
    assert (told.unjudged, told.total, told.exclusion_changed) == (1, Spread(1, 0, 0), 0)
    assert by_id(told)["fit"] == (1, 0, 0, 1)
    assert list(report.remarks(told)) == ["Judged by no attribute, and without a score: 1 answer."]


def test_where_nothing_can_be_compared_nothing_is_said_about_it() -> None:
    told = found({"a": said()}, {"a": FAILED})
    assert report.meaning(told, 5) == "No lead has a score from two rounds, so nothing can be said."
    assert [row[-1] for row in report.round_rows(told)] == ["–", "–"]
    assert report.spread_rows(told)[-1] == ("score", "100", "0", "–", "–", "")


@pytest.mark.parametrize(
    ("chunk_size", "cure"), [(5, "or lower engine.chunk_size."), (1, "or keep engine.chunk_size at 1.")]
)
def test_the_closing_sentence_says_what_to_do(chunk_size: int, cure: str) -> None:
    told = found({"a": said()}, {"a": said(fit=42.5)})
    assert report.meaning(told, chunk_size) == (
        "A lead's score moves by up to 12.5 points with its chunk mates:"
        f" compare only leads that are further apart than that, {cure}"
    )
    assert list(report.remarks(told)) == [
        "The score of a moved most, by 12.5 points.",
        "Moved by more than 5 points: 1 of 1 lead.",
    ]


def test_leads_that_were_always_alone_say_how_steady_the_model_is() -> None:
    alone = [ROUNDS[0]] * 2
    assert report.meaning(report.stability(RUBRIC, alone, [{"a": said()}] * 2), 1) == "Scores do not move."
    told = report.stability(RUBRIC, alone, [{"a": said()}, {"a": said(fit=31.5)}])
    assert report.meaning(told, 1) == (
        "A lead's score moves by up to 1.5 points though it is asked about alone: so unsteady is the model itself."
    )


def test_points_that_move_without_the_score_are_told() -> None:
    """Penalties beyond what was earned: the score is 0 either way."""
    told = found({"a": said(fit=0, size=10, rival=-20)}, {"a": said(fit=0, size=10, rival=-15)})
    assert (told.total.largest, told.steady) == (0, False)
    assert report.meaning(told, 5).startswith("No score moves with its chunk mates, but ")


def test_the_rounds_say_how_they_asked() -> None:
    answers = {"a": said()}
    assert [row[:3] for row in report.round_rows(found(answers, answers, answers, answers))] == [
        ("1", "each alone", "1"),
        ("2", "chunks of 5", "1"),
        ("3", "chunks of 5, shuffled", "1"),
        ("4", "chunks of 10, shuffled", "1"),
    ]


def test_the_figures_as_data() -> None:
    told = report.stability_facts(found({"a": said()}, {"a": said(fit=42.5)}))
    assert told["score"] == {
        "leads": 1, "mean_spread": 12.5, "largest_spread": 12.5, "largest_lead_id": "a", "moved_more_than": 5.0,
        "moved": 1, "exclusion_changed": 0,
    }  # fmt: skip
    assert told["rounds"] == [
        {"chunk_size": 1, "shuffled": False, "scored": 1, "mean_score": 50.0},
        {"chunk_size": 5, "shuffled": False, "scored": 1, "mean_score": 62.5},
    ]
    assert told["attributes"] == [
        {
            "id": "fit",
            "points": 60,
            "leads": 1,
            "mean_spread": 0.2083,
            "largest_spread": 0.2083,
            "at_times_unscored": 0,
        },
        {"id": "size", "points": 40, "leads": 1, "mean_spread": 0, "largest_spread": 0, "at_times_unscored": 0},
        {"id": "rival", "points": 20, "leads": 1, "mean_spread": 0, "largest_spread": 0, "at_times_unscored": 0},
    ]
    assert (told["leads"], told["failures"], told["unjudged"], told["steady"]) == (1, {}, 0, False)
    assert report.stability_facts(found({"a": FAILED}, {"a": FAILED}))["score"] == {
        "leads": 0, "mean_spread": None, "largest_spread": None, "largest_lead_id": None, "moved_more_than": 5.0,
        "moved": 0, "exclusion_changed": 0,
    }  # fmt: skip
