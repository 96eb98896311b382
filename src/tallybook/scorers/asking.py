"""Getting an answer for every item out of a provider that fails, cuts, blocks and forgets.

Each remedy is used once on the way to an item's answer, then the question is made smaller, down to the single item: so
a bad answer costs at most the lead it is about (F23).
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from zoneinfo import ZoneInfo

from tallybook.domain.errors import ProviderStop
from tallybook.domain.outcome import FailReason
from tallybook.domain.ports import Answer, Failure, Item, Judgement, Meter
from tallybook.domain.rubric import Attribute
from tallybook.scorers.attempts import Attempts, Heard
from tallybook.scorers.prompt import Question, question
from tallybook.scorers.provider import Remedy, Trouble, Turn

MOST_REPEATED = 4_000
"""Characters of a bad answer that the model is shown again."""
BROKEN_FOR = timedelta(minutes=15)
_PACIFIC = ZoneInfo("America/Los_Angeles")


class Second(Enum):
    """Why a question is put a second time."""

    FORMAT = auto()
    MISSING = auto()
    RANGE = auto()


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to be put. *tried*: the remedies used so far. *after*: what was said before, and what was wrong."""

    items: tuple[Item, ...]
    tried: frozenset[Second] = frozenset()
    after: tuple[Turn, ...] = ()

    def turns(self, asked: Question) -> Sequence[Turn]:
        return (Turn(asked.text), *self.after)

    def again(self, why: Second, after: Iterable[Turn] = (), items: Sequence[Item] | None = None) -> "Ask":
        return Ask(self.items if items is None else tuple(items), self.tried | {why}, tuple(after))

    def halves(self) -> list["Ask"]:
        middle = (len(self.items) + 1) // 2
        return [replace(self, items=part, after=()) for part in (self.items[:middle], self.items[middle:])]

    def singles(self) -> list["Ask"]:
        return [replace(self, items=(item,), after=()) for item in self.items]


