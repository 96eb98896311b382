"""When leads were last worked on, whatever came of it."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from tallybook.database import Database
from tallybook.domain.client import ClientId
from tallybook.domain.outcome import LeadId
from tallybook.domain.run import OperationName
from tallybook.ledger.tables import outcomes


def last_attempts(
    database: Database, client_id: ClientId, operation: OperationName, *, first: LeadId, last: LeadId
) -> Mapping[LeadId, datetime]:
    """Of the leads from *first* to *last* that have an outcome: when they had the newest."""
    statement = (
        sa.select(outcomes.c.lead_id, sa.func.max(outcomes.c.at))
        .where(outcomes.c.client_id == client_id, outcomes.c.operation == operation)
        .where(outcomes.c.lead_id >= first, outcomes.c.lead_id <= last)
        .group_by(outcomes.c.lead_id)
    )
    with database.reading() as connection:
        return {lead_id: datetime.fromisoformat(at) for lead_id, at in connection.execute(statement)}
