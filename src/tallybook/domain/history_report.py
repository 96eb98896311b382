"""What became of every row of an older system's books."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tallybook.domain.client import ClientId
from tallybook.domain.history import Line, Past, PastRun, Plan, What
from tallybook.domain.history_rows import Table
from tallybook.domain.telling import Part

BEFORE = "it was imported before"
UNDER_WAY = "its run may still be under way: import again when it has ended, or six hours after it began"
OURS = "it is a run of Tallybook's own, or was reported by a program; it stays as it is"


@dataclass(frozen=True, slots=True)
class Written:
    """Of one run, the parts that were written; "" is the run as a whole. *ours*: it was in the books before, and not
    by an import.
    """

    parts: frozenset[ClientId]
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """Of the rows of a table. *rows* is always the sum of the others."""

    rows: int
    imported_as_run: int
    imported_as_client_run: int
    merged: int
    refused: int
    already_in_the_books: int


@dataclass(frozen=True, slots=True)
class Report:
    """*runs_made*: for clients of runs that have no row of their own."""

    counts: Mapping[Table, Counts]
    runs_made: int
    lines: tuple[Line, ...]

    def of(self, what: What) -> tuple[Line, ...]:
        return tuple(each for each in self.lines if each.what is what)


def report(plan: Plan, written: Mapping[str, Written]) -> Report:
    """*written*: by run id, for every run of the plan."""
    left = (run for run in plan.runs if _is_left(run, written))
    refused = [*plan.refused, *(line for run in left for line in _refusals(run))]
    parts = [past for run in plan.runs if not _is_left(run, written) for past in run.parts]
    new = [past for past in parts if _is_new(past.part, written)]
    old = [past for past in parts if not _is_new(past.part, written)]
    return Report(
        {table: _counts(table, plan.rows[table], refused, new, old) for table in Table},
        sum(not past.records for past in new),
        (*refused, *(line for past in parts for line in _lines(past, written[past.part.run_id]))),
    )


def _is_left(run: PastRun, written: Mapping[str, Written]) -> bool:
    """It may be under way; one of ours is in the books all the same."""
    return run.under_way and not written[run.run_id].ours


def _refusals(run: PastRun) -> Iterator[Line]:
    return (
        Line(What.REFUSED, past.table, (record,), UNDER_WAY, past.part) for past in run.parts for record in past.records
    )


def belonging(plan: Plan, written: Mapping[str, Written]) -> Iterator[tuple[Part, tuple[str, ...]]]:
    """Whose rows are whose: each imported run, and each client's part of one, with the ids of its records, the oldest
    first; be it imported just now or before. A run that was made for its clients has none.
    """
    imported = (run for run in plan.runs if not run.under_way and not written[run.run_id].ours)
    return ((past.part, past.records) for run in imported for past in run.parts)


def _is_new(part: Part, written: Mapping[str, Written]) -> bool:
    return part.client_id in written[part.run_id].parts


def _counts(table: Table, rows: int, refused: Sequence[Line], new: Sequence[Past], old: Sequence[Past]) -> Counts:
    imported = [past.records for past in new if past.table is table and past.records]
    return Counts(
        rows,
        len(imported) if table is Table.JOBS else 0,
        len(imported) if table is Table.CLIENTS else 0,
        sum(map(len, imported)) - len(imported),
        sum(line.table is table for line in refused),
        sum(len(past.records) for past in old if past.table is table),
    )


def _lines(past: Past, written: Written) -> Iterator[Line]:
    if past.part.client_id in written.parts:
        yield from past.lines
    elif past.records:
        why = OURS if written.ours else BEFORE
        yield Line(What.ALREADY, past.table, past.records, f"already in the books: {why}", past.part)
