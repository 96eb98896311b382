"""A run at a glance, for whoever looks several times a second: two cheap reads, no outcome is counted."""

from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from tallybook.database import Database, read_stamp
from tallybook.domain.errors import NotFound
from tallybook.domain.run import OperationName, Status
from tallybook.domain.tally import Tally
from tallybook.ledger.tables import TALLY, client_runs, operation_runs, runs


@dataclass(frozen=True, slots=True)
class ClientGlance:
    """*doing*: the operation that is open. *worked_on*: some process says that it has it in hand; it may be dead."""

    client_id: str
    status: Status
    tally: Tally = field(default_factory=Tally)
    doing: OperationName | None = None
    blocked_reason: str | None = None
    worked_on: bool = False


@dataclass(frozen=True, slots=True)
class Glance:
    """*planned*: our engine drives it; else a program reports it."""

    run_id: str
    status: Status
    planned: bool = True
    blocked_reason: str | None = None
    started_at: datetime | None = None
    clients: tuple[ClientGlance, ...] = ()

    @property
    def tally(self) -> Tally:
        return sum((each.tally for each in self.clients), Tally())

    @property
    def resting(self) -> bool:
        """Nothing happens any more until somebody does something."""
        return self.status.terminal or self.status is Status.PAUSED


def glance(database: Database, run_id: str) -> Glance:
    """Raises NotFound, LedgerUnavailable."""
    with database.reading() as connection:
        return glance_of(connection, run_id)


def glance_of(connection: sa.Connection, run_id: str) -> Glance:
    """Raises NotFound."""
    columns = (runs.c.status, runs.c.planned, runs.c.blocked_reason, runs.c.started_at)
    row = connection.execute(sa.select(*columns).where(runs.c.run_id == run_id)).first()
    if row is None:
        raise NotFound(f"there is no run {run_id}; `tallybook run list` shows the runs", run_id=run_id)
    clients = tuple(_client_of(each) for each in connection.execute(_clients(run_id)))
    return Glance(run_id, Status(row[0]), bool(row[1]), row[2], read_stamp(row[3]), clients)


def _clients(run_id: str) -> sa.Select[tuple[object, ...]]:
    """Every client run with the sums of its operation runs, in the order in which they are visited."""
    of_client = ("run_id", "client_id")
    both = sa.and_(*(operation_runs.c[name] == client_runs.c[name] for name in of_client))
    open_one = sa.func.min(sa.case((operation_runs.c.ended_at.is_(None), operation_runs.c.operation)))
    sums = [sa.func.coalesce(sa.func.sum(operation_runs.c[name]), 0) for name in TALLY]
    facts = [client_runs.c[name] for name in ("client_id", "status", "blocked_reason", "worker", "position")]
    return (
        sa.select(*facts, open_one, *sums)
        .select_from(client_runs.outerjoin(operation_runs, both))
        .where(client_runs.c.run_id == run_id)
        .group_by(*facts)
        .order_by(client_runs.c.position, client_runs.c.client_id)
    )


def _client_of(row: sa.Row[tuple[object, ...]]) -> ClientGlance:
    client_id, status, blocked_reason, worker, _, doing, *sums = tuple(row)
    return ClientGlance(
        client_id=str(client_id),
        status=Status(str(status)),
        tally=Tally(*(int(str(each)) for each in sums)),
        doing=OperationName(str(doing)) if doing else None,
        blocked_reason=str(blocked_reason) if blocked_reason else None,
        worked_on=bool(worker) and Status(str(status)) is Status.RUNNING,
    )
