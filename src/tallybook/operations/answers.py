"""From a scorer's answers to outcomes: what scoring leads and scoring posts have in common."""

from collections.abc import Mapping, Sequence

from tallybook.domain.lead import Lead
from tallybook.domain.outcome import Outcome, SkipReason, Versions
from tallybook.domain.ports import MISSING, Answer, Failure, Item, Job, Scorer
from tallybook.domain.rubric import FORMULA, Attribute


async def ask(scorer: Scorer, attributes: Sequence[Attribute], items: Sequence[Item], job: Job) -> Mapping[str, Answer]:
    """An answer for every item: those nobody asked for are dropped, those left out are failures (F26)."""
    if not items:
        return {}
    answers = await scorer.judge(attributes, items, job.meter)
    return {item.key: answers.get(item.key, MISSING) for item in items}


def unasked(lead: Lead, reason: SkipReason, detail: str, job: Job) -> Outcome:
    """Passed over before any question: only the rubric's version had a part in it."""
    versions = Versions(rubric=job.rubric_version)
    return Outcome.skipped(lead.lead_id, reason, detail=detail, versions=versions, input_hash=input_hash(lead, job))


def unjudged(lead: Lead, reason: SkipReason, job: Job, scorer: Scorer, *, posts: int = 0) -> Outcome:
    """Passed over because the scorer, asked, could judge by no attribute."""
    return Outcome.skipped(
        lead.lead_id,
        reason,
        detail="the scorer could judge it by no attribute",
        posts=posts,
        versions=versions(job, scorer),
        input_hash=input_hash(lead, job),
    )


def failed(lead: Lead, failure: Failure, job: Job, scorer: Scorer, *, posts: int = 0) -> Outcome:
    """An attempt that is not a result: the lead is tried again in the next run (F28)."""
    return Outcome.failed(
        lead.lead_id,
        failure.reason,
        detail=failure.detail or None,
        posts=posts,
        versions=versions(job, scorer),
        input_hash=input_hash(lead, job),
    )


def versions(job: Job, scorer: Scorer) -> Versions:
    return Versions(rubric=job.rubric_version, prompt=scorer.prompt_version, formula=FORMULA, model=scorer.model)


def input_hash(lead: Lead, job: Job) -> str | None:
    return job.input_hashes.get(lead.lead_id)
