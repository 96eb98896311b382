"""The cron lines a schedule may have: minute, hour, day, month, weekday, in numbers, names, lists, ranges and steps."""

import re
from dataclasses import dataclass

from tallybook.settings.readers import said


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()  # the first one stands for *low*

    def holds(self, word: str) -> bool:
        return all(self._holds_part(part) for part in word.split(","))

    def _holds_part(self, part: str) -> bool:
        found = re.fullmatch(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([0-9]{1,2}))?", part, re.ASCII)
        if not found:
            return False
        first, last, step = found.groups()
        if step is not None and (int(step) == 0 or (first is not None and last is None)):
            return False
        start = self._number(first or str(self.low))
        end = self._number(last or first or str(self.high))
        return start is not None and end is not None and self.low <= start <= end <= self.high

    def _number(self, word: str) -> int | None:
        if word.lower() in self.names:
            return self.low + self.names.index(word.lower())
        return int(word) if re.fullmatch(r"[0-9]{1,2}", word) else None


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)


def cron(value: object) -> str:
    """A reader: five fields. Raises ValueError, naming the field that is off."""
    words = value.split() if isinstance(value, str) else []
    if len(words) != len(_FIELDS):
        raise ValueError(f"must be five fields such as '0 6 * * mon-fri', not {said(value)}")
    for word, field in zip(words, _FIELDS, strict=True):
        if not field.holds(word):
            raise ValueError(f"has {said(word)} for the {field.name}, which must be within {field.low}-{field.high}")
    return " ".join(words)
