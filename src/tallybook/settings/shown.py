"""What `config show` prints."""

from collections.abc import Iterator
from dataclasses import fields
from typing import NamedTuple

from tallybook.settings.load import Loaded
from tallybook.settings.sections import SETTINGS, Price, Schedule


class Shown(NamedTuple):
    """A setting as people see it: secrets masked, *value* None where nothing is set."""

    key: str
    value: str | None
    origin: str


def shown(loaded: Loaded) -> list[Shown]:
    """Every setting in the order of the template, then the schedules and the prices."""
    return [Shown(key, value, str(loaded.origins[key])) for key, value in _values(loaded)]


def _values(loaded: Loaded) -> Iterator[tuple[str, str | None]]:
    settings = loaded.settings
    for key, setting in SETTINGS.items():
        yield key, _text(getattr(getattr(settings, setting.section), setting.name))
    for number, schedule in enumerate(settings.schedule, 1):
        yield f"schedule.{number}", _line(schedule)
    for price in settings.prices:
        yield f"prices.{price.model}", _line(price, leave_out="model")


def _line(entry: Schedule | Price, leave_out: str = "") -> str:
    """What is set in a schedule or a price: `stream=1, cron=0 6 * * mon-fri`."""
    names = [each.name for each in fields(entry) if each.name != leave_out]
    texts = {name: _text(getattr(entry, name)) for name in names}
    return ", ".join(f"{name}={text}" for name, text in texts.items() if text is not None)


def _text(value: object) -> str | None:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or None
    return None if value is None else str(value)
