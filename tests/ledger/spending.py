"""Short ways to spend a budget."""

from datetime import UTC, datetime

import sqlalchemy as sa

from tallybook.domain.budget import Budgets, Ceiling
from tallybook.domain.errors import ProviderStop
from tallybook.domain.tally import Estimate, Money, Usage
from tallybook.ledger import budgets as standing
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.tables import reservations
from tallybook.ledger.write import budgets, calls
from tallybook.ledger.write.budgets import Go
from tallybook.ledger.write.calls import Call

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
DAY_100 = Budgets(day=Ceiling(tokens=100))


def tokens(number: int, *, usd: str = "0") -> Estimate:
    return Estimate(1, number, 0, Money.usd(usd))


def unpriced(number: int = 10) -> Estimate:
    return Estimate(1, number, 0, unpriced=1)


def wanting(
    ledger: Ledger, key: OperationKey, call_id: str, estimate: Estimate, holding: Budgets = DAY_100
) -> Go | ProviderStop:
    return ledger.do(budgets.start_within, Call(call_id, key, "google", "gemini"), estimate, holding)


def refused(
    ledger: Ledger, key: OperationKey, call_id: str, estimate: Estimate, holding: Budgets = DAY_100
) -> ProviderStop:
    found = wanting(ledger, key, call_id, estimate, holding)
    assert isinstance(found, ProviderStop)
    return found


def used(number: int, *, usd: str = "0") -> Usage:
    return Usage(number, 0, 0, Money.usd(usd))


def settled(ledger: Ledger, call_id: str, usage: Usage, result: str = "ok", *, refused: bool = False) -> bool:
    return ledger.do(budgets.settle_reserved, call_id, result, usage, refused=refused)


def spent(ledger: Ledger, key: OperationKey, call_id: str, number: int) -> None:
    """A call that used so many tokens, whatever was set aside."""
    ledger.do(calls.record_call, Call(call_id, key, "google", "gemini"), "ok", used(number))


def set_aside(ledger: Ledger) -> dict[str, int]:
    with ledger.database.reading() as connection:
        rows = connection.execute(sa.select(reservations.c.reservation_id, reservations.c.tokens))
        return {row[0]: row[1] for row in rows}


def day_of(ledger: Ledger, holding: Budgets = DAY_100, client_id: str = "acme") -> standing.Standing:
    return standing.of_client(ledger.database, client_id, holding, ledger.clock())[0]
