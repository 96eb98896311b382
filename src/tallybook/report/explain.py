"""A run explained: what happened, what it means, what to do. A sentence or two for each thing that is not as it should
be; what went well is said once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tallybook.domain.figures import Failures
from tallybook.domain.outcome import SkipReason
from tallybook.domain.run import ClientRun, OperationRun, Origin, Run, Status
from tallybook.report import words
from tallybook.report.content import commands, note_on_client
from tallybook.report.text import wrapped
from tallybook.report.verdict import verdict

MOST_NAMED = 3

CURES: Mapping[str, str] = {
    "auth": "Mend scorer.api_key (TALLYBOOK_SCORER__API_KEY).",
    "model_config": "Mend scorer.model or scorer.base_url; the run's events have the provider's own words.",
    "quota": "Set scorer.requests_per_minute to what the provider allows.",
    "output_truncated": "If it stays so, set engine.chunk_size lower.",
    "ai_response_format": "If it stays so, try another scorer.model.",
    "safety_block": "The model will refuse it again; another scorer.model may not.",
    "unavailable": "Usually the provider's trouble, and passing.",
    "timeout": "Usually the provider's trouble, and passing; else set engine.chunk_size lower.",
    "store_error": "Check that the client's store can be reached.",
    "unknown": "The log of the process that worked on it has the traceback.",
}
BLOCKED_CURES: Mapping[str, str] = {
    "provider_quota": "When the provider answers again, it goes on with:",
    "budget_exhausted": "With a larger budget (`tallybook client budget`, or [budget]) it goes on with:",
    "unpriced_model": "Give the model a price under [prices], or set a budget in tokens, then:",
    "auth": "Mend scorer.api_key, then:",
    "model_config": "Mend scorer.model or scorer.base_url, then:",
    "provider_unavailable": "When the provider answers again, it goes on with:",
}


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of the explanation. *clients*: whom it is true of; empty where it speaks of the run."""

    text: str
    clients: tuple[str, ...] = ()


def explain(run: Run, failures: Sequence[Failures] = ()) -> list[Said]:
    """*failures*: what the next run will make of the leads that failed."""
    return [*_of_run(run), *_of_clients(run, failures), *_of_calls(run), *_of_claims(run)]


def explain_text(run: Run, failures: Sequence[Failures] = ()) -> str:
    """As paragraphs of 80 columns, the commands last."""
    paragraphs = [line for each in explain(run, failures) for line in _paragraph(each)]
    steps = [f"  {what}: {command}" for what, command in commands(run) if "explain" not in command]
    return "\n".join([*paragraphs, "", "Next", *steps]) + "\n"


def _paragraph(said: Said) -> list[str]:
    each = ", each" if len(said.clients) > 1 and said.text[:1].isdigit() else ""
    text = f"{_who(said.clients)}{each}: {said.text}" if said.clients else said.text
    return wrapped(text, then=2)


def _who(clients: Sequence[str]) -> str:
    if len(clients) <= MOST_NAMED:
        return words.listed(clients)
    return f"{', '.join(clients[: MOST_NAMED - 1])} and {len(clients) - MOST_NAMED + 1} more clients"


# -- the run -----------------------------------------------------------------------------------------------------------


def _of_run(run: Run) -> Iterator[Said]:
    by = f" by {run.requested_by}" if run.requested_by else ""
    verb = "was started" if run.planned else "was reported"
    yield Said(f"Run {run.run_id} ({_job(run)}) {verb}{by} at {words.instant(run.created_at)}. {verdict(run)}")
    if run.error:
        yield Said(run.error)
    wait = _waits_for(run)
    if wait:
        yield Said(wait)


def _job(run: Run) -> str:
    parts = [words.plain(run.job_type), f"stream {run.stream}" if run.stream is not None else "all streams"]
    chosen = run.request.get("clients")
    if isinstance(chosen, list) and chosen:
        parts.append(f"only {words.listed(map(str, chosen))}")
    if run.request.get("limit"):
        parts.append(f"at most {run.request['limit']} leads per client and operation")
    return ", ".join(parts)


def _waits_for(run: Run) -> str:
    """What an unfinished run waits for, and how it goes on; a waiting run always says so."""
    if run.status.terminal:
        return ""
    if run.stop is not None and run.status is not Status.PAUSED:
        return f"It was told to stop ({run.stop}); whoever works on it lets go within a second."
    if run.status is Status.PAUSED:
        return _why_paused(run)
    if run.status is Status.QUEUED:
        return "No process has taken it up yet. One that works does so within seconds; `tallybook run resume` is one."
    return _under_way(run)


def _why_paused(run: Run) -> str:
    code = run.blocked_reason or ""
    cure = BLOCKED_CURES.get(code, "What was not attempted stays pending. It goes on with:")
    closing = "Paused for 24 h it ends, and the next run takes the rest."
    why = words.blocked_reason(code) or "nobody said why"
    by_itself = f"It {words.by_itself(run.goes_on_at)}, if some process works then. " if run.goes_on_at else ""
    return f"It is paused: {why}. {by_itself}{cure} tallybook run resume {run.run_id}. {closing}"


