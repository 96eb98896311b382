"""What runs that have just ended tell: that they failed, that calls have no figures, that a client is far from its own.

Such a fact stays so. It is looked for once, when its run has changed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from tallybook.database import Database, read_stamp, rows_of, stamp
from tallybook.domain.alert import Alarms, AlertKind, Condition
from tallybook.domain.schedule import of_stream
from tallybook.domain.tally import rate
from tallybook.domain.unusual import Usual, usual
from tallybook.ledger.spending import Ask

FRESH_FOR = timedelta(days=1)
"""A run that ended longer ago and has only now come into the books is no news."""
MOST_RUNS = 500
"""Of one look."""
LAST_RUNS = 20
"""Of a client and operation, that it is held against."""
LEAST_LEADS = 5
"""Fewer in a run make no rate."""
FAR_RATE = 0.2
FAR_TOKENS = 0.5
"""Of the median."""
MOST_CLIENTS = 5
"""Of more clients of one run that are off it is said together."""

_ENDED = (
    "SELECT run_id, stream, job_type, status, finish_reason, changed_at FROM @runs WHERE changed_at >= ?"
    " AND ended_at >= ? ORDER BY changed_at, run_id LIMIT ?"
)
_SUMS = "SELECT SUM(scored + harvested), SUM(failed), SUM(calls) FROM @operation_runs WHERE run_id = ?"
_ODD_CALLS = (
    "SELECT client_id,"
    " SUM(CASE WHEN cost_pico_usd IS NULL AND (input_tokens IS NULL OR output_tokens IS NULL) THEN 1 ELSE 0 END),"
    " SUM(CASE WHEN result = 'ok' AND input_tokens = 0 AND output_tokens = 0 THEN 1 ELSE 0 END),"
    " SUM(CASE WHEN cost_pico_usd = 0 AND COALESCE(input_tokens, 0) + COALESCE(output_tokens, 0) > 0"
    " THEN 1 ELSE 0 END) FROM @calls WHERE run_id = ? AND ended_at IS NOT NULL GROUP BY client_id ORDER BY client_id"
)
_FIGURES = "client_id, operation, scored + harvested, failed, skipped, input_tokens + output_tokens"
_OF_RUN = (
    f"SELECT {_FIGURES} FROM @operation_runs WHERE run_id = ? AND basis = 'exact' AND ended_at IS NOT NULL"
    " ORDER BY client_id, operation"
)
_BEFORE = (
    f"SELECT {_FIGURES} FROM @operation_runs WHERE client_id = ? AND ended_at < ? AND run_id <> ? AND basis = 'exact'"
    " ORDER BY ended_at DESC LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended. *ok*, *failed*: of its leads."""

    run_id: str
    stream: int | None
    job_type: str
    status: str
    finish_reason: str | None
    changed_at: str
    ok: int = 0
    failed: int = 0
    calls: int = 0

    @property
    def about(self) -> str:
        """What the next of its kind is about as well."""
        return f"{self.stream} {self.job_type}"

    @property
    def named(self) -> str:
        return f"Run {self.run_id} of {of_stream(self.stream)}"


@dataclass(frozen=True, slots=True)
class News:
    """*over*: what alerts are about that is over now. *until*: the change that was looked at last, None if there was
    none; *more*: there are others behind it.
    """

    conditions: Sequence[Condition] = ()
    over: Sequence[str] = ()
    until: datetime | None = None
    more: bool = False


@dataclass(slots=True)
class _Found:
    """In the order in which runs ended: what a later one has again is not over."""

    conditions: list[Condition] = field(default_factory=list)
    over: dict[str, None] = field(default_factory=dict)

    def so(self, conditions: Iterable[Condition]) -> None:
        for each in conditions:
            self.conditions.append(each)
            self.over.pop(each.quiet_key, None)

    def past(self, quiet_keys: Iterable[str]) -> None:
        self.over.update(dict.fromkeys(quiet_keys))


def news(database: Database, alarms: Alarms, since: datetime, now: datetime) -> News:
    """Of the runs that have changed since then, and ended not long ago."""
    found = _Found()
    with database.reading() as connection:
        ask = partial(rows_of, connection)
        rows = ask(_ENDED, (stamp(since), stamp(now - FRESH_FOR), MOST_RUNS))
        for row in rows:
            sums = map(int, (each or 0 for each in ask(_SUMS, (row[0],))[0]))
            _look_at(ask, Ended(*row, *sums), alarms.errors_percent, found)
    until = read_stamp(rows[-1][5]) if rows else None
    return News(found.conditions, list(found.over), until, len(rows) == MOST_RUNS)


def _look_at(ask: Ask, run: Ended, errors_percent: int, found: _Found) -> None:
    failed = list(_failed(run, errors_percent))
    found.so(failed)
    if not failed and run.status.startswith("completed"):
        found.past(f"{kind} {run.about}" for kind in (AlertKind.RUN_FAILED, AlertKind.RUN_WITH_ERRORS))
    if run.calls:
        found.so(_odd_calls(ask, run))
    far, near = _far_off(ask, run)
    found.past(near)
    found.so(far)


# -- the run -----------------------------------------------------------------------------------------------------------


