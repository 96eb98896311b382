"""Executor slots: a numbered lock that dies with its process, so that nobody has to guess who is alive (F02, F14)."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tallybook.database import SCHEMA, Database
from tallybook.domain.errors import LedgerUnavailable, TallybookError

MOST_SLOTS = 64
_KEEPALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
"""A server behind a dead network is noticed within some ten seconds."""


class SlotsTaken(TallybookError):
    """All slots are held: more processes work on this database than it allows."""

    retryable = True


class Lock(Protocol):
    """A held slot. Lets go when closed, and when the process dies."""

    def alive(self) -> bool:
        """Is it still held? On PostgreSQL a lost session loses the lock."""

    def close(self) -> None: ...


class _FileLock:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def alive(self) -> bool:
        return True

    def close(self) -> None:
        os.close(self._descriptor)


class _SessionLock:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def alive(self) -> bool:
        import psycopg

        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def close(self) -> None:
        self._connection.close()


class Slot:
    """The slot that a process holds while it works, and so its name. Raises SlotsTaken, LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._number, self._lock = take_slot(database)

    @property
    def executor(self) -> str:
        return executor_id(self._number)

    def held(self) -> bool:
        """False when the lock was lost: others may take this process for dead."""
        return self._lock.alive()

    def retake(self) -> bool:
        """Take the same slot again after its lock was lost; False while another holds it. Raises LedgerUnavailable."""
        lock = try_slot(self._database, self._number)
        if lock is None:
            return False
        self._lock.close()
        self._lock = lock
        return True

    def close(self) -> None:
        self._lock.close()


def executor_id(number: int) -> str:
    return f"slot-{number}"


def slot_number(executor: str) -> int:
    return int(executor.removeprefix("slot-"))


def take_slot(database: Database) -> tuple[int, Lock]:
    """The first free slot. Raises SlotsTaken, LedgerUnavailable."""
    for number in range(MOST_SLOTS):
        lock = try_slot(database, number)
        if lock is not None:
            return number, lock
    raise SlotsTaken(f"{MOST_SLOTS} processes work on {database.shown} already; end one first")


def try_slot(database: Database, number: int) -> Lock | None:
    """The lock of slot *number*; None when a living process holds it."""
    return try_lock(database, executor_id(number))


def try_lock(database: Database, name: str) -> Lock | None:
    """The lock of this name; None when a living process holds it. Raises LedgerUnavailable."""
    if database.path is not None:
        return _try_file(_lock_file(database.path, name.removeprefix("slot-")))
    return _try_session(database, name)


@contextmanager
def held_if_dead(database: Database, executor: str) -> Iterator[bool]:
    """Holds the slot of *executor* if its process is dead, so that it stays so while its work is taken over."""
    lock = try_slot(database, slot_number(executor))
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.close()


def _lock_file(path: Path, name: str) -> Path:
    folder = path.parent / f"{path.stem}-slots"
    folder.mkdir(exist_ok=True)
    return folder / f"{name}.lock"


def _try_file(path: Path) -> Lock | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return _FileLock(descriptor)


def _try_session(database: Database, name: str) -> Lock | None:
    import psycopg

    try:
        connection = database.connect_driver(autocommit=True, **_KEEPALIVE)
        taken = _locks(connection, name)
    except psycopg.Error as error:
        raise LedgerUnavailable(f"the database {database.shown} gives no lock: {error}") from error
    return _SessionLock(connection) if taken else None


def _locks(connection: Any, name: str) -> bool:
    """Lock it for this session; one that does not get it is closed."""
    taken = False
    try:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_lock_key(name),)).fetchone()
        taken = bool(row[0])
    finally:
        if not taken:
            connection.close()
    return taken


def _lock_key(name: str) -> int:
    digest = hashlib.sha256(f"{SCHEMA}.{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
