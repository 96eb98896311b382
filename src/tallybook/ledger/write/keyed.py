"""What is asked with an idempotency key is done once, and answered the same however often it is asked again."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tallybook.database import Tx
from tallybook.domain.errors import BadInput, KeyReused
from tallybook.ledger.write import events

LONGEST_KEY = 200

Answer = Mapping[str, Any]
"""JSON data."""


@dataclass(frozen=True, slots=True)
class Key:
    """*scope* keeps the keys of different callers apart; *request*: a hash of what is asked."""

    scope: str
    text: str
    request: str

    def __post_init__(self) -> None:
        if not (0 < len(self.text) <= LONGEST_KEY and self.text.isprintable()):
            raise BadInput(f"an idempotency key is 1 to {LONGEST_KEY} printable characters, got {self.text[:60]!r}")

    @property
    def once_key(self) -> str:
        return f"asked {self.scope} {self.text}"


@dataclass(frozen=True, slots=True)
class Answered:
    """*replayed*: the key was known; nothing was done."""

    answer: Answer
    replayed: bool = False


def once(tx: Tx, key: Key | None, work: Callable[[Tx], Answer]) -> Answered:
    """Do *work* unless that was done under this key. Raises KeyReused for another request, and what *work* raises; a
    key with which something was refused is still free.
    """
    if key is None:
        return Answered(work(tx))
    tx.serialize("reports")  # two of the same key go one after the other
    row = tx.row("SELECT text FROM @events WHERE once_key = ?", (key.once_key,))
    if row is None:
        answer = work(tx)
        events.append(tx, "replayed", json.dumps([key.request, answer]), once_key=key.once_key)
        return Answered(answer)
    request, answer = json.loads(row[0])
    if request != key.request:
        raise KeyReused(f"the key {key.text!r} was sent with another request; use a new key for each")
    return Answered(answer, replayed=True)
