"""The ledger as the rooms above it hold it: one database, one clock, one writer."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Concatenate, ParamSpec, TypeVar

from tallybook.database import Clock, Database, Tx, utc_now
from tallybook.ledger.commit import GroupCommit

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
