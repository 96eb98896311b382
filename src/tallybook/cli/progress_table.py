"""Progress on a terminal: a line per client, drawn in place. rich is imported only when there is a terminal."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from tallybook.domain.run import Status
from tallybook.domain.tally import Tally
from tallybook.ledger.snapshot import ClientGlance, Glance
from tallybook.report import words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

WIDE = 100
BAR = 8
FIGURES = ("leads", "ok", "skipped", "failed", "tokens", "cost", "left")
LINES_BESIDE_CLIENTS = 5
STYLES = {
    Status.QUEUED: "dim",
    Status.PAUSED: "yellow",
    Status.COMPLETED: "green",
    Status.COMPLETED_WITH_ERRORS: "yellow",
    Status.FAILED: "red",
    Status.CANCELED: "red",
    Status.TIMED_OUT: "red",
}
_FIRST = (Status.RUNNING, Status.PAUSED, Status.FAILED, Status.COMPLETED_WITH_ERRORS, Status.TIMED_OUT)
ENDINGS = {
    Status.QUEUED: "waits",
    Status.PAUSED: "paused",
    Status.COMPLETED: "done",
    Status.COMPLETED_WITH_ERRORS: "errors",
    Status.FAILED: "failed",
    Status.CANCELED: "ended",
    Status.TIMED_OUT: "timeout",
}


def suits(out: TextIO) -> bool:
    """Is *out* a terminal that can be drawn on?"""
    return out.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


@dataclass
class Pace:
    """How fast somebody works, from what was seen since we looked first."""

    since: float
    done: int

    def left_s(self, now: float, tally: Tally) -> float | None:
        """Seconds until nothing is pending; None while nobody can say."""
        gained = tally.done - self.done
        if gained <= 0 or now <= self.since:
            return None
        return tally.pending * (now - self.since) / gained


@dataclass
class TableScreen:
    """Draws at most what fits the window: who is being worked on first. The last one drawn stays."""

    out: TextIO
    _live: "Live | None" = None
    _console: "Console | None" = None
    _paces: dict[str, Pace] = field(default_factory=dict)
    _since: float = field(default_factory=time.monotonic)

    def show(self, glance: Glance) -> None:
        now = time.monotonic()
        for client in glance.clients:
            self._paces.setdefault(client.client_id, Pace(now, client.tally.done))
        self._draw().update(self.table(glance, now), refresh=True)

    def say(self, text: str) -> None:
        self._draw().console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _draw(self) -> "Live":
        from rich.console import Console
        from rich.live import Live

        if self._live is None:
            self._console = Console(file=self.out, force_terminal=True)
            self._live = Live(console=self._console, auto_refresh=False, transient=False, redirect_stdout=False)
            self._live.start()
        return self._live

    def table(self, glance: Glance, now: float) -> "Table":
        width, height = (self._console.width, self._console.height) if self._console else (80, 24)
        table = _empty_table(wide=width >= WIDE)
        shown = fitting(glance.clients, max(1, height - LINES_BESIDE_CLIENTS))
        for client in shown:
            table.add_row(*self._cells(client, now, wide=width >= WIDE), style=STYLES.get(client.status, ""))
        rest = set(glance.clients) - set(shown)
        if rest:
            table.add_row(f"and {len(rest)} more", style="dim")
        table.add_section()
        table.add_row(*self._total(glance, now, wide=width >= WIDE), style="bold")
        return table

    def _cells(self, client: ClientGlance, now: float, *, wide: bool) -> list["str | Text"]:
        name = _text(f"{words.SIGNS[client.status]} {client.client_id}")
        doing = [_text(words.plain(client.doing or client.blocked_reason or ""))] if wide else []
        return [name, *doing, *_figures(client.tally), self._left(client, now)]

    def _left(self, client: ClientGlance, now: float) -> str:
        if client.status is not Status.RUNNING:
            return ENDINGS[client.status]
        pace = self._paces.get(client.client_id)
        left_s = pace.left_s(now, client.tally) if pace else None
        return words.NOTHING if left_s is None else words.clock(left_s)

    def _total(self, glance: Glance, now: float, *, wide: bool) -> list["str | Text"]:
        done = sum(1 for each in glance.clients if each.status.terminal)
        name = _text(f"  {done} of {words.count(len(glance.clients), 'client')}")
        doing = [_text(glance.run_id)] if wide else []
        return [name, *doing, *_figures(glance.tally), words.clock(now - self._since)]


def _text(text: str) -> "Text":
    """As it is: a client id may look like markup."""
    from rich.text import Text

    return Text(text, overflow="ellipsis", no_wrap=True)


def _empty_table(*, wide: bool) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim", expand=False)
    table.add_column("client", min_width=12, max_width=32 if wide else 18, no_wrap=True, overflow="ellipsis")
    if wide:
        table.add_column("", max_width=24, no_wrap=True, overflow="ellipsis")
    table.add_column("", width=BAR, no_wrap=True)
    for name, width in (
        ("leads", 7),
        ("ok", 4),
        ("skipped", 7),
        ("failed", 6),
        ("tokens", 6),
        ("cost", 8),
        ("left", 7),
    ):
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    return table


def _figures(tally: Tally) -> list["str | Text"]:
    leads = f"{words.short(tally.done)}/{words.short(tally.found)}" if tally.found else words.NOTHING
    numbers = [words.short(each) if each else words.NOTHING for each in (tally.ok, tally.skipped)]
    failed = words.short(tally.failed) if tally.failed else words.NOTHING
    tokens = words.short(tally.total_tokens) if tally.calls else words.NOTHING
    return [bar(tally), leads, *numbers, failed, tokens, words.cost(tally)]


def bar(tally: Tally) -> str:
    """Full only when nothing is pending."""
    if not tally.found:
        return "░" * BAR
    full = tally.done * BAR // tally.found
    return "█" * full + "░" * (BAR - full)


def fitting(clients: Sequence[ClientGlance], most: int) -> list[ClientGlance]:
    """As many as fit, in their order; if not all do, those at work first, then those with trouble."""
    if len(clients) <= most:
        return list(clients)
    rank = {status: place for place, status in enumerate(_FIRST)}
    chosen = sorted(clients, key=lambda each: rank.get(each.status, len(rank)))[: max(1, most - 1)]
    return [each for each in clients if each in chosen]
