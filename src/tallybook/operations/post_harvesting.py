"""Harvesting posts: an external run fetches what leads posted; its result is collected when it is over."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tallybook.domain.client import Client, ClientId
from tallybook.domain.errors import BudgetExhausted, NoRoom, ProviderError, ProviderStop
from tallybook.domain.external import ExternalRun, Look
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import FailReason, LeadId, Outcome, SkipReason
from tallybook.domain.ports import Candidate, Collected, ExternalRuns, Find, Harvester, Job, Load, Worked
from tallybook.domain.rubric import Attribute, Rubric
from tallybook.domain.run import Blocked, OperationName
from tallybook.domain.tally import LOST, NO_USAGE, Estimate, Money, Usage
from tallybook.operations.harvest import SUCCEEDED, Harvest, billed, failed, how_it_ended, outcomes_of, profile_urls

TOKEN_OUTLIVES = timedelta(days=7)
"""A delivery may be tried for 32 hours, and a run be resurrected days later."""
AGAIN_AFTER = timedelta(minutes=1)
"""When to ask again for what there was no room for."""
BEFORE_ANY_BILL = Money.usd("0.05")


@dataclass(frozen=True, slots=True)
class Pace:
    """*batch*: profiles for one external run. *daily_target*: leads of a client per day. *recheck_after*: of a lead.

    *runs_at_once*: external runs of a client run. *cost_of_a_lead*: set aside for each from a budget in money until
    there is a bill to go by.
    """

    batch: int = 50
    most_posts: int = 10
    daily_target: int | None = None
    recheck_after: timedelta = timedelta(days=7)
    run_timeout: timedelta = timedelta(hours=1)
    runs_at_once: int = 10
    cost_of_a_lead: Money = BEFORE_ANY_BILL


class PostHarvesting:
    """An `OutsideOperation`; belongs to one event loop. Whatever goes wrong is a failure with its reason; only an
    answer that was given and is empty means that there are no posts (F29).
    """

    def __init__(self, harvester: Harvester, pace: Pace) -> None:
        self._harvester = harvester
        self._pace = pace
        self._turns: defaultdict[ClientId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._requests: set[asyncio.Task[Worked]] = set()

    @property
    def name(self) -> OperationName:
        return OperationName.POST_HARVESTING

    @property
    def source(self) -> str:
        return self._harvester.source

    @property
    def chunk_size(self) -> int:
        return self._pace.batch

    @property
    def run_timeout(self) -> timedelta:
        return self._pace.run_timeout

    def does_not_apply(self, client: Client, rubric: Rubric) -> str | None:
        return None if client.wants_posts else "below_service_level"

    def judged_by(self, rubric: Rubric) -> Sequence[Attribute]:
        return ()

    def daily_target(self, client: Client) -> int | None:
        return self._pace.daily_target if client.daily_target is None else client.daily_target

    def is_due(self, candidate: Candidate, now: datetime) -> bool:
        harvested_at = self.last_done(candidate)
        return harvested_at is None or harvested_at + self._pace.recheck_after <= now

    def last_done(self, candidate: Candidate) -> datetime | None:
        """Its input begins with that."""
        try:
            return datetime.fromisoformat(candidate.input_hash.partition(" ")[0])
        except ValueError:
            return None

    # -- starting

    async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
        """Start an external run for those leads that none has yet. Their outcomes come with its result.

        While there is one of which nobody knows for whom it works, none is started: it might be paid for twice. What
        there is no room for waits for those under way; where there are none, the client pauses for a moment.
        """
        everyone = frozenset(lead.lead_id for lead in leads)
        async with self._turns[job.client.client_id]:  # so that each knows of all that were started before
            taken = await _book(job).taken(sorted(everyone))
            fresh = [lead for lead in leads if taken.leads is not None and lead.lead_id not in taken.leads]
            if not fresh or taken.runs >= self._pace.runs_at_once:
                return Worked((), outside=everyone)
            try:
                return await self._start(fresh, everyone, job)
            except (NoRoom, BudgetExhausted) as error:
                if taken.runs:
                    return Worked((), outside=everyone)
                raise _in_a_moment(error, job) from None

    async def _start(self, fresh: Sequence[Lead], everyone: frozenset[LeadId], job: Job) -> Worked:
        each = await _book(job).cost_of_a_lead() or self._pace.cost_of_a_lead
        left = await _book(job).left()
        if left is not None:  # what can be paid for is fetched; where that is nothing, the books say so of one lead
            fresh = fresh[: max(1, left.pico_usd // max(1, each.pico_usd))]
        estimate = Estimate(calls=1, cost=Money(each.pico_usd * len(fresh)))
        call_id = await job.meter.start(
            provider=self.source, model=self._harvester.model, estimate=estimate, patient=False
        )
        # What is under way is seen to its end also when nobody waits for it any more: it may have begun there.
        request = asyncio.ensure_future(self._request(call_id, fresh, everyone, job))
        self._requests.add(request)
        request.add_done_callback(self._requested)
        return await asyncio.shield(request)

    def _requested(self, request: "asyncio.Task[Worked]") -> None:
        self._requests.discard(request)
        if not request.cancelled():
            request.exception()  # whoever waits for it has it; it is no news where nobody does

    async def _request(self, call_id: str, fresh: Sequence[Lead], everyone: frozenset[LeadId], job: Job) -> Worked:
        book, named = _book(job), [lead.lead_id for lead in fresh]
        until = book.now() + self._pace.run_timeout
        await book.starting(call_id, named, until)
        try:
            external_id = await self._harvester.start(
                profile_urls(fresh),
                self._pace.most_posts,
                self._pace.run_timeout,
                book.tag(call_id, until + TOKEN_OUTLIVES),
            )
        except asyncio.CancelledError:
            book.in_doubt(call_id)
            raise
        except ProviderError as error:
            return await self._not_started(error, call_id, fresh, everyone, job)
        await book.started(external_id, call_id, named, until)
        return Worked((), outside=everyone)

    async def _not_started(
        self, error: ProviderError, call_id: str, fresh: Sequence[Lead], everyone: frozenset[LeadId], job: Job
    ) -> Worked:
        """A refusal is the end of it. An answer that was lost is not: if a run was started it calls back, or else its
        leads have failed after a while.
        """
        result, usage = (error.reason, NO_USAGE) if error.refused else (LOST, Usage())
        job.meter.settle(call_id, result=result, usage=usage, refused=error.refused)
        if not error.refused:
            _book(job).in_doubt(call_id)
            return Worked((), outside=everyone)
        await _book(job).refused(call_id)
        if isinstance(error, ProviderStop | NoRoom):
            raise error
        return Worked([_failed(lead, error, job) for lead in fresh], outside=everyone)

    # -- collecting

    async def look(self, external: ExternalRun) -> Look:
        return await self._harvester.look(external.external_id)

    async def give_up(self, external: ExternalRun) -> None:
        await self._harvester.abort(external.external_id)

    async def collect(
        self, external: ExternalRun, look: Look, load: Load, hashes: Mapping[LeadId, str], find: Find
    ) -> Collected:
        harvest = await self._harvest(external, look)
        leads = await load(await _whose(external, harvest, find))
        gone = set(external.leads or ()) - {lead.lead_id for lead in leads}
        outcomes = outcomes_of(leads, harvest, look, hashes)
        outcomes += [Outcome.skipped(each, SkipReason.LEAD_GONE, input_hash=hashes.get(each)) for each in sorted(gone)]
        well = look.result == SUCCEEDED
        return Collected(
            look.result,
            outcomes,
            cost=billed(look.cost),
            ended_at=look.ended_at,
            strangers=harvest.strangers(leads),
            unread=harvest.not_understood,
            finish_reason=None if well else look.result,
            error="" if well else how_it_ended(look),
        )

    async def _harvest(self, external: ExternalRun, look: Look) -> Harvest:
        harvest = Harvest()
        if look.result != LOST:
            async for found in self._harvester.found(external.external_id):
                harvest.add(found)
        return harvest


async def _whose(external: ExternalRun, harvest: Harvest, find: Find) -> Sequence[LeadId]:
    """The leads that it works for; where nobody has said, those whose profiles it brings."""
    return await find(sorted(harvest.profiles)) if external.leads is None else external.leads


def _book(job: Job) -> ExternalRuns:
    assert job.external is not None, "the engine gives it to every operation that works outside"
    return job.external


def _in_a_moment(error: NoRoom | BudgetExhausted, job: Job) -> ProviderStop:
    """There is no room, and nothing of ours whose end would make some."""
    if isinstance(error, BudgetExhausted):
        return error
    at = _book(job).now() + AGAIN_AFTER
    return ProviderStop(
        str(error), reason=error.reason, blocked_reason=Blocked.PROVIDER_QUOTA, wake_at=at, whole_run=False
    )


def _failed(lead: Lead, error: ProviderError, job: Job) -> Outcome:
    return failed(lead.lead_id, FailReason(error.reason), str(error), job.input_hashes.get(lead.lead_id))
