"""Which leads an operation that works outside may take today."""

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from tallybook.domain.client import Client
from tallybook.domain.ports import Candidate, Operation, OutsideOperation
from tallybook.ledger import external as ledger_external
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger

TARGET_REACHED = "daily_target_reached"
"""The finish_reason of an operation whose client has had its leads for today."""


@dataclass(frozen=True)
class Bounds:
    """Which leads may be taken: so many that are *left*, and those of them that are *old_enough*."""

    left: int | None = None
    old_enough: Callable[[Candidate], bool] = lambda _: True

    def within(self, limit: int | None) -> int | None:
        """The smaller of the two; None is no limit."""
        return min((each for each in (limit, self.left) if each is not None), default=None)


def bounds_of(ledger: Ledger, key: OperationKey, operation: Operation, client: Client) -> Bounds:
    """Of an operation that works outside: what its client's daily target leaves, and what it has not just looked at."""
    if not isinstance(operation, OutsideOperation):
        return Bounds()
    now = ledger.clock()
    target = operation.daily_target(client)
    if target is None:
        return Bounds(None, lambda each: operation.is_due(each, now))
    midnight = now.astimezone(ZoneInfo(client.timezone or "UTC")).replace(hour=0, minute=0, second=0, microsecond=0)
    taken = ledger_external.taken_since(ledger.database, key, midnight)
    return Bounds(max(0, target - taken), lambda each: operation.is_due(each, now))
