"""What the report of a run says, whichever way it is written: verdict first, then what is behind it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tallybook.domain.figures import LeadFigures
from tallybook.domain.outcome import SkipReason
from tallybook.domain.run import ClientRun, OperationRun, Run, Status
from tallybook.domain.tally import Tally
from tallybook.report import words
from tallybook.report.diff import Change, changes, figures, rate_change
from tallybook.report.verdict import verdict


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table of clients. *within*: an operation of the client above. *note*: what figures do not say."""

    name: str
    status: Status | None
    tally: Tally
    note: str = ""
    within: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """How often, for what, and what it means. *kind*: `failed` or `skipped`."""

    number: int
    kind: str
    reason: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What a reporting program said, and nobody has counted. *who*: a client, or the run."""

    who: str
    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Content:
    """Everything a report says, in the order in which it says it."""

    title: str
    circumstances: tuple[str, ...]
    verdict: str
    status: Status
    previous: str | None
    changes: tuple[Change, ...]
    rows: tuple[Row, ...]
    leads: str
    reasons: tuple[Reason, ...]
    cost: tuple[str, ...]
    claims: tuple[Claim, ...]
    commands: tuple[tuple[str, str], ...]


def content(run: Run, *, previous: Run | None = None, leads: LeadFigures | None = None) -> Content:
    """*previous*: the run before of the same stream; *leads*: distinct leads, where they were counted."""
    return Content(
        title=f"Run {run.display or run.run_id}",
        circumstances=tuple(circumstances(run)),
        verdict=verdict(run),
        status=run.status,
        previous=f"{previous.run_id}, {words.instant(previous.started_at)}" if previous else None,
        changes=_changes(previous, run) if previous else (),
        rows=tuple(_rows(run)),
        leads=_leads(leads) if leads and leads.total else "",
        reasons=tuple(reasons(run)),
        cost=tuple(cost(run)),
        claims=tuple(claims(run)),
        commands=tuple(commands(run)),
    )


def circumstances(run: Run) -> Iterator[str]:
    """Of what kind it is, for whom, started by whom and when."""
    stream = f"stream {run.stream}" if run.stream is not None else "all streams"
    yield f"{words.plain(run.job_type)}, {stream}, {run.trigger}"
    if run.requested_by:
        yield f"started by {run.requested_by}"
    yield f"{words.instant(run.started_at or run.created_at)} to {words.instant(run.ended_at)}"
    if not run.planned:
        yield "reported by another program: figures marked as claims were not counted by Tallybook"


def _changes(previous: Run, run: Run) -> tuple[Change, ...]:
    before, after = previous.tally, run.tally
    return (*changes(figures(before), figures(after)), *rate_change(before, after))


def _rows(run: Run) -> Iterator[Row]:
    for client in run.clients:
        yield Row(client.client_name, client.status, client.tally, note_on_client(client))
        for operation in client.operations:
            yield Row(
                words.plain(operation.operation), operation.status, operation.tally, _note(operation), within=True
            )
    if len(run.clients) > 1:
        yield Row(f"all {len(run.clients)} clients", None, run.tally)


def note_on_client(client: ClientRun) -> str:
    """Why it waits, or what ended it; empty when its operations say it all."""
    if not client.status.terminal and client.blocked_reason:
        return words.blocked_reason(client.blocked_reason, client.wake_at)
    if client.error:
        return client.error
    return words.finish_reason(client.finish_reason) if client.finish_reason not in (None, "no_work") else ""


def _note(operation: OperationRun) -> str:
    return words.finish_reason(operation.finish_reason)


def _leads(leads: LeadFigures) -> str:
    return (
        f"{words.count(leads.total, 'lead')}, each counted once: {leads.successful:,} successful,"
        f" {leads.failed:,} failed, {leads.skipped:,} skipped, {leads.total - leads.processed:,} pending;"
        f" success rate {words.percent(leads.success_rate)}"
    )


def reasons(run: Run) -> Iterator[Reason]:
    """Failures before skips, the most frequent first."""
    found = [
        Reason(number, "skipped" if reason in set(SkipReason) else "failed", reason, words.meaning(reason))
        for reason, number in words.reasons_of(run).items()
    ]
    yield from sorted(found, key=lambda each: each.kind)


def cost(run: Run) -> Iterator[str]:
    """What the calls used, and what nobody can know about them."""
    tally = run.tally
    if not tally.calls and not run.unsettled:
        yield "No paid call was made."
        return
    yield (
        f"{words.count(tally.calls, 'call')}: {tally.input_tokens:,} input tokens ({tally.cached_tokens:,} cached)"
        f" + {tally.output_tokens:,} output = {tally.total_tokens:,}"
    )
    if tally.cost_pico_usd or not tally.unpriced:
        yield f"{words.usd(tally.cost)} estimated"
    if tally.unpriced:
        yield f"{words.count(tally.unpriced, 'call')} without a known price: not in the cost; add it under [prices]"
    if tally.unmeasured:
        yield f"{words.count(tally.unmeasured, 'call')} of unknown usage, maybe billed: not in the tokens"
    if run.unsettled:
        yield f"{words.count(run.unsettled, 'call')} under way, or lost in a crash and maybe billed"


def claims(run: Run) -> Iterator[Claim]:
    """Of the run, then of each client. The status is no claim of its own: it was taken over or refused."""
    sources: list[tuple[str, Mapping[str, object]]] = [("run", run.claims)]
    sources += [(client.client_id, client.claims) for client in run.clients]
    for who, said in sources:
        yield from (Claim(who, field, _plain(value)) for field, value in said.items() if field != "status")


def _plain(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def commands(run: Run) -> Iterator[tuple[str, str]]:
    """What to do next, and the command that does it."""
    if run.status is Status.PAUSED:
        yield "go on", f"tallybook run resume {run.run_id}"
    elif not run.status.terminal:
        yield "watch it", f"tallybook run watch {run.run_id}"
    if run.status is not Status.COMPLETED:
        yield "what happened, and what to do", f"tallybook run explain {run.run_id}"
    yield "recompute every total", f"tallybook audit {run.run_id}"
