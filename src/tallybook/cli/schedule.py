"""`tallybook schedule`: when runs start by themselves, and what became of those that should have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tallybook.cli import output
from tallybook.cli.nouns import noun
from tallybook.cli.opening import Json, opened
from tallybook.report import words
from tallybook.report.facts import moment

if TYPE_CHECKING:
    from datetime import datetime

    from tallybook.app import App
    from tallybook.domain.schedule import Schedule
    from tallybook.ledger.schedules import LastRun, MissedRun, Standing

app = noun("Schedules: when runs start by themselves.")

HEADINGS = ("STREAM", "LINE", "TIMEZONE", "DOES", "LIMIT", "NEXT DUE", "IN UTC", "LAST RUN", "MISSED")
HEADINGS_OF_NEXT = ("DUE", "IN UTC", "STREAM", "LINE", "TIMEZONE", "DOES", "LIMIT")
NONE_SET = "No schedule is set: `[[schedule]]` in tallybook.toml starts runs by themselves (docs/schedules.md)."


@dataclass(frozen=True)
class Line:
    """A schedule of the settings and how it stands."""

    schedule: "Schedule"
    standing: "Standing"
    next_due: "datetime | None"
    kept: bool


@app.command("list")
def list_(ctx: typer.Context, as_json: Json = False) -> None:
    """List the schedules of the settings: when each is due next, what it started last, what it missed."""
    with opened(ctx) as opened_app:
        lines = _lines(opened_app)
    if as_json:
        output.page([_in_json(each) for each in lines], None)
        return
    if not lines:
        output.note(NONE_SET)
        return
    output.table([_row(each) for each in lines], HEADINGS, right=(4,))
    unkept = sum(not each.kept for each in lines)
    if unkept:
        output.note(f"Nobody keeps {unkept} of these: is `tallybook serve` running, and with these settings?")


@app.command("next")
def next_(
    ctx: typer.Context,
    count: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="So many, 1 to 1000")] = 10,
    as_json: Json = False,
) -> None:
    """List the next due times over all schedules, in order. Whether a server keeps them, `schedule list` says."""
    from tallybook.database import utc_now

    with opened(ctx) as opened_app:
        schedules = opened_app.schedules
    due = _next(schedules, utc_now(), count)
    if as_json:
        output.page([{**_due_in_json(each, at), **_schedule_in_json(each)} for at, each in due], None)
        return
    if not schedules:
        output.note(NONE_SET)
    elif not due:
        output.note("None of the schedules is ever due: no calendar has the days they name.")
    else:
        output.table([(_local(each, at), words.instant(at), *_said(each)) for at, each in due], HEADINGS_OF_NEXT)


def _next(schedules: "Sequence[Schedule]", now: "datetime", count: int) -> "list[tuple[datetime, Schedule]]":
    from heapq import merge
    from itertools import islice

    from tallybook.engine.schedule import upcoming

    each_by_itself = ([(at, each) for at in islice(upcoming(each, now), count)] for each in schedules)
    return list(islice(merge(*each_by_itself, key=lambda due: due[0]), count))


def _lines(opened_app: "App") -> "list[Line]":
    from tallybook.database import utc_now
    from tallybook.engine.schedule import is_kept, next_due
    from tallybook.ledger.schedules import standings

    now = utc_now()
    found = standings(opened_app.database, [each.schedule_id for each in opened_app.schedules])
    pairs = ((each, found[each.schedule_id]) for each in opened_app.schedules)
    return [Line(each, how, next_due(each, now), is_kept(each, how.checked_at, now)) for each, how in pairs]


# -- in a table --------------------------------------------------------------------------------------------------------


def _row(line: Line) -> Sequence[object]:
    stream, *others = _said(line.schedule)
    at = line.next_due
    due = (_local(line.schedule, at), words.instant(at)) if at else ("never", words.NOTHING)
    return (stream, *others, *due, _last_run(line.standing.last_run), _missed(line.standing))


def _said(schedule: "Schedule") -> Sequence[object]:
    stream = "all" if schedule.stream is None else schedule.stream
    limit = words.NOTHING if schedule.limit is None else f"{schedule.limit:,}"
    return stream, schedule.cron, schedule.timezone.key, _does(schedule), limit


def _does(schedule: "Schedule") -> str:
    from tallybook.domain.run import OperationName

    all_that_apply = set(schedule.operations) == set(OperationName)
    return "all that apply" if all_that_apply else ", ".join(map(words.plain, schedule.operations))


def _local(schedule: "Schedule", at: "datetime") -> str:
    return f"{at.astimezone(schedule.timezone):%a %Y-%m-%d %H:%M %z}"


def _last_run(run: "LastRun | None") -> str:
    return f"{run.run_id} {words.plain(run.status)}" if run else words.NOTHING


def _missed(standing: "Standing") -> str:
    from tallybook.domain.schedule import why_missed

    newest = standing.newest_missed
    if newest is None:
        return "0"
    return f"{standing.missed:,}, last {words.instant(newest.due_at)}: {why_missed(newest.reason, newest.run_id)}"


# -- in JSON -----------------------------------------------------------------------------------------------------------


def _in_json(line: Line) -> Mapping[str, Any]:
    standing = line.standing
    return {
        **_schedule_in_json(line.schedule),
        **(_due_in_json(line.schedule, line.next_due) if line.next_due else {"due_at": None, "due_local": None}),
        "kept": line.kept,
        "checked_at": moment(standing.checked_at),
        "last_run": _run_in_json(standing.last_run) if standing.last_run else None,
        "missed": standing.missed,
        "newest_missed": _missed_in_json(standing.newest_missed) if standing.newest_missed else None,
    }


def _schedule_in_json(schedule: "Schedule") -> Mapping[str, Any]:
    return {
        "schedule_id": schedule.schedule_id,
        "cron": schedule.cron,
        "timezone": schedule.timezone.key,
        "stream": schedule.stream,
        "operations": [each.value for each in schedule.operations],
        "limit": schedule.limit,
    }


def _due_in_json(schedule: "Schedule", at: "datetime") -> Mapping[str, Any]:
    return {"due_at": moment(at), "due_local": at.astimezone(schedule.timezone).isoformat()}


def _run_in_json(run: "LastRun") -> Mapping[str, Any]:
    return {"run_id": run.run_id, "status": run.status.value, "due_at": moment(run.due_at)}


def _missed_in_json(missed: "MissedRun") -> Mapping[str, Any]:
    return {"due_at": moment(missed.due_at), "reason": missed.reason, "run_id": missed.run_id}
