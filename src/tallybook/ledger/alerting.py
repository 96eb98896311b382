"""What is so just now that somebody should know of it at once: read from the books, anew each time."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa

from tallybook.database import Database, Row, read_stamp, rows_of, stamp
from tallybook.domain.alert import Alarms, Alert, AlertKind, Condition, Spooled
from tallybook.domain.budget import Budgets, Ceiling
from tallybook.domain.run import Blocked
from tallybook.domain.schedule import of_stream, why_missed
from tallybook.ledger import schedules, spending
from tallybook.ledger.spending import Amount, Ask, Used

MISSED_FOR = timedelta(days=7)
BEHIND_AFTER = timedelta(hours=1)
ORPHAN_AFTER = timedelta(hours=1)
SPOOLED_AFTER = timedelta(minutes=10)
NEAR = 0.8
"""Of a budget."""

_OPEN = "status IN ('queued', 'running', 'paused')"
_SILENT = (
    f"SELECT run_id, stream, planned, created_at FROM @runs WHERE {_OPEN} AND status <> 'paused' AND created_at < ?"
    " ORDER BY run_id"
)
_WORKED_ON = f"SELECT DISTINCT run_id FROM @client_runs WHERE {_OPEN} AND status = 'running'"
_OPEN_CLIENTS = "JOIN @client_runs c ON c.run_id = x.run_id AND c.client_id = x.client_id WHERE x.run_id = ?"
_SIGNS = (
    "SELECT MAX(at) FROM (SELECT seen_at AS at FROM @runs WHERE run_id = ?"
    " UNION ALL SELECT MAX(started_at) FROM @client_runs WHERE run_id = ?"
    " UNION ALL SELECT MAX(ended_at) FROM @client_runs WHERE run_id = ?"
    " UNION ALL SELECT at FROM @events WHERE id = (SELECT MAX(id) FROM @events WHERE run_id = ?)"
    f" UNION ALL SELECT MAX(x.at) FROM @outcomes x {_OPEN_CLIENTS} AND c.status = 'running'"
    f" UNION ALL SELECT MAX(COALESCE(x.ended_at, x.started_at)) FROM @calls x {_OPEN_CLIENTS} AND c.status = 'running'"
    ") signs"
)
_OUTSIDE = "SELECT 1 FROM @external_runs WHERE run_id = ? AND state <> 'ended' AND until > ?"
_WAITING = (
    f"SELECT run_id, stream, blocked_reason FROM @runs WHERE {_OPEN} AND status = 'paused' AND wake_at IS NULL"
    " ORDER BY run_id"
)
_AT_WORK = f"SELECT DISTINCT client_id FROM @client_runs WHERE {_OPEN} AND status <> 'queued'"
_OPEN_RUNS = f"SELECT run_id, stream FROM @runs WHERE {_OPEN} AND planned = 1 ORDER BY run_id"
_ORPHANS = "SELECT COUNT(*), MIN(received_at) FROM @inbox WHERE state = 'orphan' AND received_at < ?"
_STATE = "SELECT name, value FROM @follower_state WHERE follower = ? AND name IN ('drift', 'trouble')"


def states(database: Database, alarms: Alarms, now: datetime, known: Sequence[Alert] = ()) -> list[Condition]:
    """Everything that holds. *known*: alerts that are open: what they are about is looked at again."""
    with database.reading() as connection:
        ask = partial(rows_of, connection)
        return [
            *_stuck(ask, now, alarms.stuck_after),
            *_waits(ask),
            *_missed(connection, now),
            *_budgets(ask, alarms.budgets, now, known),
            *(each for follower in alarms.followers for each in _follower(ask, follower, now)),
            *_orphans(ask, now),
            *(each for spooled in alarms.spooled() for each in _spool(spooled, now)),
        ]


# -- runs --------------------------------------------------------------------------------------------------------------


def _stuck(ask: Ask, now: datetime, after: timedelta) -> Iterator[Condition]:
    """Open, and for so long nobody has heard of it: not of its clients, calls or outcomes."""
    found = ask(_SILENT, (stamp(now - after),))
    worked_on = {row[0] for row in ask(_WORKED_ON, ())} if found else set()
    for run_id, stream, planned, created_at in found:
        if planned and worked_on and run_id not in worked_on:
            continue  # it waits its turn
        newest = max(str(ask(_SIGNS, (run_id,) * 6)[0][0] or ""), created_at)
        if newest < stamp(now - after) and not ask(_OUTSIDE, (run_id, stamp(now))):
            yield _silent(run_id, stream, newest, now, ours=bool(planned))


def _silent(run_id: str, stream: int | None, newest: str, now: datetime, *, ours: bool) -> Condition:
    mend = (
        f"see `tallybook run explain {run_id}`, and the log of the process that works on it"
        if ours
        else "look after the program that reports it; after six silent hours it closes as timed out"
    )
    text = f"Run {run_id} of {of_stream(stream)} is open, and for {_lasting(newest, now)} nothing has happened: {mend}"
    return Condition(AlertKind.RUN_STUCK, run_id, text, newest, run_id)


def _waits(ask: Ask) -> Iterator[Condition]:
    """Paused, and it does not go on by itself."""
    for run_id, stream, reason in ask(_WAITING, ()):
        if reason in list(Blocked):
            text = (
                f"Run {run_id} of {of_stream(stream)} is paused and waits for somebody ({reason.replace('_', ' ')}):"
                f" mend that, then `tallybook run resume {run_id}`; after 24 hours it closes"
            )
            yield Condition(AlertKind.RUN_WAITS, run_id, text, reason, run_id)


def _lasting(since: str | datetime, now: datetime) -> str:
    at = since if isinstance(since, datetime) else read_stamp(since)
    assert at is not None, "a time that is never NULL"
    minutes = max(0, int((now - at).total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes < 2880 else f"{minutes // 1440} days"


# -- schedules ---------------------------------------------------------------------------------------------------------


def _missed(connection: sa.Connection, now: datetime) -> Iterator[Condition]:
    """A schedule whose newest due time began no run, however many before it did not either (F20)."""
    missed = schedules.missed_in(connection, now - MISSED_FOR)
    for schedule_id in dict.fromkeys(each.schedule_id for each in missed):
        of_it = [each for each in missed if each.schedule_id == schedule_id]
        newest, last = of_it[0], schedules.last_run_of(connection, schedule_id)
        if last is not None and last.due_at > newest.due_at:
            continue
        count = f"{len(of_it):,} runs were" if len(of_it) > 1 else "A run was"
        text = (
            f"{count} missed of {of_stream(newest.stream)}, last the one due at {newest.due_at:%Y-%m-%d %H:%M} UTC:"
            f" {why_missed(newest.reason, newest.run_id)}; nothing was done for these clients:"
            f" see `tallybook schedule list`, or start it with `tallybook run start{_stream_flag(newest.stream)}`"
        )
        yield Condition(AlertKind.MISSED_RUN, schedule_id, text, stamp(newest.due_at), newest.run_id)


def _stream_flag(stream: int | None) -> str:
    return "" if stream is None else f" --stream {stream}"


# -- budgets -----------------------------------------------------------------------------------------------------------


def _budgets(ask: Ask, budgets: Budgets, now: datetime, known: Sequence[Alert]) -> Iterator[Condition]:
    """Of clients that are worked for, and of those whose budget was near its end when it was last looked at."""
    near = (AlertKind.BUDGET_NEAR, AlertKind.BUDGET_USED_UP)
    before = [each.client_id for each in known if each.kind in near and each.client_id is not None]
    for client_id in sorted({*(str(row[0]) for row in ask(_AT_WORK, ())), *before}):
        for held in spending.held_for_client(ask, client_id, budgets):
            used = spending.of_client(ask, client_id, held.since(now), now, budgets.in_flight_s)
            about = f"{client_id} {held.per}"
            whose = f"the {held.per}'s budget of {client_id}"
            mend = f"it is refilled at {held.turns_at(now):%Y-%m-%d %H:%M} UTC, or by `tallybook client budget`"
            share = _share(used, held.ceiling)
            yield from _near(share, whose, mend, Condition(_NEAR, about, "", stamp(held.since(now)), None, client_id))
    if budgets.run:
        for run_id, stream in ask(_OPEN_RUNS, ()):
            share = _share(spending.of_run(ask, run_id, now, budgets.in_flight_s), budgets.run)
            whose = f"the budget of run {run_id} of {of_stream(stream)}"
            yield from _near(share, whose, "see [budget] in tallybook.toml", Condition(_NEAR, run_id, "", "", run_id))


_NEAR = AlertKind.BUDGET_NEAR


def _share(used: Used, ceiling: Ceiling) -> float:
    """How much of it is used, of tokens or money, whichever is more. A limit of 0 was meant to be used up."""
    amount: Amount = used.spent + used.set_aside
    tokens = amount.tokens / ceiling.tokens if ceiling.tokens else 0.0
    money = amount.pico_usd / ceiling.cost.pico_usd if ceiling.cost and ceiling.cost.pico_usd else 0.0
    return max(tokens, money)


def _near(share: float, whose: str, mend: str, at: Condition) -> Iterator[Condition]:
    if share < NEAR:
        return
    kind = AlertKind.BUDGET_USED_UP if share >= 1 else AlertKind.BUDGET_NEAR
    stands = "is used up: no paid call is made" if share >= 1 else f"is used to {int(share * 100)} %"
    text = f"{whose[:1].upper()}{whose[1:]} {stands}; {mend}"
    yield Condition(kind, at.about, text, at.which, at.run_id, at.client_id)


# -- what is told elsewhere --------------------------------------------------------------------------------------------


def _follower(ask: Ask, follower: str, now: datetime) -> Iterator[Condition]:
    """What a follower has noted of its base, and since when nothing could be told."""
    notes = {name: _read(value) for name, value in ask(_STATE, (follower,))}
    drift, trouble = notes.get("drift"), notes.get("trouble")
    for notice in drift if isinstance(drift, list) else ():
        if isinstance(notice, dict) and notice.get("text"):
            text = f"In Airtable, {notice['text']}"
            yield Condition(AlertKind.MIRROR_DRIFT, f"{follower} {notice['text']}", text, str(notice.get("at")))
    if isinstance(trouble, dict):
        yield from _behind(follower, trouble, now)


def _behind(follower: str, trouble: Mapping[str, object], now: datetime) -> Iterator[Condition]:
    with suppress(ValueError, TypeError):  # no time of ours
        since = datetime.fromisoformat(str(trouble.get("since")))
        if now - since >= BEHIND_AFTER:
            text = (
                f"For {_lasting(since, now)} nothing could be told to {follower.replace('_', ' ')}:"
                f" {trouble.get('text')}; runs go on, what is owed is told once that is mended: see `tallybook doctor`"
            )
            yield Condition(AlertKind.MIRROR_BEHIND, follower, text, str(trouble.get("since")))


def _read(value: str) -> object:
    with suppress(ValueError):
        found: object = json.loads(value)
        return found
    return None


def _orphans(ask: Ask, now: datetime) -> Iterator[Condition]:
    ((count, oldest),) = ask(_ORPHANS, (stamp(now - ORPHAN_AFTER),))
    if count:
        of = "A delivery" if count == 1 else f"{count:,} deliveries"
        text = (
            f"{of} of runs that nobody knows, the oldest {_lasting(oldest, now)} old: what they bring is not in the"
            " books; `tallybook webhook list --state orphan` shows them, `tallybook webhook replay` applies one"
        )
        yield Condition(AlertKind.ORPHANS, "inbox", text)


def _spool(spooled: Spooled, now: datetime) -> Iterator[Condition]:
    """Tracking that cannot be written, so that the books lack it (F34)."""
    late = spooled.since is not None and now - spooled.since >= SPOOLED_AFTER
    if not (spooled.broken or spooled.denied or (spooled.waiting and late)):
        return
    parts = {"wait": spooled.waiting, "cannot be written or were refused": spooled.broken}
    counts = " and ".join(f"{number:,} {what}" for what, number in parts.items() if number)
    why = f": {spooled.why}" if spooled.why else ""
    text = (
        f"Of the tracking calls in {spooled.folder} {counts}{why}; the books lack them until then:"
        " `tallybook doctor` says how to mend it"
    )
    which = f"{'broken' if spooled.broken else ''} {'denied' if spooled.denied else ''}"
    yield Condition(AlertKind.SPOOL, spooled.folder, text, which)


# -- alerts as they are kept -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts. *everything*: those too that are over or acknowledged. *tenant*: those of that client alone."""

    everything: bool = False
    tenant: str | None = None


