"""Looks after external runs: asks their provider when somebody says there is news, or when it has been silent for long,
and takes the result. Any process may do it, and doing it twice changes nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tallybook.domain.errors import LedgerUnavailable, NotFound, ProviderError, StoreUnavailable
from tallybook.domain.external import ExternalRun, ExternalState, Look
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import FailReason, LeadId, Outcome
from tallybook.domain.ports import Clients, Collected, Operation, OutsideOperation, Store
from tallybook.domain.run import OperationName
from tallybook.domain.tally import LOST, Money
from tallybook.engine.pages import save_unsaved
from tallybook.ledger import external as ledger_external
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import events, external, standing_alone, waiting

log = logging.getLogger(__name__)
MOST_AT_ONCE = 8
HELD_AGAIN_AFTER_S = external.LOOKED_AT_FOR.total_seconds() / 3
GIVEN_UP_SOON = timedelta(seconds=1)
"""After it was first told to end: when to ask whether it has."""
STORE_AGAIN_AFTER = timedelta(seconds=30)
TIME_TO_ASK = timedelta(minutes=10)
"""So long a process asks at least before it gives up what was due while nobody was there."""
NEWS_AFTER = 5
"""So many times the usual silence, after which a run that was started while nobody was there has called back."""
LOST_AGAIN_AFTER = timedelta(hours=1)
"""When to ask about one that was given up for lost,"""
LOOK_FOR_LOST = timedelta(days=1)
"""and for how long, past its time."""


@dataclass(frozen=True)
class _Attended:
    """All that attending to one external run needs."""

    external: ExternalRun
    operation: OutsideOperation
    store: Store

    async def load(self, lead_ids: Sequence[LeadId]) -> Sequence[Lead]:
        return await asyncio.to_thread(self.store.load, list(lead_ids))

    async def find(self, profiles: Sequence[LeadId]) -> Sequence[LeadId]:
        return await asyncio.to_thread(self.store.of_profiles, list(profiles))


@dataclass
class _Hand:
    """What this process is about with one external run. *held_at*: when it last said so."""

    task: "Future[None]"
    held_at: float = field(default_factory=time.monotonic)


def _key(found: ExternalRun) -> OperationKey:
    return OperationKey(found.run_id, found.client_id, found.operation)


class Collector:
    """Works in the loop of the calls. *ended*: told when a client run may go on."""

    def __init__(
        self,
        ledger: Ledger,
        clients: Clients,
        operations: Mapping[OperationName, Operation],
        *,
        loop: asyncio.AbstractEventLoop,
        again_after: timedelta,
        ended: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._clients = clients
        self._operations = {name: each for name, each in operations.items() if isinstance(each, OutsideOperation)}
        self._whose = frozenset((each.source, name) for name, each in self._operations.items())
        self._loop = loop
        self._again_after = again_after
        self._ended = ended
        self._since = ledger.clock()
        self._in_hand: dict[tuple[str, str, int], _Hand] = {}
        self._told_to_end: set[tuple[str, str, int]] = set()
        self._bills: dict[tuple[str, str, int], Money | None] = {}

    def look_around(self) -> None:
        """Take up what is due, as much as there is room for; does not wait for it."""
        self._in_hand = {name: hand for name, hand in self._in_hand.items() if not hand.task.done()}
        self._hold()
        room, now = MOST_AT_ONCE - len(self._in_hand), self._ledger.clock()
        forsaken = now >= self._since + external.FORSAKEN_FOR  # others had all that time to come back
        if not room or not (self._whose or forsaken):
            return
        if not ledger_external.any_due(self._ledger.database, now, self._whose, forsaken=forsaken):
            return
        taken = self._ledger.do(external.take_due, room, self._whose, self._in_hand.keys(), forsaken=forsaken)
        for each in taken:
            task = asyncio.run_coroutine_threadsafe(self._look_after(each), self._loop)
            task.add_done_callback(_log_broken)
            self._in_hand[each.this] = _Hand(task)

    def put_back_stranded(self) -> None:
        """Who waits for nothing goes on."""
        for key in self._ledger.do(waiting.put_back_stranded):
            log.warning("client %s of run %s waited for nothing; it goes on", key.client_id, key.run_id)
            self._ended()

    def _hold(self) -> None:
        """Taking a result may take long; others are kept off meanwhile."""
        now = time.monotonic()
        long = [name for name, hand in self._in_hand.items() if now - hand.held_at > HELD_AGAIN_AFTER_S]
        if not long:
            return
        self._ledger.do(external.hold, long)
        for name in long:
            self._in_hand[name].held_at = now

    async def _look_after(self, found: ExternalRun) -> None:
        """What breaks on the way is dealt with in one place: no trouble may keep a client waiting for ever."""
        error = await _error_of(self._attend(found))
        if error is not None:
            await self._in_trouble(found, error)

    async def _attend(self, found: ExternalRun) -> None:
        operation = self._operations.get(found.operation)
        if operation is None or operation.source != found.source:
            why = "it is past its time, and nobody who looks after it is configured here"
            await self._lose(found, ProviderError(why, reason=FailReason.UNAVAILABLE))
            return
        if found.state in (ExternalState.STARTING, ExternalState.DOUBTFUL):
            await self._no_news(found)
            return
        store = await asyncio.to_thread(self._clients.store, found.client_id)
        await self._go_by(_Attended(found, operation, store), await operation.look(found))

    async def _in_trouble(self, found: ExternalRun, error: BaseException) -> None:
        if isinstance(error, LedgerUnavailable):
            log.warning("%s waits for the ledger: %s", found.name, error)  # nobody holds it for long
        elif isinstance(error, StoreUnavailable):
            log.warning("what %s found cannot be taken yet: %s", found.name, error)
            away = ProviderError(f"the store is away: {error}", reason=FailReason.UNAVAILABLE)
            await self._patiently(found, away, STORE_AGAIN_AFTER)
        elif isinstance(error, ProviderError):
            log.warning("%s cannot be asked about: %s", found.name, error)
            await self._patiently(found, error, self._again_after)
        else:
            log.error("%s could not be looked after", found.name, exc_info=error)
            what = f"{type(error).__name__}: {error}"
            await self._patiently(found, ProviderError(what, reason=FailReason.UNKNOWN), self._again_after)

    async def _patiently(self, found: ExternalRun, error: ProviderError, again_after: timedelta) -> None:
        """Ask again, until it is long past its time."""
        if found.state is ExternalState.ENDED:
            await self._once_more(found)
        elif self._overdue(found):
            await self._lose(found, error)
        else:
            await self._again(found, again_after)

    async def _once_more(self, found: ExternalRun) -> None:
        """It was given up for lost, or is said to be resurrected."""
        past = self._ledger.clock() > found.until + LOOK_FOR_LOST
        await self._ledger.wait(external.look_again, found, None if past else self._ledger.clock() + LOST_AGAIN_AFTER)

    def _overdue(self, found: ExternalRun) -> bool:
        """After a downtime nothing is given up before there was time to ask."""
        now = self._ledger.clock()
        return now >= self._since + TIME_TO_ASK and now >= found.until + external.OVERDUE_FOR

    async def _no_news(self, found: ExternalRun) -> None:
        """The answer to its start was lost, or its process died before it came. It may have been made, so it is not
        made a second time: it calls back, or its leads have failed.
        """
        if self._ledger.clock() < self._since + NEWS_AFTER * self._again_after:
            await self._again(found, self._again_after)  # nobody was there to hear of it
            return
        why = "the answer to its start was lost, and it has not called back"
        await self._lose(found, ProviderError(why, reason=FailReason.UNAVAILABLE))

    async def _go_by(self, attended: _Attended, look: Look) -> None:
        found = attended.external
        if found.task is not None and look.task != found.task:
            await self._disown(found)
        elif found.ended_at is not None:
            await self._after_its_end(attended, look)
        elif look.over:
            await self._collect(attended, look)
        elif found.state is ExternalState.ENDED:
            await self._once_more(found)
        elif self._overdue(found):
            await self._lose(found, ProviderError("it does not end", reason=FailReason.TIMEOUT))
        elif found.ours and (found.abandoned or self._ledger.clock() > found.until):
            await self._give_up(attended)
        else:
            await self._again(found, self._again_after)

    async def _after_its_end(self, attended: _Attended, look: Look) -> None:
        """The same end again is no news; anything else is another attempt, which is looked after by itself."""
        found = attended.external
        if look.over and (look.ended_at is None or found.ended_at is None or look.ended_at <= found.ended_at):
            await self._ledger.wait(external.look_again, found, None)
            return
        until = self._ledger.clock() + attended.operation.run_timeout
        await self._ledger.wait(external.resurrect, found, until)

    async def _give_up(self, attended: _Attended) -> None:
        found = attended.external
        first = found.this not in self._told_to_end
        await attended.operation.give_up(found)
        self._told_to_end.add(found.this)
        await self._again(found, GIVEN_UP_SOON if first else self._again_after)

    async def _disown(self, found: ExternalRun) -> None:
        """Whoever had the secret said whose run it is; its provider says otherwise (F32)."""
        why = f"{found.name} does not run the task {found.task!r}, as its delivery said"
        await self._ledger.wait(standing_alone.disown, found, why)
        self._ended()

    async def _collect(self, attended: _Attended, look: Look) -> None:
        found = attended.external
        self._bills[found.this] = look.cost  # known, also when nothing else can be read
        hashes = await self._hashes(found)
        collected = await attended.operation.collect(found, look, attended.load, hashes, attended.find)
        await self._take(attended, collected)

    async def _take(self, attended: _Attended, collected: Collected) -> None:
        """Booked, then saved, then ended: a crash in between has it taken once more, to the same end."""
        found, store = attended.external, attended.store
        new = await self._ledger.wait(external.book, found, collected.outcomes, collected.result, collected.cost)
        await asyncio.to_thread(save_unsaved, self._ledger, store, found.client_id, found.run_id)
        known = [each for each in collected.outcomes if each.lead_id not in new]
        if known:
            await asyncio.to_thread(store.add_posts, known)
        self._note_what_is_odd(found, collected)
        await self._end(found, collected)

    async def _end(self, found: ExternalRun, collected: Collected) -> None:
        await self._ledger.wait(
            standing_alone.end,
            found,
            collected.result,
            collected.ended_at,
            finish_reason=collected.finish_reason,
            error=collected.error,
        )
        self._forget(found)

    def _forget(self, found: ExternalRun) -> None:
        self._told_to_end.discard(found.this)
        self._bills.pop(found.this, None)
        self._ended()

    def _note_what_is_odd(self, found: ExternalRun, collected: Collected) -> None:
        if collected.unread:
            self._note(found, "unread", f"{found.name}: {collected.unread}")
        if collected.strangers:
            many = collected.strangers > 1
            profiles = f"{collected.strangers} profiles that are no leads" if many else "a profile that is no lead"
            self._note(found, "strangers", f"{found.name} found something for {profiles} of the client")

    def _note(self, found: ExternalRun, kind: str, text: str) -> None:
        self._ledger.submit(
            events.append, kind, text, run_id=found.run_id, client_id=found.client_id, once_key=f"{kind} {found.this}"
        )

    async def _lose(self, found: ExternalRun, error: ProviderError) -> None:
        """Its leads have failed, and are due again. Should it be heard of after all, what it found is added."""
        why = f"{found.name}: {error}"
        reason, hashes = FailReason(error.reason), await self._hashes(found)
        lost = [Outcome.failed(each, reason, detail=why, input_hash=hashes.get(each)) for each in found.leads or ()]
        await self._ledger.wait(external.book, found, lost, LOST, self._bills.get(found.this))
        unsaved = await _error_of(self._save_if_there(found))
        if unsaved is not None:
            log.warning("that %s was lost is not saved yet; the client's next run does it: %s", found.name, unsaved)
        again_at = self._ledger.clock() + LOST_AGAIN_AFTER if found.has_id else None
        await self._ledger.wait(standing_alone.end, found, LOST, None, look_at=again_at, finish_reason=LOST, error=why)
        self._forget(found)

    async def _save_if_there(self, found: ExternalRun) -> None:
        try:
            store = await asyncio.to_thread(self._clients.store, found.client_id)
        except NotFound:
            return  # the client is gone; its run says so when it goes on
        await asyncio.to_thread(save_unsaved, self._ledger, store, found.client_id, found.run_id)

    async def _hashes(self, found: ExternalRun) -> Mapping[LeadId, str]:
        return await asyncio.to_thread(ledger_external.hashes_of, self._ledger.database, _key(found), found.leads)

    async def _again(self, found: ExternalRun, after: timedelta) -> None:
        await self._ledger.wait(external.look_again, found, self._ledger.clock() + after)


async def _error_of(act: Coroutine[Any, Any, None]) -> BaseException | None:
    """What it raises. None: nothing, or it was cut short."""
    task = asyncio.ensure_future(act)
    await asyncio.wait([task])
    return None if task.cancelled() else task.exception()


def _log_broken(task: "Future[None]") -> None:
    """Whoever holds it does so for a few seconds only; then it is taken in hand again."""
    if not task.cancelled() and task.exception() is not None:
        log.error("an external run could not be looked after", exc_info=task.exception())
