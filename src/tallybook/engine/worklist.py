"""Which leads are due, and freezing them as the worklist of an operation run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tallybook.domain.outcome import Kind, LeadId, Outcome, SkipReason, Versions
from tallybook.domain.ports import Candidate, Store
from tallybook.domain.run import OperationName
from tallybook.engine.patience import patiently
from tallybook.ledger import work as ledger_work
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


def freeze(
    ledger: Ledger,
    store: Store,
    key: OperationKey,
    rubric_version: str,
    limit: int | None,
    *,
    old_enough: Callable[[Candidate], bool] = lambda _: True,
    told: Callable[[], bool] = lambda: False,
) -> None:
    """Freeze the leads due now; goes on where a predecessor stopped that was killed, or *told* to."""
    after, frozen = ledger_work.last_frozen(ledger.database, key)
    left = _left(limit, frozen)
    found = due(ledger, store, key[1:], rubric_version, after=after, limit=left, old_enough=old_enough, told=told)
    for part in found:
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
    after: LeadId = "",
    limit: int | None = None,
    old_enough: Callable[[Candidate], bool] = lambda _: True,
    told: Callable[[], bool] = lambda: False,
) -> Iterator[Due]:
    """The leads due for (client, operation), in id order, in parts; the last is marked `whole`, and may be empty.

    *old_enough*: was the last result of a candidate reached long enough ago?
    """
    left = limit
    while True:
        ask = partial(store.candidates, scope[1], after or None, FREEZE_AT_ONCE)
        page = patiently(ask, told) if left != 0 else ()
        past = _past(ledger, scope, page)
        aged = [each for each in page if old_enough(each)]
        fresh = [each for each in aged if _is_due(each, past.get(each.lead_id), rubric_version)][:left]
        left = _left(left, len(fresh))
        whole = len(page) < FREEZE_AT_ONCE or left == 0
        yield Due(fresh, _given_up(fresh, past, rubric_version), whole)
        if whole:
            return
        after = page[-1].lead_id


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
