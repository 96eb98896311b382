"""A run and its client runs as rows of a table: figures by the names of `domain.fields`. What each means is in
docs/reporting.md. A figure that rests on no rows is the reporter's claim, where there is one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from tallybook.domain.figures import LeadFigures
from tallybook.domain.run import Basis, ClientRun, OperationName, Run, Status
from tallybook.domain.tally import Tally, rate
from tallybook.domain.telling import RunStory
from tallybook.report.facts import note_lines

Values = Mapping[str, object]

NOT_WELL = (Status.COMPLETED_WITH_ERRORS, Status.FAILED, Status.TIMED_OUT)
MOST_OUTSIDE = 20
"""Ids of outside runs that are named in a row."""


def run_values(story: RunStory) -> Values:
    """The row of the run as a whole."""
    run = story.run
    children = [client_values(story, each) for each in run.clients]
    everything = [each for ids in story.outside.values() for each in ids]
    counted = _clients(run)
    return {
        "run_id": run.display or run.run_id,
        "status": run.status,
        "job_type": run.job_type,
        "stream": run.stream,
        "triggered_by": run.trigger,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "duration": _duration(run.started_at, run.ended_at),
        **counted,
        **_summed(run, children),
        "error": run.error,
        "apify_run_id": _outside(everything) or _claim(run.claims, "apify_run_id"),
        "system_notes": _notes(story, "", run.status, run.blocked_reason),
    }


def client_values(story: RunStory, client: ClientRun) -> Values:
    """The row of one client's part. *job*, the link to the run's row, is not in it."""
    figures = _figures(story, client)
    tokens, processed = figures.get("total_tokens"), figures.get("leads_processed")
    return {
        "label": client.label,
        "client_id": client.client_id,
        "client_name": client.client_name,
        "status": client.status,
        "started_at": client.started_at,
        "ended_at": client.ended_at,
        "duration": _duration(client.started_at, client.ended_at),
        **{name: _number(figures.get(name)) for name in COUNTS},
        **{name: _money(figures.get(name)) for name in ("estimated_cost_usd", "apify_cost_usd")},
        "lead_success_rate": _lead_rate(figures),
        "tokens_per_lead": _per_lead(tokens, processed),
        "apify_run_id": _outside(story.outside.get(client.client_id, ())) or _claim(client.claims, "apify_run_id"),
        "error": client.error,
        "system_notes": _notes(story, client.client_id, client.status, client.blocked_reason),
    }


CLIENTS = ("total_clients", "successful_clients", "failed_clients")
LEADS = ("total_leads", "successful_leads", "failed_leads", "skipped_leads")
TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")
USED = (*TOKENS, "estimated_cost_usd")
COUNTS = (
    *LEADS, "leads_processed", "profiles_examined", "profiles_scored", "profile_tokens", "posts_examined",
    "posts_scored", "post_tokens", "posts_processed", "profiles_submitted", "posts_harvested", "errors", *TOKENS,
)  # fmt: skip


def _figures(story: RunStory, client: ClientRun) -> Values:
    """What has rows behind it; else the reporter's claim. Where some operations have rows and others are claimed, sums
    over all of them are the claims.
    """
    exact = [each for each in client.operations if each.basis is Basis.EXACT]
    found: dict[str, object] = {"errors": client.errors} if client.errors else {}
    if exact:
        tally = sum((each.tally for each in exact), Tally())
        found = {**_leads(story, client), "errors": tally.failed + client.errors, **_used(tally)}
        if not tally.calls:
            found = {name: value for name, value in found.items() if name not in USED or name not in client.claims}
    if len(exact) < len(client.operations) or not exact:
        found |= client.claims
    for each in exact:
        found |= _of_operation(each.operation, each.tally, story.posts_scored.get(client.client_id, 0))
    return {**client.claims, **found}


def _leads(story: RunStory, client: ClientRun) -> Values:
    leads = story.leads.get(client.client_id, LeadFigures())
    counted = dict(zip(LEADS, (leads.total, leads.successful, leads.failed, leads.skipped), strict=True))
    return {**counted, "leads_processed": leads.processed}


def _of_operation(operation: OperationName, tally: Tally, posts_scored: int) -> Values:
    tokens = None if _unknown(tally) else tally.total_tokens
    if operation is OperationName.LEAD_SCORING:
        return {"profiles_examined": tally.found, "profiles_scored": tally.scored, "profile_tokens": tokens}
    if operation is OperationName.POST_HARVESTING:
        cost = {"apify_cost_usd": tally.cost.as_decimal} if tally.calls > tally.unpriced + tally.unmeasured else {}
        return {"profiles_submitted": tally.found, "posts_harvested": tally.posts, **cost}
    judged = {"posts_examined": tally.posts, "posts_processed": tally.posts}
    return {**judged, "posts_scored": posts_scored, "post_tokens": tokens}


def _unknown(tally: Tally) -> bool:
    """Nobody knows what any of its calls used."""
    return bool(tally.calls) and tally.calls == tally.unmeasured


def _used(tally: Tally) -> Values:
    """What nobody knows is left out; it is not 0 (F07)."""
    if _unknown(tally):
        return {}
    tokens = dict(zip(TOKENS, (tally.input_tokens, tally.output_tokens, tally.total_tokens), strict=True))
    if tally.calls and tally.calls == tally.unmeasured + tally.unpriced:
        return tokens
    return {**tokens, "estimated_cost_usd": tally.cost.as_decimal}


def _clients(run: Run) -> Values:
    completed = sum(each.status is Status.COMPLETED for each in run.clients)
    not_well = sum(each.status in NOT_WELL for each in run.clients)
    counts: list[int | None] = [len(run.clients), completed, not_well]
    if not run.clients:
        counts = [_number(run.claims.get(name, 0)) for name in CLIENTS]
    _, well, bad = counts
    return {**dict(zip(CLIENTS, counts, strict=True)), "success_rate": rate(well or 0, bad or 0)}


def _summed(run: Run, children: Sequence[Values]) -> Values:
    """Of its clients; a run without any is as its reporter says. None where nobody knows of any."""
    sums = {name: _sum(children, name, run.claims) for name in (*LEADS, *TOKENS)}
    ended = sum((each.tally for each in run.clients), Tally())
    items = ended.ok + ended.skipped + ended.failed
    return {
        **sums,
        "lead_success_rate": _lead_rate(sums),
        "items_processed": items or _number(run.claims.get("items_processed", items)),
        "estimated_cost_usd": _cost(children, run.claims),
    }


def _sum(children: Sequence[Values], name: str, claims: Values) -> int | None:
    known = [number for each in children if (number := _number(each[name])) is not None]
    return sum(known) if known else _number(claims.get(name))


def _cost(children: Sequence[Values], claims: Values) -> Decimal | None:
    known = [cost for each in children if (cost := _money(each["estimated_cost_usd"])) is not None]
    return sum(known, Decimal(0)) if known else _money(claims.get("estimated_cost_usd"))


def _lead_rate(figures: Values) -> float | None:
    ok, failed = figures.get("successful_leads"), figures.get("failed_leads")
    return rate(ok, failed) if isinstance(ok, int) and isinstance(failed, int) else None


def _per_lead(tokens: object, processed: object) -> float | None:
    both = isinstance(tokens, int) and isinstance(processed, int) and processed
    return tokens / processed if both else None  # type: ignore[operator]  # both are numbers


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _money(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _claim(claims: Mapping[str, object], name: str) -> str | None:
    value = claims.get(name)
    return None if value is None else str(value)


def _duration(started_at: datetime | None, ended_at: datetime | None) -> timedelta | None:
    if started_at is None or ended_at is None:
        return None
    return max(timedelta(), ended_at - started_at)


def _outside(ids: Sequence[str]) -> str | None:
    named = ", ".join(ids[:MOST_OUTSIDE])
    more = len(ids) - MOST_OUTSIDE
    return (f"{named} and {more} more" if more > 0 else named) or None


def _notes(story: RunStory, client_id: str, status: Status, blocked_reason: str | None) -> str | None:
    """The mirrored status does not tell queued from running from paused: the last line does."""
    lines = note_lines(story.said.get(client_id, ()))
    if status in (Status.QUEUED, Status.PAUSED):
        lines.append(f"Now {status}: {blocked_reason}" if blocked_reason else f"Now {status}")
    return "\n".join(lines) or None
