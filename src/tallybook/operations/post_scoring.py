"""Scoring posts: a lead is worth what its best post is worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tallybook.domain.client import Client
from tallybook.domain.errors import ProviderStop
from tallybook.domain.lead import Lead, Post
from tallybook.domain.outcome import Kind, Outcome, SkipReason
from tallybook.domain.ports import Answer, Failure, Item, Job, Judgement, Scorer, Worked, stop_in
from tallybook.domain.rubric import Attribute, Grade, Rubric, grade
from tallybook.domain.run import OperationName
from tallybook.operations.answers import ask, failed, input_hash, unasked, unjudged, versions
from tallybook.operations.assessment import assessment


class PostScoring:
    """An `Operation`. Posts that the store holds a score of, and blank ones, are not judged.

    A lead is scored only when every post asked about was judged. If one failed, the lead failed, and the next run asks
    about all of them again: a maximum over some of the posts would be taken for the maximum over all.
    """

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    @property
    def name(self) -> OperationName:
        return OperationName.POST_SCORING

    def does_not_apply(self, client: Client, rubric: Rubric) -> str | None:
        if not client.wants_posts:
            return "below_service_level"
        return None if rubric.for_posts else "no_rubric"

    def judged_by(self, rubric: Rubric) -> Sequence[Attribute]:
        return rubric.for_posts

    async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
        """One outcome for each lead. Leads without anything to read are skipped before any question is asked."""
        items = [Item(_key(lead, post), lead, post) for lead in leads for post in _readable(_unscored(lead))]
        answers = await ask(self._scorer, job.rubric.for_posts, items, job)
        told = [self._outcome(lead, answers, job) for lead in leads]
        return Worked([each for each in told if each is not None], stop_in(answers.values()))

    def _outcome(self, lead: Lead, answers: Mapping[str, Answer], job: Job) -> Outcome | None:
        posts = _unscored(lead)
        if not posts:
            return unasked(lead, SkipReason.NO_POSTS, "no posts that are not scored yet", job)
        readable = _readable(posts)
        if not readable:
            return unasked(lead, SkipReason.NO_CONTENT, "all its posts are blank", job)
        told = [answers[_key(lead, post)] for post in readable]
        if any(isinstance(answer, ProviderStop) for answer in told):
            return None
        failures = [answer for answer in told if isinstance(answer, Failure)]
        if failures:
            return failed(lead, _summed_up(failures, len(told)), job, self._scorer, posts=len(told))
        judgements = [answer for answer in told if isinstance(answer, Judgement)]
        return self._judged(lead, posts, _graded(readable, judgements, job), job)

    def _judged(self, lead: Lead, posts: Sequence[Post], judged: Sequence["_JudgedPost"], job: Job) -> Outcome:
        candidates = [each for each in judged if each.grade.judged]
        if not candidates:
            return unjudged(lead, SkipReason.NO_CONTENT, job, self._scorer, posts=len(judged))
        best = max(candidates, key=_rank)
        return Outcome(
            lead.lead_id,
            Kind.SCORED,
            score=best.grade.total,
            breakdown=_breakdown(posts, judged),
            assessment=best.assessment(job, len(judged)),
            best_post=best.summary,
            posts=len(judged),
            excluded_by=best.grade.excluded_by,
            flagged=any(each.grade.flagged or each.judgement.flagged for each in judged),
            versions=versions(job, self._scorer),
            input_hash=input_hash(lead, job),
        )


@dataclass(frozen=True, slots=True)
class _JudgedPost:
    post: Post
    judgement: Judgement
    grade: Grade

    @property
    def summary(self) -> Mapping[str, object]:
        post = self.post
        return {"url": post.url, "text": post.text, "score": self.grade.total, "is_repost": post.is_repost}

    def assessment(self, job: Job, judged: int) -> str:
        """The scorer's own words, or ours."""
        if self.judgement.assessment:
            return self.judgement.assessment
        lead_in = f"The best of {judged} posts. " if judged > 1 else ""
        return lead_in + assessment(job.rubric.for_posts, self.grade)


def _unscored(lead: Lead) -> Sequence[Post]:
    """Its posts without a score in URL order, so that the store's order changes nothing. Of one URL, the last given."""
    by_url = {post.url: post for post in lead.posts if not post.scored}
    return [by_url[url] for url in sorted(by_url)]


def _readable(posts: Sequence[Post]) -> Sequence[Post]:
    return [post for post in posts if post.text.strip()]


def _key(lead: Lead, post: Post) -> str:
    """Unlike for any other post: no lead id holds a line break."""
    return f"{lead.lead_id}\n{post.url}"


def _summed_up(failures: Sequence[Failure], asked: int) -> Failure:
    """One failure for a lead some of whose posts failed: the reason of the first."""
    first = failures[0]
    return Failure(first.reason, f"{len(failures)} of {asked} posts failed: {first.detail or first.reason}")


def _graded(posts: Sequence[Post], judgements: Sequence[Judgement], job: Job) -> Sequence[_JudgedPost]:
    attributes = job.rubric.for_posts
    pairs = zip(posts, judgements, strict=True)
    return [_JudgedPost(post, judgement, grade(attributes, judgement.verdicts)) for post, judgement in pairs]


def _rank(judged: _JudgedPost) -> tuple[float, bool, str, str]:
    """The better, else the lead's own before a repost, else the newer."""
    post = judged.post
    return judged.grade.total, not post.is_repost, post.posted_at or "", post.url


def _breakdown(posts: Sequence[Post], judged: Sequence[_JudgedPost]) -> Mapping[str, object]:
    """A line for every post that was due; the blank ones too, so that the store takes them as done."""
    grades = {each.post.url: each.grade for each in judged}
    return {post.url: _line(post, grades.get(post.url)) for post in posts}


def _line(post: Post, graded: Grade | None) -> Mapping[str, object]:
    return {
        "total": graded.total if graded and graded.judged else None,
        "attributes": graded.breakdown if graded else {},
        "is_repost": post.is_repost,
    }
