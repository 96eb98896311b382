"""`tallybook demo`: everything at once, on sample data, with nothing but this machine."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tallybook.cli import output
from tallybook.cli.exits import ExitCode
from tallybook.domain.errors import BadInput, Busy, Conflict
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.app import App
    from tallybook.domain.run import Run

FOLDER = "tallybook-demo"
FOLDER_WITH_AIRTABLE = "tallybook-demo-airtable"
OURS = (
    "tallybook.toml", "tallybook.db*", "tallybook-engine.db*", "tallybook-slots/*", "tallybook-spool/*",
    "clients.csv", "*-leads.csv", "*-posts.json", "*-rubric.json",
)  # fmt: skip
"""What the demo makes in its folder. --fresh removes these and touches nothing else."""


def command(
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin again: forget the demo's books")] = False,
    airtable: Annotated[
        bool, typer.Option("--airtable", help="Through a look-alike of Airtable, always from the beginning")
    ] = False,
) -> None:
    """Try everything on sample data: three fictional clients, 180 leads, no account, no network, no key.

    Works in the folder tallybook-demo under this one, with settings of its own. Your books are not touched. With
    --airtable in tallybook-demo-airtable: clients and leads come from there, results and books go there.
    """
    folder = _folder(FOLDER_WITH_AIRTABLE if airtable else FOLDER)
    if fresh or airtable:
        _forget(folder)
    with contextlib.chdir(folder):
        run = _through_airtable() if airtable else _here()
    _show_next(run, folder.name)


def _here() -> "Run":
    with contextlib.closing(_own_app()) as app:
        _import_all(app)
        run = _run_all(app)
        _exit_if_stopped(run, "`tallybook demo` goes on where it was.")
        _tell(app, run)
    return run


def _through_airtable() -> "Run":
    """Its data is gone when this ends, so every time is the first."""
    from tallybook.cli.demo_airtable import look_alike

    with look_alike() as airtable, contextlib.closing(_own_app(airtable.settings)) as app:
        airtable.bring_in(app)
        run = _run_all(app)
        _exit_if_stopped(run, "`tallybook demo --airtable` begins again.")
        _tell(app, run)
        output.say()
        airtable.tell(app)
    return run


def _exit_if_stopped(run: "Run", how_on: str) -> None:
    if not run.status.terminal:
        output.note(f"Stopped. {how_on}")
        raise typer.Exit(ExitCode.PAUSED)


def _folder(name: str) -> Path:
    folder = Path(name)
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        raise BadInput(f"{name} is a file here; move it, or run the demo in another folder") from None
    except OSError as error:
        raise BadInput(f"the folder {name} cannot be made here: {error.strerror}") from None
    return folder


def _forget(folder: Path) -> None:
    from tallybook.cli.slots import held_slots
    from tallybook.database import Database

    if held_slots(Database(f"sqlite:///{folder}/tallybook.db")):
        raise Conflict(f"another process is at work in {folder}; wait for it, or end it, then begin again")
    for pattern in OURS:
        for path in folder.glob(pattern):
            path.unlink()


def _own_app(more: Mapping[str, object] | None = None) -> "App":
    """Nobody's environment reaches the demo: it must not write to the operator's books, nor pay for a model."""
    from tallybook.app import App
    from tallybook.cli.init import write_settings
    from tallybook.settings import load

    settings = Path("tallybook.toml")
    if not settings.exists():
        write_settings(settings)
    ours = {"database.url": "sqlite:///tallybook.db", "scorer.model": "keywords", **(more or {})}
    return App(load(ours, environ={}, folder=Path()))


# -- the data, by the importers that everybody uses --------------------------------------------------------------------


def _import_all(app: "App") -> None:
    from tallybook.stores.client_files import read_clients
    from tallybook.testing.demo_files import write_demo

    files = write_demo(Path())
    clients = read_clients(files[0].read_bytes()).rows
    app.clients.put_clients(clients)
    leads = sum(_import_client(app, client.client_id) for client in clients)
    names = ", ".join(client.name for client in clients)
    output.note(f"{words.count(len(clients), 'client')} ({names}), {words.count(leads, 'lead')}, in {FOLDER}/")


def _import_client(app: "App", client_id: str) -> int:
    from tallybook.cli.importing import import_leads
    from tallybook.stores.rubric_files import read_rubric, rubric_of_rows

    store = app.clients.store(client_id)
    store.put_rubric(rubric_of_rows(read_rubric(Path(f"{client_id}-rubric.json").read_bytes()).rows))
    posts = Path(f"{client_id}-posts.json")
    return import_leads(store, f"{client_id}-leads.csv", str(posts) if posts.exists() else None, {}).leads


# -- the run -----------------------------------------------------------------------------------------------------------


def _run_all(app: "App") -> "Run":
    """Ctrl-C pauses it, as it does every run."""
    from tallybook.cli.run_work import Interrupts, work

    run_id, unfinished = _started(app)
    with Interrupts() as interrupts:
        return work(app, run_id, interrupts, resume=unfinished)


def _started(app: "App") -> tuple[str, bool]:
    """A new run; or the one that an earlier demo left unfinished, and that it did."""
    from tallybook.engine import trigger
    from tallybook.ledger.write.starts import Caller, Request, Start

    asked = Start(Request(), Caller(name="tallybook demo"), style=app.run_id_style)
    try:
        return trigger.start(app.ledger, app.visited, asked).run_id, False
    except Busy as busy:
        output.note(f"Run {busy.run_id} of an earlier demo is unfinished; it goes on.")
        return str(busy.run_id), True


# -- what came of it ---------------------------------------------------------------------------------------------------


def _tell(app: "App", run: "Run") -> None:
    from tallybook.ledger.audit import audit
    from tallybook.report.text import text_summary
    from tallybook.report.verdict import verdict

    if not run.tally.found:
        output.say(f"Run {run.run_id}: {verdict(run)}")
        output.say("The demo has worked on every lead before. `tallybook demo --fresh` begins again.")
    else:
        output.say(text_summary(run))
    found = audit(app.ledger.database)
    checked = words.count(found.checked, "operation run")
    if found.differences:
        output.say(f"Audit: {words.count(len(found.differences), 'difference')} in {checked}; please report this")
        return
    output.say(f"Audit: {checked} recomputed from their rows, no difference")


def _show_next(run: "Run", folder: str) -> None:
    output.say()
    output.say("Look around:")
    for line in _next_commands(run, folder):
        output.say(f"  {line}")


def _next_commands(run: "Run", folder: str) -> Sequence[str]:
    rows = [
        (f"cd {folder}", ""),
        ("tallybook run list", "every run, newest first"),
        (f"tallybook run show {run.run_id}", "the run, client by client"),
        ("tallybook lead list acme-law", "people and their scores"),
        ("tallybook lead why acme-law linkedin.test/in/thea-thin", "what became of one of them, and why"),
        ("tallybook report " + run.run_id, "the report again"),
        ("tallybook doctor", "is all well?"),
    ]
    return output.lines_of(rows)
