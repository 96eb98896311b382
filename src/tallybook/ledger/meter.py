"""Booking the calls of a chunk, each within the budgets that hold."""

import asyncio
import uuid

from tallybook.domain.budget import Budgets
from tallybook.domain.errors import ProviderStop
from tallybook.domain.ports import UNKNOWN
from tallybook.domain.tally import NO_USAGE, Estimate, Usage
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import budgets, calls, events
from tallybook.ledger.write.budgets import Go

NO_BUDGETS = Budgets()
NOT_MADE = "not_made"
"""The result of a call that was booked and then never made. Of such it is known what they used: nothing."""


class CallMeter:
    """The books' part of `ports.Meter`, for one chunk of one operation run."""

    def __init__(self, ledger: Ledger, key: OperationKey, chunk: str, budgets: Budgets = NO_BUDGETS) -> None:
        self._ledger = ledger
        self._key = key
        self._chunk = chunk
        self._budgets = budgets
        self._reserved: set[str] = set()

    async def start(self, *, provider: str, model: str, attempt: int = 1, estimate: Estimate = UNKNOWN) -> str | None:
        """Book that a paid call is about to be made; durable when this returns. Gives the call's id.

        None: not now; what is left of a budget is set aside for calls in flight, so ask again shortly. Raises
        BudgetExhausted, and ProviderStop for a model without a price where the budget is in money.
        """
        call = calls.Call(uuid.uuid4().hex, self._key, provider, model, attempt, self._chunk)
        try:
            found = await self._ledger.wait(budgets.start_within, call, estimate, self._budgets)
        except asyncio.CancelledError:
            self._ledger.submit(budgets.settle_reserved, call.call_id, NOT_MADE, NO_USAGE)  # if it is in the books
            raise
        if isinstance(found, ProviderStop):
            raise found
        if found is Go.RESERVED:
            self._reserved.add(call.call_id)
        return None if found is Go.LATER else call.call_id

    def settle(self, call_id: str, *, result: str, usage: Usage, refused: bool = False) -> None:
        """Book how it ended. *refused*: the provider did nothing, so nothing was billed. Of other calls of unknown
        usage the estimate stays set aside.
        """
        if call_id not in self._reserved:
            self._ledger.submit(calls.settle_call, call_id, result, usage)
            return
        self._reserved.discard(call_id)
        self._ledger.submit(budgets.settle_reserved, call_id, result, usage, refused=refused)

    def note(self, kind: str, text: str) -> None:
        """Put an event in the books of this client run, once for all that differ only in numbers and ids."""
        run_id, client_id, _ = self._key
        once_key = f"note {kind} {events.fingerprint(kind, text)} {run_id} {client_id}"
        self._ledger.submit(events.append, kind, text, run_id=run_id, client_id=client_id, once_key=once_key)
