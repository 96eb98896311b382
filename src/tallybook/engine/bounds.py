"""Which leads an operation that works outside may take today, and which of them first."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tallybook.domain.client import Client
from tallybook.domain.ports import Candidate, Operation, OutsideOperation
from tallybook.ledger import external as ledger_external
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger

TARGET_REACHED = "daily_target_reached"
"""The finish_reason of an operation whose client has had its leads for today."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)
Rank = Callable[[Candidate], datetime]


@dataclass(frozen=True)
class Bounds:
    """Which leads may be taken: so many that are *left*, and those of them that are *old_enough*.

    *rank*: of more than may be taken, those of the earliest rank are; None: those of the lowest ids.
    """

    left: int | None = None
    old_enough: Callable[[Candidate], bool] = lambda _: True
    rank: Rank | None = None

    def within(self, limit: int | None) -> int | None:
        """The smaller of the two; None is no limit."""
        return min((each for each in (limit, self.left) if each is not None), default=None)


def bounds_of(ledger: Ledger, key: OperationKey, operation: Operation, client: Client) -> Bounds:
    """Of an operation that works outside: what its client's daily target leaves, of what it has not just looked at and
    no earlier run has under way. Those it has never looked at come first, then those it has not looked at for longest.
    """
    if not isinstance(operation, OutsideOperation):
        return Bounds()
    now = ledger.clock()
    target = operation.daily_target(client)
    busy = ledger_external.in_flight(ledger.database, key.client_id, key.operation, now)
    return Bounds(
        left=None if target is None else max(0, target - _taken_today(ledger, key, client, now)),
        old_enough=lambda each: each.lead_id not in busy and operation.is_due(each, now),
        rank=lambda each: operation.last_done(each) or LONG_AGO,
    )


def _taken_today(ledger: Ledger, key: OperationKey, client: Client, now: datetime) -> int:
    midnight = midnight_before(now, ZoneInfo(client.timezone or "UTC"))
    return ledger_external.taken_since(ledger.database, key, midnight)


def midnight_before(now: datetime, zone: ZoneInfo) -> datetime:
    """When the day began there. Where clocks are changed at midnight: at the first of two, or when the clocks jump."""
    return now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
