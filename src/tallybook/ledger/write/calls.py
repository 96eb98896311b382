"""A row for every paid call: written before it is made, settled after. Never merged, never deleted (F07)."""

import operator
from dataclasses import dataclass

from tallybook.database import Row, Tx
from tallybook.domain.fields import storable
from tallybook.domain.run import OperationName
from tallybook.domain.tally import LOST, Money, Tally, Usage
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.tables import TALLY
from tallybook.ledger.write.endings import OF_OPERATION, lock_operation

_GROW = ", ".join(f"{name} = {name} + ?" for name in TALLY)
_GROW_TALLY = (
    f"UPDATE @operation_runs SET {_GROW}, basis = 'exact', version = version + 1,"
    f" late_call_at = CASE WHEN ended_at IS NULL THEN late_call_at ELSE ? END WHERE {OF_OPERATION}"
)
_NOTHING = Tally()
_USAGE = "input_tokens, cached_tokens, output_tokens, cost_pico_usd"


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt at a paid provider, as it stands before the answer."""

    call_id: str
    key: OperationKey
    provider: str
    model: str
    attempt: int = 1
    chunk: str | None = None


_INSERT = "INSERT INTO @calls (call_id, run_id, client_id, operation, chunk, attempt, provider, model, started_at)"
_START = f"{_INSERT} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (call_id) DO NOTHING"
_START_UNBUDGETED = (
    f"{_INSERT} SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM @budgets WHERE client_id = ?)"
    " ON CONFLICT (call_id) DO NOTHING"
)


def start_call(tx: Tx, call: Call) -> None:
    tx.execute(_START, _row_at_start(tx, call))


def start_unbudgeted(tx: Tx, call: Call) -> bool:
    """`start_call`, unless the client has a budget of its own. False when it has, or when the call is booked."""
    return bool(tx.execute(_START_UNBUDGETED, (*_row_at_start(tx, call), call.key.client_id)))


def _row_at_start(tx: Tx, call: Call) -> Row:
    return call.call_id, *call.key, call.chunk, call.attempt, call.provider, call.model, tx.stamp


def settle_call(tx: Tx, call_id: str, result: str, usage: Usage) -> bool:
    """Book how a call ended; the tally grows with it. False when it was settled before.

    A call booked as lost whose process lived after all is settled with what it really used.
    """
    row = _row_of(tx, call_id)
    if row is None:
        return False
    key = OperationKey(row[0], row[1], OperationName(row[2]))
    if not tx.sqlite:
        lock_operation(tx, key)  # before the call's row, as whoever ends the operation run does
        row = _row_of(tx, call_id) or row
    if row[3] not in (None, LOST):
        return False
    tx.execute(
        "UPDATE @calls SET ended_at = ?, result = ?, input_tokens = ?, cached_tokens = ?, output_tokens = ?,"
        " cost_pico_usd = ?, price_source = ?, price_version = ? WHERE call_id = ?",
        (tx.stamp, storable(result), *_columns_of(usage), call_id),
    )
    before = Tally() if row[3] is None else Tally.of_call(_usage_of(row[4:]))
    _grow(tx, key, Tally.of_call(usage), before)
    return True


def _row_of(tx: Tx, call_id: str) -> Row | None:
    return tx.row(f"SELECT run_id, client_id, operation, result, {_USAGE} FROM @calls WHERE call_id = ?", (call_id,))


def _usage_of(row: Row) -> Usage:
    return Usage(row[0], row[1], row[2], None if row[3] is None else Money(row[3]))


def record_call(tx: Tx, call: Call, result: str, usage: Usage) -> bool:
    """Book a call that is over. False when its id is in the books already."""
    new = tx.execute(
        "INSERT INTO @calls (call_id, run_id, client_id, operation, chunk, attempt, provider, model, started_at,"
        f" ended_at, result, {_USAGE}, price_source, price_version)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (call_id) DO NOTHING",
        (
            call.call_id, *call.key, call.chunk, call.attempt, call.provider, call.model, tx.stamp, tx.stamp,
            result, *_columns_of(usage),
        ),
    )  # fmt: skip
    if new:
        _grow(tx, call.key, Tally.of_call(usage))
    return bool(new)


def _columns_of(usage: Usage) -> Row:
    """What was used, and by which price list its cost was reckoned."""
    prices = (usage.prices.source, usage.prices.version) if usage.prices else (None, None)
    return usage.input_tokens, usage.cached_tokens, usage.output_tokens, _pico(usage.cost), *prices


def _pico(cost: Money | None) -> int | None:
    return cost.pico_usd if cost is not None else None


def _grow(tx: Tx, key: OperationKey, added: Tally, instead_of: Tally = _NOTHING) -> None:
    figures = map(operator.sub, added.figures, instead_of.figures)
    tx.execute(_GROW_TALLY, (*figures, tx.written_at, *key))
