"""`tallybook mirror`: the books in the operator's Airtable."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tallybook.cli import mirror_shown, output
from tallybook.cli.exits import ExitCode
from tallybook.cli.nouns import noun
from tallybook.cli.opening import Json, opened
from tallybook.domain.errors import BadSetting, Conflict
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.app import App
    from tallybook.followers.airtable_mirror import AirtableMirror
    from tallybook.ledger.following import FollowerBook

app = noun("The mirror: the books in your Airtable.")

PATIENCE_S = 60.0


@app.command()
def setup(ctx: typer.Context, as_json: Json = False) -> None:
    """Make in Airtable what the mirror needs: its two tables and their fields. What is there stays as it is."""
    from tallybook.followers.mirror_care import set_up

    with _alone(ctx) as (mirror, book):
        done = set_up(mirror, book)
    if as_json:
        left_out = [{"field": name, "why": why} for name, why in done.left_out]
        output.emit({"created": list(done.created), "by_hand": list(done.by_hand), "left_out": left_out})
        return
    output.say(f"Made: {', '.join(done.created)}" if done.created else "Everything the mirror needs is there.")
    for name, why in done.left_out:
        output.say(f"Not written: {name}, {why}")
    for sentence in done.by_hand:
        output.say(f"To do by hand: {sentence}")
    output.say("Runs are told from now on; `tallybook mirror rebuild` tells those of before.")


@app.command()
def sync(ctx: typer.Context, as_json: Json = False) -> None:
    """Tell now what has changed; `tallybook serve` and `run start` do that by themselves."""
    from tallybook.followers.mirror_care import how_it_is
    from tallybook.followers.mirror_care import sync as tell

    with _alone(ctx) as (mirror, book):
        runs = tell(mirror, book, _progress("looked at"))
        left = how_it_is(mirror, book).owed
    if as_json:
        output.emit({"runs": runs, "owed": left})
        return
    output.say(
        f"{words.count(runs, 'run')} looked at; " + ("nothing is owed." if not left else f"{left} rows are owed.")
    )


@app.command()
def verify(ctx: typer.Context, as_json: Json = False) -> None:
    """Compare every row in Airtable with the books. Writes nothing there.

    Exit codes: 0 no difference, 5 there are some. Rows that people deleted are none, nor are changes to the base.
    """
    from tallybook.followers.mirror_check import Check

    with _alone(ctx) as (mirror, book):
        found = Check(mirror, book).run()
    mirror_shown.checked(found, as_json=as_json)
    if not found.well:
        raise typer.Exit(ExitCode.DIFFERENCE)


@app.command()
def repair(
    ctx: typer.Context,
    recreate: Annotated[bool, typer.Option("--recreate", help="Make rows again that people have deleted")] = False,
    remove_copies: Annotated[
        bool, typer.Option("--remove-copies", help="Delete further rows of one run, unless people wrote beside them")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write every row that differs from the books, and look once more.

    Exit codes: 0 no difference is left, 5 there still are some.
    """
    from tallybook.followers import mirror_care
    from tallybook.followers.mirror_check import Check

    with _alone(ctx) as (mirror, book):
        before = Check(mirror, book).run()
        mirror_care.repair(mirror, book, before, recreate=recreate, remove_copies=remove_copies)
        found = Check(mirror, book).run()
    if not as_json:
        output.say(f"{words.count(len(before.differences), 'difference')} found and written anew.")
    mirror_shown.checked(found, as_json=as_json)
    if not found.well:
        raise typer.Exit(ExitCode.DIFFERENCE)


@app.command()
def rebuild(ctx: typer.Context, as_json: Json = False) -> None:
    """Tell every run anew that is not too old to be held (airtable.keep_days)."""
    from tallybook.followers.mirror_care import rebuild as tell

    with _alone(ctx) as (mirror, book):
        runs = tell(mirror, book, _progress("told"))
    if as_json:
        output.emit({"runs": runs})
        return
    output.say(f"{words.count(runs, 'run')} told.")


@app.command()
def status(ctx: typer.Context, as_json: Json = False) -> None:
    """How far Airtable is behind, and why. Asks the books alone."""
    from tallybook.followers.mirror_care import how_it_is

    with opened(ctx) as opened_app:
        mirror, book = _of(opened_app)
        how = how_it_is(mirror, book)
        mirror_shown.how_it_is(mirror.base.id, how, as_json=as_json)


@contextmanager
def _alone(ctx: typer.Context) -> "Iterator[tuple[AirtableMirror, FollowerBook]]":
    """The base has one writer. Raises Conflict when another process goes on telling for a minute."""
    from tallybook.engine.telling import alone

    with opened(ctx) as opened_app:
        mirror, book = _of(opened_app)
        with alone(opened_app.database, mirror.name, PATIENCE_S) as is_alone:
            if not is_alone:
                raise Conflict("another process is telling the mirror just now; try again in a minute")
            yield mirror, book


def _of(opened_app: "App") -> "tuple[AirtableMirror, FollowerBook]":
    from tallybook.ledger.following import FollowerBook

    mirror = opened_app.mirror
    if mirror is None:
        missing: Sequence[str] = [
            name
            for name, value in (
                ("TALLYBOOK_AIRTABLE__TOKEN", opened_app.settings.airtable.token),
                ("TALLYBOOK_AIRTABLE__MASTER_BASE_ID", opened_app.settings.airtable.master_base_id),
            )
            if value is None
        ]
        raise BadSetting(f"there is no mirror yet: set {' and '.join(missing)}, then run `tallybook mirror setup`")
    return mirror, FollowerBook(opened_app.ledger, mirror.name)


def _progress(verb: str) -> Any:
    def tell(number: int) -> None:
        output.note(f"{words.count(number, 'run')} {verb} …")

    return tell
