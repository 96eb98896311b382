"""`tallybook report`: a run told to whoever was not there."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tallybook.cli import output
from tallybook.cli.opening import opened
from tallybook.domain.errors import BadSetting, Conflict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tallybook.app import App
    from tallybook.domain.figures import LeadFigures
    from tallybook.domain.run import Run

PATIENCE_S = 60.0


def command(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run id, or the label of a client run")],
    *,
    text: Annotated[bool, typer.Option("--text", help="As plain text on stdout; the default")] = False,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="As one HTML page, into FILE; - is stdout", show_default=False)
    ] = None,
    send: Annotated[bool, typer.Option("--send", help="Mail it, whatever was mailed before")] = False,
    to: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="With --send: to whom, not to mail.to; may be repeated")
    ] = None,
) -> None:
    """The report of a run: the verdict, what changed since the run before, every client, reasons, cost.

    It is mailed by itself once the run has ended; --send does that by hand.
    """
    if (text or send) and html is not None:
        raise typer.BadParameter("give one of --text, --html and --send")
    if to and not send:
        raise typer.BadParameter("--to says to whom --send mails it")
    with opened(ctx) as app:
        found = _run(app, run)
        if send:
            output.say(_sent(app, found, to or ()))
            return
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


def _sent(app: "App", run: "Run", to: "Sequence[str]") -> str:
    """Raises BadSetting, Conflict, NotSent, MaybeSent."""
    from tallybook.engine.telling import alone
    from tallybook.followers.mailing import envelope, post_office
    from tallybook.followers.report_mail import NAME, ReportMail
    from tallybook.ledger.following import FollowerBook
    from tallybook.report import words

    office = post_office(app.settings)
    if office is None:
        raise BadSetting("no mail is configured: set mail.url, mail.from and mail.to")
    if not run.status.terminal:
        raise Conflict(f"run {run.run_id} has not ended; its report is mailed when it has", run_id=run.run_id)
    others = envelope(office, to) if to else None
    with alone(app.database, NAME, PATIENCE_S) as is_alone:
        if not is_alone:
            raise Conflict("another process sends mails just now; try again in a minute")
        number = ReportMail(office).send_by_hand(run.run_id, FollowerBook(app.ledger, NAME), others)
    return f"The report of run {run.run_id} was mailed to {words.count(number, 'address', 'addresses')}."


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
