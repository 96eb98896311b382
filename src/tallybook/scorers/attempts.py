"""Attempts at one question: each booked before it is made and settled after, however it ends (F07, F40)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tallybook.domain.outcome import FailReason
from tallybook.domain.ports import Meter
from tallybook.domain.rubric import Attribute
from tallybook.domain.tally import Estimate, Usage
from tallybook.scorers.health import Health
from tallybook.scorers.prompt import Question, tokens_of
from tallybook.scorers.provider import Ending, Provider, Remedy, Reply, Trouble, Turn
from tallybook.scorers.reading import Reading, Unreadable, read_answer

TOKENS_OF_ENTRY, TOKENS_OF_VERDICT = 60, 30
"""About how many tokens an entry of an answer takes, and each attribute in it. Without thinking."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often a provider is asked one question. *request_timeout_s*: one attempt; *deadline_s*: all of
    them with the waits in between. *backoff_s*: the first wait where the provider names none; it doubles.
    """

    tries: int = 4
    request_timeout_s: float = 60.0
    deadline_s: float = 180.0
    backoff_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What an answer is good for. *reason* None: it could be read. *said*: its text; *why*: what is wrong with it."""

    reason: FailReason | None
    why: str = ""
    said: str = ""
    reading: Reading = field(default_factory=Reading)

    @property
    def result(self) -> str:
        """How the call is booked."""
        if self.reason is not None:
            return self.reason.value
        return FailReason.MISSING_FROM_ANSWER.value if self.reading.missing else "ok"


@dataclass
class _Put:
    """A question being put. *left_s*: of its deadline."""

    question: Question
    turns: Sequence[Turn]
    attributes: Sequence[Attribute]
    meter: Meter
    left_s: float


@dataclass(eq=False)
class Attempts:
    """Asks one provider. *jitter* gives numbers from 0 to 1, *clock* seconds."""

    provider: Provider
    model: str
    health: Health
    patience: Patience
    clock: Callable[[], float]
    jitter: Callable[[], float]

    async def hear(
        self, question: Question, turns: Sequence[Turn], attributes: Sequence[Attribute], meter: Meter
    ) -> Heard:
        """The first answer, good or bad. Raises Trouble when there was none, ProviderStop for a budget."""
        put = _Put(question, turns, attributes, meter, self.patience.deadline_s)
        number = 1
        while True:
            await self._wait_for_turn(meter)
            try:
                return await self._attempt(put, number)
            except Trouble as trouble:
                await meter.pause(self._wait_s(trouble, put, number))
            number += 1

    async def _wait_for_turn(self, meter: Meter) -> None:
        """The provider may have told another question to wait; for longer than a question may take, nobody asks."""
        while wait_s := self.health.wait_s:
            if wait_s > self.patience.deadline_s:
                said = f"{self.provider.name} asks to wait for {wait_s:.0f} s"
                raise Trouble(said, FailReason.QUOTA, Remedy.WAIT, wait_s=wait_s)
            await meter.pause(wait_s)

    def _wait_s(self, trouble: Trouble, put: "_Put", number: int) -> float:
        """How long to wait before the next try. Raises *trouble* when there is none."""
        if trouble.remedy is not Remedy.ASK_AGAIN:
            raise trouble
        if trouble.wait_s is not None:
            self.health.hold(trouble.wait_s)
        wait_s = trouble.wait_s
        if wait_s is None:
            wait_s = self.patience.backoff_s * 2 ** (number - 1) * (0.5 + self.jitter())
        put.left_s -= wait_s
        if number >= self.patience.tries or put.left_s < 0:
            raise trouble
        return wait_s

    async def _attempt(self, put: "_Put", number: int) -> Heard:
        """One request, one row. Waiting to be let through is not the provider's time."""
        estimate = self.estimate(put.question, len(put.attributes), put.turns)
        name = self.provider.name
        call_id = await put.meter.start(provider=name, model=self.model, attempt=number, estimate=estimate)
        begun = self.clock()
        result, usage, refused = FailReason.UNKNOWN.value, Usage(), False
        try:
            async with asyncio.timeout(self.patience.request_timeout_s):
                reply = await self.provider.ask(put.question.instructions, put.turns, call_id)
            usage, heard = reply.usage, hear(reply, put.question, put.attributes)
            result = heard.result
        except TimeoutError:
            result = FailReason.TIMEOUT.value
            raise Trouble(
                f"{name} did not answer within {self.patience.request_timeout_s:g} s", FailReason.TIMEOUT
            ) from None
        except asyncio.CancelledError:
            result = "canceled"
            raise
        except Trouble as trouble:
            result, refused = trouble.reason.value, trouble.refused
            raise
        finally:
            put.left_s -= self.clock() - begun
            put.meter.settle(call_id, result=result, usage=usage, refused=refused)
        self.health.answered()
        return heard

    def estimate(self, question: Question, attributes: int, turns: Sequence[Turn] = ()) -> Estimate:
        """What putting a question once would take."""
        asked = sum(tokens_of(turn.text) for turn in turns) if turns else tokens_of(question.text)
        answer = len(question.items) * (TOKENS_OF_ENTRY + attributes * TOKENS_OF_VERDICT)
        return self.provider.priced(Estimate(1, tokens_of(question.instructions) + asked, answer))


def hear(reply: Reply, question: Question, attributes: Sequence[Attribute]) -> Heard:
    """What a reply is good for. A cut one is good for nothing: a cut `"points": 8` reads as 8 and was 85."""
    if reply.ending is Ending.BLOCKED:
        return Heard(FailReason.SAFETY_BLOCK, "the provider's safety filter blocked it")
    if reply.ending is Ending.CUT:
        return Heard(FailReason.OUTPUT_TRUNCATED, "the answer was cut off at the most tokens the model gives")
    if not reply.text.strip():
        return Heard(FailReason.EMPTY_RESPONSE, "the answer was empty")
    try:
        return Heard(None, said=reply.text, reading=read_answer(reply.text, question, attributes))
    except Unreadable as error:
        return Heard(FailReason.AI_RESPONSE_FORMAT, str(error), reply.text)
