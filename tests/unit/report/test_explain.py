"""A run explained: what happened, what it means, what to do."""

from dataclasses import replace
from datetime import timedelta

from tallybook.domain.figures import Failures
from tallybook.domain.run import OperationName, Origin, Run, Status, Stop
from tallybook.domain.tally import Tally
from tallybook.report.explain import explain, explain_text
from tests.unit.report.runs import BEGAN, client, operation, run

LEADS = OperationName.LEAD_SCORING


def told(of: Run, *failures: Failures) -> str:
    return " ".join(" ".join(each.text for each in explain(of, failures)).split())


def failing(client_id: str) -> Run:
    return run(
        client(
            client_id,
            operation(
                Tally(found=60, scored=57, failed=3), Status.COMPLETED_WITH_ERRORS, reasons={"output_truncated": 3}
            ),
            status=Status.COMPLETED_WITH_ERRORS,
        ),
        status=Status.COMPLETED_WITH_ERRORS,
    )


def test_a_failure_says_what_happened_what_it_means_and_what_to_do() -> None:
    said = told(failing("acme"), Failures("acme", LEADS, "output_truncated", 3, {2: 3}))
    assert (
        "3 of 60 leads failed in lead scoring: output_truncated (the answer was cut off). The next run tries them again"
        " (2 tries left)."
    ) in said
    assert "engine.chunk_size" in said


def test_some_are_tried_again_some_are_given_up_and_some_are_settled() -> None:
    said = told(failing("acme"), Failures("acme", LEADS, "output_truncated", 3, {1: 1, 0: 1}, settled=1))
    assert "1 of them came out better in a later run." in said
    assert "The next run tries 1 of them again (1 try left)." in said
    assert "The next run gives 1 of them up, unless the profile or the rubric changes." in said


def test_what_is_true_of_many_clients_is_said_once() -> None:
    nothing = operation(Tally(), name=OperationName.POST_HARVESTING, finish_reason="no_harvester")
    text = explain_text(run(*(client(f"client-{number}", nothing) for number in range(9))))
    assert " ".join(text.split()).count("no harvester is set up") == 1
    assert "client-0, client-1 and 7 more clients: post harvesting was left out" in " ".join(text.split())
    assert "All 9 clients completed without a failure." in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_paused_run_says_what_it_waits_for_and_how_it_goes_on() -> None:
    waiting = client("acme", status=Status.PAUSED)
    said = told(run(waiting, status=Status.PAUSED, blocked_reason="budget_exhausted", paused_at=BEGAN))
    assert "It is paused: the budget is used up. With a larger budget" in said
    assert "goes on with: tallybook run resume 261123-080000. Paused for 24 h it ends" in said
    waiting = replace(waiting, wake_at=BEGAN + timedelta(hours=16), blocked_reason="budget_exhausted")
    said = told(run(waiting, status=Status.PAUSED, blocked_reason="budget_exhausted", paused_at=BEGAN))
    assert "is used up. It goes on by itself at 2026-11-24 00:00:00 UTC, if some process works then. With a" in said
    assert "paused: the budget is used up until 2026-11-24 00:00:00 UTC." in said


def test_an_unfinished_run_always_says_what_it_waits_for() -> None:
    assert "No process has taken it up yet." in told(run(status=Status.QUEUED))
    assert "It was told to stop (cancel)" in told(run(status=Status.RUNNING, stop=Stop.CANCEL))
    clients = (
        client("a", status=Status.RUNNING),
        client("b", status=Status.QUEUED, blocked_reason="waiting for run x"),
    )
    said = told(run(*clients, status=Status.RUNNING))
    assert "of 2 clients 1 running and 1 queued." in said
    assert "queued: waiting for run x." in said


def test_errors_skips_and_what_stayed_pending_are_told() -> None:
    broken = client(
        "acme",
        operation(Tally(found=9, skipped=4), Status.FAILED, reasons={"lead_gone": 3, "gave_up": 1}),
        operation(Tally(), Status.FAILED, OperationName.POST_SCORING, finish_reason="store_error"),
        status=Status.FAILED,
        error="KeyError: 'x'",
        origin=Origin.AUTO_CREATED,
        origin_reason="update_client_run",
    )
    said = told(run(broken, status=Status.FAILED, error="It broke."))
    for part in (
        "It broke.",
        "failed: KeyError: 'x'.",
        "It was not announced; the row was made because of update_client_run.",
        "post scoring failed: the client's store did not answer.",
        "3 of 9 leads skipped in lead scoring: lead_gone (the lead was removed meanwhile). Nothing is left to do",
        "1 of 9 leads skipped in lead scoring: gave_up",
        "5 leads of lead scoring stayed pending. The next run takes them up.",
    ):
        assert part in said


def test_what_nobody_can_know_is_said() -> None:
    spent = operation(Tally(found=1, scored=1, calls=3, unmeasured=1, unpriced=2))
    said = told(run(client("acme", spent, claims={"posts_processed": 42}), unsettled=1))
    assert "1 call ended without known usage: maybe billed" in said
    assert "2 calls have no known price" in said
    assert "1 call under way, or lost in a crash" in said
    assert "It holds claims" in said


def test_who_asked_for_what_is_told() -> None:
    said = told(
        run(client("acme"), requested_by="ann on desk (cli)", stream=2, request={"clients": ["acme"], "limit": 5})
    )
    assert (
        "Run 261123-080000 (smart resume, stream 2, only acme, at most 5 leads per client and operation)"
        " was started by ann on desk (cli) at 2026-11-23 08:00:00 UTC."
    ) in said
