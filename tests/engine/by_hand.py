"""A harvester whose runs end when, and how, a test says so; and runs that wait for it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from benchmarks.house import House
from tallybook.domain.errors import NoRoom
from tallybook.domain.external import Found, Look, Tag
from tallybook.domain.lead import Post
from tallybook.domain.run import OperationName, Run
from tallybook.domain.tally import Money
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.ledger import read
from tallybook.ledger.write.starts import Start
from tallybook.operations.post_harvesting import Pace, PostHarvesting
from tests.stories.acting import (
    POST_HARVESTING,
    TroubledClients,
    TroubledStore,
    asked,
    at_work,
    ended,
    started,
    until,
)

SOON = timedelta(seconds=0.05)
OVER = Look(over=True, result="succeeded", cost=Money.usd("0.5"), ended_at=datetime(2026, 11, 23, tzinfo=UTC))
UNDER_WAY = Look(over=False)


@dataclass
class ByHand:
    """A `Harvester` whose runs end when, and how, the test says so. Each profile has *posts* posts.

    *full_at*: it has no room for so many at once. *gate*: its answer to a start waits for it. *deaf*: to an abort.
    *unreadable*: what asking for its results raises.
    """

    posts: int = 2
    looks: dict[str, Look | Exception] = field(default_factory=dict)
    started: list[tuple[str, Tag]] = field(default_factory=list)
    profiles: dict[str, Sequence[str]] = field(default_factory=dict)
    refuses: Exception | None = None
    full_at: int | None = None
    gate: threading.Event | None = None
    deaf: bool = False
    unreadable: Exception | None = None
    aborted: list[str] = field(default_factory=list)
    strangers: int = 0
    odd: tuple[str, ...] = ()
    slow_s: float = 0.0
    looking: int = 0
    looked: int = 0
    most_at_once: int = 0

    source = "byhand"
    model = "by-hand"

    async def start(self, profile_urls: Sequence[str], most_posts: int, run_timeout: timedelta, tag: Tag) -> str:
        if self.refuses is not None:
            raise self.refuses
        if self.full_at is not None and self.under_way >= self.full_at:
            raise NoRoom("so many at once are not allowed")
        external_id = f"x{len(self.started) + 1}"
        self.profiles[external_id] = profile_urls
        self.looks.setdefault(external_id, UNDER_WAY)
        self.started.append((external_id, tag))
        while self.gate is not None and not self.gate.is_set():  # noqa: ASYNC110  # another thread opens it
            await asyncio.sleep(0.01)
        return external_id

    def has_started(self, runs: int) -> bool:
        return len(self.started) >= runs

    def has_looked(self, times: int) -> bool:
        return self.looked >= times

    @property
    def under_way(self) -> int:
        return sum(look == UNDER_WAY for look in self.looks.values())

    async def look(self, external_id: str) -> Look:
        self.looking += 1
        self.looked += 1
        self.most_at_once = max(self.most_at_once, self.looking)
        await asyncio.sleep(self.slow_s)
        self.looking -= 1
        told = self.looks[external_id]
        if isinstance(told, Exception):
            raise told
        return told

    async def found(self, external_id: str) -> AsyncIterator[Found]:
        if self.unreadable is not None:
            raise self.unreadable
        for url in self.profiles[external_id]:
            for number in range(self.posts):
                yield Found(url, Post(f"{url}/post/{number}", "On pricing."))
        if self.odd:
            yield Found(fields=self.odd)
        for number in range(self.strangers):
            yield Found(f"https://linkedin.test/in/stranger-{number}", Post(f"https://p.test/{number}", "Hi"))

    async def abort(self, external_id: str) -> None:
        self.aborted.append(external_id)
        if self.deaf:
            return
        self.looks[external_id] = Look(over=True, result="aborted", cost=Money.usd("0.1"))


def harvesting(harvester: ByHand, **pace: object) -> dict[OperationName, PostHarvesting]:
    return {POST_HARVESTING: PostHarvesting(harvester, Pace(**pace))}  # type: ignore[arg-type]  # its fields


def asked_to_harvest() -> Start:
    return asked(operations=(POST_HARVESTING,))


LIMITS = Limits(look_outside_every=SOON)


def waiting(house: House, run_id: str, harvester: ByHand, runs: int = 1) -> None:
    until(lambda: len(harvester.started) >= runs, "the start of external runs")
    until(lambda: read.run(house.database, run_id).clients[0].blocked_reason, "the wait")


def harvest(house: House, harvester: ByHand, act: Callable[[Engine, str], None], **pace: object) -> Run:
    """A run that is *act*ed upon once it waits; gives it when it has ended."""
    with at_work(house, operations=harvesting(harvester, **pace), limits=LIMITS) as engine:
        run_id = started(house, asked_to_harvest(), engine)
        waiting(house, run_id, harvester)
        act(engine, run_id)
        return ended(house, run_id)


def status(house: House, run_id: str) -> str:
    return read.run(house.database, run_id).status


def blocked(house: House, run_id: str, by: str) -> None:
    def it_is() -> bool:
        return any((each.blocked_reason or "").startswith(by) for each in read.run(house.database, run_id).clients)

    until(it_is, f"a client blocked by {by}")


class Leaving(TroubledClients):
    """A `Clients` that does not find its clients any more, for whatever reason."""

    why: Exception | None = None

    def store(self, client_id: str) -> TroubledStore:
        if self.why is not None:
            raise self.why
        return super().store(client_id)


def leaving(house: House) -> Leaving:
    return Leaving(house.clients, lambda _what: None)
