"""Recompute every total from the rows it stands for, and name each difference. There must never be one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from tallybook.database import Database
from tallybook.domain.run import Status
from tallybook.ledger.tables import calls, client_runs, operation_runs, outcomes, runs, worklist

_KEY = ("run_id", "client_id", "operation")
_OPEN = [status.value for status in Status if not status.terminal]


@dataclass(frozen=True, slots=True)
class Difference:
    """*where*: `run/client/operation`; *stored*: what the books say; *recomputed*: what the rows say."""

    where: str
    field: str
    stored: object
    recomputed: object


@dataclass(frozen=True, slots=True)
class Audit:
    """*checked* counts the operation runs that were recomputed."""

    checked: int
    differences: tuple[Difference, ...]


def audit(database: Database, run_id: str | None = None) -> Audit:
    """Check one run, or all. Reads one consistent view, so it may run beside working processes."""
    with database.reading() as connection:
        checked = _operation_runs(connection, run_id)
        found = [*_tally_differences(connection, run_id), *_status_differences(connection, run_id)]
    return Audit(checked, tuple(found))


def _operation_runs(connection: sa.Connection, run_id: str | None) -> int:
    statement = sa.select(sa.func.count()).select_from(operation_runs)
    if run_id is not None:
        statement = statement.where(operation_runs.c.run_id == run_id)
    return connection.execute(statement).scalar_one()


def _tally_differences(connection: sa.Connection, run_id: str | None) -> Iterator[Difference]:
    found: dict[str, sa.ColumnElement[int]] = {"found": sa.func.count()}
    for table, figures in ((worklist, found), (outcomes, _outcome_figures()), (calls, _call_figures())):
        yield from _compare(connection, table, figures, run_id)


def _outcome_figures() -> dict[str, sa.ColumnElement[int]]:
    kinds = {kind: _count_if(outcomes.c.kind == kind) for kind in ("scored", "harvested", "skipped", "failed")}
    return {**kinds, "posts": _sum(outcomes.c.posts)}


def _call_figures() -> dict[str, sa.ColumnElement[int]]:
    settled = calls.c.ended_at.is_not(None)
    no_bill = sa.and_(settled, calls.c.cost_pico_usd.is_(None))
    unknown = sa.or_(calls.c.input_tokens.is_(None), calls.c.output_tokens.is_(None))
    sums = ("input_tokens", "cached_tokens", "output_tokens", "cost_pico_usd")
    return {
        "calls": _count_if(settled),
        "unmeasured": _count_if(sa.and_(no_bill, unknown)),
        "unpriced": _count_if(sa.and_(no_bill, sa.not_(unknown))),
        **{name: _sum(calls.c[name]) for name in sums},
    }


def _count_if(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def _sum(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(column), 0)


def _compare(
    connection: sa.Connection, table: sa.Table, figures: dict[str, sa.ColumnElement[int]], run_id: str | None
) -> Iterator[Difference]:
    sums = sa.select(*(table.c[name] for name in _KEY), *(value.label(name) for name, value in figures.items()))
    if run_id is not None:
        sums = sums.where(table.c.run_id == run_id)
    rows = sums.group_by(*(table.c[name] for name in _KEY)).subquery()
    same = sa.and_(*(operation_runs.c[name] == rows.c[name] for name in _KEY))
    both = [(name, operation_runs.c[name], sa.func.coalesce(rows.c[name], 0)) for name in figures]
    differs = sa.or_(*(stored != counted for _, stored, counted in both))
    columns = [each for _, stored, counted in both for each in (stored, counted)]
    statement = (
        sa.select(*(operation_runs.c[name] for name in _KEY), *columns)
        .select_from(operation_runs.outerjoin(rows, same))
        .where(differs)
        .order_by(*(operation_runs.c[name] for name in _KEY))
    )
    if run_id is not None:
        statement = statement.where(operation_runs.c.run_id == run_id)
    for row in connection.execute(statement):
        yield from _named("/".join(row[:3]), list(figures), row[3:])


def _named(where: str, names: Sequence[str], pairs: Sequence[int]) -> Iterator[Difference]:
    for n, name in enumerate(names):
        stored, counted = int(pairs[2 * n]), int(pairs[2 * n + 1])
        if stored != counted:
            yield Difference(where, name, stored, counted)


def _status_differences(connection: sa.Connection, run_id: str | None) -> Iterator[Difference]:
    """A parent is terminal only when every child is; no more leads have an outcome than were found; what has simply
    completed has saved them.
    """
    for parent, child, on in (
        (client_runs, operation_runs, ("run_id", "client_id")),
        (runs, client_runs, ("run_id",)),
    ):
        yield from _open_children(connection, parent, child, on, run_id)
    yield from _overfull(connection, run_id)
    yield from _unsaved(connection, run_id)


def _open_children(
    connection: sa.Connection, parent: sa.Table, child: sa.Table, on: Sequence[str], run_id: str | None
) -> Iterator[Difference]:
    key = [parent.c[name] for name in on]
    statement = (
        sa.select(*key, parent.c.status, sa.func.min(child.c.status))
        .select_from(parent.join(child, sa.and_(*(parent.c[name] == child.c[name] for name in on))))
        .where(parent.c.status.not_in(_OPEN), child.c.status.in_(_OPEN))
        .group_by(*key, parent.c.status)
        .order_by(*key)
    )
    if run_id is not None:
        statement = statement.where(parent.c.run_id == run_id)
    for row in connection.execute(statement):
        yield Difference("/".join(row[: len(on)]), "status", row[-2], f"has a child that is {row[-1]}")


def _overfull(connection: sa.Connection, run_id: str | None) -> Iterator[Difference]:
    columns = operation_runs.c
    done = columns.scored + columns.harvested + columns.skipped + columns.failed
    statement = sa.select(*(columns[name] for name in _KEY), columns.found, done).where(done > columns.found)
    if run_id is not None:
        statement = statement.where(columns.run_id == run_id)
    for row in connection.execute(statement):
        yield Difference("/".join(row[:3]), "found", row[3], f"{row[4]} outcomes")


def _unsaved(connection: sa.Connection, run_id: str | None) -> Iterator[Difference]:
    key = [operation_runs.c[name] for name in _KEY]
    count = sa.func.count()
    statement = (
        sa.select(*key, count)
        .select_from(
            operation_runs.join(outcomes, sa.and_(*(outcomes.c[name] == operation_runs.c[name] for name in _KEY)))
        )
        .where(operation_runs.c.status == Status.COMPLETED, outcomes.c.saved_at.is_(None), outcomes.c.late == 0)
        .group_by(*key)
        .order_by(*key)
    )
    if run_id is not None:
        statement = statement.where(operation_runs.c.run_id == run_id)
    for row in connection.execute(statement):
        yield Difference("/".join(row[:3]), "saved", Status.COMPLETED.value, f"{row[3]} outcomes are not saved")
