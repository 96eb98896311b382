"""A meter that books nothing and remembers everything."""

from dataclasses import dataclass, field

from tallybook.domain.tally import Usage


@dataclass
class RecordingMeter:
    """*started*: provider and model of each call. *settled*: id, result and usage of each call that ended."""

    started: list[tuple[str, str]] = field(default_factory=list)
    settled: list[tuple[str, str, Usage]] = field(default_factory=list)

    async def start(self, *, provider: str, model: str, attempt: int = 1) -> str:
        self.started.append((provider, model))
        return f"call-{len(self.started)}"

    def settle(self, call_id: str, *, result: str, usage: Usage) -> None:
        self.settled.append((call_id, result, usage))
