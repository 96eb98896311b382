"""The last line of a run."""

from datetime import timedelta

import pytest

from tallybook.domain.run import OperationName, Run, Status, Stop
from tallybook.domain.tally import Tally
from tallybook.report.verdict import closing_lines, last_line, verdict
from tests.unit.report.runs import BEGAN, client, operation, run

SOME = Tally(found=60, scored=57, skipped=1, failed=2)


def of(status: Status, tally: Tally = SOME, **more: object) -> Run:
    return run(client("acme", operation(tally, status), status=status), status=status, **more)


@pytest.mark.parametrize(
    ("told_of", "told"),
    [
        (of(Status.COMPLETED, Tally(found=60, scored=60)), "Completed in 1 min 12 s: 60 scored of 60 leads."),
        (of(Status.COMPLETED, Tally()), "Completed in 1 min 12 s: 1 client, nothing was due."),
        (
            of(Status.COMPLETED_WITH_ERRORS),
            "Completed with errors in 1 min 12 s: 2 failed, 57 scored and 1 skipped of 60 leads.",
        ),
        (of(Status.FAILED, Tally(found=1, failed=1)), "Failed in 1 min 12 s: 1 failed of 1 lead."),
        (of(Status.RUNNING, Tally(found=9, scored=3)), "Running: 3 scored and 6 pending of 9 leads."),
        (
            of(Status.PAUSED, Tally(found=9), blocked_reason="paused by Ctrl-C"),
            "Paused by Ctrl-C: 9 pending of 9 leads.",
        ),
        (
            of(Status.PAUSED, Tally(found=9), blocked_reason="provider_quota"),
            "Paused (the provider's quota is used up): 9 pending of 9 leads.",
        ),
        (
            of(
                Status.PAUSED,
                Tally(found=9),
                blocked_reason="provider_quota",
                stop=Stop.PAUSE,
                paused_at=BEGAN,
                wake_at=BEGAN + timedelta(hours=1),
            ),
            "Paused (the provider's quota is used up; goes on by itself at 2026-11-23 09:00:00 UTC): 9 pending of 9"
            " leads.",
        ),
        (of(Status.CANCELED, Tally(), finish_reason="canceled"), "Canceled in 1 min 12 s: nothing was begun."),
        (
            of(Status.TIMED_OUT, Tally(found=2), finish_reason="lost"),
            "Timed out in 1 min 12 s: nothing was heard of it for six hours; 2 pending of 2 leads.",
        ),
        (run(finish_reason="no_work"), "Completed in 1 min 12 s: nothing was due."),
        (
            run(
                status=Status.FAILED,
                error="The clients could not be read: no route.",
                finish_reason="clients_unreadable",
            ),
            "Failed in 1 min 12 s: The clients could not be read: no route.",
        ),
        (run(client("a"), planned=False), "Completed in 1 min 12 s: 1 client reported."),
        (run(status=Status.QUEUED), "Queued: nothing was begun."),
    ],
)
def test_the_verdict(told_of: Run, told: str) -> None:
    assert verdict(told_of) == told


def test_leads_of_several_operations_are_not_called_leads() -> None:
    both = run(client("a", operation(SOME), operation(SOME, name=OperationName.POST_SCORING)))
    assert verdict(both).endswith("of 120 lead-operations.")


@pytest.mark.parametrize(
    ("status", "verb"),
    [(Status.PAUSED, "resume"), (Status.RUNNING, "watch"), (Status.COMPLETED, "show"), (Status.FAILED, "explain")],
)
def test_the_last_line_names_the_command_to_see_more(status: Status, verb: str) -> None:
    assert last_line(of(status)).endswith(f": tallybook run {verb} 261123-080000")


def test_the_closing_lines_account_for_every_operation() -> None:
    """F15."""
    _, counts, _ = closing_lines(of(Status.COMPLETED_WITH_ERRORS))
    assert " ".join(counts.split()) == "lead scoring 60 found = 57 scored + 1 skipped + 2 failed + 0 pending"
