"""A scorer that answers by rote, without a network, through the same calls and books as a real model."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence

from tallybook.domain.outcome import FailReason, LeadId
from tallybook.domain.ports import Answer, Failure, Item, Judgement, Meter
from tallybook.domain.rubric import Attribute, Category, Verdict
from tallybook.domain.tally import Estimate, Usage

NAME = "scripted"
ONE_PENALTY_IN = 5
"""A negative attribute applies to one item in so many."""


class ScriptedScorer:
    """For demos, dry runs and tests. One paid call for each question, priced at nothing it knows.

    What a lead comes to follows from a hash of its id alone, so it is the same after a restart and in any chunk.
    A lead chosen by both *fail_every* and *truncate_every* fails by the first. 0 turns either off.
    """

    def __init__(
        self, *, latency_ms: int = 0, fail_every: int = 0, truncate_every: int = 0, tokens_per_call: int = 500
    ) -> None:
        self._latency_s = latency_ms / 1_000
        self._fail_every = fail_every
        self._truncate_every = truncate_every
        input_tokens = tokens_per_call * 4 // 5
        self._usage = Usage(input_tokens, cached_tokens=0, output_tokens=tokens_per_call - input_tokens)

    @property
    def model(self) -> str:
        return NAME

    @property
    def prompt_version(self) -> str | None:
        return None

    async def judge(self, attributes: Sequence[Attribute], items: Sequence[Item], meter: Meter) -> Mapping[str, Answer]:
        """A judgement or a scripted failure for every item."""
        if items:
            await self._call(meter, self.estimate(attributes, items))
        return {item.key: self._answer(attributes, item) for item in items}

    def estimate(self, attributes: Sequence[Attribute], items: Sequence[Item]) -> Estimate:
        """One call for a question."""
        calls = min(1, len(items))
        used = self._usage
        return Estimate(calls, calls * (used.input_tokens or 0), calls * (used.output_tokens or 0), unpriced=calls)

    async def _call(self, meter: Meter, estimate: Estimate) -> None:
        """One call, settled however it ends; of one cut short nobody knows what it used."""
        call_id = await meter.start(provider=NAME, model=NAME, estimate=estimate)
        result, usage = "canceled", Usage()
        try:
            if self._latency_s:
                await asyncio.sleep(self._latency_s)
            result, usage = "ok", self._usage
        finally:
            meter.settle(call_id, result=result, usage=usage)

    def _answer(self, attributes: Sequence[Attribute], item: Item) -> Judgement | Failure:
        lead_id = item.lead.lead_id
        if _is_nth(lead_id, self._fail_every):
            return Failure(FailReason.AI_RESPONSE_FORMAT, f"scripted: one lead in {self._fail_every} fails")
        if _is_nth(lead_id, self._truncate_every):
            return Failure(FailReason.OUTPUT_TRUNCATED, f"scripted: one lead in {self._truncate_every} is cut short")
        return Judgement({each.id: _verdict(each, item) for each in attributes})


def _is_nth(lead_id: LeadId, every: int) -> bool:
    return every > 0 and stable_hash(lead_id) % every == 0


def stable_hash(*parts: str) -> int:
    """The same number for the same words in every process, unlike hash()."""
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8])


def _verdict(attribute: Attribute, item: Item) -> Verdict:
    drawn = stable_hash(item.lead.lead_id, item.post.url if item.post else "", attribute.id)
    if attribute.category is Category.NEGATIVE:
        return Verdict(0.0 if drawn % ONE_PENALTY_IN else -attribute.points)
    return Verdict(round(attribute.points * (drawn % 101) / 100, 4))
