"""Looks after external runs: asks their provider when somebody says there is news, or when it has been silent for long,
and takes the result. Any process may do it, and doing it twice changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import timedelta

from tallybook.domain.errors import ProviderError, StoreUnavailable
from tallybook.domain.external import ExternalRun, ExternalState, Look
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import FailReason, LeadId, Outcome
from tallybook.domain.ports import Clients, Collected, Operation, OutsideOperation, Store
from tallybook.domain.run import OperationName
from tallybook.ledger import external as ledger_external
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import events, external, standing_alone

log = logging.getLogger(__name__)
MOST_AT_ONCE = 8
GIVEN_UP_SOON = timedelta(seconds=1)
"""After it was told to end: when to ask whether it has."""
UNREACHABLE_FOR = timedelta(hours=1)
"""Past its time, after which a run that nobody can ask about is taken for lost."""
STORE_AGAIN_AFTER = timedelta(seconds=30)


@dataclass(frozen=True)
class _Attended:
    """All that attending to one external run needs."""

    external: ExternalRun
    operation: OutsideOperation
    store: Store

    @property
    def key(self) -> OperationKey:
        return OperationKey(self.external.run_id, self.external.client_id, self.external.operation)

    async def load(self, lead_ids: Sequence[LeadId]) -> Sequence[Lead]:
        return await asyncio.to_thread(self.store.load, list(lead_ids))


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
        self._loop = loop
        self._again_after = again_after
        self._ended = ended
        self._since = ledger.clock()
        self._in_hand: dict[tuple[str, str, int], Future[None]] = {}

    def look_around(self) -> None:
        """Take up what is due, as much as there is room for; does not wait for it."""
        self._in_hand = {name: task for name, task in self._in_hand.items() if not task.done()}
        room = MOST_AT_ONCE - len(self._in_hand)
        if not self._operations or not room or not ledger_external.any_due(self._ledger.database, self._ledger.clock()):
            return
        for each in self._ledger.do(external.take_due, room):
            name = (each.source, each.external_id, each.attempt)
            if name in self._in_hand:
                continue  # taking its result takes long; to have it due once more has kept others off
            task = asyncio.run_coroutine_threadsafe(self._attend(each), self._loop)
            task.add_done_callback(_log_broken)
            self._in_hand[name] = task

    async def _attend(self, found: ExternalRun) -> None:
        operation = self._operations.get(found.operation)
        if operation is None:
            await self._again(found, self._again_after)
            return
        store = await asyncio.to_thread(self._clients.store, found.client_id)
        attended = _Attended(found, operation, store)
        if found.state in (ExternalState.STARTING, ExternalState.DOUBTFUL):
            await self._no_news(attended)
            return
        try:
            look = await operation.look(found)
            await self._go_by(attended, look)
        except ProviderError as error:
            await self._unreachable(attended, error)

    async def _no_news(self, attended: _Attended) -> None:
        """It never called back. Where its process died before it could ask, its leads are taken again; where it asked
        and heard nothing, that is not risked a second time today.
        """
        found = attended.external
        if found.state is ExternalState.DOUBTFUL:
            why = "the answer to its start was lost, and it has not called back"
            await self._lose(attended, ProviderError(why, reason=FailReason.UNAVAILABLE))
        elif self._ledger.clock() < self._since + 2 * self._again_after:
            await self._again(found, self._again_after)  # nobody was there to hear of it
        elif await self._ledger.wait(external.give_free, found):
            self._ended()

    async def _go_by(self, attended: _Attended, look: Look) -> None:
        found = attended.external
        if found.ended_at is not None:
            if look.over and (look.ended_at is None or look.ended_at <= found.ended_at):
                await self._ledger.wait(external.look_again, found, None)
                return
            until = self._ledger.clock() + attended.operation.run_timeout
            found = await self._ledger.wait(external.resurrect, found, until)
            attended = replace(attended, external=found)
        if look.over:
            await self._collect(attended, look)
        elif found.abandoned or self._ledger.clock() > found.until:
            await attended.operation.give_up(found)
            await self._again(found, GIVEN_UP_SOON)
        else:
            await self._again(found, self._again_after)

    async def _collect(self, attended: _Attended, look: Look) -> None:
        hashes = await asyncio.to_thread(ledger_external.hashes_of, self._ledger.database, attended.key)
        collected = await attended.operation.collect(attended.external, look, attended.load, hashes)
        await self._take(attended, collected)

    async def _take(self, attended: _Attended, collected: Collected) -> None:
        """Booked, then saved, then ended: a crash in between has it taken once more, to the same end."""
        found = attended.external
        await self._ledger.wait(external.book, found, collected.outcomes, collected.result, collected.cost)
        try:
            await asyncio.to_thread(attended.store.save, found.operation, collected.outcomes)
        except StoreUnavailable as error:
            log.warning("what %s found cannot be saved yet: %s", found.name, error)
            await self._again(found, STORE_AGAIN_AFTER)
            return
        self._note_strangers(found, collected.strangers)
        saved = [each.lead_id for each in collected.outcomes]
        goes_on = await self._ledger.wait(external.end, found, collected.result, collected.ended_at, saved)
        await self._ledger.wait(standing_alone.finish, found, collected.error)
        if goes_on:
            self._ended()

    def _note_strangers(self, found: ExternalRun, strangers: int) -> None:
        if strangers:
            profiles = "a profile that is no lead" if strangers == 1 else f"{strangers} profiles that are no leads"
            text = f"{found.name} found posts of {profiles} of the client"
            self._ledger.submit(
                events.append, "strangers", text, run_id=found.run_id, client_id=found.client_id, once_key=text
            )

    async def _unreachable(self, attended: _Attended, error: ProviderError) -> None:
        found = attended.external
        if found.ended_at is not None or self._ledger.clock() < found.until + UNREACHABLE_FOR:
            log.warning("%s cannot be asked about: %s", found.name, error)
            await self._again(found, self._again_after)
            return
        await self._lose(attended, error)

    async def _lose(self, attended: _Attended, error: ProviderError) -> None:
        found = attended.external
        why = f"{found.name} could not be asked about: {error}"
        reason = FailReason(error.reason)
        hashes = await asyncio.to_thread(ledger_external.hashes_of, self._ledger.database, attended.key)
        lost = [Outcome.failed(each, reason, detail=why, input_hash=hashes.get(each)) for each in found.leads or ()]
        await self._take(attended, Collected("lost", lost, error=f"lost: {why}"))

    async def _again(self, found: ExternalRun, after: timedelta) -> None:
        await self._ledger.wait(external.look_again, found, self._ledger.clock() + after)


def _log_broken(task: "Future[None]") -> None:
    """What was in hand is looked at again by itself."""
    if not task.cancelled() and task.exception() is not None:
        log.error("an external run could not be looked after", exc_info=task.exception())