def _under_way(run: Run) -> str:
    sums: dict[Status, int] = {}
    for client in run.clients:
        sums[client.status] = sums.get(client.status, 0) + 1
    told = words.listed(f"{number} {words.plain(status)}" for status, number in sums.items())
    return f"It is under way: of {words.count(len(run.clients), 'client')} {told}."


# -- its clients -------------------------------------------------------------------------------------------------------


def _of_clients(run: Run, failures: Sequence[Failures]) -> Iterator[Said]:
    """What is true of several clients is said once."""
    told: dict[str, list[str]] = {}
    for client in run.clients:
        for text in _troubles(client, failures):
            told.setdefault(text, []).append(client.client_id)
    yield from (Said(text, tuple(clients)) for text, clients in sorted(told.items(), key=_failures_first))
    done = sum(1 for client in run.clients if client.status is Status.COMPLETED)
    if done and run.clients:
        yield Said(f"{_share(done, len(run.clients))} completed without a failure.")


def _failures_first(told: tuple[str, list[str]]) -> bool:
    return " failed " not in told[0]


def _share(number: int, total: int) -> str:
    if total == 1:
        return "The client"
    return f"All {total} clients" if number == total else f"{number} of {total} clients"


def _troubles(client: ClientRun, failures: Sequence[Failures]) -> Iterator[str]:
    note = note_on_client(client)
    if note:
        yield f"{words.plain(client.status)}: {note.rstrip('.')}."
    if client.origin is Origin.AUTO_CREATED:
        yield f"It was not announced; the row was made because of {client.origin_reason or 'an update'}."
    for operation in client.operations:
        yield from _of_operation(client, operation, failures)


def _of_operation(client: ClientRun, operation: OperationRun, failures: Sequence[Failures]) -> Iterator[str]:
    name = words.plain(operation.operation)
    if operation.finish_reason not in (None, "no_work") and operation.finish_reason != client.finish_reason:
        yield f"{_left_out(operation)}: {words.finish_reason(operation.finish_reason)}."
    for each in failures:
        if (each.client_id, each.operation) == (client.client_id, operation.operation):
            yield _failed(each, operation)
    skips = [(reason, number) for reason, number in operation.reasons.items() if reason in set(SkipReason)]
    for reason, number in skips:
        yield _skipped(reason, number, operation)
    if operation.tally.pending and operation.status.terminal:
        yield f"{words.count(operation.tally.pending, 'lead')} of {name} stayed pending. The next run takes them up."


def _left_out(operation: OperationRun) -> str:
    name = words.plain(operation.operation)
    if operation.status is Status.COMPLETED:
        return f"{name} was left out"
    return f"{name} {words.plain(operation.status)}"


def _failed(failure: Failures, operation: OperationRun) -> str:
    of = f"{failure.leads:,} of {words.count(operation.tally.found, 'lead')} failed in {words.plain(failure.operation)}"
    cure = CURES.get(failure.reason, "")
    told = f"{of}: {failure.reason} ({words.meaning(failure.reason)}). {' '.join(_next_time(failure))}"
    return f"{told} {cure}".strip()


def _next_time(failure: Failures) -> Iterator[str]:
    """What becomes of them: tried again, given up, or settled since."""
    if failure.settled:
        yield f"{failure.settled:,} of them came out better in a later run."
    for left, leads in sorted(failure.again.items(), reverse=True):
        them = "them" if leads == failure.leads else f"{leads:,} of them"
        if left:
            yield f"The next run tries {them} again ({words.count(left, 'try', 'tries')} left)."
        else:
            yield f"The next run gives {them} up, unless the profile or the rubric changes."


def _skipped(reason: str, number: int, operation: OperationRun) -> str:
    leads = f"{number:,} of {words.count(operation.tally.found, 'lead')} skipped in {words.plain(operation.operation)}"
    return f"{leads}: {reason} ({words.meaning(reason)}). {_due_again(reason)}"


def _due_again(reason: str) -> str:
    if reason == "lead_gone":
        return "Nothing is left to do for them."
    return "They are due again when what is judged, or the rubric, changes."


# -- what nobody can know ----------------------------------------------------------------------------------------------


def _of_calls(run: Run) -> Iterator[Said]:
    tally = run.tally
    if tally.unmeasured:
        calls = words.count(tally.unmeasured, "call")
        yield Said(f"{calls} ended without known usage: maybe billed, and in no sum of tokens or cost.")
    if tally.unpriced:
        calls = words.count(tally.unpriced, "call")
        yield Said(f"{calls} have no known price, so the cost is too low. Give the model a price under [prices].")
    if run.unsettled:
        calls = words.count(run.unsettled, "call")
        yield Said(f"{calls} under way, or lost in a crash and maybe billed.")


def _of_claims(run: Run) -> Iterator[Said]:
    if run.claims or any(client.claims for client in run.clients):
        yield Said("It holds claims: figures a program reported without the rows behind them. The report marks them.")
