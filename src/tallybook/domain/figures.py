"""Figures that are derived from rows when somebody asks, and kept nowhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tallybook.domain.client import ClientId
from tallybook.domain.run import OperationName
from tallybook.domain.tally import Tally, rate


@dataclass(frozen=True, slots=True)
class LeadFigures:
    """Distinct leads, where a tally counts lead-operations. *total*: on any worklist; *processed*: with an outcome.

    *failed*: with any failure; *successful*: with an ok and no failure; *skipped*: the rest that have an outcome.
    """

    total: int = 0
    processed: int = 0
    successful: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "LeadFigures") -> "LeadFigures":
        """Of two clients: no lead is both clients' own."""
        return LeadFigures(
            self.total + other.total,
            self.processed + other.processed,
            self.successful + other.successful,
            self.failed + other.failed,
            self.skipped + other.skipped,
        )

    @property
    def success_rate(self) -> float | None:
        return rate(self.successful, self.failed)


@dataclass(frozen=True, slots=True)
class Failures:
    """Leads of one operation run that failed for one reason, and what their next run will make of them.

    *again*: tries that are left -> how many leads have so many; 0 is given up. *settled*: a later run had a result.
    """

    client_id: ClientId
    operation: OperationName
    reason: str
    leads: int
    again: Mapping[int, int] = field(default_factory=dict)
    settled: int = 0


@dataclass(frozen=True, slots=True)
class UsageLine:
    """What some calls used. *group*: the value of each thing that was grouped by. *open_calls*: not settled (yet).

    *priced_by*: the price lists by which costs were reckoned, `source version`, where that is known.
    """

    group: Mapping[str, str]
    tally: Tally
    open_calls: int = 0
    priced_by: tuple[str, ...] = ()
