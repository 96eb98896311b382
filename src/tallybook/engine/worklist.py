"""Which leads are due, and freezing them as the worklist of an operation run."""

import heapq
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from tallybook.domain.batches import batched
from tallybook.domain.outcome import Kind, LeadId, Outcome, SkipReason, Versions
from tallybook.domain.ports import Candidate, Store
from tallybook.domain.run import OperationName
from tallybook.engine.bounds import Rank
from tallybook.engine.patience import patiently
from tallybook.ledger import external as ledger_external
from tallybook.ledger import work as ledger_work
from tallybook.ledger.attempts import last_attempts
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import progress

MOST_RUNS = 3
"""How many runs try a lead that fails with the same input before it is given up."""
FREEZE_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Due:
    """A part of what is due, and of it the leads that are only to be told that they are given up."""

    candidates: Sequence[Candidate]
    given_up: Sequence[Outcome]
    whole: bool


@dataclass(frozen=True)
class _Asked:
    """Whose candidates are gone through, and which of them are due."""

    ledger: Ledger
    store: Store
    scope: tuple[str, OperationName]
    rubric_version: str
    old_enough: Callable[[Candidate], bool]
    told: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class _Page:
    due: Sequence[Candidate]
    past: Mapping[LeadId, ledger_work.Past]
    last: bool


@dataclass(frozen=True, slots=True)
class _Ranked:
    """A lead that is due. *given_up*: the outcome of it, where it is."""

    rank: datetime
    candidate: Candidate
    given_up: Outcome | None

    @property
    def lead_id(self) -> LeadId:
        return self.candidate.lead_id


def freeze(
    ledger: Ledger,
    store: Store,
    key: OperationKey,
    rubric_version: str,
    limit: int | None,
    *,
    old_enough: Callable[[Candidate], bool] = lambda _: True,
    rank: Rank | None = None,
    told: Callable[[], bool] = lambda: False,
) -> None:
    """Freeze the leads due now; goes on where a predecessor stopped that was killed, or *told* to.

    With a *rank* and a limit any lead may be the next; those that are frozen stay so.
    """
    asked = _Asked(ledger, store, key[1:], rubric_version, old_enough, told)
    after, frozen = ledger_work.last_frozen(ledger.database, key)
    left = _left(limit, frozen)
    if rank is None or left is None:
        parts = _in_id_order(asked, after, left)
    else:
        parts = _of_lowest_rank(asked, rank, left, ledger_external.hashes_of(ledger.database, key, None))
    for part in parts:
        ledger.do(progress.freeze, key, part.candidates, part.given_up, whole=part.whole)
        if told():
            return


def _left(limit: int | None, taken: int) -> int | None:
    return None if limit is None else max(0, limit - taken)


def due(
    ledger: Ledger,
    store: Store,
    scope: tuple[str, OperationName],
    rubric_version: str,
    *,
    limit: int | None = None,
    old_enough: Callable[[Candidate], bool] = lambda _: True,
    rank: Rank | None = None,
) -> Iterator[Due]:
    """The leads due for (client, operation), in parts; the last is marked `whole`, and may be empty.

    *old_enough*: was the last result of a candidate reached long enough ago? *limit*: the first so many, in id order;
    with a *rank*, those of the lowest.
    """
    asked = _Asked(ledger, store, scope, rubric_version, old_enough, lambda: False)
    if rank is None or limit is None:
        return _in_id_order(asked, "", limit)
    return _of_lowest_rank(asked, rank, limit, ())


def _in_id_order(asked: _Asked, after: LeadId, limit: int | None) -> Iterator[Due]:
    if limit == 0:
        yield Due((), (), whole=True)
        return
    left = limit
    for page in _pages(asked, after):
        fresh = page.due[:left]
        left = _left(left, len(fresh))
        whole = page.last or left == 0
        yield Due(fresh, _given_up(fresh, page.past, asked.rubric_version), whole)
        if whole:
            return


def _of_lowest_rank(asked: _Asked, rank: Rank, limit: int, but: Container[LeadId]) -> Iterator[Due]:
    """*but* these, which are taken already. No more than *limit* are held at once."""
    best = heapq.nsmallest(limit, _ranked(asked, rank, but), key=lambda each: (each.rank, each.lead_id))
    if asked.told():
        return
    parts = list(batched(sorted(best, key=lambda each: each.lead_id), FREEZE_AT_ONCE)) or [()]
    for number, part in enumerate(parts, start=1):
        given_up = [each.given_up for each in part if each.given_up is not None]
        yield Due([each.candidate for each in part], given_up, whole=number == len(parts))


def _ranked(asked: _Asked, rank: Rank, but: Container[LeadId]) -> Iterator[_Ranked]:
    """What is due. An attempt that failed puts a lead behind those which have had none for longer: else leads that
    never come to anything would be the first for ever.
    """
    for page in _pages(asked, ""):
        given_up = {each.lead_id: each for each in _given_up(page.due, page.past, asked.rubric_version)}
        tried = _last_attempts(asked, page.due)
        for each in page.due:
            if each.lead_id not in but:
                at = rank(each)
                yield _Ranked(max(at, tried.get(each.lead_id, at)), each, given_up.get(each.lead_id))


def _last_attempts(asked: _Asked, due: Sequence[Candidate]) -> Mapping[LeadId, datetime]:
    if not due:
        return {}
    return last_attempts(asked.ledger.database, *asked.scope, first=due[0].lead_id, last=due[-1].lead_id)


def _pages(asked: _Asked, after: LeadId) -> Iterator[_Page]:
    """Ends early, before the last, when told to."""
    last = False
    while not (last or asked.told()):
        ask = partial(asked.store.candidates, asked.scope[1], after or None, FREEZE_AT_ONCE)
        page = patiently(ask, asked.told)
        last = len(page) < FREEZE_AT_ONCE
        past = _past(asked.ledger, asked.scope, page)
        aged = [each for each in page if asked.old_enough(each)]
        due = [each for each in aged if _is_due(each, past.get(each.lead_id), asked.rubric_version)]
        yield _Page(due, past, last)
        after = page[-1].lead_id if page else after


def _past(
    ledger: Ledger, scope: tuple[str, OperationName], page: Sequence[Candidate]
) -> Mapping[LeadId, ledger_work.Past]:
    if not page:
        return {}
    return ledger_work.past(ledger.database, *scope, first=page[0].lead_id, last=page[-1].lead_id)


def _is_due(candidate: Candidate, past: ledger_work.Past | None, rubric_version: str) -> bool:
    """A skipped lead is due again only when its input or the rubric changed; every other candidate is."""
    if past is None or past.kind is not Kind.SKIPPED:
        return True
    return (past.input_hash, past.rubric_version) != (candidate.input_hash, rubric_version)


def _given_up(
    fresh: Sequence[Candidate], past: Mapping[LeadId, ledger_work.Past], rubric_version: str
) -> list[Outcome]:
    return [
        Outcome.skipped(
            each.lead_id,
            SkipReason.GAVE_UP,
            detail=f"failed in {MOST_RUNS} runs with the same input",
            input_hash=each.input_hash,
            versions=Versions(rubric=rubric_version),
        )
        for each in fresh
        if each.lead_id in past and _tries(past[each.lead_id], each.input_hash, rubric_version) >= MOST_RUNS
    ]


def _tries(past: ledger_work.Past, input_hash: str, rubric_version: str) -> int:
    return past.failed.get((input_hash, rubric_version), 0)
