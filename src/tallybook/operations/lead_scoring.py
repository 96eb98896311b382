"""Scoring leads: what a profile comes to by its client's rubric."""

from collections.abc import Sequence

from tallybook.domain.client import Client
from tallybook.domain.errors import ProviderStop
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import Kind, Outcome, SkipReason
from tallybook.domain.ports import Answer, Failure, Item, Job, Judgement, Scorer, Worked, stop_in
from tallybook.domain.rubric import Attribute, Rubric, grade
from tallybook.domain.run import OperationName
from tallybook.operations.answers import ask, failed, input_hash, unasked, unjudged, versions
from tallybook.operations.assessment import assessment


class LeadScoring:
    """An `Operation`. Applies to every client that has a rubric for leads, whatever its service level."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    @property
    def name(self) -> OperationName:
        return OperationName.LEAD_SCORING

    def does_not_apply(self, client: Client, rubric: Rubric) -> str | None:
        return None if rubric.for_leads else "no_rubric"

    def judged_by(self, rubric: Rubric) -> Sequence[Attribute]:
        return rubric.for_leads

    async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
        """One outcome for each lead. Thin profiles are skipped before any question is asked, and cost nothing."""
        items = [Item(lead.lead_id, lead) for lead in leads if not lead.thin]
        answers = await ask(self._scorer, job.rubric.for_leads, items, job)
        told = [self._outcome(lead, answers.get(lead.lead_id), job) for lead in leads]
        return Worked([each for each in told if each is not None], stop_in(answers.values()))

    def _outcome(self, lead: Lead, answer: Answer | None, job: Job) -> Outcome | None:
        if isinstance(answer, ProviderStop):
            return None
        if answer is None:
            return unasked(lead, SkipReason.INSUFFICIENT_PROFILE, "neither headline nor history", job)
        if isinstance(answer, Failure):
            return failed(lead, answer, job, self._scorer)
        return self._judged(lead, answer, job)

    def _judged(self, lead: Lead, judgement: Judgement, job: Job) -> Outcome:
        attributes = job.rubric.for_leads
        graded = grade(attributes, judgement.verdicts)
        if not graded.judged:
            return unjudged(lead, SkipReason.INSUFFICIENT_PROFILE, job, self._scorer)
        return Outcome(
            lead.lead_id,
            Kind.SCORED,
            score=graded.total,
            breakdown=graded.breakdown,
            assessment=judgement.assessment or assessment(attributes, graded),
            excluded_by=graded.excluded_by,
            flagged=graded.flagged or judgement.flagged,
            versions=versions(job, self._scorer),
            input_hash=input_hash(lead, job),
        )
