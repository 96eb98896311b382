"""`tallybook audit`: the books against the rows they stand for."""

from typing import TYPE_CHECKING, Annotated

import typer

from tallybook.cli import output
from tallybook.cli.exits import ExitCode
from tallybook.cli.opening import Json, opened
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.ledger.audit import Audit


def command(
    ctx: typer.Context,
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Only this run; all if none", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Recompute every total from its rows and print each difference; there should never be one.

    Exit codes: 0 no difference, 5 there are some.
    """
    from tallybook.ledger import read
    from tallybook.ledger.audit import audit

    with opened(ctx) as app:
        run_id = read.find_run(app.database, run) if run is not None else None
        found = audit(app.database, run_id)
    _show(found, as_json=as_json)
    if found.differences:
        raise typer.Exit(ExitCode.DIFFERENCE)


def _show(found: "Audit", *, as_json: bool) -> None:
    if as_json:
        names = ("where", "field", "stored", "recomputed")
        output.emit(
            {
                "checked": found.checked,
                "differences": [{name: getattr(each, name) for name in names} for each in found.differences],
            }
        )
        return
    for each in found.differences:
        output.say(f"{output.one_line(each.where)}: {each.field} is {each.stored}, but the rows say {each.recomputed}")
    checked = words.count(found.checked, "operation run")
    differences = words.count(len(found.differences), "difference") if found.differences else "no difference"
    output.say(f"{differences} in {checked}.".capitalize())
