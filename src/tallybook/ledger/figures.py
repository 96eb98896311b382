"""Figures that are summed from rows when somebody asks: usage, distinct leads, tries left, the run before."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tallybook.database import Database, stamp
from tallybook.domain.client import ClientId
from tallybook.domain.figures import Failures, LeadFigures, UsageLine
from tallybook.domain.outcome import COUNTED_REASONS, Kind
from tallybook.domain.run import OperationName, Run, Status
from tallybook.domain.tally import Tally
from tallybook.ledger.tables import calls, outcomes, runs, worklist

_OK = (Kind.SCORED.value, Kind.HARVESTED.value)
_ENDED = [status.value for status in Status if status.terminal]


def _flag(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.case((condition, 1), else_=0)


def _sum(value: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(value), 0)


def _same(one: Any, other: Any, *names: str) -> sa.ColumnElement[bool]:
    return sa.and_(*(one[name] == other[name] for name in names))


# -- distinct leads ----------------------------------------------------------------------------------------------------


def lead_figures(database: Database, run_id: str) -> Mapping[ClientId, LeadFigures]:
    """Per client of a run; clients without a worklist are left out. A run's figures are their sum."""
    kind = outcomes.c.kind
    both = _same(worklist.c, outcomes.c, "run_id", "client_id", "operation", "lead_id")
    flags = {
        "any": _flag(kind.is_not(None)),
        "ok": _flag(kind.in_(_OK)),
        "failed": _flag(kind == Kind.FAILED.value),
    }
    leads = (
        sa.select(worklist.c.client_id, *(sa.func.max(flag).label(name) for name, flag in flags.items()))
        .select_from(worklist.outerjoin(outcomes, both))
        .where(worklist.c.run_id == run_id)
        .group_by(worklist.c.client_id, worklist.c.lead_id)
        .subquery()
    )
    ok, failed = leads.c.ok, leads.c.failed
    skipped = _sum(leads.c.any) - _sum(failed) - _sum(ok * (1 - failed))
    sums = (sa.func.count(), _sum(leads.c.any), _sum(ok * (1 - failed)), _sum(failed), skipped)
    statement = sa.select(leads.c.client_id, *sums).group_by(leads.c.client_id).order_by(leads.c.client_id)
    with database.reading() as connection:
        return {row[0]: LeadFigures(*map(int, row[1:])) for row in connection.execute(statement)}


# -- failures ----------------------------------------------------------------------------------------------------------


def failures(database: Database, run_id: str, most_runs: int) -> list[Failures]:
    """The failed leads of a run by client, operation and reason, with the tries that are left of *most_runs*."""
    per_lead = _tries_of_failed(run_id).subquery()
    columns = [per_lead.c[name] for name in ("client_id", "operation", "reason", "tried", "settled")]
    statement: sa.Select[Any] = sa.select(*columns, sa.func.count()).group_by(*columns).order_by(*columns)
    found: dict[tuple[str, str, str], Failures] = {}
    with database.reading() as connection:
        for row in connection.execute(statement):
            client_id, operation, reason, tried, settled, leads = tuple(row)
            key = (client_id, operation, reason)
            known = found.get(key, Failures(client_id, OperationName(operation), reason, 0))
            found[key] = _with(known, 0 if settled else max(0, most_runs - tried), leads, settled=bool(settled))
    return list(found.values())


def _with(known: Failures, left: int, leads: int, *, settled: bool) -> Failures:
    again = known.again if settled else {**known.again, left: known.again.get(left, 0) + leads}
    more = leads if settled else 0
    return Failures(known.client_id, known.operation, known.reason, known.leads + leads, again, known.settled + more)


def _tries_of_failed(run_id: str) -> sa.Select[Any]:
    """A row per failed lead: in how many runs it failed with the same input, and whether a later one did better."""
    failed, other, later = outcomes.alias("failed"), outcomes.alias("other"), outcomes.alias("later")
    lead = ("client_id", "operation", "lead_id")
    same_input = sa.and_(
        sa.func.coalesce(other.c.input_hash, "") == sa.func.coalesce(failed.c.input_hash, ""),
        sa.func.coalesce(other.c.rubric_version, "") == sa.func.coalesce(failed.c.rubric_version, ""),
    )
    tried = (
        sa.select(sa.func.count())
        .where(_same(other.c, failed.c, *lead), other.c.reason.in_(COUNTED_REASONS), same_input)
        .scalar_subquery()
    )
    settled = sa.exists().where(
        _same(later.c, failed.c, *lead), later.c.at > failed.c.at, later.c.kind != Kind.FAILED.value
    )
    columns = [failed.c[name] for name in ("client_id", "operation", "reason")]
    return sa.select(*columns, tried.label("tried"), _flag(settled).label("settled")).where(
        failed.c.run_id == run_id, failed.c.kind == Kind.FAILED.value
    )


# -- the run before ----------------------------------------------------------------------------------------------------


