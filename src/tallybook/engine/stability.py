"""Asking about the same leads in several rounds, to see whether their scores depend on their chunk mates (F25).

Nobody's score changes: there is no worklist and no outcome. Paid calls are booked, in a run beside the queue.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tallybook.domain.client import Client
from tallybook.domain.errors import ProviderStop
from tallybook.domain.outcome import LeadId
from tallybook.domain.ports import MISSING, Answer, Item, Meter, Scorer, stop_in
from tallybook.domain.rounds import Round
from tallybook.domain.rubric import Attribute
from tallybook.domain.run import OperationName, Stop
from tallybook.domain.tally import Estimate
from tallybook.engine.metering import ChunkMeter, RateLimiter
from tallybook.engine.permits import Permits, Place
from tallybook.engine.preview import NoMeter
from tallybook.engine.runner import Limits
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.meter import CallMeter
from tallybook.ledger.write import beside, reported
from tallybook.ledger.write.starts import RunIdStyle

Heard = Mapping[LeadId, Answer]
MeterOf = Callable[[Sequence[Item], Place], Meter]


@dataclass(frozen=True, slots=True)
class Study:
    """What is to be asked: *client*'s leads, judged by *attributes*, in *rounds*."""

    client: Client
    attributes: Sequence[Attribute]
    rounds: Sequence[Round]

    def estimate(self, scorer: Scorer) -> Estimate:
        """What all rounds together would take. Asks nobody."""
        chunks = (chunk for each in self.rounds for chunk in each.chunks)
        return sum((scorer.estimate(self.attributes, chunk) for chunk in chunks), Estimate())


@dataclass(frozen=True, slots=True)
class Studied:
    """*heard*: of each round, an answer for every lead. *run_id*: where the calls are booked, None: there were none."""

    heard: Sequence[Heard]
    run_id: str | None = None


def carry_out(
    ledger: Ledger, scorer: Scorer, study: Study, limits: Limits, *, by: str, style: RunIdStyle | None = None
) -> Studied:
    """Ask, and book what is paid for. However it ends, Ctrl-C included, the run has ended too and no call is open.

    Raises ProviderStop when asking on is pointless; LedgerUnavailable, RunIdsExhausted.
    """
    if not study.estimate(scorer).calls:
        return Studied(asyncio.run(_ask(scorer, study, limits, lambda chunk, place: NoMeter())))
    note = f"Stability of the scorer {scorer.model}: the same leads asked about in {len(study.rounds)} rounds"
    with _booked(ledger, study.client, note, by, style or RunIdStyle()) as key:
        heard = asyncio.run(_ask(scorer, study, limits, _meters(ledger, key, limits)))
    return Studied(heard, key.run_id)


# -- the books ---------------------------------------------------------------------------------------------------------


@contextmanager
def _booked(ledger: Ledger, client: Client, note: str, by: str, style: RunIdStyle) -> Iterator[OperationKey]:
    """A run for the calls of this block, which ends with it."""
    key = ledger.do(beside.open_run, client, OperationName.LEAD_SCORING, note, by=by, style=style)
    try:
        yield key
    except KeyboardInterrupt:
        ledger.do(beside.close_run, key, stop=Stop.CANCEL)
        raise
    except BaseException as error:
        ledger.do(beside.close_run, key, error=_told(error))
        raise
    ledger.do(beside.close_run, key)


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, ProviderStop) else f"{type(error).__name__}: {error}"


def _meters(ledger: Ledger, key: OperationKey, limits: Limits) -> MeterOf:
    limiter = RateLimiter(limits.requests_per_minute, limits.client_requests_per_minute)
    calls = asyncio.Semaphore(limits.calls_at_once)

    def meter(chunk: Sequence[Item], place: Place) -> Meter:
        ledger.submit(reported.heard_of, key.run_id)  # else a long one would be taken for lost
        return ChunkMeter(CallMeter(ledger, key, chunk[0].key, limits.budgets), place, limiter, calls)

    return meter


# -- the asking --------------------------------------------------------------------------------------------------------


@dataclass
class _Asking:
    """Shared by all chunks. *stop*: why those that have not begun do not ask any more."""

    scorer: Scorer
    study: Study
    permits: Permits
    meter_of: MeterOf
    heard: Sequence[dict[LeadId, Answer]]
    stop: ProviderStop | None = None

    async def chunk(self, number: int, chunk: Sequence[Item]) -> None:
        async with self.permits.held(self.study.client.client_id) as place:
            if self.stop is not None:
                return
            try:
                answers = await self.scorer.judge(self.study.attributes, chunk, self.meter_of(chunk, place))
            except ProviderStop as stop:
                answers = {item.key: stop for item in chunk}
            self.stop = stop_in(answers.values()) or self.stop
        self.heard[number] |= {item.key: answers.get(item.key, MISSING) for item in chunk}


async def _ask(scorer: Scorer, study: Study, limits: Limits, meter_of: MeterOf) -> Sequence[Heard]:
    """All rounds at once, as many questions at a time as a run would ask. Raises ProviderStop when none is under way
    any more.
    """
    permits = Permits(limits.calls_at_once, limits.client_calls_at_once)
    asking = _Asking(scorer, study, permits, meter_of, [{} for _ in study.rounds])
    chunks = [(number, chunk) for number, each in enumerate(study.rounds) for chunk in each.chunks]
    await asyncio.gather(*(asking.chunk(number, chunk) for number, chunk in chunks))
    if asking.stop is not None:
        raise asking.stop
    return asking.heard