class Asking:
    """Questions about the items of one chunk. *answers*: what came of it, by key."""

    def __init__(
        self, attempts: Attempts, attributes: Sequence[Attribute], meter: Meter, now: Callable[[], datetime]
    ) -> None:
        self.answers: dict[str, Answer] = {}
        self._attempts = attempts
        self._attributes = attributes
        self._meter = meter
        self._now = now
        self._stop: ProviderStop | None = None

    async def about(self, items: Sequence[Item]) -> None:
        """Leaves an answer for each of *items*; a ProviderStop where asking ended before there was one."""
        todo = deque([Ask(tuple(items))])
        while todo and self._stop is None:
            try:
                todo.extend(await self._put(todo[0]))
                todo.popleft()
            except ProviderStop as stop:
                self._stop = stop
        if self._stop is not None:
            self._leave_pending([item for ask in todo for item in ask.items], self._stop)

    def _leave_pending(self, items: Sequence[Item], stop: ProviderStop) -> None:
        """Those without a good answer. A judgement that was to be asked for again is none."""
        for item in items:
            if not isinstance(self.answers.get(item.key), Failure):
                self.answers[item.key] = stop

    async def _put(self, ask: Ask) -> Sequence[Ask]:
        """Put a question; gives what is still to be asked. Raises ProviderStop."""
        asked = question(self._attributes, ask.items)
        try:
            heard = await self._attempts.hear(asked, ask.turns(asked), self._attributes, self._meter)
        except Trouble as trouble:
            return self._give_up(ask, trouble)
        self._note(heard)
        match heard.reason:
            case None:
                return self._take(ask, heard)
            case FailReason.SAFETY_BLOCK:
                return ask.singles() if len(ask.items) > 1 else self._fail(ask, heard.reason, heard.why)
            case FailReason.OUTPUT_TRUNCATED:
                return self._smaller(ask, heard.reason, heard.why)
        if Second.FORMAT not in ask.tried:
            return [ask.again(Second.FORMAT, _correction(heard))]
        return self._smaller(ask, heard.reason, heard.why)

    def _take(self, ask: Ask, heard: Heard) -> Sequence[Ask]:
        """Keep what is good; what is missing, or out of range, is asked about again, alone and once."""
        reading = heard.reading
        self.answers |= {
            key: each for key, each in reading.judged.items() if self._is_better(key, reading.out_of_range)
        }
        further = []
        missing = [item for item in ask.items if item.key in reading.missing]
        if missing and Second.MISSING not in ask.tried:
            further.append(ask.again(Second.MISSING, items=missing))
        else:
            for item in missing:
                self._fail(replace(ask, items=(item,)), FailReason.MISSING_FROM_ANSWER, reading.missing[item.key])
        outside = [item for item in ask.items if item.key in reading.out_of_range]
        if outside and Second.RANGE not in ask.tried:
            said = "; ".join(sorted({reading.out_of_range[item.key] for item in outside}))
            further.append(ask.again(Second.RANGE, [Turn(_KEEP_TO_RANGE.format(said=said))], items=outside))
        return further

    def _is_better(self, key: str, out_of_range: Iterable[str]) -> bool:
        """A judgement that is out of range replaces none: it is clamped and flagged where it is the only one."""
        return key not in out_of_range or not isinstance(self.answers.get(key), Judgement)

    def _smaller(self, ask: Ask, reason: FailReason, why: str) -> Sequence[Ask]:
        return ask.halves() if len(ask.items) > 1 else self._fail(ask, reason, why)

    def _fail(self, ask: Ask, reason: FailReason, why: str, stop: ProviderStop | None = None) -> Sequence[Ask]:
        for item in ask.items:
            self.answers.setdefault(item.key, Failure(reason, why, stop))
        return ()

    def _note(self, heard: Heard) -> None:
        for kind, text in heard.reading.remarks:
            self._meter.note(kind, text)

    # -- when the provider does not answer

    def _give_up(self, ask: Ask, trouble: Trouble) -> Sequence[Ask]:
        """No try was answered. Raises ProviderStop when no question will be."""
        match trouble.remedy:
            case Remedy.ASK_LESS if len(ask.items) > 1 or self._attempts.health.ever_answered:
                return self._smaller(ask, trouble.reason, str(trouble))
            case Remedy.WAIT:
                raise self._stopped(trouble, "provider_unavailable", self._in(trouble.wait_s))
            case Remedy.WAIT_FOR_QUOTA:
                raise self._stopped(trouble, "provider_quota", self._quota_turns(trouble.wait_s))
            case Remedy.MEND_KEY | Remedy.MEND_SETTINGS | Remedy.ASK_LESS:
                stop = self._stopped(trouble, trouble.reason.value, None)
                if self._attempts.health.first_to_mend():
                    self._fail(ask, trouble.reason, str(trouble), stop)
                raise stop
        if self._attempts.health.give_up():
            raise self._stopped(
                trouble, "provider_unavailable", max(self._now() + BROKEN_FOR, self._in(trouble.wait_s))
            )
        return self._fail(ask, trouble.reason, str(trouble))

    def _stopped(self, trouble: Trouble, blocked_reason: str, wake_at: datetime | None) -> ProviderStop:
        cure = _CURES.get(trouble.remedy, "")
        text = f"{trouble}. {cure}" if cure else str(trouble)
        return ProviderStop(text, reason=trouble.reason, blocked_reason=blocked_reason, wake_at=wake_at)

    def _in(self, wait_s: float | None) -> datetime:
        return self._now() + timedelta(seconds=wait_s or 0)

    def _quota_turns(self, wait_s: float | None) -> datetime | None:
        """When the quota of the day is new. Google counts days of the Pacific coast, and its own hint, some seconds, is
        about the minute; what others sell by the day nobody but they can say.
        """
        now = self._now()
        if wait_s is not None and wait_s >= 3_600:
            return self._in(wait_s)
        if self._attempts.provider.name != "google":
            return None
        tomorrow = now.astimezone(_PACIFIC).date() + timedelta(days=1)
        return datetime.combine(tomorrow, datetime.min.time(), _PACIFIC).astimezone(UTC)


_CURES = {
    Remedy.MEND_KEY: "Mend scorer.api_key (TALLYBOOK_SCORER__API_KEY)",
    Remedy.MEND_SETTINGS: "Mend scorer.model or scorer.base_url",
    Remedy.ASK_LESS: "Mend scorer.model or scorer.base_url",
}
_KEEP_TO_RANGE = "In an earlier answer there were {said}. Keep to the range of each attribute."


def _correction(heard: Heard) -> Sequence[Turn]:
    """What was wrong, said to the model. Of an empty answer there is nothing to show it."""
    if not heard.said.strip():
        return ()
    shown = Turn(heard.said[:MOST_REPEATED], ours=False)
    return shown, Turn(f"That answer cannot be used: {heard.why}. Answer again, about the same items.")
