"""What is told of an import of old books."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tallybook.cli import output
from tallybook.cli.reading import MOST_LISTED
from tallybook.domain.history import Line, What
from tallybook.domain.history_report import Report
from tallybook.domain.history_rows import Table
from tallybook.report import words

TOLD = {
    What.REFUSED: "left out",
    What.MADE: "run made for clients without one",
    What.CLOSED: "closed as lost",
    What.MERGED: "merged",
    What.RENAMED: "renamed",
    What.LEFT_OUT: "cell left out",
    What.ASSUMED: "end assumed",
    What.ALREADY: "already in the books",
}

NAMES = {"rows": "rows read"}
MEND = "Mend them in Airtable and import again; what is in the books by then stays as it is."


@dataclass(frozen=True, slots=True)
class Done:
    base_id: str
    dry_run: bool
    report: Report


def rows_read(table: str, rows: int) -> None:
    output.note(f"{words.count(rows, 'row')} of {table} read")


def runs_written(done: int, of: int) -> None:
    output.note(f"{done:,} of {words.count(of, 'run')} written")


def in_json(done: Done) -> Mapping[str, Any]:
    return {
        "base": done.base_id,
        "dry_run": done.dry_run,
        "tables": {table.value: asdict(counts) for table, counts in done.report.counts.items()},
        "runs_made": done.report.runs_made,
        "lines": [_line_in_json(line) for line in done.report.lines],
    }


def _line_in_json(line: Line) -> Mapping[str, Any]:
    return {
        "what": line.what.value,
        "table": line.table.value,
        "records": list(line.records),
        "run_id": line.part.run_id if line.part else None,
        "client_id": (line.part.client_id or None) if line.part else None,
        "said": line.text,
    }


def show(done: Done) -> None:
    """Totals and what happened to rows on stdout, refused ones on stderr; of each kind the first few."""
    for line in totals(done):
        output.say(line)
    for what in What:
        _show(done.report.of(what), what)


def _show(lines: Sequence[Line], what: What) -> None:
    if not lines:
        return
    tell = output.note if what is What.REFUSED else output.say
    tell(f"{TOLD[what].capitalize()} ({len(lines):,}):")
    for line in lines[:MOST_LISTED]:
        tell(f"  {in_words(line)}")
    if len(lines) > MOST_LISTED:
        tell(f"  … and {len(lines) - MOST_LISTED:,} more; --report FILE and --json have them all")
    if what is What.REFUSED:
        tell(MEND)


def whole(done: Done) -> Iterator[str]:
    """A line for everything there is to tell."""
    yield from totals(done)
    yield from (f"{TOLD[line.what]}: {in_words(line)}" for line in done.report.lines)


def totals(done: Done) -> Iterator[str]:
    counts = {table: asdict(each) for table, each in done.report.counts.items()}
    shown = {name: NAMES.get(name, name.replace("_", " ")) for name in counts[Table.JOBS]}
    rows = [(says, *(f"{counts[table][name]:,}" for table in Table)) for name, says in shown.items()]
    headings = ("", *(table.heading.upper() for table in Table))
    yield from output.lines_of(rows, headings, right=(1, 2))
    if done.report.runs_made:
        yield f"{words.count(done.report.runs_made, 'run')} made for clients whose run has no row of its own"
    yield _verdict(done)


def _verdict(done: Done) -> str:
    jobs, clients = (done.report.counts[table] for table in Table)
    runs = jobs.imported_as_run + done.report.runs_made
    new = f"{words.count(runs, 'run')} and {words.count(clients.imported_as_client_run, 'client run')}"
    return f"Would import {new}; nothing was written." if done.dry_run else f"Imported {new}."


def in_words(line: Line) -> str:
    whose = f" [{' '.join(filter(None, line.part))}]" if line.part else ""
    return output.one_line(f"{line.table.heading} {', '.join(line.records)}{whose}: {line.text}")
