"""Budgets: what a client may use in a day and a month, and what one run may use."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from tallybook.domain.tally import Money

IN_FLIGHT_S = 120.0


class Per(StrEnum):
    """*day* and *month* are of one client, in UTC like the days of `tallybook usage`; *run* is of all its clients."""

    DAY = "day"
    MONTH = "month"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that may be used; None is no limit. *tokens*: input and output together."""

    tokens: int | None = None
    cost: Money | None = None

    def __bool__(self) -> bool:
        return self.tokens is not None or self.cost is not None


@dataclass(frozen=True, slots=True)
class Budgets:
    """What holds for every run and for every client that has no budget of its own.

    *in_flight_s*: a call that is not settled for so long is taken to have used what was set aside for it.
    """

    day: Ceiling = Ceiling()
    month: Ceiling = Ceiling()
    run: Ceiling = Ceiling()
    in_flight_s: float = field(default=IN_FLIGHT_S, compare=False)


def window_start(per: Per, now: datetime) -> datetime:
    """When the window of *now* began. Of day and month only."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if per is Per.DAY else midnight.replace(day=1)


def window_end(per: Per, now: datetime) -> datetime:
    """When the next window begins. Of day and month only."""
    start = window_start(per, now)
    return start + timedelta(days=1) if per is Per.DAY else (start + timedelta(days=32)).replace(day=1)
