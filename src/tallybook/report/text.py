"""The report of a run as plain text, 80 columns wide."""

import unicodedata
from collections.abc import Iterator, Sequence
from textwrap import wrap

from tallybook.domain.figures import LeadFigures
from tallybook.domain.run import Run
from tallybook.domain.tally import Tally
from tallybook.report import words
from tallybook.report.content import Content, Row, content

WIDTH = 80
NAME = 23
HEADINGS = ("found", "ok", "skipped", "failed", "pending", "tokens", "cost")
WIDTHS = (6, 6, 7, 6, 7, 7, 9)


def text_report(run: Run, *, previous: Run | None = None, leads: LeadFigures | None = None) -> str:
    """The whole report."""
    return "\n".join(_lines(content(run, previous=previous, leads=leads))) + "\n"


def text_summary(run: Run) -> str:
    """What `run show` prints: the report without the comparison and without commands."""
    found = content(run)
    lines = [*_heading(found), *_table(found.rows), *_reasons(found), *_cost(found), *_claims(found)]
    return "\n".join(lines) + "\n"


def _lines(found: Content) -> Iterator[str]:
    yield from _heading(found)
    yield from _changes(found)
    yield from _table(found.rows)
    if found.leads:
        yield from ("", *wrapped(found.leads))
    yield from _reasons(found)
    yield from _cost(found)
    yield from _claims(found)
    yield from ("", "Next")
    yield from (f"  {what}: {command}" for what, command in found.commands)


def _heading(found: Content) -> Iterator[str]:
    yield found.title
    yield from (f"  {each}" for each in found.circumstances)
    yield ""
    yield from wrapped(f"{words.SIGNS[found.status]} {found.verdict}", then=2)


def _changes(found: Content) -> Iterator[str]:
    if found.previous is None:
        return
    yield ""
    yield f"Since run {found.previous}"
    if not found.changes:
        yield "  no figure is different"
    for each in found.changes:
        before, after, difference = each.shown
        yield f"  {each.name:<18} {after:>12}   was {before}, {difference}"


def _table(rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    yield ""
    yield _line("", HEADINGS)
    for row in rows:
        yield from _row(row)


def _row(row: Row) -> Iterator[str]:
    """What has no figures says why on its line; else a note has a line of its own."""
    if row.note and row.tally == Tally():
        yield from wrapped(f"{padded(_name(row), NAME)}      {one_line(row.note)}", then=NAME + 6)
        return
    yield _line(_name(row), figures_of(row.tally))
    if row.note:
        yield from wrapped(one_line(row.note), first=6, then=6)


def wrapped(text: str, first: int = 0, then: int = 0) -> list[str]:
    """*text* in lines of at most 80 columns, indented by so many; a command or an id is not cut."""
    return wrap(
        text,
        WIDTH,
        initial_indent=" " * first,
        subsequent_indent=" " * then,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )


def _name(row: Row) -> str:
    sign = words.SIGNS[row.status] if row.status else " "
    return f"    {row.name}" if row.within else f"{sign} {one_line(row.name)}"


def figures_of(tally: Tally) -> tuple[str, ...]:
    """In the order of HEADINGS."""
    numbers = (tally.found, tally.ok, tally.skipped, tally.failed, tally.pending)
    tokens = words.short(tally.total_tokens) if tally.calls else words.NOTHING
    return (*(f"{each:,}" for each in numbers), tokens, words.cost(tally))


def _line(name: str, cells: Sequence[str]) -> str:
    figures = "".join(f" {cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True))
    return f"{padded(name, NAME)}{figures}"


def padded(text: str, columns: int) -> str:
    """*text* in exactly so many columns, cut with an ellipsis. Signs of East Asia and emoji are two wide."""
    kept, taken = "", 0
    for character in text:
        wide = _columns(character)
        if taken + wide > columns - 1 and _width(text) > columns:
            cut = f"{kept.rstrip()}…"
            return cut + " " * (columns - _width(cut))
        kept, taken = kept + character, taken + wide
    return kept + " " * (columns - taken)


def _width(text: str) -> int:
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def one_line(text: str) -> str:
    """Without what could move the cursor or begin a line of its own."""
    return "".join(each if each.isprintable() else " " for each in text).strip()


def _reasons(found: Content) -> Iterator[str]:
    if not found.reasons:
        return
    yield from ("", "Why")
    for each in found.reasons:
        yield from wrapped(f"{each.number:>8,} {each.kind}: {each.reason} ({each.meaning})", then=9)


def _cost(found: Content) -> Iterator[str]:
    yield from ("", "Cost")
    for each in found.cost:
        yield from wrapped(each, first=2, then=4)


def _claims(found: Content) -> Iterator[str]:
    if not found.claims:
        return
    yield from ("", "Claims (said by the reporting program, not counted by Tallybook)")
    for each in found.claims:
        yield from wrapped(f"{one_line(each.who)}: {each.field} {one_line(each.value)}", first=2, then=4)
