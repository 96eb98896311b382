"""`tallybook client import --from airtable`: the clients of the operator's own table."""

import typer

from tallybook.cli import output
from tallybook.cli.opening import opened
from tallybook.cli.reading import MOST_LISTED, changes_in_words
from tallybook.domain.errors import BadSetting
from tallybook.report import words

AIRTABLE = "airtable"
NOT_CONFIGURED = "clients come from Airtable once both are set: airtable.token and airtable.master_base_id"


def import_(ctx: typer.Context, source: str, file: str | None, *, as_json: bool) -> None:
    """Raises BadSetting, ImportRefused when no row can be used, StoreUnavailable, AirtableError."""
    if source.lower() != AIRTABLE:
        raise typer.BadParameter(
            f"clients come from a FILE or from {AIRTABLE}, not from {source!r}", param_hint="--from"
        )
    if file is not None:
        raise typer.BadParameter(f"clients come from {file} or from {AIRTABLE}, not from both", param_hint="--from")
    from tallybook.stores.airtable_clients import AirtableClients

    with opened(ctx) as app:
        visited = app.visited
        if not isinstance(visited, AirtableClients):
            raise BadSetting(NOT_CONFIGURED)
        done = visited.import_all()
    bad = done.read.bad
    if bad:
        output.note(f"Clients in Airtable: {words.count(len(bad), 'problem')}; all else was taken")
    for each in bad[:MOST_LISTED]:
        output.note(f"  row {each.line}: {output.one_line(each.reason)}")
    if len(bad) > MOST_LISTED:
        output.note(f"  … and {len(bad) - MOST_LISTED:,} more; --json lists them all")
    if as_json:
        changes = {name: getattr(done.changes, name) for name in ("new", "changed", "unchanged")}
        output.emit({"from": AIRTABLE, **changes, "bad": [{"row": each.line, "reason": each.reason} for each in bad]})
        return
    output.say(f"{words.count(len(done.read.clients), 'client')} of Airtable: {changes_in_words(done.changes)}")
