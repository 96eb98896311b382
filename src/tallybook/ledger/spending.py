"""Which budgets hold, and what is used of them: sums of tallies, of calls, of what is set aside. No sum is stored.

A sum is one statement, so that a call which is settled at this very moment is seen either as set aside or as spent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tallybook.database import Row, stamp
from tallybook.domain.budget import IN_FLIGHT_S, Budgets, Ceiling, Per, window_end, window_start
from tallybook.domain.tally import Money

Ask = Callable[[str, Sequence[object]], Sequence[Row]]

_KEYS = "SELECT run_id, client_id, operation FROM @operation_runs WHERE client_id = ?"
_TALLIES = "SELECT 'spent', SUM(input_tokens + output_tokens), SUM(cost_pico_usd) FROM @operation_runs"
_STRADDLING = (
    "SELECT 'spent', SUM(COALESCE(c.input_tokens, 0) + COALESCE(c.output_tokens, 0)), SUM(c.cost_pico_usd)"
    # The open ones are few; a bare `started_at < ?` would have SQLite look through all that ever were.
    f" FROM ({_KEYS} AND COALESCE(started_at, '') < ? AND ended_at IS NULL"
    f" UNION ALL {_KEYS} AND started_at < ? AND ended_at >= ?"
    f" UNION ALL {_KEYS} AND started_at < ? AND ended_at < ? AND late_call_at >= ?) o"
    " JOIN @calls c ON c.run_id = o.run_id AND c.client_id = o.client_id AND c.operation = o.operation"
    " WHERE c.started_at >= ?"
)
_ASIDE = (
    "SELECT CASE WHEN r.at > ? AND EXISTS (SELECT 1 FROM @calls c WHERE c.call_id = r.reservation_id"
    " AND c.ended_at IS NULL) OR EXISTS (SELECT 1 FROM @external_runs e WHERE e.run_id = r.run_id"
    " AND e.client_id = r.client_id AND e.call_id = r.reservation_id AND e.state <> 'ended')"
    " THEN 'in flight' ELSE 'kept' END, SUM(r.tokens), SUM(r.cost_pico_usd)"
    " FROM @reservations r WHERE r.reservation_id <> ?"
)
_OF_CLIENT = (
    f"{_TALLIES} WHERE client_id = ? AND started_at >= ? UNION ALL {_STRADDLING}"
    f" UNION ALL {_ASIDE} AND r.client_id = ? AND r.at >= ? GROUP BY 1"
)
_OF_RUN = f"{_TALLIES} WHERE run_id = ? UNION ALL {_ASIDE} AND r.run_id = ? GROUP BY 1"
_OWN = "SELECT per, tokens, cost_pico_usd FROM @budgets WHERE client_id = ?"


@dataclass(frozen=True, slots=True)
class Held:
    """A ceiling that holds. *own*: the client's own; else that of the settings."""

    per: Per
    ceiling: Ceiling
    own: bool = False

    def since(self, now: datetime) -> datetime:
        """When its window began. Of day and month only."""
        return window_start(self.per, now)

    def turns_at(self, now: datetime) -> datetime | None:
        """When its window turns; that of a run never does."""
        return None if self.per is Per.RUN else window_end(self.per, now)


def held_for_client(ask: Ask, client_id: str, budgets: Budgets) -> list[Held]:
    """A client's own ceiling of a window stands in place of the one that the settings have for it."""
    own = {
        Per(per): Ceiling(tokens, None if pico_usd is None else Money(pico_usd))
        for per, tokens, pico_usd in ask(_OWN, (client_id,))
    }
    of_settings = {Per.DAY: budgets.day, Per.MONTH: budgets.month}
    found = [Held(per, own.get(per, ceiling), own=per in own) for per, ceiling in of_settings.items()]
    return [each for each in found if each.ceiling]


@dataclass(frozen=True, slots=True)
class Amount:
    """*tokens*: input and output together."""

    tokens: int = 0
    pico_usd: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.tokens + other.tokens, self.pico_usd + other.pico_usd)


@dataclass(frozen=True, slots=True)
class Used:
    """*spent*: by calls of known usage. Set aside: *kept* for calls that were maybe billed, *in_flight* for calls that
    will soon be settled, and for external runs until they end.
    """

    spent: Amount = Amount()
    kept: Amount = Amount()
    in_flight: Amount = Amount()

    @property
    def set_aside(self) -> Amount:
        return self.kept + self.in_flight


def of_client(
    ask: Ask, client_id: str, since: datetime, now: datetime, in_flight_s: float = IN_FLIGHT_S, *, but: str = ""
) -> Used:
    """What the calls of a client used that began at or after *since*. *but*: a reservation that does not count."""
    start = stamp(since)
    tallies = (client_id, start)
    straddling = (client_id, start, client_id, start, start, client_id, start, start, start, start)
    aside = (stamp(now - timedelta(seconds=in_flight_s)), but, client_id, start)
    return _used(ask(_OF_CLIENT, (*tallies, *straddling, *aside)))


def of_run(ask: Ask, run_id: str, now: datetime, in_flight_s: float = IN_FLIGHT_S, *, but: str = "") -> Used:
    """What the calls of a run used, of all its clients."""
    return _used(ask(_OF_RUN, (run_id, stamp(now - timedelta(seconds=in_flight_s)), but, run_id)))


def _used(rows: Sequence[Row]) -> Used:
    sums = dict.fromkeys(("spent", "kept", "in flight"), Amount())
    for kind, tokens, pico_usd in rows:
        sums[kind] += Amount(int(tokens or 0), int(pico_usd or 0))
    return Used(*sums.values())
