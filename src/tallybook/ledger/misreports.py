"""What reporters got wrong, counted from the books: for `doctor` and the page (F34)."""

from collections.abc import Mapping

import sqlalchemy as sa

from tallybook.database import Database
from tallybook.domain.history import NO_ROW, ROW_REFUSED
from tallybook.domain.run import Origin
from tallybook.ledger.tables import client_runs, events, runs


def refusals(database: Database) -> Mapping[str, int]:
    """Verbs that were refused, by what they were told: text -> number of runs and client runs it was said of."""
    statement = sa.select(events.c.text, sa.func.count()).where(events.c.kind == "refused").group_by(events.c.text)
    with database.reading() as connection:
        return {row[0]: int(row[1]) for row in connection.execute(statement.order_by(events.c.text))}


def auto_created(database: Database) -> Mapping[str, int]:
    """Reported runs and client runs that nobody had created before they were updated, by reason. What was made for an
    older system's books is nobody's fault.
    """
    told = runs.c.origin_reason.is_not(None), runs.c.origin_reason.not_in((NO_ROW, ROW_REFUSED))
    of_runs = sa.select(runs.c.origin_reason.label("reason")).where(*told)
    of_clients = sa.select(client_runs.c.origin_reason.label("reason")).where(
        client_runs.c.origin == Origin.AUTO_CREATED, client_runs.c.origin_reason.is_not(None)
    )
    both = sa.union_all(of_runs, of_clients).subquery()
    statement = sa.select(both.c.reason, sa.func.count()).group_by(both.c.reason).order_by(both.c.reason)
    with database.reading() as connection:
        return {row[0]: int(row[1]) for row in connection.execute(statement)}
