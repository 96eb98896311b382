"""Which request to a model meets which fault."""

from collections.abc import Callable, Mapping

from tallybook.testing.lookalike_plan import Plan
from tallybook.testing.model_asking import Question
from tallybook.testing.model_faults import Fault

When = Callable[[Question], bool]


class FaultPlan(Plan[Fault, Question]):
    """Chance follows from the set of items that a request asks about."""

    def __init__(self, chances: Mapping[Fault, float], seed: int) -> None:
        super().__init__(Fault.OK, lambda question: "\0".join(sorted(question.item_ids)), chances, seed)
