"""Following a run: progress on stderr, the verdict as the last line on stdout. Reads the ledger, touches nothing."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from tallybook.database import Database
from tallybook.domain.errors import LedgerUnavailable
from tallybook.domain.run import Run, Status
from tallybook.ledger import read, snapshot
from tallybook.ledger.snapshot import ClientGlance, Glance
from tallybook.report import words
from tallybook.report.verdict import closing_lines

LOOK_EVERY_S = 0.2
SUMMARY_EVERY_S = 5.0
PATIENCE_S, AGAIN_AFTER_S = 60.0, 5.0
SHARE_OF_TIME = 10
"""Looking takes at most this part (one in ten) of the time, however large the run."""


class Screen(Protocol):
    """Where progress is shown."""

    def show(self, glance: Glance) -> None: ...

    def say(self, text: str) -> None:
        """One line that stays."""

    def close(self) -> None: ...


def follow(
    database: Database,
    run_id: str,
    *,
    verdict: bool = True,
    stop: Callable[[Glance, Screen], bool] | None = None,
    stream: TextIO | None = None,
) -> Run:
    """Show progress until the run is terminal or paused, or *stop* says so; gives the run as it then is.

    *stop* is asked after every look. *verdict* False leaves stdout to the caller. Raises NotFound.
    """
    with screen(stream) as shown:
        watch(database, run_id, shown, stop)
    run = read.run(database, run_id)
    if verdict:
        print("\n".join(closing_lines(run)), flush=True)
    return run


def watch(
    database: Database, run_id: str, shown: Screen, stop: Callable[[Glance, Screen], bool] | None = None
) -> Glance:
    """Look again and again until nothing happens any more."""
    while True:
        since = time.monotonic()
        glance = _look(database, run_id, shown)
        shown.show(glance)
        if glance.resting or (stop is not None and stop(glance, shown)):
            return glance
        took = time.monotonic() - since
        time.sleep(max(LOOK_EVERY_S - took, (SHARE_OF_TIME - 1) * took))


def _look(database: Database, run_id: str, shown: Screen) -> Glance:
    """A database that does not answer for a moment ends nobody's run. Raises LedgerUnavailable after a minute."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return snapshot.glance(database, run_id)
        except LedgerUnavailable as error:
            if time.monotonic() > until or not error.retryable:
                raise
            shown.say(f"Waiting for the database: {error}")
            time.sleep(AGAIN_AFTER_S)


@contextmanager
def screen(stream: TextIO | None = None) -> Iterator[Screen]:
    """What suits *stream* (stderr): a table that moves on a terminal, plain lines elsewhere."""
    out = stream or sys.stderr
    shown = _make(out)
    try:
        yield shown
    finally:
        shown.close()


def _make(out: TextIO) -> Screen:
    from tallybook.cli import progress_table

    return progress_table.TableScreen(out) if progress_table.suits(out) else PlainScreen(out)


@dataclass
class PlainScreen:
    """Lines for a pipe or a log: one for every change of a client's status, and now and then a summary."""

    out: TextIO
    _seen: dict[str, Status] = field(default_factory=dict)
    _status: Status | None = None
    _summed_up_at: float | None = None

    def show(self, glance: Glance) -> None:
        for line in self._news(glance):
            self.say(line)
        if self._summary_is_due() and not glance.resting:
            self.say(summary(glance))

    def _summary_is_due(self) -> bool:
        now = time.monotonic()
        if self._summed_up_at is not None and now - self._summed_up_at < SUMMARY_EVERY_S:
            return False
        first = self._summed_up_at is None
        self._summed_up_at = now
        return not first

    def say(self, text: str) -> None:
        print(text, file=self.out, flush=True)

    def close(self) -> None:
        self.out.flush()

    def _news(self, glance: Glance) -> Iterator[str]:
        if self._status is None:
            yield f"run {glance.run_id}: {words.plain(glance.status)}"
        self._status = glance.status
        for client in glance.clients:
            if client.status is not self._seen.get(client.client_id, Status.QUEUED):
                yield client_line(client)
            self._seen[client.client_id] = client.status


def client_line(client: ClientGlance) -> str:
    """`acme-law: completed, 60 found = 58 scored + 1 skipped + 1 failed + 0 pending, 12.5k tokens`."""
    parts = [words.plain(client.status)]
    if client.blocked_reason:
        parts.append(words.blocked_reason(client.blocked_reason))
    if client.tally.found:
        parts.append(words.counts(client.tally))
    return f"{client.client_id}: {', '.join([*parts, *_spent(client)])}"


def _spent(client: ClientGlance) -> Iterator[str]:
    if client.tally.calls:
        yield f"{words.short(client.tally.total_tokens)} tokens"
        yield words.cost(client.tally)


def summary(glance: Glance) -> str:
    """`2 of 3 clients done, 120 of 180 leads, 2 failed, 12.5k tokens, $0.0123`."""
    tally = glance.tally
    done = sum(1 for each in glance.clients if each.status.terminal)
    parts = [f"{done} of {words.count(len(glance.clients), 'client')} done", f"{tally.done:,} of {tally.found:,} leads"]
    if tally.failed:
        parts.append(f"{tally.failed:,} failed")
    if tally.calls:
        parts += [f"{words.short(tally.total_tokens)} tokens", words.cost(tally)]
    return f"{glance.run_id}: {', '.join(parts)}"
