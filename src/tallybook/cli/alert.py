"""`tallybook alert`: what is wrong just now, taking notice of it, and whether anybody would be told."""

from typing import TYPE_CHECKING, Annotated

import typer

from tallybook.cli import output
from tallybook.cli.exits import ExitCode
from tallybook.cli.nouns import noun
from tallybook.cli.opening import Cursor, Json, Limit, opened
from tallybook.cli.paging import Listing
from tallybook.domain.errors import BadInput
from tallybook.report import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tallybook.app import App
    from tallybook.domain.alert import Alert, Channel

app = noun("Alerts: what is wrong just now, and who is told.")

HEADINGS = ("RAISED", "ID", "KIND", "RUN", "CLIENT", "TOLD", "WHAT")
NOTHING = "Nothing is wrong. `tallybook alert list --all` shows what was."


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Those too that are over or acknowledged")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List the alerts that are open, newest first."""
    from functools import partial

    from tallybook.report.alert_facts import alert_facts

    listing = Listing(HEADINGS, _row, alert_facts, _cursor, NOTHING if not everything else "There was no alert.")
    command = "tallybook alert list" + (" --all" if everything else "")
    with opened(ctx) as opened_app:
        read = partial(_page, opened_app, everything)
        listing.show(read, command, cursor=cursor, limit=limit, as_json=as_json)


@app.command("ack")
def acknowledge(
    ctx: typer.Context,
    alert: Annotated[str, typer.Argument(metavar="ID", help="Of the alert", show_default=False)],
    as_json: Json = False,
) -> None:
    """Take notice of an alert: it is listed no more, and not told any more."""
    from tallybook.ledger.write import alerts

    with opened(ctx) as opened_app:
        new = opened_app.ledger.do(alerts.acknowledge, alert)
    if as_json:
        output.emit({"alert_id": alert, "acknowledged": True, "acknowledged_before": not new})
        return
    output.say(f"{alert} is acknowledged" if new else f"{alert} was acknowledged before")


@app.command("test")
def try_all(ctx: typer.Context, as_json: Json = False) -> None:
    """Send a harmless alert through every channel, and say what came back. Exits 1 when one did not take it."""
    from tallybook.engine.alarm import try_channels

    with opened(ctx) as opened_app:
        channels = channels_of(opened_app)
    if not channels:
        raise typer.BadParameter("set TALLYBOOK_ALERTS__URLS first: there is no channel")
    found = try_channels(channels)
    if as_json:
        output.emit({"channels": [{"channel": each.channel, "error": each.error} for each in found]})
    else:
        for each in found:
            output.say(f"{each.channel}: {'took it' if each.error is None else f'did not take it: {each.error}'}")
    if any(each.error is not None for each in found):
        raise typer.Exit(ExitCode.ERROR)


def channels_of(opened_app: "App") -> "Sequence[Channel]":
    """Who is told. Raises BadSetting."""
    from tallybook.followers import alert_channels

    return alert_channels.channels_of([each.reveal() for each in opened_app.settings.alerts.urls])


def _page(opened_app: "App", everything: bool, cursor: str | None, limit: int) -> "Sequence[Alert]":
    """Raises BadInput."""
    from tallybook.ledger.alerting import Wanted, list_alerts

    raised_at, bar, alert_id = (cursor or "").partition("|")
    if cursor is not None and not bar:
        raise BadInput(f"{cursor!r} is no cursor; give the next_cursor of the page before")
    after = (raised_at, alert_id) if bar else None
    return list_alerts(opened_app.database, Wanted(everything), after=after, limit=limit)


def _cursor(alert: "Alert") -> str:
    from tallybook.ledger.alerting import key_of

    return "|".join(key_of(alert))


def _row(alert: "Alert") -> tuple[object, ...]:
    told = words.instant(alert.told_at)
    where = (alert.run_id or "", alert.client_id or "")
    return (words.instant(alert.raised_at), alert.alert_id, alert.kind, *where, told, alert.text)
