"""A run as JSON data: the shapes that people script against."""

import json
from datetime import UTC, datetime, timedelta, timezone

from tallybook.domain.run import (
    ClientRun,
    JobType,
    OperationName,
    OperationRun,
    Run,
    Status,
    Trigger,
)
from tallybook.domain.tally import Tally
from tallybook.report.facts import client_run_facts, duration_s, moment, note_lines, run_facts, run_head, totals

TALLY = Tally(
    found=10, scored=3, harvested=1, skipped=2, failed=1, posts=4, calls=5, unmeasured=1, unpriced=2,
    input_tokens=100, cached_tokens=40, output_tokens=20, cost_pico_usd=12_300_000_000,
)  # fmt: skip
STARTED = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
OPERATION = OperationRun(OperationName.LEAD_SCORING, Status.FAILED, TALLY, "x", reasons={"timeout": 1})
CLIENT = ClientRun(
    "acme", "Acme", "261123-013000-acme", Status.RUNNING, error="slow", operations=(OPERATION, OPERATION)
)
RUN = Run(
    "261123-013000",
    JobType.SMART_RESUME,
    Status.COMPLETED,
    Trigger.CRON,
    TALLY,
    stream=1,
    started_at=STARTED,
    ended_at=STARTED + timedelta(seconds=90),
    clients=(CLIENT,),
)


def test_totals_have_the_documented_names_and_money_is_a_decimal_string() -> None:
    assert totals(TALLY) == {
        "found": 10, "scored": 3, "harvested": 1, "skipped": 2, "failed": 1, "pending": 3, "posts": 4,
        "success_rate": 0.8, "calls": 5, "unmeasured_calls": 1, "input_tokens": 100, "cached_tokens": 40,
        "output_tokens": 20, "total_tokens": 120, "cost_usd": "0.0123", "unpriced_calls": 2,
    }  # fmt: skip


def test_a_rate_of_nothing_is_null() -> None:
    """F08."""
    assert totals(Tally(found=3, skipped=3))["success_rate"] is None


def test_a_run_has_the_documented_names() -> None:
    facts = json.loads(json.dumps(run_facts(RUN)))
    assert list(facts) == [
        "run_id", "status", "finish_reason", "blocked_reason", "job_type", "stream", "triggered_by", "started_at",
        "ended_at", "wake_at", "duration_s", "totals", "clients",
    ]  # fmt: skip
    assert (facts["started_at"], facts["duration_s"]) == ("2026-11-23T01:30:00.000000Z", 90.0)
    assert list(facts["clients"][0]) == [
        "client_id", "client_name", "label", "status", "finish_reason", "wake_at", "origin", "error", "totals",
        "operations",
    ]  # fmt: skip
    assert list(facts["clients"][0]["operations"][0]) == ["operation", "status", "finish_reason", "totals", "reasons"]
    assert {**run_head(RUN), "clients": [client_run_facts(CLIENT)]} == run_facts(RUN)


def test_a_client_run_sums_its_operations() -> None:
    """F37."""
    assert client_run_facts(CLIENT)["totals"] == totals(TALLY + TALLY)


def test_times_are_utc_and_a_duration_is_never_negative() -> None:
    assert moment(STARTED.astimezone(timezone(timedelta(hours=5)))) == "2026-11-23T01:30:00.000000Z"
    assert moment(None) is None
    assert duration_s(STARTED, None) is None
    assert duration_s(None, STARTED) is None
    assert duration_s(STARTED, STARTED - timedelta(seconds=1)) == 0


def test_notes_are_lines_without_what_is_for_the_machine() -> None:
    said = [(STARTED, "note", "Started"), (STARTED, "replayed", "x"), (None, "note", "timeless")]
    assert note_lines(said) == ["2026-11-23 01:30:00 Started", "timeless"]
