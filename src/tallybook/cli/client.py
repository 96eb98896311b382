"""`tallybook client`: for whom you work."""

from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from tallybook.cli import output
from tallybook.cli.nouns import noun
from tallybook.cli.opening import Cursor, Json, Limit, opened
from tallybook.cli.paging import Listing
from tallybook.cli.reading import changes_in_json, changes_in_words, imported_from, told_bad
from tallybook.domain.client import Source
from tallybook.report import words
from tallybook.report.facts import client_facts

if TYPE_CHECKING:
    from tallybook.app import App
    from tallybook.domain.client import Client

app = noun("Clients: for whom you work.")

ClientArgument = Annotated[str, typer.Argument(metavar="CLIENT", help="The client's id", show_default=False)]
_STILL_PAUSED = {
    Source.FILE: "Its own file says paused: change that there and import it again.",
    Source.AIRTABLE: "Its row in Airtable says paused, or cannot be used: change that there.",
}
HEADINGS = ("CLIENT", "NAME", "STREAM", "LEVEL", "STATUS", "TIMEZONE")


@app.command("import")
def import_(
    ctx: typer.Context,
    file: Annotated[str | None, typer.Argument(metavar="FILE", help="CSV or JSON", show_default=False)] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="SOURCE", help="airtable: the table there, not a file", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Add or update clients from a CSV or JSON file, or from Airtable.

    Columns: client_id, client_name, stream, service_level, status, timezone, daily_target. Only client_id is needed.
    Importing twice changes nothing. Clients from Airtable are read anew there whenever a run starts, and so are their
    leads.
    """
    if source is not None:
        from tallybook.cli import client_airtable

        client_airtable.import_(ctx, source, file, as_json=as_json)
        return
    if file is None:
        raise typer.BadParameter("name a FILE, or --from airtable", param_hint="FILE")
    from tallybook.stores.client_files import read_clients

    read = imported_from(file, read_clients)
    with opened(ctx) as app:
        changes = app.clients.put_clients(read.rows)
    told_bad(file, read.bad)
    if as_json:
        output.emit(changes_in_json(file, changes, read.bad, read.repeated))
        return
    output.say(f"{words.count(len(read.rows), 'client')} of {file}: {changes_in_words(changes)}")


@app.command("list")
def list_(ctx: typer.Context, limit: Limit = 50, cursor: Cursor = None, as_json: Json = False) -> None:
    """List clients, paused ones too, by id."""
    nothing = "There are no clients yet: `tallybook client import FILE` adds some."
    listing = Listing(HEADINGS, _row, client_facts, lambda each: each.client_id, nothing, right=(2, 3))
    with opened(ctx) as app:
        listing.show(app.clients.list, "tallybook client list", cursor=cursor, limit=limit, as_json=as_json)


@app.command()
def show(ctx: typer.Context, client: ClientArgument, as_json: Json = False) -> None:
    """Show one client, and what stands in its way."""
    from tallybook.cli import client_budget

    with opened(ctx) as app:
        found = app.clients.get(client)
        judged = _judged(app, client)
        budgets = client_budget.in_a_line(client_budget.standing(app, client))
    if as_json:
        output.emit({**client_facts(found), **judged})
        return
    output.facts(
        {
            "client": found.client_id,
            "name": found.name,
            "stream": found.stream,
            "service level": found.service_level,
            "status": _status(found),
            "timezone": found.timezone,
            "leads harvested a day": found.daily_target,
            "comes from": found.source.value,
            "judges leads by": words.count(judged["lead_attributes"], "attribute"),
            "judges posts by": words.count(judged["post_attributes"], "attribute"),
            "budget": budgets,
        }
    )
    if not judged["lead_attributes"]:
        output.note(
            f"Without a rubric no lead can be scored: `tallybook rubric import {quote(client)} FILE` gives one."
        )


@app.command()
def pause(
    ctx: typer.Context,
    client: ClientArgument,
    off: Annotated[bool, typer.Option("--off", help="Lift the pause")] = False,
    as_json: Json = False,
) -> None:
    """Leave a client out of all runs to come, whatever its file or Airtable says; --off lifts that.

    A run that is under way goes on.
    """
    with opened(ctx) as app:
        app.clients.pause(client, not off)
        found = app.clients.get(client)
    if as_json:
        output.emit(client_facts(found))
        return
    output.say(f"{found.client_id} is {_status(found)}")
    if off and not found.active:
        output.note(_STILL_PAUSED[found.source])


@app.command()
def budget(
    ctx: typer.Context,
    client: ClientArgument,
    *,
    per: Annotated[str, typer.Option("--per", metavar="WINDOW", help="Of a day or of a month; both of UTC")] = "day",
    tokens: Annotated[
        int | None,
        typer.Option(min=0, max=10**15, metavar="N", help="Most tokens, input and output", show_default=False),
    ] = None,
    usd: Annotated[
        str | None, typer.Option(metavar="X", help="Most US dollars, such as 2.50", show_default=False)
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Take the client's own away: that of the settings holds")] = False,
    as_json: Json = False,
) -> None:
    """Show what a client may use, and what is used of it; or give it a budget of its own.

    Its own budget of a window stands in place of the one that [budget] has for all clients. 0 lets nothing be spent. A
    client that paused for want of a budget goes on by itself.
    """
    from tallybook.cli import client_budget

    with opened(ctx) as app:
        client_budget.change_and_show(app, client, client_budget.Asked(per, tokens, usd, off), as_json=as_json)


def _judged(app: "App", client_id: str) -> dict[str, int]:
    rubric = app.clients.store(client_id).rubric()
    return {"lead_attributes": len(rubric.for_leads), "post_attributes": len(rubric.for_posts)}


def _row(client: "Client") -> tuple[object, ...]:
    words = (client.client_id, client.name, client.stream, client.service_level)
    return (*words, _status(client), client.timezone or "")


def _status(client: "Client") -> str:
    return "paused here" if client.paused_here else client.status.value
