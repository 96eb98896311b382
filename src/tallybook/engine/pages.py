"""Working a page: up to a hundred leads, many chunks at once, every outcome durable before its place is given on."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from tallybook.domain.errors import ProviderStop, StoreUnavailable
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import LeadId, Outcome, SkipReason
from tallybook.domain.ports import Store
from tallybook.engine.stopping import ClientWork
from tallybook.ledger import work as ledger_work
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import progress

PAGE = 100
SAVE_AGAIN_AFTER_S = (0.2, 1.0, 3.0)
log = logging.getLogger(__name__)


class CallLoop:
    """One event loop for all paid calls of a process, and the permits that bound how many are made at once."""

    def __init__(self, calls_at_once: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.permits = asyncio.Semaphore(calls_at_once)
        self._thread = threading.Thread(target=self.loop.run_forever, name="tallybook-calls", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@dataclass(frozen=True)
class OperationWork:
    """All that working the pages of one operation run needs. *judge*: one outcome for each lead of a chunk."""

    ledger: Ledger
    store: Store
    key: OperationKey
    client_work: ClientWork
    calls: CallLoop
    chunk_size: int
    judge: Callable[[Sequence[Lead], Mapping[LeadId, str]], Awaitable[Sequence[Outcome]]]


@dataclass
class PageWork:
    """A page under way. *last*: after which lead the next one begins."""

    last: LeadId
    hashes: Mapping[LeadId, str]
    recorded: list[Outcome] = field(default_factory=list)
    stopped: ProviderStop | None = None


def work_pages(work: OperationWork) -> None:
    """Work all pending leads of the worklist. The next page is loaded while one is under way; two are in memory.

    Ends early when the client run is told to stop. Raises ProviderStop, StoreUnavailable, LedgerUnavailable.
    """
    before: tuple[PageWork, Future[None]] | None = None
    after: LeadId = ""
    while not work.client_work.told:
        page = _begin_page(work, after)
        if before is not None:
            _end_page(work, *before)
        if page is None:
            return
        before, after = page, page[0].last
    if before is not None:
        _end_page(work, *before)


def _begin_page(work: OperationWork, after: LeadId) -> "tuple[PageWork, Future[None]] | None":
    """Load the next pending leads and set their chunks going; None when there are none."""
    due = ledger_work.pending(work.ledger.database, work.key, after=after, limit=PAGE)
    if not due:
        return None
    page = PageWork(due[-1][0], dict(due))
    leads = sorted(work.store.load(list(page.hashes)), key=lambda lead: lead.lead_id)
    return page, work.client_work.run(work.calls.loop, _work_page(work, page, leads))


async def _work_page(work: OperationWork, page: PageWork, leads: Sequence[Lead]) -> None:
    size = work.chunk_size
    chunks = [_chunk(work, page, leads[first : first + size]) for first in range(0, len(leads), size)]
    gone = sorted(set(page.hashes) - {lead.lead_id for lead in leads})
    if gone:
        chunks.append(_record_gone(work, page, gone))
    for result in await asyncio.gather(*chunks, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def _record_gone(work: OperationWork, page: PageWork, gone: Sequence[LeadId]) -> None:
    await _record(
        work, page, [Outcome.skipped(each, SkipReason.LEAD_GONE, input_hash=page.hashes[each]) for each in gone]
    )


async def _chunk(work: OperationWork, page: PageWork, leads: Sequence[Lead]) -> None:
    """The permit is given on only when the outcomes are durable: a crash repeats at most as many calls as there are."""
    async with work.calls.permits:
        if page.stopped is not None:
            return
        try:
            outcomes = await work.judge(leads, page.hashes)
        except ProviderStop as stop:
            page.stopped = stop
            return
        await _record(work, page, outcomes)


async def _record(work: OperationWork, page: PageWork, outcomes: Sequence[Outcome]) -> None:
    new = await work.ledger.wait(progress.record, work.key, outcomes)
    page.recorded.extend(each for each in outcomes if each.lead_id in new)


def _end_page(work: OperationWork, page: PageWork, future: "Future[None]") -> None:
    future.result()
    save(work.ledger, work.store, work.key, page.recorded)
    if page.stopped is not None:
        raise page.stopped


def save(ledger: Ledger, store: Store, key: OperationKey, outcomes: Sequence[Outcome]) -> None:
    """Save recorded outcomes in the client's store, then note it. Raises StoreUnavailable after the last try."""
    if not outcomes:
        return
    for wait_s in SAVE_AGAIN_AFTER_S:
        try:
            store.save(key.operation, outcomes)
            break
        except StoreUnavailable as error:
            log.warning("saving %d outcomes of %s failed, trying again: %s", len(outcomes), key.client_id, error)
            time.sleep(wait_s)
    else:
        store.save(key.operation, outcomes)
    ledger.submit(progress.mark_saved, key, [each.lead_id for each in outcomes])


def save_unsaved(ledger: Ledger, store: Store, client_id: str, run_id: str | None = None) -> None:
    """Save what is recorded and not saved: of one run, or what any earlier run left."""
    while parts := list(ledger_work.unsaved(ledger.database, client_id, run_id=run_id)):
        for key, outcomes in parts:
            save(ledger, store, key, outcomes)
        ledger.do(lambda tx: None)
