"""Which of many questions meets which fault: rules first, then a queue, then chance."""

import hashlib
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

FaultT = TypeVar("FaultT", bound=StrEnum)
AskedT = TypeVar("AskedT")


def drawn(*parts: str) -> float:
    """A number in [0, 1) that follows from *parts* alone, in every process."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6]) / 2**48  # 48 bits, which a float holds exactly: never 1.0


def check_chances(chances: Mapping[FaultT, float]) -> None:
    """Raises ValueError unless all are shares that together are at most 1."""
    for fault, share in chances.items():
        if not 0 <= share <= 1:
            raise ValueError(f"the share of {fault} must be from 0 to 1, not {share:g}")
    if sum(chances.values()) > 1 + 1e-9:
        raise ValueError(f"the shares come to {sum(chances.values()):g}; together they can be 1 at most")


@dataclass(slots=True)
class _Rule(Generic[FaultT, AskedT]):
    fault: FaultT
    when: Callable[[AskedT], bool]
    times: int | None

    def applies(self, asked: AskedT) -> bool:
        return self.times != 0 and self.when(asked)

    def use(self) -> FaultT:
        if self.times is not None:
            self.times -= 1
        return self.fault


class Plan(Generic[FaultT, AskedT]):
    """May be asked and changed from any thread. Raises ValueError for chances that are none.

    *none*: the fault that is none. *name*: what of a question chance follows from, beside the seed and how often just
    this was asked.
    """

    def __init__(self, none: FaultT, name: Callable[[AskedT], str], chances: Mapping[FaultT, float], seed: int) -> None:
        check_chances(chances)
        self._none = none
        self._name = name
        self._chances = sorted(chances.items())
        self._seed = seed
        self._rules: list[_Rule[FaultT, AskedT]] = []
        self._queue: deque[FaultT] = deque()
        self._asked: Counter[str] = Counter()
        self._lock = threading.RLock()

    def rule(self, fault: FaultT, when: Callable[[AskedT], bool], times: int | None = None) -> None:
        """Whatever *when* says yes to meets *fault*, the first *times* of it. Earlier rules go first."""
        with self._lock:
            self._rules.append(_Rule(fault, when, times))

    def then(self, *faults: FaultT) -> None:
        """The next that no rule applies to, in order."""
        with self._lock:
            self._queue.extend(faults)

    def fault_for(self, asked: AskedT) -> FaultT:
        """The first rule that applies, or else the next of the queue, or else what chance has in store."""
        with self._lock:
            chance = self._chance(self._name(asked))
            for rule in self._rules:
                if rule.applies(asked):
                    return rule.use()
            return self._queue.popleft() if self._queue else chance

    def _chance(self, name: str) -> FaultT:
        """Follows from the seed, the name, and how often just this name came: not from timing."""
        at = drawn(str(self._seed), name, str(self._asked[name]))
        self._asked[name] += 1
        for fault, share in self._chances:
            at -= share
            if at < 0:
                return fault
        return self._none
