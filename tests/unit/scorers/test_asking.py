"""What is asked next, and when no more: with a provider that is told what to say. Over HTTP: tests/stories."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tallybook.domain.errors import BudgetExhausted, ProviderStop
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import FailReason
from tallybook.domain.ports import Answer, Failure, Item, Judgement
from tallybook.domain.rubric import Attribute, Category
from tallybook.domain.tally import Estimate, Usage
from tallybook.scorers.asking import BROKEN_FOR, Asking
from tallybook.scorers.attempts import Attempts, Patience
from tallybook.scorers.health import Health
from tallybook.scorers.prompt import question
from tallybook.scorers.provider import Ending, Remedy, Reply, Trouble, Turn
from tests.unit.scorers.recording import RecordingMeter

ATTRIBUTES = (Attribute("a", "Wanted", Category.POSITIVE, 20),)
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
ITEMS = [Item(f"lead-{number}", Lead(f"lead-{number}", headline=f"Head {number}")) for number in range(4)]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class ToldProvider:
    """Says what it is told, one after the other; then answers well."""

    says: list[Trouble | Reply | BaseException] = field(default_factory=list)
    name: str = "google"
    model: str = "m"
    asked: list[Sequence[Turn]] = field(default_factory=list)

    async def ask(self, instructions: str, turns: Sequence[Turn], call_id: str) -> Reply:
        self.asked.append(turns)
        said = self.says.pop(0) if self.says else good(turns)
        if isinstance(said, Reply):
            return said
        raise said

    def priced(self, estimate: Estimate) -> Estimate:
        return estimate


def good(turns: Sequence[Turn]) -> Reply:
    shown = json.loads(turns[0].text.split("\n")[1])
    entries = [{"id": each["id"], "attributes": {"a": 5}} for each in shown]
    return Reply(json.dumps(entries), Ending.COMPLETE, Usage(10, 0, 5))


class WaitingMeter(RecordingMeter):
    """Time passes while it waits."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    async def pause(self, seconds: float) -> None:
        await super().pause(seconds)
        self.clock.now += seconds


@dataclass
class Scene:
    provider: ToldProvider
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.meter = WaitingMeter(self.clock)
        patience = Patience(tries=3, request_timeout_s=5, deadline_s=100, backoff_s=1)
        self.health = Health(self.clock)
        self.attempts = Attempts(self.provider, "google:m", self.health, patience, self.clock, lambda: 0.5)

    def about(self, items: Sequence[Item] = ITEMS) -> dict[str, Answer]:
        asking = Asking(self.attempts, ATTRIBUTES, self.meter, lambda: NOON)
        asyncio.run(asking.about(items))
        return asking.answers

    @property
    def sizes(self) -> list[int]:
        return [turns[0].text.count('"id"') for turns in self.provider.asked]

    @property
    def results(self) -> list[str]:
        return [result for _, result, _ in self.meter.settled]


def scene(*says: Trouble | Reply | BaseException, name: str = "google") -> Scene:
    return Scene(ToldProvider(list(says), name))


def good_for(items: Sequence[Item]) -> Reply:
    return good([Turn(question(ATTRIBUTES, items).text)])


def stop_of(answers: dict[str, Answer]) -> ProviderStop:
    (stop,) = {answer for answer in answers.values() if isinstance(answer, ProviderStop)}
    return stop


def trouble(reason: FailReason = FailReason.UNAVAILABLE, **facts: object) -> Trouble:
    return Trouble("it failed", reason, **facts)  # type: ignore[arg-type]  # the facts of a Trouble


def test_a_question_that_is_too_long_is_halved_and_a_single_one_has_failed() -> None:
    long = trouble(FailReason.MODEL_CONFIG, remedy=Remedy.ASK_LESS, refused=True)
    told = scene(long)
    answers = told.about()
    assert told.sizes == [4, 2, 2]
    assert all(isinstance(answer, Judgement) for answer in answers.values())
    told.provider.says = [long]
    assert told.about(ITEMS[:1]) == {"lead-0": Failure(FailReason.MODEL_CONFIG, "it failed")}


def test_tries_wait_twice_as_long_each_time_and_are_booked_each() -> None:
    told = scene(trouble(), trouble(FailReason.QUOTA, refused=True))
    told.about()
    assert told.meter.paused == [1, 2]
    assert told.results == ["unavailable", "quota", "ok"]
    assert told.meter.refused == ["call-2"]


def test_a_wait_the_provider_names_is_kept_by_every_question() -> None:
    told = scene(trouble(FailReason.QUOTA, wait_s=30.0))
    told.about()
    assert told.meter.paused == [30]
    told.health.hold(20)
    told.about()
    assert told.meter.paused == [30, 20]


def test_where_the_provider_asks_for_more_time_than_a_question_has_nothing_is_asked_and_nobody_fails() -> None:
    told = scene()
    told.health.hold(500)
    stop = stop_of(told.about())
    assert (stop.blocked_reason, stop.wake_at) == ("provider_unavailable", NOON + timedelta(seconds=500))
    assert told.provider.asked == []


def test_the_wait_named_with_the_last_try_is_kept_by_the_next_question() -> None:
    told = scene(*[trouble(FailReason.QUOTA, wait_s=20.0) for _ in range(3)])
    told.about()
    assert told.health.wait_s == 20


def test_waiting_to_be_let_through_is_not_the_provider_s_time() -> None:
    told = scene(trouble())
    start = told.meter.start

    async def slowly(**facts: Any) -> str:
        told.clock.now += 95  # of 100 s that a question may take
        return await start(**facts)

    told.meter.start = slowly  # type: ignore[method-assign]  # our own limiter
    assert all(isinstance(answer, Judgement) for answer in told.about().values())


