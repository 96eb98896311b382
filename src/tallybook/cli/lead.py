"""`tallybook lead`: the people a client looks at."""

from collections.abc import Mapping
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tallybook.cli import output
from tallybook.cli.lead_shown import HEADINGS, row_of
from tallybook.cli.nouns import noun
from tallybook.cli.opening import Cursor, Json, Limit, opened
from tallybook.cli.paging import Listing
from tallybook.cli.reading import bad_in_json, changes_in_words, told_bad
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.cli.importing import LeadImport

app = noun("Leads: the people a client looks at.")

ClientArgument = Annotated[str, typer.Argument(metavar="CLIENT", help="The client's id", show_default=False)]
LeadArgument = Annotated[str, typer.Argument(metavar="LEAD", help="A lead's id or profile URL", show_default=False)]


@app.command("import")
def import_(
    ctx: typer.Context,
    client: ClientArgument,
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV, JSON or JSON Lines", show_default=False)],
    *,
    posts: Annotated[
        str | None, typer.Option(metavar="FILE", help="Posts: JSON keyed by profile URL", show_default=False)
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="OURS=THEIRS", help="Read our column from theirs; may be repeated"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Add or update leads from a file.

    LinkedIn's Connections.csv and LinkedHelper exports are read as they are. What a row leaves empty keeps its value,
    and no score is forgotten. Importing twice changes nothing.
    """
    from tallybook.cli.importing import import_leads

    pairs = _pairs(mapping or [])
    with opened(ctx) as app:
        done = import_leads(app.clients.store(client), file, posts, pairs)
    for path, bad in done.bad.items():
        told_bad(path, bad)
    if done.unknown:
        output.note(f"Posts by {words.count(len(done.unknown), 'person', 'people')} who are no leads were left out")
    if as_json:
        output.emit(_import_in_json(client, file, done))
        return
    repeated = f" ({words.count(done.repeated, 'row')} told of somebody again)" if done.repeated else ""
    output.say(f"{words.count(done.leads, 'lead')} of {file}: {changes_in_words(done.changes)}{repeated}")


def _pairs(told: list[str]) -> Mapping[str, str]:
    from tallybook.domain.errors import BadInput
    from tallybook.stores.lead_files import read_mapping

    try:
        return read_mapping(told)
    except BadInput as error:
        raise typer.BadParameter(str(error).removeprefix("--map: "), param_hint="--map") from None


def _import_in_json(client_id: str, path: str, done: "LeadImport") -> Mapping[str, Any]:
    return {
        "client_id": client_id,
        "file": path,
        "new": done.changes.new,
        "changed": done.changes.changed,
        "unchanged": done.changes.unchanged,
        "repeated": done.repeated,
        "bad": [{"file": name, **each} for name, bad in done.bad.items() for each in bad_in_json(bad)],
        "posts_of_nobody": list(done.unknown),
    }


@app.command("list")
def list_(
    ctx: typer.Context, client: ClientArgument, limit: Limit = 50, cursor: Cursor = None, as_json: Json = False
) -> None:
    """List a client's leads by id, with what the store holds of their scores."""
    from tallybook.stores.lead_facts import lead_facts

    nothing = f"There are no leads here: `tallybook lead import {quote(client)} FILE` adds some."
    listing = Listing(HEADINGS, row_of, lead_facts, lambda each: each.lead.lead_id, nothing, right=(1, 2, 3))
    with opened(ctx) as app:
        read, command = app.clients.store(client).leads, f"tallybook lead list {quote(client)}"
        listing.show(read, command, cursor=cursor, limit=limit, as_json=as_json)


@app.command()
def why(ctx: typer.Context, client: ClientArgument, lead: LeadArgument, as_json: Json = False) -> None:
    """Tell everything that ever became of a lead, over all runs, newest first."""
    from tallybook.cli.lead_why import history_of, in_json, in_words

    with opened(ctx) as app:
        history = history_of(app, client, lead)
    if as_json:
        output.emit(in_json(history))
        return
    for line in in_words(history):
        output.say(line)


@app.command()
def exclude(
    ctx: typer.Context,
    client: ClientArgument,
    lead: LeadArgument,
    off: Annotated[bool, typer.Option("--off", help="Take the lead back in")] = False,
    as_json: Json = False,
) -> None:
    """Take a lead out of all runs to come, or with --off back in."""
    from tallybook.cli.lead_why import lead_named
    from tallybook.stores.lead_facts import lead_facts

    with opened(ctx) as app:
        store = app.clients.store(client)
        found = lead_named(store, client, lead)
        app.visited.store(client).exclude(found.lead.lead_id, not off)
        found = store.lead(found.lead.lead_id)
    if as_json:
        output.emit(lead_facts(found))
        return
    what = "is excluded from all runs to come" if found.excluded_by_hand else "takes part in runs"
    output.say(f"{found.lead.full_name or found.lead.lead_id} {what}")
