"""Looking at one run again and again: what has happened since the last look, and how far it is."""

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from tallybook.database import Database
from tallybook.ledger import read
from tallybook.ledger.read import Event
from tallybook.ledger.snapshot import Glance, glance_of
from tallybook.ledger.tables import events

WINDOW = 200
"""How many of the newest events are looked at anew."""
MOST_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Look:
    """*new*: events that were not known, in id order; *more*: there are others still. *glance*: where asked for."""

    new: tuple[Event, ...]
    more: bool
    glance: Glance | None = None


def settled_up_to(database: Database, run_id: str) -> int:
    """The newest event before the last WINDOW ones, 0 if there are no more than these.

    Ids are given before a transaction is committed, so an event may come to light after one with a larger id. None does
    so this far back.
    """
    newest_first = sa.select(events.c.id).where(events.c.run_id == run_id).order_by(events.c.id.desc())
    with database.reading() as connection:
        return int(connection.execute(newest_first.offset(WINDOW).limit(1)).scalar() or 0)


def look(database: Database, run_id: str, *, behind: int, known: Collection[int], at_all: bool) -> Look:
    """Events behind *behind* that are not *known*; *at_all*: with a glance of the same instant. Raises NotFound."""
    ids = sa.select(events.c.id).where(events.c.run_id == run_id, events.c.id > behind).order_by(events.c.id)
    with database.reading() as connection:
        fresh = [each for each in connection.execute(ids).scalars() if each not in known]
        named = sa.select(events).where(events.c.id.in_(fresh[:MOST_AT_ONCE])).order_by(events.c.id)
        new = [read.event_of(row) for row in connection.execute(named).mappings()] if fresh else []
        glance = glance_of(connection, run_id) if at_all else None
    return Look(tuple(new), len(fresh) > MOST_AT_ONCE, glance)
