"""Phrases written as /regex/, made safe to run on any text: Python's matcher has no time limit."""

import math
import re

from tallybook.scorers.words import fold, unfolded_span

LONGEST_PATTERN = 200
PATTERN_REACH = 5_000
"""Characters of a text that patterns see."""
MOST_REPEATS = 2
LONGEST_REPEAT = 60
LONGEST_GAP = 5
"""Each repeat multiplies the worst case by its length: 2 of 60 on a text of 5,000 take 0.15 s, 3 take 8 s."""

_PARTS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?=[\d,])\d*,?\d*\}|\(\?[:=!<>P]*|.", re.DOTALL)
_RANGE = re.compile(r"\{(\d*)(,?)(\d*)\}")
_SPACES = (" ", r"\s")


def compiled(phrase: str) -> re.Pattern[str] | None:
    """The pattern of a phrase written as /regex/, ignoring case; '*' and '+' repeat at most 60 times, spaces 5 times.

    None for plain words, and for a regex that is broken, matches nothing at all, repeats a group or has more than two
    repeats: those are looked for as the words they are made of.
    """
    source = phrase.strip()
    if len(source) < 3 or len(source) > LONGEST_PATTERN or not (source.startswith("/") and source.endswith("/")):
        return None
    bounded = _bounded(source[1:-1])
    if bounded is None:
        return None
    try:
        pattern = re.compile(bounded, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError):
        return None
    return None if pattern.match("") else pattern


def _bounded(source: str) -> str | None:
    """*source* with every repeat limited. None when it repeats a group, as /(a+)+b/ does, or has too many repeats."""
    written, repeats, repeated = "", 0, ""
    for part in _PARTS.findall(source):
        limits = _limits(part) if repeated else None
        if limits is None:
            written += part
            repeated = "" if part == "?" else part
            continue
        least, most = limits[0], min(limits[1], LONGEST_GAP if repeated in _SPACES else LONGEST_REPEAT)
        if repeated == ")" or least > most:
            return None
        written += f"{{{least},{most}}}"
        repeats += least < most and repeated not in _SPACES
        repeated = ""
    return written if repeats <= MOST_REPEATS else None


def _limits(part: str) -> tuple[int, float] | None:
    """How often at least and at most *part*, a quantifier, repeats. None for anything else."""
    if part in ("*", "+"):
        return int(part == "+"), math.inf
    found = _RANGE.fullmatch(part)
    if not found:
        return None
    least, comma, most = found.groups()
    return int(least or 0), int(most or "1000") if comma else int(least or 0)


def searched(pattern: re.Pattern[str], text: str) -> tuple[int, int] | None:
    """Where *pattern* matches *text* as it is written, or else without its accents. An empty match is none."""
    reach = text[:PATTERN_REACH]
    found = pattern.search(reach)
    if found and found.end() > found.start():
        return found.span()
    if reach.isascii():
        return None
    found = pattern.search(fold(reach))
    return unfolded_span(reach, *found.span()) if found and found.end() > found.start() else None
