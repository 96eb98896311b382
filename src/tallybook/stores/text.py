"""Text from outside, made fit to keep: no NUL, which PostgreSQL refuses, and no half of a surrogate pair."""

import re

from tallybook.domain.fields import storable

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_CONTROLS_BUT_LAYOUT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]+")


def storable_or_none(text: str | None) -> str | None:
    return None if text is None else storable(text)


def one_line(text: str) -> str:
    """A name or headline: control characters and line ends become a space, the ends are trimmed."""
    return _CONTROLS.sub(" ", storable(text)).strip()


def long_text(text: str) -> str:
    """A text of several lines: line ends become \\n, tabs stay, other control characters go, the ends are trimmed."""
    unified = storable(text).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS_BUT_LAYOUT.sub("", unified).strip()
