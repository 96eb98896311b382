"""A dry run: what a start would find and do, client by client. Writes nothing, asks no scorer."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tallybook.domain.batches import batched
from tallybook.domain.client import Client, ClientId
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import FailReason, Kind, LeadId, SkipReason
from tallybook.domain.ports import (
    UNKNOWN,
    Answer,
    Candidate,
    Clients,
    Failure,
    Item,
    Job,
    Meter,
    Operation,
    OutsideOperation,
    Scorer,
    Store,
    Worked,
)
from tallybook.domain.rubric import Attribute, Rubric, rubric_version
from tallybook.domain.run import OperationName
from tallybook.domain.tally import Estimate, Usage
from tallybook.engine import worklist
from tallybook.engine.bounds import Bounds, bounds_of
from tallybook.engine.pages import PAGE
from tallybook.engine.runner import not_configured
from tallybook.engine.worklist import Due
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write.starts import Request


class SilentScorer:
    """Answers no question and makes no call, but adds up what *asked* would take to answer them. What an operation
    skips of its own accord, it skips all the same.
    """

    def __init__(self, asked: Scorer) -> None:
        self._asked = asked
        self.estimate_so_far = Estimate()

    @property
    def model(self) -> str:
        return self._asked.model

    @property
    def prompt_version(self) -> str | None:
        return self._asked.prompt_version

    async def judge(self, attributes: Sequence[Attribute], items: Sequence[Item], meter: Meter) -> Mapping[str, Answer]:
        self.estimate_so_far += self.estimate(attributes, items)
        return {item.key: Failure(FailReason.UNKNOWN, "a dry run asks nobody") for item in items}

    def estimate(self, attributes: Sequence[Attribute], items: Sequence[Item]) -> Estimate:
        return self._asked.estimate(attributes, items)

    def take_estimate(self) -> Estimate:
        """What was added up since this was asked last."""
        taken, self.estimate_so_far = self.estimate_so_far, Estimate()
        return taken


class NoMeter:
    """There is nothing to book."""

    async def start(
        self, *, provider: str, model: str, attempt: int = 1, estimate: Estimate = UNKNOWN, patient: bool = True
    ) -> str:
        return ""

    def settle(self, call_id: str, *, result: str, usage: Usage, refused: bool = False) -> None:
        return

    async def pause(self, seconds: float) -> None:
        return

    def note(self, kind: str, text: str) -> None:
        return


@dataclass(frozen=True, slots=True)
class OperationPreview:
    """*due*: what the worklist would hold; of it *attempted* would be judged, and *skips* says what would not.

    *waiting*: done with for now, skipped before with the same input. *beyond*: due, but over the limit.
    *finish_reason*: it would close at once, for this reason. *estimate*: what asking would take, all going well.
    """

    operation: OperationName
    due: int = 0
    skips: Mapping[str, int] = field(default_factory=dict)
    waiting: int = 0
    beyond: int = 0
    finish_reason: str | None = None
    estimate: Estimate = field(default_factory=Estimate)

    @property
    def attempted(self) -> int:
        return self.due - sum(self.skips.values())


@dataclass(frozen=True, slots=True)
class ClientPreview:
    client: Client
    operations: tuple[OperationPreview, ...]


@dataclass(frozen=True)
class _Looking:
    """All that looking at one operation of one client needs."""

    ledger: Ledger
    store: Store
    client: Client
    rubric: Rubric
    request: Request
    chunk_size: int
    scorer: SilentScorer


def preview(
    ledger: Ledger,
    clients: Clients,
    scorer: Scorer,
    operations_with: Callable[[Scorer], Mapping[OperationName, Operation]],
    request: Request,
    *,
    chunk_size: int,
) -> list[ClientPreview]:
    """*scorer*: who would be asked. Raises NotFound for an unknown client, StoreUnavailable."""
    silent = SilentScorer(scorer)
    operations = operations_with(silent)
    wanted = [name for name in OperationName if name in request.operations]
    found = []
    for client in clients.of_stream(request.stream, request.clients):
        store = clients.store(client.client_id)
        looking = _Looking(ledger, store, client, store.rubric(), request, chunk_size, silent)
        told = tuple(_of_operation(looking, name, operations.get(name)) for name in wanted)
        found.append(ClientPreview(client, told))
    return found


def _of_operation(looking: _Looking, name: OperationName, operation: Operation | None) -> OperationPreview:
    if operation is None:
        return OperationPreview(name, finish_reason=not_configured(name, looking.client))
    reason = operation.does_not_apply(looking.client, looking.rubric)
    if reason is not None:
        return OperationPreview(name, finish_reason=reason)
    version = rubric_version(operation.judged_by(looking.rubric))
    job = Job(looking.client, looking.rubric, version, NoMeter())
    return _counted(looking, operation, job)


def _counted(looking: _Looking, operation: Operation, job: Job) -> OperationPreview:
    """Goes through everything that is due, beyond the limit too."""
    bounds = bounds_of(looking.ledger, OperationKey("", *_scope(looking, operation)), operation, looking.client)
    limit = bounds.within(looking.request.limit_of(operation.name))
    due = 0
    skips: dict[str, int] = {}
    for part in _due(looking, operation, job, bounds, limit):
        _add(skips, _skips(looking, operation, job, part.candidates, {each.lead_id for each in part.given_up}))
        due += len(part.candidates)
    every = due if limit is None else sum(len(each.candidates) for each in _due(looking, operation, job, bounds, None))
    waiting = _all_candidates(looking.store, operation.name) - every
    return OperationPreview(operation.name, due, skips, waiting, every - due, estimate=looking.scorer.take_estimate())


def _scope(looking: _Looking, operation: Operation) -> tuple[ClientId, OperationName]:
    return looking.client.client_id, operation.name


def _due(looking: _Looking, operation: Operation, job: Job, bounds: Bounds, limit: int | None) -> Iterator[Due]:
    return worklist.due(
        looking.ledger,
        looking.store,
        _scope(looking, operation),
        job.rubric_version,
        limit=limit,
        old_enough=bounds.old_enough,
        rank=bounds.rank,
    )


def _add(sums: dict[str, int], more: Mapping[str, int]) -> None:
    for reason, number in more.items():
        sums[reason] = sums.get(reason, 0) + number


def _all_candidates(store: Store, operation: OperationName) -> int:
    after: LeadId | None = None
    number = 0
    while page := store.candidates(operation, after, worklist.FREEZE_AT_ONCE):
        number += len(page)
        after = page[-1].lead_id
    return number


def _skips(
    looking: _Looking, operation: Operation, job: Job, taken: Sequence[Candidate], given_up: set[LeadId]
) -> Mapping[str, int]:
    """Why, and how many of the leads on the worklist would not be judged. The others are put to the silent scorer, in
    pages and chunks as the engine would.
    """
    tried = [each for each in taken if each.lead_id not in given_up]
    sums: dict[str, int] = {}
    if len(tried) < len(taken):
        sums[SkipReason.GAVE_UP.value] = len(taken) - len(tried)
    for page in batched(tried, PAGE):
        leads = sorted(looking.store.load([each.lead_id for each in page]), key=lambda lead: lead.lead_id)
        _add(sums, {SkipReason.LEAD_GONE.value: len(page) - len(leads)} if len(leads) < len(page) else {})
        told = replace(job, input_hashes={each.lead_id: each.input_hash for each in page})
        if isinstance(operation, OutsideOperation):
            continue  # it would set something going
        for chunk in batched(leads, looking.chunk_size):
            _add(sums, _skipped_unasked(asyncio.run(_work(operation, chunk, told))))
    return sums


def _skipped_unasked(worked: Worked) -> Mapping[str, int]:
    """What the operation itself passes over before it asks anybody."""
    return Counter(
        outcome.reason.value
        for outcome in worked.outcomes
        if outcome.kind is Kind.SKIPPED and outcome.reason is not None
    )


async def _work(operation: Operation, leads: Sequence[Lead], job: Job) -> Worked:
    return await operation.work(leads, job)
