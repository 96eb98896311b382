"""Runs as the JSON that people script against: docs/reporting.md and the API describe the same shapes."""

from collections.abc import Iterable
from datetime import UTC, datetime

from tallybook.domain.client import Client
from tallybook.domain.figures import UsageLine
from tallybook.domain.outcome import Outcome
from tallybook.domain.run import ClientRun, OperationName, OperationRun, Run
from tallybook.domain.tally import Tally

Facts = dict[str, object]

UNTOLD = frozenset({"replayed"})
"""Kinds of events that are kept for the machine and not told to people."""


def run_facts(run: Run) -> Facts:
    """The run with its clients and their operations. Times are RFC 3339 UTC, money is a decimal string."""
    return {**run_head(run), "clients": [client_run_facts(each) for each in run.clients]}


def run_head(run: Run) -> Facts:
    """The run without its clients: an item of a list. *wake_at*: when a paused one goes on by itself."""
    return {
        "run_id": run.run_id,
        "status": run.status.value,
        "finish_reason": run.finish_reason,
        "blocked_reason": run.blocked_reason,
        "job_type": run.job_type.value,
        "stream": run.stream,
        "triggered_by": run.trigger.value,
        "started_at": moment(run.started_at),
        "ended_at": moment(run.ended_at),
        "wake_at": moment(run.goes_on_at),
        "duration_s": duration_s(run.started_at, run.ended_at),
        "totals": totals(run.tally),
    }


def client_run_facts(client: ClientRun) -> Facts:
    """One client's part of a run, with its operations. *wake_at*: when a pause of this client alone ends by itself."""
    return {
        "client_id": client.client_id,
        "client_name": client.client_name,
        "label": client.label,
        "status": client.status.value,
        "finish_reason": client.finish_reason,
        "wake_at": moment(client.wake_at),
        "origin": client.origin.value,
        "error": client.error,
        "totals": totals(client.tally),
        "operations": [operation_facts(each) for each in client.operations],
    }


def operation_facts(operation: OperationRun) -> Facts:
    """*reasons*: reason code -> number of leads."""
    return {
        "operation": operation.operation.value,
        "status": operation.status.value,
        "finish_reason": operation.finish_reason,
        "totals": totals(operation.tally),
        "reasons": dict(operation.reasons),
    }


def totals(tally: Tally) -> Facts:
    """T: counts of lead-operations, usage of calls. *success_rate* is None where nothing came out either way (F08)."""
    return {
        "found": tally.found,
        "scored": tally.scored,
        "harvested": tally.harvested,
        "skipped": tally.skipped,
        "failed": tally.failed,
        "pending": tally.pending,
        "posts": tally.posts,
        "success_rate": tally.success_rate,
        "calls": tally.calls,
        "unmeasured_calls": tally.unmeasured,
        "input_tokens": tally.input_tokens,
        "cached_tokens": tally.cached_tokens,
        "output_tokens": tally.output_tokens,
        "total_tokens": tally.total_tokens,
        "cost_usd": str(tally.cost),
        "unpriced_calls": tally.unpriced,
    }


# -- beside runs -------------------------------------------------------------------------------------------------------


def client_facts(client: Client) -> Facts:
    """*active*: it is visited; *paused_here*: not, whatever its source says."""
    return {
        "client_id": client.client_id,
        "client_name": client.name,
        "stream": client.stream,
        "service_level": client.service_level,
        "status": client.status.value,
        "paused_here": client.paused_here,
        "active": client.active,
        "timezone": client.timezone,
        "daily_target": client.daily_target,
        "source": client.source.value,
    }


def usage_facts(line: UsageLine) -> Facts:
    """What it was grouped by, then sums of settled calls; *open_calls* are not settled (yet). *priced_by*: the price
    lists by which costs were reckoned; what a provider or a reporter says it billed has none.
    """
    group = {"client_id" if name == "client" else name: value for name, value in line.group.items()}
    return {**group, **usage_sums(line.tally), "open_calls": line.open_calls, "priced_by": list(line.priced_by)}


def usage_sums(tally: Tally) -> Facts:
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


def outcome_facts(outcome: Outcome) -> Facts:
    """What became of a lead, without the lead."""
    return {
        "kind": outcome.kind.value,
        "reason": outcome.reason.value if outcome.reason else None,
        "detail": outcome.detail,
        "score": outcome.score,
        "breakdown": outcome.breakdown,
        "assessment": outcome.assessment,
        "best_post": outcome.best_post,
        "posts": outcome.posts,
        "excluded_by": outcome.excluded_by,
        "flagged": outcome.flagged,
        "model": outcome.versions.model,
        "rubric_version": outcome.versions.rubric,
        "prompt_version": outcome.versions.prompt,
        "formula": outcome.versions.formula,
        "input_hash": outcome.input_hash,
    }


def told_facts(
    outcome: Outcome, *, run_id: str, operation: OperationName, at: datetime | None, late: bool, saved: bool
) -> Facts:
    """What became of a lead in one operation of one run. *late*: after it had ended; *saved*: its store has it."""
    where = {"run_id": run_id, "operation": operation.value, "at": moment(at)}
    return {**where, **outcome_facts(outcome), "late": late, "saved": saved}


# -- times -------------------------------------------------------------------------------------------------------------


def moment(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, with microseconds."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def duration_s(started_at: datetime | None, ended_at: datetime | None) -> float | None:
    """From start to end; None until both are known, and never negative where two clocks disagree."""
    if started_at is None or ended_at is None:
        return None
    return max(0.0, (ended_at - started_at).total_seconds())


def note_lines(said: Iterable[tuple[datetime | None, str, str]]) -> list[str]:
    """System Notes: a line for every event (instant, kind, text), in the order in which they came."""
    return [_line(at, text) for at, kind, text in said if kind not in UNTOLD]


def _line(at: datetime | None, text: str) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} {text}" if at else text
