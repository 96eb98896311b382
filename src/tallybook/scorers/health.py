"""How a provider fares, as this process sees it: when it may be asked again, and when asking on is pointless."""

from collections.abc import Callable

MOST_GIVEN_UP = 3
"""So many questions in a row that no try could answer, and the provider is taken for broken."""


LONGEST_HOLD_S = 86_400.0
UNDER_WAY_S = 60.0
"""For so long after a refusal, questions that were under way by then may come back with the same."""


class Health:
    """Shared by everything that asks one provider. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._not_before = 0.0
        self._given_up = 0
        self._found_out_at: float | None = None
        self.ever_answered = False

    @property
    def wait_s(self) -> float:
        """How long the provider asked to be left alone."""
        return max(0.0, self._not_before - self._clock())

    def hold(self, seconds: float) -> None:
        """The provider asked for a pause; it goes for every question, not only for the one it answered."""
        self._not_before = max(self._not_before, self._clock() + min(seconds, LONGEST_HOLD_S))

    def answered(self) -> None:
        self._given_up, self._found_out_at, self.ever_answered = 0, None, True

    def give_up(self) -> bool:
        """A question is given up. True when that makes too many: nothing is to be asked for a while."""
        self._given_up += 1
        return self._given_up >= MOST_GIVEN_UP

    def first_to_mend(self) -> bool:
        """Something must be mended by hand. True for the first question that finds out: its leads alone have failed,
        those of others that were under way stay pending. Long after, whoever asks again is the first again.
        """
        now = self._clock()
        first = self._found_out_at is None or now - self._found_out_at > UNDER_WAY_S
        self._found_out_at = now if first else self._found_out_at
        return first
