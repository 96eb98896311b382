"""`tallybook import`: books of other systems, taken into these."""  # noqa: N999  # a noun's file has its name

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tallybook.cli import import_shown, output
from tallybook.cli.nouns import noun
from tallybook.cli.opening import Json, opened
from tallybook.domain.errors import BadSetting

if TYPE_CHECKING:
    from tallybook.airtable.client import AirtableDoor
    from tallybook.airtable.seen import OperatorBase
    from tallybook.app import App
    from tallybook.domain.history import PastRun
    from tallybook.domain.history_report import Written
    from tallybook.domain.telling import Part

app = noun("Books of other systems, taken into these.")

RUNS_AT_ONCE = 100
"""Each is written by itself; so many share the wait for the disk."""


@app.command("airtable-history")
def airtable_history(
    ctx: typer.Context,
    base: Annotated[
        str | None,
        typer.Option(metavar="APP", help="The base; without it airtable.master_base_id", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be imported, and write nothing")] = False,
    report: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write there what became of every row", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Take the old system's runs out of Airtable: its tables Job Tracking and Client Run Results.

    Nothing is written to Airtable. Rows that stand for the same run are merged, run ids are read in every form ever
    written, and what the rows say is kept as claims. Rows that cannot be read are listed and left out. Importing twice
    changes nothing.
    """
    from tallybook.airtable.history import read_history
    from tallybook.domain import history
    from tallybook.domain.history_report import belonging
    from tallybook.domain.history_report import report as told

    if report is not None:
        Path(report).open("a").close()  # rather now than after all is done
    with opened(ctx) as opened_app:
        door, source = _source(opened_app, base)
        rows = read_history(door, source, import_shown.rows_read)
        plan = history.plan(rows, opened_app.ledger.clock())
        written = _looked_up(opened_app, plan.runs) if dry_run else dict(_written(opened_app, plan.runs, source.id))
        if not dry_run:
            _leave_as_they_are(opened_app, source.id, belonging(plan, written))
    done = import_shown.Done(source.id, dry_run, told(plan, written))
    if report is not None:
        Path(report).write_text("".join(f"{line}\n" for line in import_shown.whole(done)), encoding="utf-8")
    if as_json:
        output.emit(import_shown.in_json(done))
        return
    import_shown.show(done)


def _source(opened_app: "App", base: str | None) -> "tuple[AirtableDoor, OperatorBase]":
    """Raises BadSetting, and BadInput for what is no id of a base."""
    from tallybook.airtable.seen import OperatorBase

    base = base or opened_app.settings.airtable.master_base_id
    door = opened_app.airtable
    if door is None:
        raise BadSetting("the old books are in Airtable: set TALLYBOOK_AIRTABLE__TOKEN")
    if base is None:
        raise BadSetting("which base are the old books in? Set TALLYBOOK_AIRTABLE__MASTER_BASE_ID, or give --base")
    return door, OperatorBase(base)


def _looked_up(opened_app: "App", runs: "Sequence[PastRun]") -> "dict[str, Written]":
    from tallybook.ledger.history import would_write

    return would_write(opened_app.database, runs)


def _written(opened_app: "App", runs: "Sequence[PastRun]", base_id: str) -> "Iterator[tuple[str, Written]]":
    from tallybook.ledger.write.history import import_run

    source = f"Airtable base {base_id}"
    for start in range(0, len(runs), RUNS_AT_ONCE):
        some = runs[start : start + RUNS_AT_ONCE]
        waiting = [opened_app.ledger.submit(import_run, run, source) for run in some]
        yield from ((run.run_id, each.result()) for run, each in zip(some, waiting, strict=True))
        import_shown.runs_written(start + len(some), len(runs))


def _leave_as_they_are(opened_app: "App", base_id: str, rows: "Iterable[tuple[Part, Sequence[str]]]") -> None:
    """The mirror of the same base knows whose the old rows are, and does not touch them."""
    from tallybook.followers.airtable_mirror import NAME
    from tallybook.ledger.following import FollowerBook

    if base_id == opened_app.settings.airtable.master_base_id:
        FollowerBook(opened_app.ledger, NAME).found({part: next(iter(ids), None) for part, ids in rows})
