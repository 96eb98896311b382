"""`tallybook report`: a run told to whoever was not there."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tallybook.cli import output
from tallybook.cli.opening import opened

if TYPE_CHECKING:
    from tallybook.app import App
    from tallybook.domain.figures import LeadFigures
    from tallybook.domain.run import Run


def command(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run id, or the label of a client run")],
    text: Annotated[bool, typer.Option("--text", help="As plain text on stdout; the default")] = False,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="As one HTML page, into FILE; - is stdout", show_default=False)
    ] = None,
) -> None:
    """The report of a run: the verdict, what changed since the run before, every client, reasons, cost."""
    if text and html is not None:
        raise typer.BadParameter("give one of --text and --html")
    with opened(ctx) as app:
        found = _run(app, run)
        if html is None:
            output.say(_text(app, found).rstrip())
            return
        _write(_html(app, found), html)


def _run(app: "App", text: str) -> "Run":
    from tallybook.ledger import read

    return read.run(app.database, read.find_run(app.database, text))


def _previous(app: "App", run: "Run") -> "Run | None":
    from tallybook.ledger import figures, read

    found = figures.previous_run(app.database, run)
    return read.run(app.database, found) if found else None


def _text(app: "App", run: "Run") -> str:
    from tallybook.report.text import text_report

    return text_report(run, previous=_previous(app, run), leads=_leads(app, run))


def _html(app: "App", run: "Run") -> str:
    from tallybook.report.html import html_report

    return html_report(run, previous=_previous(app, run), leads=_leads(app, run))


def _leads(app: "App", run: "Run") -> "LeadFigures":
    from tallybook.domain.figures import LeadFigures
    from tallybook.ledger import figures

    return sum(figures.lead_figures(app.database, run.run_id).values(), LeadFigures())


def _write(page: str, target: str) -> None:
    """A page is UTF-8 wherever it goes, whatever the terminal speaks."""
    if target == "-":
        output.flush()
        sys.stdout.buffer.write(page.encode())
        return
    path = Path(target)
    path.write_text(page, encoding="utf-8")
    output.note(f"The report is in {path}")
