"""Is a figure far from what it used to be? By median and median absolute deviation, which one odd run does not move."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

LEAST_RUNS = 5
"""With fewer, nobody knows what is usual."""
FAR = 5.0
"""In deviations. Of figures that spread like a bell, one in a million lies further away."""
TO_SIGMA = 1.4826
"""Times this, the median absolute deviation of a bell curve is its standard deviation (Rousseeuw and Croux, 1993)."""


@dataclass(frozen=True, slots=True)
class Usual:
    """*spread*: the median absolute deviation from *middle*; of so many *runs*."""

    middle: float
    spread: float
    runs: int

    def is_far(self, figure: float, least: float) -> bool:
        """*least*: so far away at least, since runs that were all alike would make any other one odd."""
        return abs(figure - self.middle) > max(FAR * TO_SIGMA * self.spread, least)


def usual(figures: Sequence[float]) -> Usual | None:
    """None: there are too few to say."""
    if len(figures) < LEAST_RUNS:
        return None
    middle = median(figures)
    return Usual(middle, median(abs(each - middle) for each in figures), len(figures))
