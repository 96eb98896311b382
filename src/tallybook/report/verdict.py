"""The verdict on a run: one sentence, and where to look next."""

from tallybook.domain.run import Run, Status
from tallybook.domain.tally import Tally
from tallybook.report import words


def verdict(run: Run) -> str:
    """`Completed with errors in 12 s: 2 of 60 leads failed.` Leads of several operations are counted as
    lead-operations, and said to be.
    """
    return f"{_ending(run)}: {_substance(run)}."


def next_command(run: Run) -> str:
    """The command that says more, or does what the run waits for."""
    if run.status is Status.PAUSED:
        return f"tallybook run resume {run.run_id}"
    if not run.status.terminal:
        return f"tallybook run watch {run.run_id}"
    if run.status is Status.COMPLETED:
        return f"tallybook run show {run.run_id}"
    return f"tallybook run explain {run.run_id}"


def last_line(run: Run) -> str:
    """The verdict and the command to see more."""
    return f"{verdict(run)} {'Go on' if run.status is Status.PAUSED else 'More'}: {next_command(run)}"


def closing_lines(run: Run) -> list[str]:
    """What a run came to, an operation a line, and the verdict last. Every lead found is accounted for (F15)."""
    sums = words.by_operation(run.clients)
    lines = [f"  {words.plain(name):<15} {words.counts(tally)}" for name, tally in sums.items() if tally.found]
    return [f"Run {run.run_id}", *lines, last_line(run)]


def _ending(run: Run) -> str:
    if run.status is Status.PAUSED and run.blocked_reason:
        return _paused(words.blocked_reason(run.blocked_reason), words.by_itself(run.goes_on_at))
    said = words.plain(run.status).capitalize()
    took = words.lasted(run.started_at, run.ended_at)
    return f"{said} in {took}" if run.status.terminal and took else said


def _paused(reason: str, by_itself: str) -> str:
    """`Paused by Ctrl-C`, `Paused (the budget is used up; goes on by itself at 2026-11-24 00:00:00 UTC)`."""
    if reason.startswith("paused "):
        return reason[:1].upper() + reason[1:]
    return f"Paused ({'; '.join(filter(None, (reason, by_itself)))})"


def _substance(run: Run) -> str:
    if run.error and run.status is Status.FAILED and not run.tally.found:
        return run.error.rstrip(".")
    if run.planned and run.status.terminal and not run.clients:
        return words.finish_reason(run.finish_reason) or "no client was visited"
    if not run.planned and not run.tally.found:
        return f"{words.count(len(run.clients), 'client')} reported"
    if not run.tally.found and run.status is Status.COMPLETED:
        return f"{words.count(len(run.clients), 'client')}, nothing was due"
    return f"{_why(run)}{_amounts(run)}"


def _why(run: Run) -> str:
    """What a stop was about, where the status does not say it."""
    if run.status not in (Status.CANCELED, Status.TIMED_OUT) or run.finish_reason in (None, "canceled", "timeout"):
        return ""
    return f"{words.finish_reason(run.finish_reason)}; "


def _amounts(run: Run) -> str:
    tally = run.tally
    parts = [f"{number:,} {name}" for name, number in _named(tally) if number]
    of = words.count(tally.found, *_noun(run))
    if not tally.found:
        return "nothing was begun" if not run.status.good else "nothing was due"
    return f"{words.listed(parts)} of {of}"


def _named(tally: Tally) -> tuple[tuple[str, int], ...]:
    return (
        ("failed", tally.failed),
        ("scored", tally.scored),
        ("harvested", tally.harvested),
        ("skipped", tally.skipped),
        ("pending", tally.pending),
    )


def _noun(run: Run) -> tuple[str, str]:
    worked = [name for name, tally in words.by_operation(run.clients).items() if tally.found]
    return ("lead", "leads") if len(worked) < 2 else ("lead-operation", "lead-operations")
