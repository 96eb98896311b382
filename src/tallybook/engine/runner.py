"""Works a client run: its operations in order, each frozen, worked page by page, saved and closed."""

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TypeVar

from tallybook.domain.budget import Budgets
from tallybook.domain.client import Client
from tallybook.domain.concern import concerning
from tallybook.domain.errors import LedgerUnavailable, ProviderStop, StoreUnavailable, WriterDied
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import FailReason, LeadId, Outcome, Versions
from tallybook.domain.ports import Clients, Job, Operation, OutsideOperation, Store, Worked
from tallybook.domain.rubric import Rubric, rubric_version
from tallybook.domain.run import OperationName, Stop
from tallybook.engine import outside, worklist
from tallybook.engine.bounds import TARGET_REACHED, bounds_of
from tallybook.engine.metering import ChunkMeter, RateLimiter
from tallybook.engine.pages import Asking, CallLoop, OperationWork, save_unsaved, work_pages
from tallybook.engine.patience import patiently
from tallybook.engine.permits import Place
from tallybook.engine.stopping import CLIENT_TIMEOUT, ClientWork, Registry
from tallybook.ledger import work as ledger_work
from tallybook.ledger.external import ExternalBook
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.meter import CallMeter
from tallybook.ledger.write import dispatch, endings, events, progress, stops, waiting
from tallybook.ledger.write.starts import Request

