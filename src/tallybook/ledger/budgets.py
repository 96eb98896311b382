"""Budgets as people look at them: which hold for a client, and how much of each is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from tallybook.database import Database, rows_of
from tallybook.domain.budget import Budgets, Ceiling, Per, window_end
from tallybook.domain.tally import Money
from tallybook.ledger import spending
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.spending import Amount, Held


@dataclass(frozen=True, slots=True)
class Standing:
    """A ceiling that holds for a client. *own*: its own; else that of the settings. *set_aside*: for calls under way,
    and for those that were maybe billed.
    """

    per: Per
    ceiling: Ceiling
    own: bool
    spent: Amount
    set_aside: Amount
    turns_at: datetime

    @property
    def left(self) -> Ceiling:
        """None where there is no limit."""
        used = self.spent + self.set_aside
        tokens, cost = self.ceiling.tokens, self.ceiling.cost
        return Ceiling(
            None if tokens is None else max(0, tokens - used.tokens),
            None if cost is None else Money(max(0, cost.pico_usd - used.pico_usd)),
        )


def of_client(database: Database, client_id: str, budgets: Budgets, now: datetime) -> list[Standing]:
    """The day's first. Those without a limit are left out."""
    with database.reading() as connection:
        ask = partial(rows_of, connection)
        return [
            _standing(ask, client_id, each, now, budgets.in_flight_s)
            for each in spending.held_for_client(ask, client_id, budgets)
        ]


def left_for(database: Database, key: OperationKey, budgets: Budgets, now: datetime) -> Money | None:
    """What is left in money for one more call, of the client's budgets and of the run's. None: none is in money."""
    left = [each.left.cost for each in of_client(database, key.client_id, budgets, now)]
    if budgets.run.cost is not None:
        with database.reading() as connection:
            used = spending.of_run(partial(rows_of, connection), key.run_id, now, budgets.in_flight_s)
        spent = used.spent.pico_usd + used.set_aside.pico_usd
        left.append(Money(max(0, budgets.run.cost.pico_usd - spent)))
    return min((each for each in left if each is not None), default=None)


def bound_by_money_alone(database: Database, client_ids: Sequence[str], budgets: Budgets) -> list[str]:
    """The clients whose budgets no model without a price can be held against: there is none in tokens."""
    with database.reading() as connection:
        ask = partial(rows_of, connection)
        return [each for each in client_ids if _money_alone(spending.held_for_client(ask, each, budgets), budgets.run)]


def _money_alone(of_client: Sequence[Held], of_run: Ceiling) -> bool:
    ceilings = [each for each in (of_run, *(held.ceiling for held in of_client)) if each]
    return bool(ceilings) and all(each.tokens is None for each in ceilings)


def _standing(ask: spending.Ask, client_id: str, held: Held, now: datetime, in_flight_s: float) -> Standing:
    used = spending.of_client(ask, client_id, held.since(now), now, in_flight_s)
    return Standing(held.per, held.ceiling, held.own, used.spent, used.set_aside, window_end(held.per, now))
