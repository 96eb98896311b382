"""The inbox as it is read: every delivery, newest first; and those that are yet to be applied."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from tallybook.database import Database, read_stamp, stamp
from tallybook.domain.client import ClientId
from tallybook.domain.delivery import State
from tallybook.domain.errors import BadInput
from tallybook.ledger.server_tables import inbox


@dataclass(frozen=True, slots=True)
class Received:
    """A delivery and what became of it. *external_id*: the provider's run it speaks of."""

    source: str
    delivery_id: str
    received_at: datetime | None
    event: str
    state: State
    reason: str | None
    external_id: str | None
    run_id: str | None
    client_id: ClientId | None
    cursor: str


@dataclass(frozen=True, slots=True)
class Left:
    """A delivery that is kept and not applied. *bound_to*: the client that its sender proved."""

    source: str
    delivery_id: str
    bound_to: ClientId | None


def left(database: Database, before: datetime, limit: int = 100) -> Sequence[Left]:
    """Those that came before then, oldest first; but what could not be applied before keeps nothing else waiting."""
    statement = (
        sa.select(inbox.c.source, inbox.c.delivery_id, inbox.c.headers)
        .where(inbox.c.state == State.RECEIVED, inbox.c.received_at < stamp(before))
        .order_by(sa.case((inbox.c.state_reason.is_(None), 0), else_=1), inbox.c.received_at)
        .limit(limit)
    )
    with database.reading() as connection:
        rows = connection.execute(statement).all()
    return [Left(source, delivery_id, json.loads(facts)["bound_to"]) for source, delivery_id, facts in rows]


def list_deliveries(
    database: Database, after: str | None = None, limit: int = 50, *, state: State | None = None
) -> Sequence[Received]:
    """Newest first. *after*: the cursor of the last one seen. Raises BadInput for what is none."""
    key = (inbox.c.received_at, inbox.c.source, inbox.c.delivery_id)
    found = sa.select(inbox).order_by(*(each.desc() for each in key)).limit(limit)
    if state is not None:
        found = found.where(inbox.c.state == state)
    if after is not None:
        seen = after.split("|", 2)
        if len(seen) != len(key):
            raise BadInput(f"{after!r} is no cursor; give the next_cursor of the page before")
        found = found.where(sa.tuple_(*key) < sa.tuple_(*seen))
    with database.reading() as connection:
        return [_received(row) for row in connection.execute(found).mappings()]


def _received(row: sa.RowMapping) -> Received:
    return Received(
        source=row["source"],
        delivery_id=row["delivery_id"],
        received_at=read_stamp(row["received_at"]),
        event=row["event"] or "",
        state=State(row["state"]),
        reason=row["state_reason"],
        external_id=row["external_id"],
        run_id=row["run_id"],
        client_id=row["client_id"],
        cursor=f"{row['received_at']}|{row['source']}|{row['delivery_id']}",
    )