log = logging.getLogger(__name__)
T = TypeVar("T")
LEDGER_AGAIN_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a process does at once, and for how long. Timeouts exclude queueing. None is no limit.

    *client_calls_at_once*, *client_requests_per_minute*: of one client alone. *look_outside_every*: how long a provider
    whose run works for us may be silent.
    """

    concurrency: int = 4
    calls_at_once: int = 16
    client_calls_at_once: int | None = None
    requests_per_minute: int | None = None
    client_requests_per_minute: int | None = None
    chunk_size: int = 5
    client_timeout_s: float = 1800.0
    run_timeout_s: float = 10800.0
    look_outside_every: timedelta = timedelta(minutes=1)
    budgets: Budgets = field(default_factory=Budgets)


@dataclass(frozen=True)
class Tenant:
    """What is known of a client while its run is worked on."""

    client: Client
    store: Store
    rubric: Rubric


@dataclass(frozen=True)
class OpenOperation:
    """An operation run in hand."""

    key: OperationKey
    operation: Operation
    tenant: Tenant
    work: ClientWork
    limit: int | None

    @property
    def version(self) -> str:
        """Of the part of the rubric that it judges by."""
        return rubric_version(self.operation.judged_by(self.tenant.rubric))


class Runner:
    """Does the work of one process. *executor* names its slot; *ended* is called when a client run was let go."""

    def __init__(
        self,
        ledger: Ledger,
        clients: Clients,
        operations: Mapping[OperationName, Operation],
        *,
        limits: Limits,
        executor: str,
        ended: Callable[[], None],
    ) -> None:
        self.registry = Registry()
        self._ledger = ledger
        self._clients = clients
        self._operations = operations
        self._limits = limits
        self._worker = f"{executor}/{uuid.uuid4().hex[:8]}"  # a slot is held by one process after the other
        self._ended = ended
        self._calls = CallLoop(limits.calls_at_once, limits.client_calls_at_once)
        self.collector = outside.Collector(
            ledger,
            clients,
            operations,
            loop=self._calls.loop,
            again_after=limits.look_outside_every,
            ended=ended,
        )
        self._limiter = RateLimiter(limits.requests_per_minute, limits.client_requests_per_minute)
        self._halted = False
        self._closed = threading.Event()

    def halt(self, why: str) -> None:
        """Hand back what is in flight and whatever comes until `go_on`."""
        self._halted = True
        for work in self.registry.all():
            work.tell(None, why)

    def wind_down(self, why: str) -> None:
        """Like `halt`, but what was asked is waited for; nothing more is asked."""
        self._halted = True
        for work in self.registry.all():
            work.tell(None, why, gently=True)

    def go_on(self) -> None:
        self._halted = False

    def close(self) -> None:
        self._closed.set()
        self.halt("the process shuts down")
        self._calls.close()

    def idle_s(self, work: ClientWork) -> float:
        """How long it was kept waiting: for its minute, its budget, its provider, or a place among others."""
        return self._calls.places.idle_s(work.key.client_id) - work.idle_before_s

    def client_run(self, run_id: str, client_id: str) -> None:
        """Work a client run, or go on with one whose process died. Returns when it is closed, stopped or handed back.

        While the ledger cannot be reached it waits: nothing is worked on that could not be booked.
        """
        key = ClientKey(run_id, client_id)
        with concerning(run=run_id, client=client_id):
            while not outlive(partial(self._take_up, key), f"client {client_id} of run {run_id}"):
                if self._closed.wait(LEDGER_AGAIN_AFTER_S):
                    return

    def _take_up(self, key: ClientKey) -> None:
        try:
            if self._halted:
                self._ledger.do(dispatch.hand_back, key, self._worker)
                return
            begun = self._ledger.do(progress.begin_client, key, self._worker)
            if begun.stop is not None:
                self._ledger.do(stops.stop_client, key, begun.stop, begun.blocked_reason or "")
            if begun.go:
                self._work_for(key, self._limits.client_timeout_s - begun.worked_ms / 1000)
        finally:
            self._ended()

    def _work_for(self, key: ClientKey, timeout_s: float) -> None:
        since = time.monotonic()
        work = self.registry.enter(key, timeout_s, self._calls.places.idle_s(key.client_id))
        if self._halted:
            work.tell(None, "halted")
        try:
            self._work(key, work)
        finally:
            self.registry.leave(work)
            worked_s = time.monotonic() - since - self.idle_s(work)
            self._ledger.submit(progress.book_work, key, int(worked_s * 1000))

    def _work(self, key: ClientKey, work: ClientWork) -> None:
        error = None
        try:
            self._work_operations(key, work)
        except LedgerUnavailable:
            raise
        except Exception as unexpected:
            log.exception("client %s of run %s broke", key.client_id, key.run_id)
            error = f"{type(unexpected).__name__}: {unexpected}"
        self._let_go(key, work, error)

    def _let_go(self, key: ClientKey, work: ClientWork, error: str | None) -> None:
        if work.waiting:
            return
        if work.handing_back:
            self._ledger.do(dispatch.hand_back, key, self._worker)
            return
        if work.stop is not None:
            self._note_timeout(key, work)
            self._ledger.do(stops.stop_client, key, work.stop, work.reason, wake_at=work.wake_at)
            return
        if error is not None and self._waits(key, work):
            return
        if error is not None:
            self._ledger.do(endings.close_open_operations, key, errors=1)
        self._ledger.do(endings.close_client, key, error=error)

    def _note_timeout(self, key: ClientKey, work: ClientWork) -> None:
        """A run's own stop is noted by whoever tells it; this client alone is stopped by us."""
        if work.reason == CLIENT_TIMEOUT:
            text = f"Stopped after {self._limits.client_timeout_s:g} s of work"
            self._ledger.do(events.append, CLIENT_TIMEOUT, text, run_id=key.run_id, client_id=key.client_id)

    def _work_operations(self, key: ClientKey, work: ClientWork) -> None:
        request = Request.of_json(ledger_work.request_of(self._ledger.database, key.run_id))
        tenant = patiently(partial(self._tenant, key.client_id), lambda: work.told)
        store = tenant.store
        save_unsaved(self._ledger, store, key.client_id)
        for name in OperationName:
            if name in request.operations and not (work.told or work.waiting):
                with concerning(operation=name.value):
                    self._work_operation(OperationKey(*key, name), tenant, work, request.limit_of(name))
        if work.told:
            save_unsaved(self._ledger, store, key.client_id, key.run_id)

    def _tenant(self, client_id: str) -> Tenant:
        store = self._clients.store(client_id)
        return Tenant(self._clients.get(client_id), store, store.rubric())

    def _work_operation(self, key: OperationKey, tenant: Tenant, work: ClientWork, limit: int | None) -> None:
        status = self._ledger.do(progress.open_operation, key)
        if status.terminal:
            return
        operation = self._operations.get(key.operation)
        if operation is None:
            self._close_unworked(key, work, not_configured(key.operation, tenant.client))
            return
        reason = operation.does_not_apply(tenant.client, tenant.rubric)
        if reason is not None:
            self._close_unworked(key, work, reason)
            return
        try:
            self._work_through(OpenOperation(key, operation, tenant, work, limit), frozen=status is status.RUNNING)
        except ProviderStop as stop:
            if not work.handing_back:
                self._pause(key, work, stop)
        except StoreUnavailable as error:
            if not (work.told or self._waits(key.of_client, work)):
                self._close_without_store(key, error)

    def _close_unworked(self, key: OperationKey, work: ClientWork, reason: str | None) -> None:
        if not self._waits(key.of_client, work):
            self._ledger.do(endings.close_operation, key, finish_reason=reason)

    def _waits(self, key: ClientKey, work: ClientWork) -> bool:
        """Nothing closes over external runs that are under way: they were paid for."""
        work.waiting = self._ledger.do(waiting.wait_for, key, self._worker)
        return work.waiting

    def _work_through(self, opened: OpenOperation, *, frozen: bool) -> None:
        if not frozen and not self._freeze(opened):
            return
        work, closed = opened.work, False
        while not (closed or work.told or work.waiting):
            work_pages(self._operation_work(opened))
            if not work.told:
                save_unsaved(self._ledger, opened.tenant.store, opened.key.client_id, opened.key.run_id)
                closed = self._close(opened)

    def _freeze(self, opened: OpenOperation) -> bool:
        """False: nothing may be done today, and it was closed."""
        bounds = bounds_of(self._ledger, opened.key, opened.operation, opened.tenant.client)
        if bounds.left == 0 and not ledger_work.last_frozen(self._ledger.database, opened.key)[1]:
            self._ledger.do(endings.close_operation, opened.key, finish_reason=TARGET_REACHED)
            return False
        worklist.freeze(
            self._ledger,
            opened.tenant.store,
            opened.key,
            opened.version,
            bounds.within(opened.limit),
            old_enough=bounds.old_enough,
            rank=bounds.rank,
            told=lambda: opened.work.told,
        )
        return True

    def _close(self, opened: OpenOperation) -> bool:
        """What external runs work on is waited for, without a thread. What they have left undone is begun again."""
        key = opened.key
        if isinstance(opened.operation, OutsideOperation) and (
            self._waits(key.of_client, opened.work)
            or ledger_work.pending(self._ledger.database, key, after="", limit=1)
        ):
            return False
        self._ledger.do(endings.close_operation, key)
        return True

    def _operation_work(self, opened: OpenOperation) -> OperationWork:
        key, operation, tenant, work = opened.key, opened.operation, opened.tenant, opened.work
        chunk_size, external = self._limits.chunk_size, None
        if isinstance(operation, OutsideOperation):
            chunk_size = operation.chunk_size
            limits = self._limits
            external = ExternalBook(self._ledger, key, operation.source, limits.look_outside_every, limits.budgets)

        async def judge(leads: Sequence[Lead], hashes: Mapping[LeadId, str], place: Place, asking: Asking) -> Worked:
            book = CallMeter(self._ledger, key, leads[0].lead_id, self._limits.budgets)
            meter = ChunkMeter(book, place, self._limiter, self._calls.calls, partial(_stop_of, asking, work))
            job = Job(tenant.client, tenant.rubric, opened.version, meter, hashes, external)
            try:
                return _one_for_each(leads, await operation.work(leads, job), job)
            except (ProviderStop, LedgerUnavailable):
                raise
            except Exception as unexpected:
                log.exception("%s of client %s broke", key.operation, key.client_id)
                return Worked([_failed(lead, f"{type(unexpected).__name__}: {unexpected}", job) for lead in leads])
            finally:
                meter.close()

        return OperationWork(self._ledger, tenant.store, key, work, self._calls, chunk_size, judge)

    def _pause(self, key: OperationKey, work: ClientWork, stop: ProviderStop) -> None:
        if stop.whole_run:
            self._ledger.do(stops.stop_run, key.run_id, Stop.PAUSE, stop.blocked_reason, wake_at=stop.wake_at)
        self._ledger.do(events.append, "provider_stop", str(stop), run_id=key.run_id, client_id=key.client_id)
        work.tell(Stop.PAUSE, stop.blocked_reason, wake_at=stop.wake_at)

    def _close_without_store(self, key: OperationKey, error: StoreUnavailable) -> None:
        text = f"The store of {key.client_id!r} did not answer during {key.operation}: {error}"
        self._ledger.do(events.append, "store_error", text, run_id=key.run_id, client_id=key.client_id)
        self._ledger.do(endings.close_operation, key, errors=1, finish_reason="store_error")


