"""How log lines look: key=value on a terminal, JSON for machines; with what they concern, and without secrets (F35).

Everything logs through `logging`, as it always did. structlog puts it in words, and is imported with the first line.
"""

import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from tallybook.domain.concern import concerned
from tallybook.settings.masking import Mask
from tallybook.settings.secret import Secret
from tallybook.settings.sections import Settings

OURS = "tallybook"
CHATTY = ("dbos",)
Event = MutableMapping[str, Any]


def configure(settings: Settings) -> None:
    """From here on, for this process. The last one who says so is right; handlers of others are left alone."""
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, _Lines)]:
        root.removeHandler(handler)
    level = logging.getLevelNamesMapping()[settings.log.level.upper()]
    root.addHandler(_Lines(settings, level))
    root.setLevel(level)
    for name in CHATTY:
        _through_us(logging.getLogger(name))


def _through_us(library: logging.Logger) -> None:
    """A library that would write by itself, past whatever hides secrets, does not where it has a handler already."""
    library.handlers = [logging.NullHandler()]
    library.propagate = True


class _Lines(logging.Handler):
    """Writes to whatever stderr is just now. A line that cannot be written is no reason to break what it tells of."""

    def __init__(self, settings: Settings, level: int) -> None:
        super().__init__()
        self._theirs = max(level, logging.WARNING) if level > logging.DEBUG else logging.INFO
        self.addFilter(self._worth_it)
        self.setFormatter(_Words(settings))

    def _worth_it(self, record: logging.LogRecord) -> bool:
        """What libraries have to say is worth less."""
        return record.name.partition(".")[0] == OURS or record.levelno >= self._theirs

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except (TypeError, ValueError, LookupError, AttributeError) as error:  # its arguments do not fit its text
            line = f"{record.name}:{record.lineno} logs what cannot be put in words: {type(error).__name__}"
        if sys.stderr is not None:
            with suppress(OSError, ValueError):  # nobody reads it any more
                sys.stderr.write(f"{line}\n")
                sys.stderr.flush()


class _Words(logging.Formatter):
    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._asked = settings.log.format
        self._mask = Mask(settings)
        self._made: dict[bool, logging.Formatter] = {}

    def format(self, record: logging.LogRecord) -> str:
        on_terminal = sys.stderr is not None and sys.stderr.isatty()
        as_json = self._asked == "json" or (self._asked == "auto" and not on_terminal)
        if as_json not in self._made:
            self._made[as_json] = _formatter(as_json=as_json, colors=on_terminal and "NO_COLOR" not in os.environ)
        return self._mask(self._made[as_json].format(record))


def _formatter(*, as_json: bool, colors: bool) -> logging.Formatter:
    import structlog

    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if not as_json:
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0, exception_formatter=plain)
    before: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _concerned,
        _by_type,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
    ]
    if as_json:
        before.append(structlog.processors.format_exc_info)
    last = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=before, processors=last)


def _concerned(_logger: object, _name: str, event: Event) -> Event:
    """What somebody said with the line goes before what is known of where it was said."""
    return {**concerned(), **event}


def _by_type(_logger: object, _name: str, event: Event) -> Event:
    event.pop("message", None)  # the event again, where another handler was first
    return {name: _without_secrets(value) for name, value in event.items()}


def _without_secrets(value: object) -> object:
    """A Secret as it shows itself, however deep in a structure."""
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, Mapping):
        return {name: _without_secrets(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_without_secrets(each) for each in value]
    return value
