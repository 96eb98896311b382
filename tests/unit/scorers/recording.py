"""A meter that books nothing and remembers everything."""

from dataclasses import dataclass, field

from tallybook.domain.ports import UNKNOWN
from tallybook.domain.tally import Estimate, Usage


@dataclass
class RecordingMeter:
    """*started*: provider and model of each call. *settled*: id, result and usage of each call that ended. *estimates*,
    *refused*, *paused*: what was set aside, which calls the provider refused, the seconds waited in between. No wait is
    made. *notes*: kinds and texts of events.
    """

    started: list[tuple[str, str]] = field(default_factory=list)
    settled: list[tuple[str, str, Usage]] = field(default_factory=list)
    estimates: list[Estimate] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    async def start(
        self, *, provider: str, model: str, attempt: int = 1, estimate: Estimate = UNKNOWN, patient: bool = True
    ) -> str:
        self.started.append((provider, model))
        self.estimates.append(estimate)
        return f"call-{len(self.started)}"

    def settle(self, call_id: str, *, result: str, usage: Usage, refused: bool = False) -> None:
        self.settled.append((call_id, result, usage))
        if refused:
            self.refused.append(call_id)

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)

    def note(self, kind: str, text: str) -> None:
        self.notes.append((kind, text))
