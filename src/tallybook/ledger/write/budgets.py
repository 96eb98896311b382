"""Budgets: what a call may use is set aside before it is made, and let go of when it is known what it used."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from enum import Enum

from tallybook.database import Tx, stamp
from tallybook.domain.budget import Budgets, Ceiling, Per
from tallybook.domain.errors import BadInput, ProviderStop
from tallybook.domain.ports import UNKNOWN
from tallybook.domain.tally import DEAREST_USD, PICO_PER_USD, Estimate, Usage
from tallybook.ledger import spending
from tallybook.ledger.spending import Amount, Held
from tallybook.ledger.write import calls
from tallybook.ledger.write.calls import Call
from tallybook.ledger.write.endings import lock_run
from tallybook.ledger.write.running_out import Limit, exhausted, note_exhausted, unpriced, warn

KEPT = timedelta(days=62)
"""Longer than any window."""
MOST_TOKENS = 10**15
MOST_USD = DEAREST_USD
_NO_BUDGETS = Budgets()


class Go(Enum):
    """What becomes of a call that wants to be made."""

    FREELY = "it is booked; no budget holds"
    RESERVED = "it is booked, and what it may use is set aside"
    LATER = "not now: what is left is set aside for calls in flight, which may use less"


# -- before a call -----------------------------------------------------------------------------------------------------


def start_within(tx: Tx, call: Call, estimate: Estimate, budgets: Budgets) -> Go | ProviderStop:
    """Book a call if every budget that holds has room for *estimate*. A ProviderStop: it is not booked, for none will
    be freed; it is returned, so that the event which says so is committed.
    """
    if budgets == _NO_BUDGETS and calls.start_unbudgeted(tx, call):
        return Go.FREELY
    held = _held(tx, call, budgets)
    if not held:
        calls.start_call(tx, call)
        return Go.FREELY
    payable = _payable(held, estimate)
    if not payable:
        return unpriced(call.key, call.model, held[0])
    _one_at_a_time(tx, call, payable)
    wanted = _wanted(estimate)
    limits = [limit for each in payable for limit in _limits(tx, call, each, wanted, budgets.in_flight_s)]
    return _start_if_it_fits(tx, call, limits, wanted, priced=not estimate.unpriced)


def _held(tx: Tx, call: Call, budgets: Budgets) -> list[Held]:
    """Those that turn last come first: waiting for a day's end is no use when the month is used up."""
    of_client = spending.held_for_client(tx.rows, call.key.client_id, budgets)
    of_run = [Held(Per.RUN, budgets.run)] if budgets.run else []
    return [*of_run, *reversed(of_client)]


def _payable(held: Sequence[Held], estimate: Estimate) -> Sequence[Held]:
    """What can be held against *estimate*: of a model without a price, its tokens only."""
    if not estimate.unpriced:
        return held
    return [
        Held(each.per, Ceiling(tokens=each.ceiling.tokens), each.own)
        for each in held
        if each.ceiling.tokens is not None
    ]


def _wanted(estimate: Estimate) -> Amount:
    """A paid call uses something, also when nobody can say how much."""
    return Amount(max(1, estimate.total_tokens), 1 if estimate == UNKNOWN else estimate.cost.pico_usd)


def _start_if_it_fits(
    tx: Tx, call: Call, limits: Sequence[Limit], wanted: Amount, *, priced: bool
) -> Go | ProviderStop:
    for limit in limits:
        if not limit.may_fit:
            note_exhausted(tx, call.key, limit)
            return exhausted(tx.now, call.key, limit)
    if not all(limit.fits for limit in limits):
        return Go.LATER
    _book(tx, call, wanted, priced=priced)
    for limit in limits:
        warn(tx, call.key, limit)
    return Go.RESERVED


def _one_at_a_time(tx: Tx, call: Call, held: Sequence[Held]) -> None:
    """From here to the commit nobody else decides about the same budgets, in no process."""
    if held[0].per is Per.RUN:
        lock_run(tx, call.key.run_id)
    if held[-1].per is not Per.RUN:
        tx.serialize(f"budget {call.key.client_id}")


