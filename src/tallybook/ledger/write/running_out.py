"""What is said when a budget runs out: to whoever asked for the call, and in the books."""

from dataclasses import dataclass
from datetime import datetime
from shlex import quote

from tallybook.database import Tx
from tallybook.domain.budget import Per
from tallybook.domain.errors import BudgetExhausted, ProviderStop
from tallybook.domain.outcome import FailReason
from tallybook.domain.tally import Money
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.spending import Held
from tallybook.ledger.tables import SCOPE_OF_RUN
from tallybook.ledger.write import events

WARN_AT_PERCENT = 80


@dataclass(frozen=True, slots=True)
class Limit:
    """One number that must not be passed, in tokens or in pico-dollars. *in_flight*: of what is *used*, that which
    is set aside for calls that may still use less. *wanted*: by the call that is to be made.
    """

    held: Held
    in_money: bool
    most: int
    used: int
    in_flight: int
    wanted: int

    @property
    def fits(self) -> bool:
        return self.used + self.wanted <= self.most

    @property
    def may_fit(self) -> bool:
        return self.for_good + self.wanted <= self.most

    @property
    def for_good(self) -> int:
        return self.used - self.in_flight

    @property
    def percent(self) -> int:
        """Used once the call is made; rounded down."""
        return 100 * (self.used + self.wanted) // self.most if self.most else 100


def unpriced(key: OperationKey, model: str, held: Held) -> ProviderStop:
    """A budget in money cannot be kept where nobody knows the price."""
    return ProviderStop(
        f"{model} has no known price, and {_whose(key, held)} is in dollars: give the model a price under [prices], or"
        f" set a budget in tokens (`tallybook client budget {quote(key.client_id)} --tokens N`)",
        reason=FailReason.MODEL_CONFIG,
        blocked_reason="unpriced_model",
        whole_run=False,
    )


def exhausted(now: datetime, key: OperationKey, limit: Limit) -> BudgetExhausted:
    of_run = limit.held.per is Per.RUN
    return BudgetExhausted(
        f"{_used_up(now, key, limit)}; {_cure(key, limit)}",
        reason=FailReason.QUOTA,
        blocked_reason="budget_exhausted",
        wake_at=limit.held.turns_at(now),
        whole_run=of_run,
    )


def note_exhausted(tx: Tx, key: OperationKey, limit: Limit) -> None:
    _note_once(tx, "budget_exhausted", _used_up(tx.now, key, limit), key, limit.held)


def warn(tx: Tx, key: OperationKey, limit: Limit) -> None:
    """Say once that little is left."""
    if limit.percent < WARN_AT_PERCENT:
        return
    used = _of_it(limit, limit.used + limit.wanted)
    text = f"{_whose(key, limit.held)} is used to {limit.percent} %: {used}, with what calls in flight may take"
    _note_once(tx, "budget_warning", text + _turns(tx.now, limit.held), key, limit.held)


def _note_once(tx: Tx, kind: str, text: str, key: OperationKey, held: Held) -> None:
    """Of each window once; of a ceiling that was raised since, once more."""
    client_id = SCOPE_OF_RUN if held.per is Per.RUN else key.client_id
    window = key.run_id if held.per is Per.RUN else f"{held.since(tx.now):%Y-%m-%d}"
    once_key = f"{kind} {held.per} {window} {held.ceiling.tokens} {held.ceiling.cost} {client_id}"
    events.append(tx, kind, text[:1].upper() + text[1:], run_id=key.run_id, client_id=client_id, once_key=once_key)


def _used_up(now: datetime, key: OperationKey, limit: Limit) -> str:
    wanted = f", and the next call may take {_amount(limit, limit.wanted)}" if limit.wanted > 1 else ""
    return f"{_whose(key, limit.held)} is used up: {_of_it(limit, limit.for_good)}{wanted}{_turns(now, limit.held)}"


def _whose(key: OperationKey, held: Held) -> str:
    if held.per is Per.RUN:
        return f"the budget of run {key.run_id}"
    return f"the {held.per}'s budget of client {key.client_id!r}"


def _turns(now: datetime, held: Held) -> str:
    at = held.turns_at(now)
    return f"; it turns at {at:%Y-%m-%d %H:%M} UTC" if at else ""


def _cure(key: OperationKey, limit: Limit) -> str:
    unit = "usd" if limit.in_money else "tokens"
    if limit.held.per is Per.RUN:
        return f"raise run_{unit} under [budget], then `tallybook run resume {key.run_id}`"
    command = f"`tallybook client budget {quote(key.client_id)}` shows it and sets another"
    return command if limit.held.own else f"{command}, client_{unit}_per_{limit.held.per} under [budget] is for all"


def _of_it(limit: Limit, number: int) -> str:
    return f"{_amount(limit, number).removesuffix(' tokens')} of {_amount(limit, limit.most)}"


def _amount(limit: Limit, number: int) -> str:
    if not limit.in_money:
        return f"{number:,} tokens"
    dollars, _, cents = str(Money(number)).partition(".")
    return f"${int(dollars):,}.{cents:0<2}"
