"""The ledger as the rooms above it hold it: one database, one clock, one writer."""

import asyncio
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from typing import Concatenate, ParamSpec, TypeVar

from tallybook.database import Clock, Database, Tx, utc_now
from tallybook.domain.tally import Usage
from tallybook.ledger.commit import GroupCommit
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.write import calls

P = ParamSpec("P")
T = TypeVar("T")


class Ledger:
    """The only memory of runs. Writes are functions of `ledger.write`, reads are functions of `ledger.read`."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self.database = database
        self.clock = clock
        self._commit = GroupCommit(database, clock)

    def do(self, write: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function of `ledger.write`, wait until it is durable. Raises what it raises, or LedgerUnavailable."""
        return self.submit(write, *args, **kwargs).result()

    async def wait(self, write: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`do`, for a coroutine."""
        return await self._commit.wait(lambda tx: write(tx, *args, **kwargs))

    def submit(self, write: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """`do` without waiting; what is submitted later is committed no earlier."""
        return self._commit.submit(lambda tx: write(tx, *args, **kwargs))

    def close(self) -> None:
        """Commit what was submitted, let go of the database."""
        self._commit.close()
        self.database.close()


class CallMeter:
    """`ports.Meter` for one chunk of one operation run."""

    def __init__(self, ledger: Ledger, key: OperationKey, chunk: str) -> None:
        self._ledger = ledger
        self._key = key
        self._chunk = chunk

    async def start(self, *, provider: str, model: str, attempt: int = 1) -> str:
        call = calls.Call(uuid.uuid4().hex, self._key, provider, model, attempt, self._chunk)
        try:
            await self._ledger.wait(calls.start_call, call)
        except asyncio.CancelledError:
            self.settle(call.call_id, result="canceled", usage=Usage())  # it is in the books, and was never made
            raise
        return call.call_id

    def settle(self, call_id: str, *, result: str, usage: Usage) -> None:
        self._ledger.submit(calls.settle_call, call_id, result, usage)
