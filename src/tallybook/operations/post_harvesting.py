"""Harvesting posts: an external run fetches what leads posted; its result is collected when it is over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tallybook.domain.client import Client
from tallybook.domain.errors import ProviderError, ProviderStop
from tallybook.domain.external import ExternalRun, Look
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import FailReason, LeadId, Outcome, SkipReason
from tallybook.domain.ports import Candidate, Collected, Harvester, Job, Load, Worked
from tallybook.domain.rubric import Attribute, Rubric
from tallybook.domain.run import OperationName
from tallybook.domain.tally import LOST, Usage
from tallybook.operations.harvest import SUCCEEDED, Harvest, outcome_of, profile_of

NEVER = "never"
"""The input of a lead that nobody has harvested yet; of others it is the time of their last harvest."""
TOKEN_OUTLIVES = timedelta(days=7)
"""A delivery may be tried for 32 hours, and a run be resurrected days later."""


@dataclass(frozen=True, slots=True)
class Pace:
    """*batch*: profiles for one external run. *daily_target*: leads of a client per day. *recheck_after*: of a lead."""

    batch: int = 50
    most_posts: int = 10
    daily_target: int | None = None
    recheck_after: timedelta = timedelta(days=7)
    run_timeout: timedelta = timedelta(hours=1)


class PostHarvesting:
    """An `OutsideOperation`. Whatever goes wrong is a failure with its reason; only an answer that was given and is
    empty means that there are no posts (F29).
    """

    def __init__(self, harvester: Harvester, pace: Pace) -> None:
        self._harvester = harvester
        self._pace = pace

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
        if candidate.input_hash == NEVER:
            return True
        try:
            harvested_at = datetime.fromisoformat(candidate.input_hash)
        except ValueError:
            return True
        return harvested_at + self._pace.recheck_after <= now

    # -- starting

    async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
        """Start an external run for those leads that none has yet. Their outcomes come with its result.

        While there is one of which nobody knows for whom it works, none is started: it might be paid for twice.
        """
        assert job.external is not None, "the engine gives it to every operation that works outside"
        taken = frozenset(lead.lead_id for lead in leads)
        busy = await job.external.in_flight()
        fresh = [lead for lead in leads if busy is not None and lead.lead_id not in busy]
        if not fresh:
            return Worked((), outside=taken)
        until = job.external.now() + self._pace.run_timeout
        tag = job.external.tag("", until + TOKEN_OUTLIVES)
        call_id = await job.meter.start(provider=self.source, model=self._harvester.model)
        named = [lead.lead_id for lead in fresh]
        await job.external.starting(call_id, named, until)
        try:
            external_id = await self._harvester.start(
                [lead.profile_url for lead in fresh],
                self._pace.most_posts,
                self._pace.run_timeout,
                tag.of_call(call_id),
            )
        except ProviderError as error:
            return await self._not_started(error, call_id, fresh, job)
        await job.external.started(external_id, call_id, named, until)
        return Worked((), outside=taken)

    async def _not_started(self, error: ProviderError, call_id: str, leads: Sequence[Lead], job: Job) -> Worked:
        """A refusal is the end of it. An answer that was lost is not: if a run was started it calls back, or else its
        leads have failed after a while.
        """
        assert job.external is not None, "it was asked before"
        await job.external.not_started(call_id, certain=error.refused)
        job.meter.settle(call_id, result=error.reason if error.refused else LOST, usage=Usage())
        if isinstance(error, ProviderStop):
            raise error
        if not error.refused:
            return Worked((), outside=frozenset(lead.lead_id for lead in leads))
        return Worked([_failed(lead, error, job) for lead in leads])

    # -- collecting

    async def look(self, external: ExternalRun) -> Look:
        return await self._harvester.look(external.external_id)

    async def give_up(self, external: ExternalRun) -> None:
        await self._harvester.abort(external.external_id)

    async def collect(self, external: ExternalRun, look: Look, load: Load, hashes: Mapping[LeadId, str]) -> Collected:
        harvest = Harvest()
        async for found in self._harvester.found(external.external_id):
            harvest.add(found)
        leads = await load(external.leads if external.leads is not None else list(harvest.profiles))
        names = {profile_of(lead): lead for lead in leads}
        outcomes = [outcome_of(lead, profile, harvest, look, hashes) for profile, lead in names.items()]
        gone = set(external.leads or ()) - {lead.lead_id for lead in leads}
        outcomes += [Outcome.skipped(each, SkipReason.LEAD_GONE, input_hash=hashes.get(each)) for each in sorted(gone)]
        return Collected(
            look.result,
            outcomes,
            cost=look.cost,
            ended_at=look.ended_at,
            strangers=len(harvest.profiles - names.keys()),
            error="" if look.result == SUCCEEDED else f"{look.result}: {look.detail}",
        )


def _failed(lead: Lead, error: ProviderError, job: Job) -> Outcome:
    hash_ = job.input_hashes.get(lead.lead_id)
    return Outcome.failed(lead.lead_id, FailReason(error.reason), detail=str(error), input_hash=hash_)
