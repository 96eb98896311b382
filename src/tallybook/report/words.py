"""Figures and codes as people read them."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from tallybook.domain.run import ClientRun, OperationName, Run, Status
from tallybook.domain.tally import Money, Tally

NOTHING = "–"

FINISH_REASONS: Mapping[str, str] = {
    "no_work": "nothing was due",
    "no_rubric": "the client has no rubric for it",
    "no_harvester": "no harvester is set up",
    "below_service_level": "the client's service level does not include it",
    "store_error": "the client's store did not answer",
    "client_timeout": "the client took longer than engine.client_timeout_s allows",
    "run_timeout": "the run took longer than engine.run_timeout_s allows",
    "timeout": "it took longer than its timeout allows",
    "canceled": "it was canceled",
    "pause_expired": "it was paused for more than a day",
    "clients_unreadable": "the client list could not be read",
    "lost": "nothing was heard of it for six hours",
}
BLOCKED_REASONS: Mapping[str, str] = {
    "provider_quota": "the provider's quota is used up",
    "budget_exhausted": "the budget is used up",
    "provider_unavailable": "the provider does not answer",
    "auth": "the provider refused the key",
    "model_config": "the provider refused the model or the request",
    "unpriced_model": "the model has no known price, and the budget is in dollars",
}
MEANINGS: Mapping[str, str] = {
    "insufficient_profile": "too little in the profile to judge",
    "no_content": "nothing in the posts to judge",
    "no_posts": "no posts that are not scored yet",
    "lead_gone": "the lead was removed meanwhile",
    "gave_up": "failed in three runs with the same input",
    "safety_block": "the model refused the content",
    "quota": "the provider said: too many requests",
    "timeout": "no answer in time",
    "auth": "the provider refused the key",
    "model_config": "the provider refused the model or the request",
    "unavailable": "the provider did not answer",
    "ai_response_format": "the answer had the wrong shape",
    "output_truncated": "the answer was cut off",
    "empty_response": "the answer was empty",
    "missing_from_answer": "the answer left the lead out",
    "store_error": "the client's store did not answer",
    "unknown": "an error nobody foresaw; the log has it",
}


def plain(code: str) -> str:
    """`completed_with_errors` -> `completed with errors`."""
    return code.replace("_", " ")


def finish_reason(code: str | None) -> str:
    return FINISH_REASONS.get(code, plain(code)) if code else ""


def blocked_reason(code: str | None, until: datetime | None = None) -> str:
    """What something waits for. What is no code of ours is somebody's own words."""
    reason = BLOCKED_REASONS.get(code, code) if code else ""
    return f"{reason} until {instant(until)}" if until else reason


def by_itself(at: datetime | None) -> str:
    """`goes on by itself at 2026-11-24 00:00:00 UTC`; empty where somebody has to resume it."""
    return f"goes on by itself at {instant(at)}" if at else ""


def meaning(reason: str) -> str:
    """What a reason code of an outcome means."""
    return MEANINGS.get(reason, plain(reason))


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 lead`, `2 leads`, `1,200 leads`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(parts: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    words = list(parts)
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def short(number: int) -> str:
    """A count in at most six characters: `950`, `12.5k`, `3.1M`."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.1f}{letter}" if number < 100 * size else f"{number // size}{letter}"
    return str(number)


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `2 min 05 s`, `1 h 02 min`."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    minutes, second = divmod(round(seconds), 60)
    if not minutes:
        return f"{second} s"
    if minutes < 60:
        return f"{minutes} min {second:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def clock(seconds: float) -> str:
    """`0:08`, `12:40`, `2:05:00`."""
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def instant(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else NOTHING


def lasted(started_at: datetime | None, ended_at: datetime | None) -> str:
    """How long, once both ends are known; else empty."""
    return duration((ended_at - started_at).total_seconds()) if started_at and ended_at else ""


def usd(money: Money) -> str:
    """`$1.20`, `$0.0123`, `<$0.0001`: something is never shown as nothing."""
    amount = money.as_decimal
    if 0 < amount < 1:
        return f"${amount:.4f}" if round(amount, 4) else "<$0.0001"
    return f"${amount:,.2f}"


def cost(tally: Tally) -> str:
    """What the calls came to. Calls without a known price are never taken for free."""
    if tally.unpriced and not tally.cost_pico_usd:
        return "unpriced"
    if not tally.calls and not tally.cost_pico_usd:
        return NOTHING
    return f"{usd(tally.cost)}{'+' if tally.unpriced or tally.unmeasured else ''}"


def percent(rate: float | None) -> str:
    """`97.5 %`; never rounded up to 100 or down to 0."""
    if rate is None:
        return NOTHING
    if 0 < rate < 0.001:
        return "<0.1 %"
    if 0.999 < rate < 1:
        return ">99.9 %"
    return f"{rate * 100:.1f} %".replace(".0 %", " %")


def counts(tally: Tally) -> str:
    """`60 found = 57 scored + 1 skipped + 2 failed + 0 pending`: nothing is left out (F15)."""
    kinds = [("scored", tally.scored), ("harvested", tally.harvested), ("skipped", tally.skipped)]
    kinds += [("failed", tally.failed), ("pending", tally.pending)]
    shown = [f"{number:,} {name}" for name, number in kinds if number or name in _ALWAYS]
    return f"{tally.found:,} found = {' + '.join(shown)}"


_ALWAYS = ("scored", "skipped", "failed", "pending")


def by_operation(clients: Iterable[ClientRun]) -> Mapping[OperationName, Tally]:
    """What each operation came to over these clients. Within one operation every lead counts once."""
    sums: dict[OperationName, Tally] = {}
    for each in (operation for client in clients for operation in client.operations):
        sums[each.operation] = sums.get(each.operation, Tally()) + each.tally
    return {name: sums[name] for name in OperationName if name in sums}


def reasons_of(run: Run) -> Mapping[str, int]:
    """Every reason of the run with its count, the most frequent first."""
    sums: dict[str, int] = {}
    for each in (operation for client in run.clients for operation in client.operations):
        for reason, number in each.reasons.items():
            sums[reason] = sums.get(reason, 0) + number
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


SIGNS: Mapping[Status, str] = {
    Status.QUEUED: "·",
    Status.RUNNING: "▸",
    Status.PAUSED: "‖",
    Status.COMPLETED: "✓",
    Status.COMPLETED_WITH_ERRORS: "!",
    Status.FAILED: "✗",
    Status.CANCELED: "✗",
    Status.TIMED_OUT: "✗",
}