def _stop_of(asking: Asking, work: ClientWork) -> ProviderStop | None:
    """Why a chunk is to ask no more: another one of the operation run found out, or the run was told gently."""
    return asking.stopped or work.winding_down


def _one_for_each(leads: Sequence[Lead], worked: Worked, job: Job) -> Worked:
    """What an operation says of leads it was not given is dropped; one it left out has failed, or is pending if it was
    stopped, or an external run has it (F26).
    """
    told = {each.lead_id: each for each in worked.outcomes}
    silent = "the operation said nothing of it"
    found = [
        told.get(lead.lead_id) or _failed(lead, silent, job)
        for lead in leads
        if lead.lead_id in told or (worked.stop is None and lead.lead_id not in worked.outside)
    ]
    return Worked(found, worked.stop, worked.outside)


def _failed(lead: Lead, detail: str, job: Job) -> Outcome:
    return Outcome.failed(
        lead.lead_id,
        FailReason.UNKNOWN,
        detail=detail,
        input_hash=job.input_hashes.get(lead.lead_id),
        versions=Versions(rubric=job.rubric_version),
    )


def outlive(duty: Callable[[], object], what: str) -> bool:
    """Do what must not take its thread with it. False when the ledger could not be reached: it is to be tried again.

    When nothing can be written any more the process ends, so that another takes over what it holds (F02).
    """
    try:
        duty()
    except WriterDied as error:
        log.critical("%s", error)
        os._exit(1)
    except LedgerUnavailable as error:
        log.error("%s waits for the ledger: %s", what, error)
        return False
    except Exception:
        log.exception("%s broke", what)
    return True


def not_configured(name: OperationName, client: Client) -> str | None:
    """The finish_reason of an operation nobody was registered for."""
    if name is not OperationName.POST_HARVESTING:
        return None
    return "no_harvester" if client.wants_posts else "below_service_level"


def tried(read: Callable[[], T]) -> "T | Exception":
    """What *read* gives, or what it raised: code of a plug, which may raise anything. Raises LedgerUnavailable."""
    try:
        return read()
    except LedgerUnavailable:
        raise
    except Exception as error:
        return error
