"""What every scorer promises."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import pytest

from tallybook.domain.ports import Answer, Item, Judgement, Scorer
from tallybook.domain.rubric import Attribute, grade
from tallybook.domain.tally import Estimate
from tallybook.scorers.keywords import KeywordScorer
from tallybook.scorers.scripted import ScriptedScorer
from tallybook.testing.demo_data import demo_clients
from tallybook.testing.model_server import ModelServer
from tests.stories.asking import PROVIDERS, scorer_of
from tests.unit.scorers.recording import RecordingMeter

Answers = Mapping[str, Answer]

SERVER = ModelServer()
SCORERS: Mapping[str, Callable[[], Scorer]] = {
    "keywords": KeywordScorer,
    "scripted": lambda: ScriptedScorer(fail_every=5, truncate_every=7),
    **{provider: partial(scorer_of, SERVER, provider) for provider in PROVIDERS},
}

DEMO = demo_clients()[0]
LEADS = [Item(lead.lead_id, lead) for lead in DEMO.leads if not lead.thin][:40]
POSTS = [Item(post.url, lead, post) for lead in DEMO.leads for post in lead.posts][:40]
QUESTIONS = [
    pytest.param(DEMO.rubric.for_leads, LEADS, id="leads"),
    pytest.param(DEMO.rubric.for_posts, POSTS, id="posts"),
]


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[None]:
    """The scorers of paid providers ask its honest answers, by their real client libraries."""
    with SERVER:
        yield


@pytest.fixture(params=SCORERS)
def scorer(request: pytest.FixtureRequest) -> Scorer:
    return SCORERS[request.param]()


def judged(
    scorer: Scorer, attributes: Sequence[Attribute], items: Sequence[Item], meter: RecordingMeter | None = None
) -> Answers:
    return asyncio.run(scorer.judge(attributes, items, meter or RecordingMeter()))


@pytest.mark.parametrize(("attributes", "items"), QUESTIONS)
class TestAnyQuestion:
    def test_every_item_is_answered_and_nothing_else(
        self, scorer: Scorer, attributes: Sequence[Attribute], items: Sequence[Item]
    ) -> None:
        """F26"""
        assert judged(scorer, attributes, items).keys() == {item.key for item in items}

    def test_an_answer_depends_on_no_other_item(
        self, scorer: Scorer, attributes: Sequence[Attribute], items: Sequence[Item]
    ) -> None:
        """F25"""
        together = judged(scorer, attributes, items)
        alone = {item.key: judged(scorer, attributes, [item])[item.key] for item in items}
        backwards = judged(scorer, attributes, items[::-1])
        assert together == alone == backwards

    def test_a_key_is_a_name_and_nothing_more(
        self, scorer: Scorer, attributes: Sequence[Attribute], items: Sequence[Item]
    ) -> None:
        renamed = [replace(item, key=f"item {number}") for number, item in enumerate(items)]
        answers = judged(scorer, attributes, items)
        assert list(judged(scorer, attributes, renamed).values()) == [answers[item.key] for item in items]

    def test_the_order_of_attributes_changes_no_answer(
        self, scorer: Scorer, attributes: Sequence[Attribute], items: Sequence[Item]
    ) -> None:
        """F25"""
        assert judged(scorer, attributes[::-1], items) == judged(scorer, attributes, items)

    def test_a_judgement_is_about_the_attributes_asked_about_and_within_their_range(
        self, scorer: Scorer, attributes: Sequence[Attribute], items: Sequence[Item]
    ) -> None:
        judgements = [each for each in judged(scorer, attributes, items).values() if isinstance(each, Judgement)]
        assert judgements
        for judgement in judgements:
            assert judgement.verdicts.keys() == {each.id for each in attributes}
            assert not grade(attributes, judgement.verdicts).flagged

    def test_every_call_that_was_started_is_settled(
        self, scorer: Scorer, attributes: Sequence[Attribute], items: Sequence[Item]
    ) -> None:
        meter = RecordingMeter()
        judged(scorer, attributes, items, meter)
        assert len(meter.settled) == len(meter.started)
        assert all(model == scorer.model for _, model in meter.started)


@pytest.mark.parametrize(("attributes", "items"), QUESTIONS)
def test_what_is_set_aside_before_the_calls_is_what_was_estimated(
    scorer: Scorer, attributes: Sequence[Attribute], items: Sequence[Item]
) -> None:
    meter = RecordingMeter()
    judged(scorer, attributes, items, meter)
    assert sum(meter.estimates, Estimate()) == scorer.estimate(attributes, items)


def test_no_question_is_no_call(scorer: Scorer) -> None:
    meter = RecordingMeter()
    assert judged(scorer, DEMO.rubric.for_leads, [], meter) == {}
    assert meter == RecordingMeter()


def test_a_scorer_says_who_judges(scorer: Scorer) -> None:
    assert scorer.model
    assert scorer.prompt_version != ""