def _failed(run: Ended, errors_percent: int) -> Iterator[Condition]:
    see = f"`tallybook run explain {run.run_id}` says who failed and why; the next run tries them again"
    judged = run.ok + run.failed
    if run.status in ("failed", "timed_out"):
        why = f" ({run.finish_reason.replace('_', ' ')})" if run.finish_reason else ""
        done = f" after {run.ok:,} of {judged:,} leads" if judged else ""
        text = f"{run.named} {run.status.replace('_', ' ')}{why}{done}: {see}"
        yield Condition(AlertKind.RUN_FAILED, run.about, text, run.run_id, run.run_id, fact=True)
    elif run.status == "completed_with_errors" and judged and run.failed * 100 >= errors_percent * judged:
        share = f"{run.failed:,} of {judged:,} leads failed"
        text = f"{run.named} completed with errors: {share}, more than alerts.errors_percent allows: {see}"
        yield Condition(AlertKind.RUN_WITH_ERRORS, run.about, text, run.run_id, run.run_id, fact=True)


# -- its calls ---------------------------------------------------------------------------------------------------------

_ODD: Sequence[tuple[AlertKind, str, str]] = (
    (AlertKind.UNMEASURED, "of unknown usage, maybe billed", "compare with the provider's bill"),
    (AlertKind.ZERO_TOKENS, "that succeeded with 0 tokens: what they used was not told", "compare with the bill"),
    (AlertKind.ZERO_COST, "that used tokens and cost 0", "look at [prices] in tallybook.toml"),
)


def _odd_calls(ask: Ask, run: Ended) -> Iterator[Condition]:
    rows = ask(_ODD_CALLS, (run.run_id,))
    for place, (kind, what, mend) in enumerate(_ODD, 1):
        counts = {str(row[0]): int(row[place]) for row in rows if row[place]}
        if counts:
            calls = sum(counts.values())
            text = f"{run.named} has {calls:,} {'call' if calls == 1 else 'calls'} {what} ({_named(counts)}): {mend}"
            only = next(iter(counts)) if len(counts) == 1 else None
            yield Condition(kind, only or run.about, text, run.run_id, run.run_id, only, fact=True)


def _named(counts: Mapping[str, object]) -> str:
    first = list(counts)[:MOST_CLIENTS]
    more = len(counts) - len(first)
    return ", ".join(first) + (f" and {more:,} more" if more else "")


# -- its clients against their own past --------------------------------------------------------------------------------

Figure = Callable[[int, int, int, int], float | None]


def _success(ok: int, failed: int, _skipped: int, _tokens: int) -> float | None:
    return rate(ok, failed) if ok + failed >= LEAST_LEADS else None


def _tokens_per_lead(ok: int, failed: int, skipped: int, tokens: int) -> float | None:
    done = ok + failed + skipped
    return tokens / done if done >= LEAST_LEADS else None


def _far_off(ask: Ask, run: Ended) -> tuple[list[Condition], list[str]]:
    """Who is far from its own last runs; and what of it is near again."""
    far: dict[AlertKind, dict[str, Condition]] = {}
    near: list[str] = []
    for client_id, operation, *numbers in ask(_OF_RUN, (run.run_id,)):
        before = ask(_BEFORE, (client_id, run.changed_at, run.run_id, 3 * LAST_RUNS))
        past = [row[2:] for row in before if row[1] == operation][:LAST_RUNS]
        for kind, figure, least in _MEASURES:
            here, was = figure(*numbers), usual([each for row in past if (each := figure(*row)) is not None])
            if here is None or was is None:
                continue
            about = f"{client_id} {operation}"
            if was.is_far(here, least(was)) and (kind is not AlertKind.SUCCESS_RATE or here < was.middle):
                text = _WORDS[kind](run, client_id, operation, here, was)
                odd = Condition(kind, about, text, run.run_id, run.run_id, client_id, fact=True)
                far.setdefault(kind, {})[about] = odd
            else:
                near.append(f"{kind} {about}")
    return [each for kind, found in far.items() for each in _told_together(run, kind, found)], near


def _told_together(run: Ended, kind: AlertKind, found: Mapping[str, Condition]) -> Sequence[Condition]:
    if len(found) <= MOST_CLIENTS:
        return list(found.values())
    clients = dict.fromkeys(str(each.client_id) for each in found.values())
    first = next(iter(found.values())).text
    who = f"{len(clients):,} clients is far from their own ({_named(clients)})"
    text = f"{run.named}: {kind.replace('_', ' ')} of {who}; {first}"
    return [Condition(kind, run.about, text, run.run_id, run.run_id, fact=True)]


def _rate_words(run: Ended, client_id: str, operation: str, here: float, was: Usual) -> str:
    return (
        f"{client_id}: {here:.1%} of {operation} succeeded in run {run.run_id}; in its last {was.runs} runs the median"
        f" was {was.middle:.1%} (deviation {was.spread:.1%}): `tallybook run explain {run.run_id}` says why"
    )


def _tokens_words(run: Ended, client_id: str, operation: str, here: float, was: Usual) -> str:
    return (
        f"{client_id}: {here:,.0f} tokens per lead of {operation} in run {run.run_id}; in its last {was.runs} runs the"
        f" median was {was.middle:,.0f} (deviation {was.spread:,.0f}): `tallybook run diff` shows what changed"
    )


_MEASURES: Sequence[tuple[AlertKind, Figure, Callable[[Usual], float]]] = (
    (AlertKind.SUCCESS_RATE, _success, lambda _: FAR_RATE),
    (AlertKind.TOKENS_PER_LEAD, _tokens_per_lead, lambda was: FAR_TOKENS * was.middle),
)
_WORDS: Mapping[AlertKind, Callable[[Ended, str, str, float, Usual], str]] = {
    AlertKind.SUCCESS_RATE: _rate_words,
    AlertKind.TOKENS_PER_LEAD: _tokens_words,
}
