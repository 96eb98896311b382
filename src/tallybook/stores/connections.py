"""Connections of the embedded store, kept open and shared by its threads."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from tallybook.database import Clock, Database, Tx, Writer, driver_errors, utc_now
from tallybook.domain.errors import StoreUnavailable


class Connections:
    """Lends one connection to one thread at a time, and opens another when none is free."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock
        self._readers: deque[Any] = deque()
        self._writers: deque[Writer] = deque()

    def now(self) -> datetime:
        return self._clock()

    @contextmanager
    def reading(self) -> Iterator[Tx]:
        """A transaction that only reads. Raises StoreUnavailable."""
        with self._answers("read"):
            connection = _taken(self._readers) or self._database.connect_driver()
            try:
                if self._database.sqlite:
                    connection.execute("BEGIN")
                yield Tx(connection, sqlite=self._database.sqlite, now=self._clock())
                connection.rollback()
            except BaseException:
                connection.close()
                raise
            self._readers.append(connection)

    @contextmanager
    def writing(self) -> Iterator[Tx]:
        """A transaction that commits at the end. Raises StoreUnavailable."""
        with self._answers("written"):
            writer = _taken(self._writers) or Writer(self._database, self._clock)
            try:
                with writer.transaction() as tx:
                    yield tx
            finally:
                self._writers.append(writer)

    def close(self) -> None:
        """Close what is not lent out. It may be used again."""
        while idle := _taken(self._readers) or _taken(self._writers):
            idle.close()

    @contextmanager
    def _answers(self, verb: str) -> Iterator[None]:
        try:
            yield
        except driver_errors() as error:
            self.close()  # what broke this connection has most likely broken the idle ones
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise StoreUnavailable(f"the store in {self._database.shown} cannot be {verb}: {reason}") from error


def _taken(idle: deque[Any]) -> Any:
    """One of them, that no other thread gets; None when there is none."""
    try:
        return idle.pop()
    except IndexError:
        return None