def _limits(tx: Tx, call: Call, held: Held, wanted: Amount, in_flight_s: float) -> Iterator[Limit]:
    if held.per is Per.RUN:
        used = spending.of_run(tx.rows, call.key.run_id, tx.now, in_flight_s, but=call.call_id)
    else:
        used = spending.of_client(
            tx.rows, call.key.client_id, held.since(tx.now), tx.now, in_flight_s, but=call.call_id
        )
    all_used = used.spent + used.set_aside
    if held.ceiling.tokens is not None:
        yield Limit(held, False, held.ceiling.tokens, all_used.tokens, used.in_flight.tokens, wanted.tokens)
    if held.ceiling.cost is not None:
        most = held.ceiling.cost.pico_usd
        yield Limit(held, True, most, all_used.pico_usd, used.in_flight.pico_usd, wanted.pico_usd)


def _book(tx: Tx, call: Call, wanted: Amount, *, priced: bool) -> None:
    calls.start_call(tx, call)
    tx.execute(
        "INSERT INTO @reservations (reservation_id, client_id, run_id, tokens, cost_pico_usd, at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (reservation_id) DO NOTHING",
        (
            call.call_id, call.key.client_id, call.key.run_id, wanted.tokens, wanted.pico_usd if priced else None,
            tx.stamp,
        ),
    )  # fmt: skip


# -- after it ----------------------------------------------------------------------------------------------------------


def settle_reserved(tx: Tx, call_id: str, result: str, usage: Usage, *, refused: bool = False) -> bool:
    """`calls.settle_call` for a call for which something was set aside. It is let go of unless the call was maybe
    billed: then it stays, and counts as used in its window.
    """
    settled = calls.settle_call(tx, call_id, result, usage)
    if settled and (refused or not usage.unmeasured):
        tx.execute("DELETE FROM @reservations WHERE reservation_id = ?", (call_id,))
    return settled


def forget_old(tx: Tx) -> None:
    """Drop what was set aside in windows long gone, for calls of which no more will be heard."""
    tx.execute(
        "DELETE FROM @reservations WHERE at < ? AND EXISTS (SELECT 1 FROM @calls c WHERE c.call_id = reservation_id"
        " AND c.ended_at IS NOT NULL)",
        (stamp(tx.now - KEPT),),
    )


# -- a client's own budget ---------------------------------------------------------------------------------------------


def set_budget(tx: Tx, client_id: str, per: Per, ceiling: Ceiling) -> None:
    """In place of what the settings say for that window; 0 lets nothing be spent. Who paused for want of a budget goes
    on by itself. Raises BadInput.
    """
    _refuse_budget_of_run(per)
    tokens, pico_usd = ceiling.tokens, None if ceiling.cost is None else ceiling.cost.pico_usd
    if not ceiling:
        raise BadInput("a budget is of tokens, of dollars, or of both")
    if not 0 <= (tokens or 0) <= MOST_TOKENS or not 0 <= (pico_usd or 0) <= MOST_USD * PICO_PER_USD:
        raise BadInput(f"a budget is of 0 to {MOST_TOKENS:,} tokens, of 0 to {MOST_USD:,} dollars")
    tx.execute(
        "INSERT INTO @budgets (client_id, per, tokens, cost_pico_usd, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (client_id, per) DO UPDATE SET tokens = excluded.tokens,"
        " cost_pico_usd = excluded.cost_pico_usd, at = excluded.at",
        (client_id, per, tokens, pico_usd, tx.stamp),
    )
    _wake(tx, client_id)


def clear_budget(tx: Tx, client_id: str, per: Per) -> bool:
    """From here on the settings hold again. False when the client had none of its own. Raises BadInput."""
    _refuse_budget_of_run(per)
    cleared = tx.execute("DELETE FROM @budgets WHERE client_id = ? AND per = ?", (client_id, per))
    if cleared:
        _wake(tx, client_id)
    return bool(cleared)


def _wake(tx: Tx, client_id: str) -> None:
    tx.execute(
        "UPDATE @client_runs SET wake_at = ? WHERE client_id = ? AND status = 'paused'"
        " AND blocked_reason IN ('budget_exhausted', 'unpriced_model')",
        (tx.stamp, client_id),
    )


def _refuse_budget_of_run(per: Per) -> None:
    if per is Per.RUN:
        raise BadInput("a client has a budget for the day and for the month; what a run may use is under [budget]")
