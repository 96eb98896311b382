"""`tallybook usage`: tokens and money, summed from the calls."""

import csv
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tallybook.cli import output
from tallybook.cli.opening import Json, opened
from tallybook.domain.tally import Tally
from tallybook.report import words
from tallybook.report.facts import usage_facts, usage_sums

if TYPE_CHECKING:
    from tallybook.domain.figures import UsageLine

BY = ("client", "operation", "model", "day")


def command(
    ctx: typer.Context,
    by: Annotated[str, typer.Option(metavar="WORDS", help="Of client, operation, model, day, with commas")] = "client",
    since: Annotated[
        str | None,
        typer.Option(metavar="D", help="From this day on (UTC): 2026-11-01, or 7d for a week", show_default=False),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for a spreadsheet")] = False,
    as_json: Json = False,
) -> None:
    """What was used, summed from the calls. A call of unknown usage or price is counted, never taken for 0."""
    from tallybook.ledger import figures

    if as_csv and as_json:
        raise typer.BadParameter("give one of --csv and --json")
    groups = _groups(by)
    start = _since(since, datetime.now(UTC))
    with opened(ctx) as app:
        lines = figures.usage(app.database, groups, since=start)
    if as_json:
        items = [usage_facts(each) for each in lines]
        output.emit({"items": items, "next_cursor": None, "total": usage_sums(_total(lines))})
    elif as_csv:
        _print_csv(groups, lines)
    else:
        _print_table(groups, lines)


def _groups(text: str) -> Sequence[str]:
    """In the order in which they were named, each once. Raises typer.BadParameter."""
    named = list(dict.fromkeys(word.strip().lower() for word in text.split(",") if word.strip()))
    wrong = [word for word in named if word not in BY]
    if wrong or not named:
        raise typer.BadParameter(f"{text!r} is nothing to group by; use some of: {', '.join(BY)}")
    return named


def _since(text: str | None, now: datetime) -> datetime | None:
    """A day, an instant, or so many days back. Without a zone it is UTC. Raises typer.BadParameter."""
    if text is None:
        return None
    try:
        if text.endswith("d") and text[:-1].isdecimal():
            return now - timedelta(days=int(text[:-1]))
        at = datetime.fromisoformat(text)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no day; write 2026-11-01, or 7d for the last seven days") from None


def _total(lines: "Sequence[UsageLine]") -> Tally:
    return sum((each.tally for each in lines), Tally())


def _print_csv(groups: Sequence[str], lines: "Sequence[UsageLine]") -> None:
    from tallybook.domain.figures import UsageLine

    nothing = UsageLine(dict.fromkeys(groups, ""), Tally())
    writer = csv.DictWriter(sys.stdout, list(usage_facts(nothing)))
    writer.writeheader()
    for each in lines:
        writer.writerow({**usage_facts(each), "priced_by": "; ".join(each.priced_by)})


def _print_table(groups: Sequence[str], lines: "Sequence[UsageLine]") -> None:
    if not lines:
        output.note("No paid call was made in that time; the keyword scorer makes none.")
        return
    rows = [[*each.group.values(), *_cells(each.tally)] for each in lines]
    if len(lines) > 1:
        rows.append(["total", *[""] * (len(groups) - 1), *_cells(_total(lines))])
    headings = [*groups, "calls", "input", "cached", "output", "cost"]
    output.table(rows, headings, right=range(len(groups), len(headings)))
    for remark in _remarks(lines):
        output.note(remark)


def _cells(tally: Tally) -> list[str]:
    numbers = (tally.calls, tally.input_tokens, tally.cached_tokens, tally.output_tokens)
    return [*(f"{each:,}" for each in numbers), words.cost(tally)]


def _remarks(lines: "Sequence[UsageLine]") -> list[str]:
    total, under_way = _total(lines), sum(each.open_calls for each in lines)
    found = (
        (total.unpriced, "without a known price, not in the cost: give the model a price under [prices]"),
        (total.unmeasured, "of unknown usage, maybe billed"),
        (under_way, "under way, or lost in a crash and maybe billed"),
    )
    troubles = [f"{words.count(number, 'call')} {what}." for number, what in found if number]
    lists = sorted({name for each in lines for name in each.priced_by})
    return [*([f"Priced by {words.listed(lists)}."] if lists else []), *troubles]
