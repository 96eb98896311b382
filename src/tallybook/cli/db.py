"""`tallybook db`: the database as a whole."""

from typing import TYPE_CHECKING, Annotated

import typer

from tallybook.cli import output
from tallybook.cli.nouns import noun
from tallybook.cli.opening import Json, opened

if TYPE_CHECKING:
    from tallybook.app import App

app = noun("The database.")


@app.command()
def upgrade(ctx: typer.Context, as_json: Json = False) -> None:
    """Bring the tables to the version this Tallybook needs. Back up first."""
    with opened(ctx) as app:
        before = app.schema.current
        app.upgrade()
        told_version(app, before, as_json)


@app.command()
def downgrade(
    ctx: typer.Context,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Such as 0001, or base", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Yes, what newer tables hold may be lost")] = False,
    as_json: Json = False,
) -> None:
    """Take the tables back to an older version; base removes them with all that is in them."""
    if not yes:
        raise typer.BadParameter("this may lose data: back up first, then say --yes", param_hint="--yes")
    with opened(ctx) as app:
        before = app.schema.current
        app.downgrade(version)
        told_version(app, before, as_json)


@app.command()
def backup(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The copy; it must not exist", show_default=False)],
    as_json: Json = False,
) -> None:
    """Copy the books to a file, checked, while others may be writing.

    For PostgreSQL the command to use is printed instead.
    """
    from tallybook.cli.db_backup import back_up

    with opened(ctx) as app:
        bytes_written = back_up(app.bare_database, file)  # of any version: one backs up before an upgrade
        where = app.bare_database.shown
    if as_json:
        output.emit({"database": where, "file": file, "bytes": bytes_written})
        return
    output.say(f"{where} is copied to {file}, {bytes_written / 1_000_000:,.1f} MB, and the copy is sound")


def told_version(app: "App", before: str | None, as_json: bool) -> None:
    now = app.schema.current
    if as_json:
        output.emit({"database": app.bare_database.shown, "before": before, "version": now})
        return
    news = "as before" if now == before else f"before: {before or 'none'}"
    output.say(f"{app.bare_database.shown} has version {now or 'none'}, {news}")
