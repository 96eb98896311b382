"""What the verbs of `tallybook run` do, other than start."""

import shlex
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from tallybook.cli import output
from tallybook.cli.exits import ExitCode, code_of_status
from tallybook.cli.progress import LOOK_EVERY_S, Screen, follow
from tallybook.cli.run_start import caller, show_worked
from tallybook.cli.run_work import Interrupts, code_after, resume_when_let_go, work
from tallybook.domain.errors import BadInput, Conflict
from tallybook.domain.run import Run, Status, Stop
from tallybook.engine import lease, trigger
from tallybook.engine.worklist import MOST_RUNS
from tallybook.ledger import figures, read, snapshot
from tallybook.ledger import work as ledger_work
from tallybook.ledger.snapshot import Glance
from tallybook.ledger.telling import notes_of_people
from tallybook.report import words
from tallybook.report.diff import diff, diff_facts, diff_text
from tallybook.report.explain import explain, explain_text
from tallybook.report.facts import run_facts, run_head
from tallybook.report.text import text_summary
from tallybook.report.verdict import last_line, next_command, verdict

if TYPE_CHECKING:
    from tallybook.app import App

STOPPED_WITHIN_S = 5.0
NOBODY_AFTER_S = 3.0
_SHORT = {Status.COMPLETED_WITH_ERRORS: "with errors"}


def find(app: "App", text: str) -> Run:
    """The run that a run id, a display id or a client-run label means. Raises InvalidRunId, NotFound."""
    return read.run(app.database, read.find_run(app.database, text))


# -- looking -----------------------------------------------------------------------------------------------------------


def show_list(app: "App", *, limit: int, cursor: str | None, stream: int | None, as_json: bool) -> None:
    """A page of runs, newest first."""
    if cursor is not None and "|" not in cursor:
        raise BadInput(f"{cursor!r} is no cursor; give the next_cursor of the page before")
    runs = read.list_runs(app.database, before=cursor, limit=limit + 1, stream=stream)
    shown = runs[:limit]
    following = read.cursor_of(shown[-1], app.database) if len(runs) > limit else None
    if as_json:
        output.page([run_head(run) for run in shown], following)
        return
    if not runs:
        output.note("No runs yet; `tallybook run start` starts one.")
        return
    headings = ("run", "status", "job", "stream", "ok/leads", "failed", "cost")
    output.table([_row(run) for run in shown], headings, right=(3, 4, 5, 6))
    if following:
        output.note(f"Older ones: tallybook run list --cursor {shlex.quote(following)}")


def _row(run: Run) -> Sequence[object]:
    tally = run.tally
    return (
        run.run_id,
        _SHORT.get(run.status, words.plain(run.status)),
        words.plain(run.job_type),
        words.NOTHING if run.stream is None else run.stream,
        f"{words.short(tally.ok)}/{words.short(tally.found)}",
        f"{tally.failed:,}",
        words.cost(tally),
    )


def show(app: "App", text: str, *, as_json: bool) -> None:
    run = find(app, text)
    if as_json:
        output.emit(run_facts(run))
        return
    output.say(text_summary(run).rstrip())
    output.say()
    for client_id, notes in notes_of_people(app.database, run.run_id).items():
        whose = f", {client_id}" if client_id else ""
        output.say(output.one_line(f"Notes in Airtable{whose}: {notes}"))
    output.say(f"More: {next_command(run) if run.status is not Status.COMPLETED else f'tallybook report {run.run_id}'}")


def show_diff(app: "App", a: str, b: str, *, as_json: bool) -> None:
    found = diff(find(app, a), find(app, b))
    if as_json:
        output.emit(diff_facts(found))
        return
    output.say(diff_text(found))


def show_explanation(app: "App", text: str, *, as_json: bool) -> None:
    run = find(app, text)
    failures = figures.failures(app.database, run.run_id, MOST_RUNS)
    if not as_json:
        output.say(explain_text(run, failures).rstrip())
        return
    said = [{"clients": list(each.clients), "text": each.text} for each in explain(run, failures)]
    output.emit({"run_id": run.run_id, "status": run.status.value, "verdict": verdict(run), "explanation": said})


class NobodyWorks:
    """Says once, while a run is watched, that no process has it in hand."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self._idle_since = time.monotonic()
        self._said = False

    def __call__(self, glance: Glance, shown: Screen) -> bool:
        if self._said or not glance.planned:
            return False
        if time.monotonic() - self._idle_since < NOBODY_AFTER_S:
            return False
        self._idle_since = time.monotonic()
        if self._anybody(glance.run_id):
            return False
        shown.say(f"No process seems to work on it. One that does: tallybook run resume {glance.run_id}")
        self._said = True
        return False

    def _anybody(self, run_id: str) -> bool:
        for executor in ledger_work.workers(self._app.database, run_id):
            with lease.held_if_dead(self._app.database, executor) as dead:
                if not dead:
                    return True
        return False


def watch(app: "App", text: str, *, as_json: bool) -> None:
    """Follow a run that some process works on. Raises typer.Exit with the code of its status."""
    run_id = read.find_run(app.database, text)
    try:
        run = follow(app.database, run_id, verdict=not as_json, stop=NobodyWorks(app))
    except KeyboardInterrupt:
        output.note(f"No longer watching. The run goes on: tallybook run watch {run_id}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if as_json:
        output.emit(run_facts(run))
    raise typer.Exit(code_of_status(run.status))


# -- stopping and going on ---------------------------------------------------------------------------------------------


def stop(app: "App", text: str, told: Stop, *, as_json: bool) -> None:
    """Pause or cancel a run, and wait a moment until its calls have let go. Raises Terminal."""
    run_id = _driven(app, text)
    done = "paused" if told is Stop.PAUSE else "canceled"
    trigger.stop(app.ledger, run_id, told, f"{done} by {caller().name}")
    if not _rests_within(app, run_id, STOPPED_WITHIN_S):
        output.note(f"Run {run_id} was told; its calls in flight have not let go yet.")
    run = read.run(app.database, run_id)
    if as_json:
        output.emit(run_facts(run))
        return
    output.say(last_line(run))


def _driven(app: "App", text: str) -> str:
    """The id of a run that our engine drives. Raises Conflict for one that another program reports."""
    run = find(app, text)
    if run.planned:
        return run.run_id
    raise Conflict(f"run {run.run_id} is worked on and reported by another program; stop it there", run_id=run.run_id)


def _rests_within(app: "App", run_id: str, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if snapshot.glance(app.database, run_id).resting:
            return True
        time.sleep(LOOK_EVERY_S)
    return False


def resume(app: "App", text: str, *, detach: bool, as_json: bool) -> None:
    """Go on with a paused run, or one whose process died. Raises Terminal, typer.Exit."""
    run_id = _driven(app, text)
    if detach:
        resume_when_let_go(app, run_id)
        _show_resumed(read.run(app.database, run_id), as_json=as_json)
        return
    with Interrupts() as interrupts:
        run = work(app, run_id, interrupts, resume=True)
        show_worked(app, run, as_json=as_json)
        raise typer.Exit(code_after(run, interrupts))


def _show_resumed(run: Run, *, as_json: bool) -> None:
    if as_json:
        output.emit(run_facts(run))
        return
    output.say(run.run_id)
    output.note("A process that works takes it up: `tallybook serve`, or the next `tallybook run start`.")
