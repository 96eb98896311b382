"""Which request meets which fault: rules first, then a queue, then chance."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tallybook.testing.model_asking import Question, drawn
from tallybook.testing.model_faults import Fault, check_chances

When = Callable[[Question], bool]


@dataclass(slots=True)
class _Rule:
    fault: Fault
    when: When
    times: int | None

    def applies(self, question: Question) -> bool:
        return self.times != 0 and self.when(question)

    def use(self) -> Fault:
        if self.times is not None:
            self.times -= 1
        return self.fault


class FaultPlan:
    """May be asked and changed from any thread. Raises ValueError for chances that are none."""

    def __init__(self, chances: Mapping[Fault, float], seed: int) -> None:
        check_chances(chances)
        self._chances = sorted(chances.items())
        self._seed = seed
        self._rules: list[_Rule] = []
        self._queue: deque[Fault] = deque()
        self._asked: Counter[str] = Counter()
        self._lock = threading.RLock()

    def rule(self, fault: Fault, when: When, times: int | None) -> None:
        with self._lock:
            self._rules.append(_Rule(fault, when, times))

    def then(self, *faults: Fault) -> None:
        with self._lock:
            self._queue.extend(faults)

    def fault_for(self, question: Question) -> Fault:
        """The first rule that applies, or else the next of the queue, or else what chance has in store."""
        with self._lock:
            chance = self._chance(question)
            for rule in self._rules:
                if rule.applies(question):
                    return rule.use()
            return self._queue.popleft() if self._queue else chance

    def _chance(self, question: Question) -> Fault:
        """Follows from the seed, the set of items, and how often just this set was asked about: not from timing."""
        asked = "\0".join(sorted(question.item_ids))
        at = drawn(str(self._seed), asked, str(self._asked[asked]))
        self._asked[asked] += 1
        for fault, share in self._chances:
            at -= share
            if at < 0:
                return fault
        return Fault.OK
