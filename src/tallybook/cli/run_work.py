"""Working a run in the foreground: an engine, progress, and what Ctrl-C and SIGTERM mean.

Ctrl-C once pauses the run and waits until the calls in flight have let go. SIGTERM, with which a machine stops its
programs, hands the run back: it is not paused, and the next process that works goes on with it. A second signal of
either kind leaves at once; the run can be resumed all the same.
"""

import os
import signal
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from tallybook.cli.exits import ExitCode
from tallybook.cli.progress import LOOK_EVERY_S, Screen, follow
from tallybook.domain.errors import Conflict, Terminal
from tallybook.domain.run import Run, Status, Stop
from tallybook.engine import trigger
from tallybook.ledger.snapshot import Glance

if TYPE_CHECKING:
    from tallybook.app import App
    from tallybook.engine.engine import Engine

BY_CTRL_C = "paused by Ctrl-C"
LET_GO_S = 10.0
TELL_S = 10.0
"""So long, followers are waited for; what is left the next process tells them."""
_SHOW_CURSOR = b"\x1b[?25h\n"


class Interrupts(AbstractContextManager["Interrupts"]):
    """Remembers the first SIGINT or SIGTERM instead of raising; the second ends the process."""

    def __init__(self) -> None:
        self.asked: int | None = None
        self.recorded = False
        """The books know that the run is to pause."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._told)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _told(self, number: int, _frame: FrameType | None) -> None:
        if self.asked is not None:
            self._leave()
        self.asked = number

    def _leave(self) -> None:
        """Nothing is tidied up: whoever presses twice wants out."""
        if sys.stderr is not None and sys.stderr.isatty():
            os.write(2, _SHOW_CURSOR)
        os._exit(ExitCode.PAUSED if self.recorded else ExitCode.INTERRUPTED)


@dataclass
class Stopping:
    """Asked after every look: passes on what a signal asked for. True ends the looking."""

    app: "App"
    engine: "Engine"
    run_id: str
    interrupts: Interrupts

    def __call__(self, glance: Glance, shown: Screen) -> bool:
        if self.interrupts.asked == signal.SIGTERM:
            shown.say("Stopping: handing the run back to whoever works next.")
            return True
        if self.interrupts.asked is not None and not self.interrupts.recorded:
            shown.say("Pausing: calls in flight let go. Ctrl-C again leaves at once; the run can be resumed.")
            self._pause()
        return False

    def _pause(self) -> None:
        try:
            trigger.stop(self.app.ledger, self.run_id, Stop.PAUSE, BY_CTRL_C)
        except Terminal:
            return  # it ended just now; the next look sees it
        self.interrupts.recorded = True
        self.engine.nudge()


def work(app: "App", run_id: str, interrupts: Interrupts, *, resume: bool = False) -> Run:
    """Work until the run is terminal or paused, or a signal says to stop. *resume*: put it back in the queue first.

    Raises SlotsTaken, LedgerUnavailable; with *resume* also Terminal.
    """
    from tallybook.ledger import read

    with app.engine() as engine:
        if resume:
            resume_when_let_go(app, run_id)
            engine.nudge()
        follow(app.database, run_id, verdict=False, stop=Stopping(app, engine, run_id, interrupts))
        if interrupts.asked is None:
            engine.tell_rest(TELL_S)
    return read.run(app.database, run_id)


def resume_when_let_go(app: "App", run_id: str) -> bool:
    """Right after a pause its workers may still be letting go. Raises Terminal, and Conflict if they do not."""
    until = time.monotonic() + LET_GO_S
    while True:
        try:
            return trigger.resume(app.ledger, run_id)
        except Terminal:
            raise
        except Conflict:
            if time.monotonic() > until:
                raise
            time.sleep(LOOK_EVERY_S)


def code_after(run: Run, interrupts: Interrupts) -> ExitCode:
    """By the run's status; a run that was handed back is resumable, so 8."""
    from tallybook.cli.exits import code_of_status

    if interrupts.asked is not None and not run.status.terminal:
        return ExitCode.PAUSED
    return code_of_status(run.status)


def handed_back(run: Run) -> str | None:
    """What to say of a run that this process let go of and that nobody paused."""
    if run.status.terminal or run.status is Status.PAUSED:
        return None
    return (
        f"Handed back: run {run.run_id} goes on as soon as a process works on this database."
        f" Go on here: tallybook run resume {run.run_id}"
    )
