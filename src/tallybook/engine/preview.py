"""A dry run: what a start would find and do, client by client. Writes nothing, asks no scorer."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tallybook.domain.client import Client
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import FailReason, Kind, LeadId, Outcome, SkipReason
from tallybook.domain.ports import Candidate, Clients, Failure, Item, Job, Judgement, Meter, Operation, Store
from tallybook.domain.rubric import Attribute, Rubric, rubric_version
from tallybook.domain.run import OperationName
from tallybook.domain.tally import Usage
from tallybook.engine import worklist
from tallybook.engine.runner import not_configured
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write.starts import Request

LOADED_AT_ONCE = 200


class SilentScorer:
    """Answers no question, and makes no call. What an operation skips of its own accord, it skips all the same."""

    @property
    def model(self) -> str:
        return "none"

    @property
    def prompt_version(self) -> str | None:
        return None

    async def judge(
        self, attributes: Sequence[Attribute], items: Sequence[Item], meter: Meter
    ) -> Mapping[str, Judgement | Failure]:
        return {item.key: Failure(FailReason.UNKNOWN, "a dry run asks nobody") for item in items}


class _NoMeter:
    """There is nothing to book."""

    async def start(self, *, provider: str, model: str, attempt: int = 1) -> str:
        return ""

    def settle(self, call_id: str, *, result: str, usage: Usage) -> None:
        return


@dataclass(frozen=True, slots=True)
class OperationPreview:
    """*due*: what the worklist would hold; of it *attempted* would be judged, and *skips* says what would not.

    *waiting*: done with for now, skipped before with the same input. *beyond*: due, but over the limit.
    *finish_reason*: it would close at once, for this reason.
    """

    operation: OperationName
    due: int = 0
    skips: Mapping[str, int] = field(default_factory=dict)
    waiting: int = 0
    beyond: int = 0
    finish_reason: str | None = None

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
    limit: int | None


def preview(
    ledger: Ledger, clients: Clients, operations: Mapping[OperationName, Operation], request: Request
) -> list[ClientPreview]:
    """*operations*: made with a SilentScorer. Raises NotFound for an unknown client, StoreUnavailable."""
    return [
        _of_client(ledger, clients, client, operations, request)
        for client in clients.of_stream(request.stream, request.clients)
    ]


def _of_client(
    ledger: Ledger,
    clients: Clients,
    client: Client,
    operations: Mapping[OperationName, Operation],
    request: Request,
) -> ClientPreview:
    store = clients.store(client.client_id)
    looking = _Looking(ledger, store, client, store.rubric(), request.limit)
    wanted = [name for name in OperationName if name in request.operations]
    return ClientPreview(client, tuple(_of_operation(looking, name, operations.get(name)) for name in wanted))


def _of_operation(looking: _Looking, name: OperationName, operation: Operation | None) -> OperationPreview:
    if operation is None:
        return OperationPreview(name, finish_reason=not_configured(name, looking.client))
    reason = operation.does_not_apply(looking.client, looking.rubric)
    if reason is not None:
        return OperationPreview(name, finish_reason=reason)
    version = rubric_version(operation.judged_by(looking.rubric))
    job = Job(looking.client, looking.rubric, version, _NoMeter())
    return _counted(looking, operation, job)


def _counted(looking: _Looking, operation: Operation, job: Job) -> OperationPreview:
    """Goes through everything that is due, beyond the limit too."""
    scope = (looking.client.client_id, operation.name)
    due = beyond = 0
    skips: dict[str, int] = {}
    for part in worklist.due(looking.ledger, looking.store, scope, job.rubric_version):
        room = len(part.candidates) if looking.limit is None else max(0, looking.limit - due)
        taken = part.candidates[:room]
        _add(skips, _skips(looking.store, operation, job, taken, {each.lead_id for each in part.given_up}))
        due += len(taken)
        beyond += len(part.candidates) - len(taken)
    return OperationPreview(
        operation.name, due, skips, _all_candidates(looking.store, operation.name) - due - beyond, beyond
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
    store: Store, operation: Operation, job: Job, taken: Sequence[Candidate], given_up: set[LeadId]
) -> Mapping[str, int]:
    """Why, and how many of the leads on the worklist would not be judged."""
    tried = [each for each in taken if each.lead_id not in given_up]
    sums: dict[str, int] = {}
    if len(tried) < len(taken):
        sums[SkipReason.GAVE_UP.value] = len(taken) - len(tried)
    for first in range(0, len(tried), LOADED_AT_ONCE):
        part = tried[first : first + LOADED_AT_ONCE]
        leads = store.load([each.lead_id for each in part])
        _add(sums, {SkipReason.LEAD_GONE.value: len(part) - len(leads)} if len(leads) < len(part) else {})
        _add(sums, _skipped_unasked(operation, job, leads, {each.lead_id: each.input_hash for each in part}))
    return sums


def _skipped_unasked(
    operation: Operation, job: Job, leads: Sequence[Lead], hashes: Mapping[LeadId, str]
) -> Mapping[str, int]:
    """What the operation itself passes over before it asks anybody."""
    told = Job(job.client, job.rubric, job.rubric_version, job.meter, hashes)
    sums: dict[str, int] = {}
    for outcome in asyncio.run(_work(operation, leads, told)):
        if outcome.kind is Kind.SKIPPED and outcome.reason is not None:
            _add(sums, {outcome.reason.value: 1})
    return sums


async def _work(operation: Operation, leads: Sequence[Lead], job: Job) -> Sequence[Outcome]:
    return await operation.work(leads, job)
