"""The scripted scorer: one call a question, failures by rote, books always settled."""

import asyncio
from collections.abc import Mapping

import pytest

from tallybook.domain.lead import Lead, Post
from tallybook.domain.outcome import FailReason
from tallybook.domain.ports import Answer, Failure, Item, Judgement
from tallybook.domain.rubric import Attribute, Category, grade
from tallybook.domain.tally import Usage
from tallybook.scorers.scripted import ScriptedScorer, stable_hash
from tests.unit.scorers.recording import RecordingMeter

ATTRIBUTES = (
    Attribute("a", "Wanted", Category.POSITIVE, 20),
    Attribute("b", "Wanted too", Category.POSITIVE, 10),
    Attribute("z", "Unwanted", Category.NEGATIVE, 10),
)
ITEMS = [Item(f"lead-{number}", Lead(f"lead-{number}")) for number in range(60)]


def answers(scorer: ScriptedScorer, items: list[Item] = ITEMS) -> Mapping[str, Answer]:
    return asyncio.run(scorer.judge(ATTRIBUTES, items, RecordingMeter()))


def failed(scorer: ScriptedScorer) -> dict[str, FailReason]:
    return {key: answer.reason for key, answer in answers(scorer).items() if isinstance(answer, Failure)}


def test_a_question_is_one_call_with_the_tokens_it_was_told() -> None:
    meter = RecordingMeter()
    asyncio.run(ScriptedScorer(tokens_per_call=503).judge(ATTRIBUTES, ITEMS, meter))
    assert meter.started == [("scripted", "scripted")]
    assert meter.settled == [("call-1", "ok", Usage(402, cached_tokens=0, output_tokens=101))]
    assert meter.settled[0][2].unpriced


def test_no_question_is_no_call() -> None:
    meter = RecordingMeter()
    assert asyncio.run(ScriptedScorer().judge(ATTRIBUTES, [], meter)) == {}
    assert meter == RecordingMeter()


def test_the_leads_that_fail_are_those_whose_hash_says_so() -> None:
    expected = {item.key for item in ITEMS if stable_hash(item.lead.lead_id) % 7 == 0}
    assert failed(ScriptedScorer(fail_every=7)) == dict.fromkeys(expected, FailReason.AI_RESPONSE_FORMAT)
    assert failed(ScriptedScorer(truncate_every=7)) == dict.fromkeys(expected, FailReason.OUTPUT_TRUNCATED)
    assert failed(ScriptedScorer()) == {}


def test_the_hash_is_the_same_in_every_process() -> None:
    assert [stable_hash(f"lead-{number}") % 7 for number in range(8)] == [0, 3, 3, 0, 5, 5, 0, 1]


def test_a_lead_that_is_both_fails_as_malformed() -> None:
    both = failed(ScriptedScorer(fail_every=2, truncate_every=3))
    for item in ITEMS:
        number = stable_hash(item.lead.lead_id)
        expected = FailReason.AI_RESPONSE_FORMAT if number % 2 == 0 else FailReason.OUTPUT_TRUNCATED
        assert both.get(item.key) == (expected if number % 2 == 0 or number % 3 == 0 else None)


def test_all_posts_of_a_lead_that_fails_do() -> None:
    posts = [Item(str(number), Lead("lead-1"), Post(f"u{number}", "text")) for number in range(3)]
    assert {type(answer) for answer in answers(ScriptedScorer(fail_every=1), posts).values()} == {Failure}


def test_a_lead_comes_to_the_same_in_another_chunk_and_after_a_restart() -> None:
    """F25"""
    together = answers(ScriptedScorer())
    assert {item.key: answers(ScriptedScorer(), [item])[item.key] for item in reversed(ITEMS)} == together


def test_totals_are_spread_and_within_range() -> None:
    graded = [
        grade(ATTRIBUTES, each.verdicts) for each in answers(ScriptedScorer()).values() if isinstance(each, Judgement)
    ]
    totals = {each.total for each in graded}
    assert len(totals) > 20
    assert not any(each.flagged for each in graded)


def test_posts_of_a_lead_come_to_different_totals() -> None:
    posts = [Item(str(number), Lead("lead"), Post(f"u{number}", "text")) for number in range(5)]
    assert len({str(answer) for answer in answers(ScriptedScorer(), posts).values()}) > 1


def test_a_call_that_is_cut_short_is_settled_as_unmeasured() -> None:
    meter = RecordingMeter()

    async def cut_short() -> None:
        task = asyncio.create_task(ScriptedScorer(latency_ms=60_000).judge(ATTRIBUTES, ITEMS, meter))
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cut_short())
    assert meter.settled == [("call-1", "canceled", Usage())]


def test_it_takes_its_time() -> None:
    meter = RecordingMeter()

    async def settled_at_once() -> bool:
        task = asyncio.create_task(ScriptedScorer(latency_ms=5).judge(ATTRIBUTES, ITEMS, meter))
        await asyncio.sleep(0)
        early = bool(meter.settled)
        await task
        return early

    assert not asyncio.run(settled_at_once())
    assert [result for _, result, _ in meter.settled] == ["ok"]


def test_it_says_what_it_is() -> None:
    assert (ScriptedScorer().model, ScriptedScorer().prompt_version) == ("scripted", None)