def test_a_stop_during_the_second_question_about_points_out_of_range_is_not_lost() -> None:
    short_id = next(iter(question(ATTRIBUTES, ITEMS[:1]).items))
    outside = Reply(json.dumps([{"id": short_id, "attributes": {"a": 99}}]), Ending.COMPLETE, Usage(9, 0, 1))
    told = scene(outside, trouble(FailReason.QUOTA, remedy=Remedy.WAIT_FOR_QUOTA))
    assert stop_of(told.about(ITEMS[:1])).blocked_reason == "provider_quota"


def test_a_prompt_that_is_refused_costs_its_lead_alone_once_the_provider_has_answered_anything() -> None:
    refused = trouble(FailReason.MODEL_CONFIG, remedy=Remedy.ASK_LESS, refused=True)
    told = scene(refused, refused, good_for(ITEMS[2:]), refused, good_for(ITEMS[1:2]))
    answers = told.about()
    assert [type(answers[item.key]).__name__ for item in ITEMS] == ["Failure", "Judgement", "Judgement", "Judgement"]


def test_settings_that_are_refused_from_the_first_question_on_stop_the_asking() -> None:
    refused = [trouble(FailReason.MODEL_CONFIG, remedy=Remedy.ASK_LESS, refused=True) for _ in range(9)]
    told = scene(*refused)
    answers = told.about()
    assert told.sizes == [4, 2, 2, 1]
    assert [type(answers[item.key]).__name__ for item in ITEMS].count("Failure") == 1
    assert stop_of({key: each for key, each in answers.items() if not isinstance(each, Failure)}).blocked_reason == (
        "model_config"
    )


def test_when_the_provider_is_broken_the_rest_waits_a_quarter_of_an_hour_or_as_long_as_it_says() -> None:
    told = scene(*[trouble() for _ in range(9)])
    reasons = [told.about([item]) for item in ITEMS[:3]]
    assert [isinstance(next(iter(each.values())), Failure) for each in reasons] == [True, True, False]
    stop = stop_of(reasons[2])
    assert (stop.blocked_reason, stop.wake_at) == ("provider_unavailable", NOON + BROKEN_FOR)
    told.provider.says = [trouble(wait_s=3_000.0)]
    assert stop_of(told.about()).wake_at == NOON + timedelta(seconds=3_000)
    assert not any(isinstance(answer, ProviderStop) for answer in scene().about().values())


@pytest.mark.parametrize(
    ("name", "wait_s", "wake_at"),
    [
        ("google", 7.0, datetime(2026, 7, 2, 7, tzinfo=UTC)),
        ("google", None, datetime(2026, 7, 2, 7, tzinfo=UTC)),
        ("google", 7_200.0, NOON + timedelta(hours=2)),
        ("openai", 3_600.0, NOON + timedelta(hours=1)),
        ("openai", 20.0, None),
        ("anthropic", None, None),
    ],
)
def test_a_pause_for_the_quota_ends_when_the_quota_is_new(
    name: str, wait_s: float | None, wake_at: datetime | None
) -> None:
    """Google counts days of the Pacific coast, in July 7 hours behind; what it says of seconds is about the minute."""
    spent = trouble(FailReason.QUOTA, remedy=Remedy.WAIT_FOR_QUOTA, wait_s=wait_s, refused=True)
    stop = stop_of(scene(spent, name=name).about())
    assert (stop.blocked_reason, stop.wake_at) == ("provider_quota", wake_at)


def test_a_budget_that_is_used_up_leaves_everything_pending() -> None:
    told = scene()
    spent = BudgetExhausted("no more", reason="quota", blocked_reason="budget_exhausted", whole_run=False)

    async def refuse(**_facts: object) -> str:
        raise spent

    told.meter.start = refuse  # type: ignore[method-assign]  # the budget says no
    assert set(told.about().values()) == {spent}
    assert told.provider.asked == []


@pytest.mark.parametrize(
    ("error", "result"),
    [(asyncio.CancelledError(), "canceled"), (ZeroDivisionError("nobody expects this"), "unknown")],
)
def test_whatever_ends_a_call_its_row_is_settled(error: BaseException, result: str) -> None:
    """F40"""
    told = scene(error)
    with pytest.raises(type(error)):
        told.about()
    assert told.results == [result]
    assert told.meter.settled[0][2].unmeasured


def test_an_empty_answer_is_asked_for_again_as_it_was_and_a_bad_one_with_what_was_wrong() -> None:
    told = scene(Reply("", Ending.COMPLETE, Usage(9, 0, 0)), Reply("no JSON", Ending.COMPLETE, Usage(9, 0, 1)))
    told.about(ITEMS[:1])
    assert [len(turns) for turns in told.provider.asked] == [1, 1]
    told = scene(Reply("no JSON", Ending.COMPLETE, Usage(9, 0, 1)))
    told.about(ITEMS[:1])
    question, said, correction = told.provider.asked[1]
    assert (said.text, said.ours) == ("no JSON", False)
    assert correction.text.startswith("That answer cannot be used: it is not JSON")
    assert told.meter.estimates[1].input_tokens > told.meter.estimates[0].input_tokens
    assert question == told.provider.asked[0][0]


def test_a_second_answer_out_of_range_replaces_nothing() -> None:
    short_id = next(iter(question(ATTRIBUTES, ITEMS[:1]).items))

    def answer(points: int) -> Reply:
        return Reply(json.dumps([{"id": short_id, "attributes": {"a": points}}]), Ending.COMPLETE, Usage(9, 0, 1))

    told = scene(answer(50), answer(70))
    judgement = told.about(ITEMS[:1])["lead-0"]
    assert isinstance(judgement, Judgement)
    assert judgement.verdicts["a"].points == 50
    assert len(told.provider.asked) == 2
