"""A dry run: what a start would find, pass over, ask, and spend. Writes nothing, asks nobody."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tallybook.cli import output
from tallybook.cli.run_start import Asked, refuse_if_nobody, request_of
from tallybook.domain.tally import Estimate
from tallybook.report.words import count, finish_reason, listed, usd

if TYPE_CHECKING:
    from tallybook.app import App
    from tallybook.engine.preview import ClientPreview, OperationPreview


def dry_run(app: "App", asked: Asked, *, as_json: bool) -> None:
    """What a start would find, and about what it would take."""
    from tallybook.engine.preview import preview

    request = request_of(app, asked)
    refuse_if_nobody(app, request)
    chunk_size = app.settings.engine.chunk_size
    found = preview(app.ledger, app.visited, app.scorer, app.operations_with, request, chunk_size=chunk_size)
    if as_json:
        total = _estimate_facts(_total(found))
        output.emit({"items": [_client_facts(each) for each in found], "next_cursor": None, "estimate": total})
        return
    for each in found:
        output.say(each.client.client_id)
        for operation in each.operations:
            output.say(f"  {operation.operation.replace('_', ' '):<15} {_told(operation)}")
    for line in _sum_of(found, app.scorer.model):
        output.say(line)


def _told(operation: "OperationPreview") -> str:
    if operation.finish_reason:
        return finish_reason(operation.finish_reason)
    parts = [f"{count(operation.due, 'lead')} due" if operation.due else "nothing is due"]
    parts += [f"{number:,} would be skipped: {reason}" for reason, number in operation.skips.items()]
    if operation.beyond:
        parts.append(f"{operation.beyond:,} more over the limit")
    if operation.waiting:
        parts.append(f"{operation.waiting:,} skipped before, and nothing has changed since")
    if operation.estimate.calls:
        parts.append(_taken(operation.estimate))
    return "; ".join(parts)


def _taken(estimate: Estimate) -> str:
    """'about 12 calls, 31,000 tokens, 0.02 USD'"""
    price = "of unknown price" if estimate.unpriced else usd(estimate.cost)
    return f"about {count(estimate.calls, 'call')}, {estimate.total_tokens:,} tokens, {price}"


def _sum_of(found: "Sequence[ClientPreview]", model: str) -> list[str]:
    sums: dict[str, int] = {}
    for operation in (operation for each in found for operation in each.operations):
        if operation.attempted:
            sums[operation.operation] = sums.get(operation.operation, 0) + operation.attempted
    if not sums:
        return ["Dry run: nothing is due. Nothing was started."]
    told = listed(f"{count(number, 'lead')} in {name.replace('_', ' ')}" for name, number in sums.items())
    total = _total(found)
    lines = [f"Dry run: {told} would be asked about. Nothing was started."]
    if total.calls:
        lines.append(f"It would take {_taken(total)}, if every answer is good and the model does not think at length.")
    if total.unpriced and ":" in model:
        lines.append(f"{model} has no known price: give it one under [prices] in tallybook.toml.")
    return lines


def _total(found: "Sequence[ClientPreview]") -> Estimate:
    return sum((operation.estimate for each in found for operation in each.operations), Estimate())


def _estimate_facts(estimate: Estimate) -> dict[str, object]:
    return {
        "calls": estimate.calls,
        "input_tokens": estimate.input_tokens,
        "output_tokens": estimate.output_tokens,
        "total_tokens": estimate.total_tokens,
        "cost_usd": str(estimate.cost),
        "unpriced_calls": estimate.unpriced,
    }


def _client_facts(found: "ClientPreview") -> dict[str, object]:
    return {
        "client_id": found.client.client_id,
        "client_name": found.client.name,
        "operations": [_operation_facts(each) for each in found.operations],
    }


def _operation_facts(found: "OperationPreview") -> dict[str, object]:
    return {
        "operation": found.operation.value,
        "due": found.due,
        "attempted": found.attempted,
        "skips": dict(found.skips),
        "beyond_limit": found.beyond,
        "not_due": found.waiting,
        "finish_reason": found.finish_reason,
        "estimate": _estimate_facts(found.estimate),
    }
