"""`tallybook doctor`: everything that can be wrong, and how to mend it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

from tallybook.cli import output
from tallybook.cli.exits import ExitCode
from tallybook.cli.finding import Finding, Findings, Level, notice, wrong
from tallybook.cli.opening import Json, opened
from tallybook.domain.errors import BadSetting, LedgerUnavailable, StoreUnavailable

if TYPE_CHECKING:
    from tallybook.app import App

Check = Callable[["App"], Findings]
SIGNS = {Level.OK: ("✓", "green"), Level.NOTICE: ("·", "yellow"), Level.WRONG: ("✗", "red")}


def command(ctx: typer.Context, as_json: Json = False) -> None:
    """Check everything that can be wrong, and say how to mend it.

    Exits 1 when something is wrong; a notice is nothing wrong. Changes nothing.
    """
    found = list(_findings(ctx))
    bad = [each for each in found if each.level is Level.WRONG]
    if as_json:
        output.emit({"well": not bad, "checks": [each.as_json() for each in found]})
    else:
        _print(found)
    if bad:
        raise typer.Exit(ExitCode.ERROR)


def _findings(ctx: typer.Context) -> Findings:
    from tallybook.cli import doctor_machine

    yield from doctor_machine.versions()
    try:
        yield from doctor_machine.settings(ctx)
        with opened(ctx) as app:
            yield from findings_of(app)
    except BadSetting as error:
        yield wrong("settings", str(error), "Nothing else can be checked before that is mended.")


def findings_of(app: "App") -> Findings:
    """All but what is checked of settings before there is an app."""
    from tallybook.cli import (
        doctor_airtable,
        doctor_alerts,
        doctor_figures,
        doctor_machine,
        doctor_mail,
        doctor_outside,
        doctor_runs,
        doctor_spool,
    )

    yield from doctor_machine.scorer(app)
    yield from doctor_spool.spool(app)
    database = list(_tried(doctor_machine.database, app))
    yield from database
    if any(each.level is Level.WRONG for each in database) or not doctor_machine.has_books(app):
        yield notice("books", "The books were not looked into.")
        return
    outside = (*doctor_outside.CHECKS, *doctor_airtable.CHECKS, *doctor_mail.CHECKS, *doctor_alerts.CHECKS)
    for check in (doctor_machine.files, *doctor_runs.CHECKS, *outside, *doctor_figures.CHECKS):
        yield from _tried(check, app)


def _tried(check: Check, app: "App") -> Findings:
    try:
        yield from check(app)
    except (LedgerUnavailable, StoreUnavailable) as error:
        yield wrong("database", str(error), "Mend the database, or restore a backup, then run this again.")


def _print(found: Sequence[Finding]) -> None:
    for each in found:
        sign, style = SIGNS[each.level]
        word = "" if each.level is Level.OK else f"{each.level}: "
        output.say(f"{output.painted(sign, style)} {word}{output.one_line(each.said)}")
        if each.mend:
            output.say(f"    {output.one_line(each.mend)}")
    output.say()
    output.say(_verdict([each.level for each in found]))


def _verdict(levels: Sequence[Level]) -> str:
    bad, noted = levels.count(Level.WRONG), levels.count(Level.NOTICE)
    if bad:
        return f"{bad} {'thing is' if bad == 1 else 'things are'} wrong."
    return "Nothing is wrong." + (f" {noted} to take notice of." if noted else "")
