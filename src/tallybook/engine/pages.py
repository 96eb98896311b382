"""Working a page: up to a hundred leads, many chunks at once, every outcome durable before its place is given on."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from tallybook.domain.errors import ProviderStop
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import LeadId, Outcome, SkipReason
from tallybook.domain.ports import Store, Worked
from tallybook.engine.patience import patiently
from tallybook.engine.permits import Permits, Place
from tallybook.engine.stopping import ClientWork
from tallybook.ledger import work as ledger_work
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import progress

PAGE = 100
LET_GO_S = 2.0


class CallLoop:
    """One event loop for all paid calls of a process, and what bounds how many are made at once.

    There are a few more places for chunks than calls: while some wait for their rows to be durable, others ask.
    """

    def __init__(self, calls_at_once: int, client_calls_at_once: int | None = None) -> None:
        self.loop = asyncio.new_event_loop()
        self.calls = asyncio.Semaphore(calls_at_once)
        self.places = Permits(calls_at_once + max(1, calls_at_once // 8), client_calls_at_once)
        self._thread = threading.Thread(target=self.loop.run_forever, name="tallybook-calls", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Cancel what is in flight and end the loop. A call that does not let go is left behind."""
        if self.loop.is_closed():
            return
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(_cancel_all(), self.loop).result(LET_GO_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True)
class OperationWork:
    """All that working the pages of one operation run needs. *judge*: what comes of a chunk."""

    ledger: Ledger
    store: Store
    key: OperationKey
    client_work: ClientWork
    calls: CallLoop
    chunk_size: int
    judge: Callable[[Sequence[Lead], Mapping[LeadId, str], Place, "Asking"], Awaitable[Worked]]


@dataclass
class Asking:
    """Shared by the pages of one operation run. *over*: no chunk that has not begun asks any more."""

    over: bool = False
    stopped: ProviderStop | None = None

    def stop(self, stop: ProviderStop) -> None:
        self.over, self.stopped = True, self.stopped or stop


@dataclass
class PageWork:
    """A page under way. *last*: after which lead the next one begins."""

    last: LeadId
    hashes: Mapping[LeadId, str]
    asking: Asking
    recorded: list[Outcome] = field(default_factory=list)
    future: "Future[None]" = field(default_factory=Future)


def work_pages(work: OperationWork) -> None:
    """Work all pending leads of the worklist. The next page is loaded while one is under way; two are in memory.

    Ends early when the client run is told to stop; however it ends, no call is in flight any more.
    Raises ProviderStop, StoreUnavailable, LedgerUnavailable.
    """
    asking = Asking()
    under_way: list[PageWork] = []
    try:
        _work_pages(work, asking, under_way)
    finally:
        asking.over = True
        wait([page.future for page in under_way])


def _work_pages(work: OperationWork, asking: Asking, under_way: list[PageWork]) -> None:
    after: LeadId = ""
    while not work.client_work.told:
        page = _begin_page(work, asking, after)
        if page is not None:
            under_way.append(page)
            after = page.last
        if len(under_way) > 1 or page is None:
            _end_page(work, under_way)
        if page is None:
            return
    _end_page(work, under_way)


def _begin_page(work: OperationWork, asking: Asking, after: LeadId) -> PageWork | None:
    """Load the next pending leads and set their chunks going; None when there are none, or it was told meanwhile."""
    due = ledger_work.pending(work.ledger.database, work.key, after=after, limit=PAGE)
    if not due:
        return None
    page = PageWork(due[-1][0], dict(due), asking)
    loaded = patiently(partial(work.store.load, list(page.hashes)), lambda: work.client_work.told)
    if work.client_work.told:
        return None
    leads = sorted(loaded, key=lambda lead: lead.lead_id)
    page.future = work.client_work.run(work.calls.loop, _work_page(work, page, leads))
    return page


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
    """The place is given on only when the outcomes are durable: a crash repeats at most as many calls as there are
    places, and those of chunks that were waiting to ask again.
    """
    async with work.calls.places.held(work.key.client_id) as place:
        if page.asking.over or work.client_work.told:
            return
        try:
            worked = await work.judge(leads, page.hashes, place, page.asking)
        except ProviderStop as stop:
            page.asking.stop(stop)
            return
        if worked.stop is not None:
            page.asking.stop(worked.stop)
        if worked.outcomes:
            await _record(work, page, worked.outcomes)


async def _record(work: OperationWork, page: PageWork, outcomes: Sequence[Outcome]) -> None:
    new = await work.ledger.wait(progress.record, work.key, outcomes)
    page.recorded.extend(each for each in outcomes if each.lead_id in new)


def _end_page(work: OperationWork, under_way: list[PageWork]) -> None:
    """Wait for the page that began first, and save what came of it."""
    if not under_way:
        return
    page = under_way[0]
    page.future.result()
    under_way.remove(page)
    save(work.ledger, work.store, work.key, page.recorded)
    if page.asking.stopped is not None:
        raise page.asking.stopped


def save(ledger: Ledger, store: Store, key: OperationKey, outcomes: Sequence[Outcome]) -> None:
    """Save recorded outcomes in the client's store, then note it. Raises StoreUnavailable after the last try."""
    if not outcomes:
        return
    patiently(partial(store.save, key.operation, outcomes))
    ledger.submit(progress.mark_saved, key, [each.lead_id for each in outcomes])


def save_unsaved(ledger: Ledger, store: Store, client_id: str, run_id: str | None = None) -> None:
    """Save what is recorded and not saved: of one run, or what any earlier run left."""
    while parts := _unsaved(ledger, client_id, run_id):
        for key, outcomes in parts:
            save(ledger, store, key, outcomes)


def _unsaved(ledger: Ledger, client_id: str, run_id: str | None) -> list[tuple[OperationKey, list[Outcome]]]:
    """Read after all that was submitted before is in the books: outcomes of calls cut short, and what was saved."""
    ledger.do(lambda tx: None)
    return list(ledger_work.unsaved(ledger.database, client_id, run_id=run_id))
