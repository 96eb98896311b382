"""Judging by a model of a paid provider, whichever speaks as Google, OpenAI or Anthropic do."""

import asyncio
import gc
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tallybook.domain.ports import Answer, Item, Meter
from tallybook.domain.rubric import Attribute
from tallybook.domain.tally import Estimate
from tallybook.scorers import prompt
from tallybook.scorers.asking import Asking
from tallybook.scorers.attempts import Attempts, Patience
from tallybook.scorers.health import Health
from tallybook.scorers.prices import Prices, Rate
from tallybook.scorers.provider import Provider, Reply, Turn

MOST_POSTS = 20
MOST_CHARACTERS = 60_000
"""Of one question. A chunk of leads with many posts is asked about in several."""


@dataclass(frozen=True)
class Named:
    """Which model, where, and with what key. *own*: the operator's rates by `provider:model`."""

    provider: str
    model: str
    api_key: str = field(repr=False)
    base_url: str | None = None
    own: Mapping[str, Rate] = field(default_factory=dict)


class LazyProvider:
    """A `Provider` whose library, which takes seconds to import, is imported by the first question. Its connections
    live in the event loop that asks; another loop gets connections of its own.
    """

    def __init__(self, named: Named) -> None:
        self.name = named.provider
        self.model = named.model
        self._named = named
        self._prices = Prices(named.provider, named.model, named.own)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._provider: Provider | None = None

    async def ask(self, instructions: str, turns: Sequence[Turn], call_id: str) -> Reply:
        return await self._connected(asyncio.get_running_loop()).ask(instructions, turns, call_id)

    def priced(self, estimate: Estimate) -> Estimate:
        return self._prices.estimate(estimate)

    async def load(self) -> None:
        """Import what `ask` needs, outside of any call's time."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            await asyncio.to_thread(self._connected, loop)

    def _connected(self, loop: asyncio.AbstractEventLoop) -> Provider:
        with self._lock:
            if self._provider is None or self._loop is not loop:
                self._provider, self._loop = self._make(), loop
                gc.freeze()  # looking at the library's objects again and again takes as long as a twentieth of a run
            return self._provider

    def _make(self) -> Provider:
        from tallybook.scorers.pydantic_provider import PydanticProvider

        named = self._named
        return PydanticProvider(named.provider, named.model, named.api_key, named.base_url, self._prices)


class ModelScorer:
    """A `Scorer`. One for all clients and operations of a process: they share what is known of the provider."""

    def __init__(
        self,
        named: Named,
        patience: Patience,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.provider = LazyProvider(named)
        clock = time.monotonic
        self._attempts = Attempts(self.provider, self.model, Health(clock), patience, clock, random.random)
        self._now = now

    @property
    def model(self) -> str:
        return f"{self.provider.name}:{self.provider.model}"

    @property
    def prompt_version(self) -> str | None:
        return prompt.VERSION

    async def judge(self, attributes: Sequence[Attribute], items: Sequence[Item], meter: Meter) -> Mapping[str, Answer]:
        """An answer for every item; each attempt at one is a call in the books."""
        await self.provider.load()
        asking = Asking(self._attempts, attributes, meter, self._now)
        for group in groups(items):
            await asking.about(group)
        return asking.answers

    def estimate(self, attributes: Sequence[Attribute], items: Sequence[Item]) -> Estimate:
        asked = [prompt.question(attributes, group) for group in groups(items)]
        return sum((self._attempts.estimate(each, len(attributes)) for each in asked), Estimate())


def groups(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items of one question after the other."""
    group: list[Item] = []
    characters = 0
    for item in items:
        size = len(str(prompt.shown_of(item)))
        full = characters + size > MOST_CHARACTERS or (item.post is not None and len(group) >= MOST_POSTS)
        if group and full:
            yield group
            group, characters = [], 0
        group.append(item)
        characters += size
    if group:
        yield group
