"""Which processes are at work on a database."""

from collections.abc import Iterable, Sequence

from tallybook.database import Database
from tallybook.engine import lease

LOOKED_AT = 16
"""Slots asked for on PostgreSQL, where each costs a connection; the lowest are taken first."""


def held_slots(database: Database) -> Sequence[int]:
    """Slots that living processes hold. Each is tried for a moment; on SQLite only those that were ever used."""
    return [number for number in _ever_used(database) if _is_held(database, number)]


def _ever_used(database: Database) -> Iterable[int]:
    if database.path is None:
        return range(LOOKED_AT)
    folder = database.path.parent / f"{database.path.stem}-slots"
    return sorted(int(each.stem) for each in folder.glob("*.lock") if each.stem.isdigit())


def _is_held(database: Database, number: int) -> bool:
    lock = lease.try_slot(database, number)
    if lock is None:
        return True
    lock.close()
    return False