_COLUMNS = (
    "alert_id, kind, run_id, client_id, text, raised_at, told_at, acknowledged_at, cleared_at, about FROM @alerts"
)


def open_alerts(database: Database) -> list[Alert]:
    """Those that are not over, acknowledged or not, oldest first."""
    with database.reading() as connection:
        rows = rows_of(connection, f"SELECT {_COLUMNS} WHERE cleared_at IS NULL ORDER BY raised_at, alert_id", ())
    return [_alert(row) for row in rows]


def list_alerts(
    database: Database, wanted: Wanted, *, after: tuple[str, str] | None = None, limit: int = 50
) -> list[Alert]:
    """Newest first. *after*: `key_of` the last one seen."""
    conditions = ["1 = 1"] if wanted.everything else ["cleared_at IS NULL", "acknowledged_at IS NULL"]
    parameters: list[object] = []
    if wanted.tenant is not None:
        conditions.append("client_id = ?")
        parameters.append(wanted.tenant)
    if after is not None:
        conditions.append("(raised_at, alert_id) < (?, ?)")
        parameters.extend(after)
    asked = f"SELECT {_COLUMNS} WHERE {' AND '.join(conditions)} ORDER BY raised_at DESC, alert_id DESC LIMIT ?"
    with database.reading() as connection:
        return [_alert(row) for row in rows_of(connection, asked, (*parameters, limit))]


def key_of(alert: Alert) -> tuple[str, str]:
    """Where a list of alerts goes on after this one."""
    return stamp(alert.raised_at), alert.alert_id


def told_about_since(database: Database, since: datetime) -> set[str]:
    """What alerts were about that were told after then: it has its quiet period."""
    with database.reading() as connection:
        rows = rows_of(connection, "SELECT DISTINCT about FROM @alerts WHERE told_at > ?", (stamp(since),))
    return {str(row[0]) for row in rows}


def _alert(row: Row) -> Alert:
    alert_id, kind, run_id, client_id, text, *times, about = row
    raised_at, told_at, acknowledged_at, cleared_at = map(read_stamp, times)
    assert raised_at is not None, "a time that is never NULL"
    return Alert(alert_id, kind, run_id, client_id, text, raised_at, told_at, acknowledged_at, cleared_at, about)
