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

if TYPE_CHECKING:
    from tallybook.domain.figures import UsageLine

BY = ("client", "operation", "model", "day")
_FIELDS = {"client": "client_id"}
SUMS = (
    "calls", "unmeasured_calls", "unpriced_calls", "input_tokens", "cached_tokens", "output_tokens", "total_tokens",
    "cost_usd",
)  # fmt: skip


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
        output.emit({"items": [_facts(each) for each in lines], "next_cursor": None, "total": _sums(_total(lines))})
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


def _sums(tally: Tally) -> dict[str, object]:
    return {
        "calls": tally.calls,
        "unmeasured_calls": tally.unmeasured,
        "unpriced_calls": tally.unpriced,
        "input_tokens": tally.input_tokens,
        "cached_tokens": tally.cached_tokens,
        "output_tokens": tally.output_tokens,
        "total_tokens": tally.total_tokens,
        "cost_usd": str(tally.cost),
    }


def _facts(line: "UsageLine") -> dict[str, object]:
    group = {_FIELDS.get(name, name): value for name, value in line.group.items()}
    return {**group, **_sums(line.tally), "open_calls": line.open_calls}


def _print_csv(groups: Sequence[str], lines: "Sequence[UsageLine]") -> None:
    writer = csv.DictWriter(sys.stdout, [*(_FIELDS.get(name, name) for name in groups), *SUMS, "open_calls"])
    writer.writeheader()
    for each in lines:
        writer.writerow(_facts(each))


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
    return [f"{words.count(number, 'call')} {what}." for number, what in found if number]