def previous_run(database: Database, run: Run) -> str | None:
    """The newest ended run of the same stream and job type, driven by whoever drives this one, that was made before."""
    mine = sa.select(runs.c.created_at).where(runs.c.run_id == run.run_id).scalar_subquery()
    same_stream = runs.c.stream == run.stream if run.stream is not None else runs.c.stream.is_(None)
    earlier = sa.or_(runs.c.created_at < mine, sa.and_(runs.c.created_at == mine, runs.c.run_id < run.run_id))
    statement = (
        sa.select(runs.c.run_id)
        .where(same_stream, runs.c.job_type == run.job_type.value, runs.c.status.in_(_ENDED), earlier)
        .where(runs.c.planned == int(run.planned))
        .order_by(runs.c.created_at.desc(), runs.c.run_id.desc())
        .limit(1)
    )
    with database.reading() as connection:
        found = connection.execute(statement).scalar()
        return str(found) if found else None


# -- usage -------------------------------------------------------------------------------------------------------------

GROUPS: Mapping[str, sa.ColumnElement[str]] = {
    "client": calls.c.client_id,
    "operation": calls.c.operation,
    "model": sa.func.coalesce(calls.c.model, ""),
    "day": sa.func.substr(calls.c.started_at, 1, 10),
}
"""What usage can be grouped by. A day is one of UTC, and a call belongs to the day on which it began."""


def usage(
    database: Database,
    by: Sequence[str] = (),
    *,
    since: datetime | None = None,
    run_id: str | None = None,
    client_id: ClientId | None = None,
    after: Sequence[str] = (),
    limit: int | None = None,
) -> list[UsageLine]:
    """Sums over the calls, by any of GROUPS in that order; without *by* one line, even if there was no call.

    *after*: what the last line seen was grouped by; a list goes on behind it.
    """
    groups = [GROUPS[name].label(name) for name in by]
    # By time the calls are few; by their client, SQLite would rather skip through the index of all runs there are.
    of_client = calls.c.client_id if since is None else calls.c.client_id.concat("")
    equal = ((calls.c.run_id, run_id), (of_client, client_id))
    conditions = [column == value for column, value in equal if value is not None]
    if since is not None:
        conditions.append(calls.c.started_at >= stamp(since))
    if after:
        conditions.append(sa.tuple_(*(GROUPS[name] for name in by)) > sa.tuple_(*after))
    summed = sa.select(*groups, *_sums_of_calls()).where(*conditions)
    statement = summed.group_by(*groups).order_by(*groups).limit(limit)
    with database.reading() as connection:
        lines = [_usage_line(by, tuple(row)) for row in connection.execute(statement)]
        lists = _price_lists(connection, by, conditions, lines)
    return [replace(each, priced_by=tuple(lists.get(tuple(each.group.values()), ()))) for each in lines]


def _price_lists(
    connection: sa.Connection,
    by: Sequence[str],
    conditions: Sequence[sa.ColumnElement[bool]],
    lines: Sequence[UsageLine],
) -> Mapping[tuple[str, ...], list[str]]:
    """By which price lists the costs of *lines* were reckoned: what they are grouped by -> `source version`."""
    groups = [GROUPS[name].label(name) for name in by]
    columns = [*groups, calls.c.price_source, calls.c.price_version]
    statement = sa.select(*columns).where(*conditions, calls.c.price_source.is_not(None))
    if groups and lines:
        last = sa.tuple_(*lines[-1].group.values())
        statement = statement.where(sa.tuple_(*(GROUPS[name] for name in by)) <= last)
    found: dict[tuple[str, ...], list[str]] = {}
    for row in connection.execute(statement.group_by(*columns).order_by(*columns)):
        *group, source, version = map(str, row)
        found.setdefault(tuple(group), []).append(f"{source} {version}")
    return found


def _sums_of_calls() -> list[sa.ColumnElement[int]]:
    """In the order of `_usage_line`."""
    settled = calls.c.ended_at.is_not(None)
    no_bill = sa.and_(settled, calls.c.cost_pico_usd.is_(None))
    unknown = sa.or_(calls.c.input_tokens.is_(None), calls.c.output_tokens.is_(None))
    counted = (settled, sa.and_(no_bill, unknown), sa.and_(no_bill, sa.not_(unknown)))
    summed = (calls.c.input_tokens, calls.c.cached_tokens, calls.c.output_tokens, calls.c.cost_pico_usd)
    return [*(_sum(_flag(each)) for each in counted), *map(_sum, summed), _sum(_flag(calls.c.ended_at.is_(None)))]


def _usage_line(by: Sequence[str], row: tuple[Any, ...]) -> UsageLine:
    numbers = [int(each) for each in row[len(by) :]]
    names = ("calls", "unmeasured", "unpriced", "input_tokens", "cached_tokens", "output_tokens", "cost_pico_usd")
    tally = Tally(**dict(zip(names, numbers, strict=False)))
    return UsageLine(dict(zip(by, map(str, row), strict=False)), tally, numbers[-1])
