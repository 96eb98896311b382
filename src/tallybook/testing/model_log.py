"""The provider's own books: every request it got, and what it bills for."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tallybook.testing.model_asking import Question
from tallybook.testing.model_faults import Fault
from tallybook.testing.model_wire import Tokens


@dataclass(frozen=True, slots=True)
class Record:
    """One request. Who asked is not in it: keys are neither kept nor shown.

    *status*: 0 when the connection was broken instead of an answer, or while there is none yet. The tokens are those
    billed: input includes cached, output includes thinking. *delivered*: the client can have got the whole answer.
    *arrived_s*, *answered_s*: a clock that only measures distances; *answered_s* None: under way.
    """

    number: int
    provider: str
    model: str
    call_id: str
    item_ids: tuple[str, ...]
    texts: tuple[str, ...]
    fault: str
    arrived_s: float
    status: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    delivered: bool = False
    answered_s: float | None = None


@dataclass(frozen=True, slots=True)
class Bill:
    """The sums over the requests that are billed, of which there are *requests*."""

    requests: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0

    def plus(self, tokens: Tokens) -> "Bill":
        return Bill(
            self.requests + 1,
            self.input_tokens + tokens.input,
            self.cached_tokens + tokens.cached,
            self.output_tokens + tokens.output,
        )


class Log:
    """May be used from any thread. The newest *keep* records are kept, None: all. The bill forgets none."""

    def __init__(self, clock: Callable[[], float], keep: int | None) -> None:
        self._clock = clock
        self._keep = keep
        self._records: dict[int, Record] = {}
        self._bill = Bill()
        self._under_way = 0
        self._most_at_once = 0
        self._changed = threading.Condition()

    def arrived(self, question: Question, call_id: str, fault: Fault) -> None:
        record = Record(
            number=question.number,
            provider=question.provider,
            model=question.model,
            call_id=call_id,
            item_ids=question.item_ids,
            texts=question.texts,
            fault="" if fault is Fault.OK else fault.value,
            arrived_s=self._clock(),
        )
        with self._changed:
            self._records[record.number] = record
            self._under_way += 1
            self._most_at_once = max(self._most_at_once, self._under_way)
            if self._keep is not None and len(self._records) > self._keep:
                del self._records[next(iter(self._records))]

    def answered(self, number: int, status: int, billed: Tokens | None, *, delivered: bool) -> None:
        """*billed* None: nothing is."""
        with self._changed:
            self._bill = self._bill.plus(billed) if billed else self._bill
            self._under_way -= 1
            tokens = billed or Tokens()
            self._amend(
                number,
                status=status,
                input_tokens=tokens.input,
                cached_tokens=tokens.cached,
                output_tokens=tokens.output,
                delivered=delivered,
                answered_s=self._clock(),
            )
            self._changed.notify_all()

    def lost(self, number: int) -> None:
        """What was thought delivered was not."""
        with self._changed:
            self._amend(number, delivered=False)

    def _amend(self, number: int, **facts: Any) -> None:
        if number in self._records:  # or it is forgotten
            self._records[number] = replace(self._records[number], **facts)

    @property
    def records(self) -> tuple[Record, ...]:
        """In order of their numbers."""
        with self._changed:
            return tuple(record for _, record in sorted(self._records.items()))

    @property
    def bill(self) -> Bill:
        with self._changed:
            return self._bill

    @property
    def most_at_once(self) -> int:
        with self._changed:
            return self._most_at_once

    def wait_until_idle(self, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._under_way == 0, timeout_s)
