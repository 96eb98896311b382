"""What every verb does, and what it refuses."""

import logging
from collections.abc import Callable

import pytest

from tallybook.domain.client import Client
from tallybook.domain.errors import BadInput, ClaimRefused, ComputedField, UnknownField, UnknownWord
from tallybook.domain.run import Status
from tallybook.ledger.audit import audit
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import claims, starts
from tallybook.tracking import JobTracking
from tests.tracking.conftest import RUN, OpenBook


def test_the_example_of_the_handbook_works_as_written(book: JobTracking, ledger: Ledger) -> None:
    run_id = book.generate_run_id()
    book.create_job(run_id=run_id, job_type="post_scoring", stream=1, triggered_by="cron", system_notes="Started")
    book.create_client_run(run_id, "acme-law", client_name="Acme Law")
    book.update_client_run(run_id, "acme-law", posts_processed=42, prompt_tokens=15_000, completion_tokens=900)
    book.complete_client_run(run_id, "acme-law", status="completed")
    book.update_job(run_id, system_notes="Processing batch 2 of 4", progress="50% complete")
    assert book.complete_job(run_id) is True

    job = book.get_job(run_id)
    assert job is not None
    assert (job["run_id"], job["status"], job["job_type"], job["stream"]) == (run_id, "completed", "post_scoring", 1)
    assert job["duration_s"] >= 0
    [client] = job["clients"]
    assert (client["client_name"], client["label"], client["origin"]) == ("Acme Law", f"{run_id}-acme-law", "reported")
    assert client["reported"]["posts_processed"] == 42
    assert [line[20:] for line in job["system_notes"]] == [
        "Started", "Processing batch 2 of 4", "50% complete", "Ended completed",
    ]  # fmt: skip
    assert book.status().well
    assert audit(ledger.database).differences == ()


def test_run_ids_are_minted_by_the_ledger_and_never_twice(book: JobTracking) -> None:
    """F06."""
    assert len({book.generate_run_id() for _ in range(5)}) == 5


def test_creating_what_exists_returns_it_and_changes_nothing(book: JobTracking) -> None:
    """F03."""
    assert book.create_job(RUN, "lead_scoring", 2, "cron", "Started") == RUN
    assert book.create_client_run(RUN, "acme", client_name="Acme") == f"{RUN}-acme"
    book.update_client_run(RUN, "acme", posts_processed=42)
    before = book.get_job(RUN)
    assert book.create_job(RUN, "post_scoring", 1, "manual", "Started") == RUN
    assert book.create_client_run(RUN, "acme", client_name="Other", posts_processed=0) == f"{RUN}-acme"
    assert book.get_job(RUN) == before


def test_creating_what_an_early_update_made_adds_what_was_not_known(book: JobTracking) -> None:
    book.update_client_run(RUN, "acme", posts_scored=3)
    book.create_job(RUN, "lead_scoring", 2, "cron", started_at="2026-11-23T01:00:00Z")
    book.create_client_run(RUN, "acme", client_name="Acme", posts_scored=0)
    job = book.get_job(RUN)
    assert job is not None
    assert (job["job_type"], job["stream"], job["triggered_by"]) == ("lead_scoring", 2, "cron")
    assert job["started_at"] == "2026-11-23T01:00:00.000000Z"
    assert (job["clients"][0]["client_name"], job["clients"][0]["reported"]["posts_scored"]) == ("Acme", 3)


def test_a_label_is_made_in_one_place_and_a_doubled_suffix_finds_the_same_row(book: JobTracking) -> None:
    """F04."""
    label = book.create_client_run(RUN, "Guy-Wilson")
    assert label == book.client_label(RUN, "Guy-Wilson") == f"{RUN}-Guy-Wilson"
    assert book.client_label(str(label), "Guy-Wilson") == label
    assert book.update_client_run(f"{label}-Guy-Wilson", posts_scored=1)
    assert book.exists(f"{label}-Guy-Wilson")
    job = book.get_job(RUN)
    assert job is not None
    assert [each["client_id"] for each in job["clients"]] == ["Guy-Wilson"]


@pytest.mark.parametrize("name", [RUN, f"{RUN}-acme", f"{RUN}-somebody-else"])
def test_every_verb_takes_a_run_id_or_a_label(book: JobTracking, name: str) -> None:
    """F05."""
    book.create_job(RUN)
    book.create_client_run(RUN, "acme")
    assert book.create_job(name) == RUN
    assert book.create_client_run(name, "acme") == f"{RUN}-acme"
    assert book.update_job(name, progress="half")
    assert book.update_client_run(name, "acme", posts_scored=1)
    assert book.record_outcome(name, "acme", "post_scoring", "lead-1", "scored", score=50)
    assert book.record_call(name, "acme", "post_scoring", "call-1")
    assert book.exists(name, "acme")
    assert book.complete_client_run(name, "acme")
    assert book.complete_job(name)
    job, client = book.get_job(name), book.get_client_run(name, "acme")
    assert job is not None
    assert client is not None
    assert (job["run_id"], len(job["clients"]), job["status"]) == (RUN, 1, "completed")
    assert client["reported"] == {"posts_scored": 1}


def test_a_label_alone_names_the_client_too(book: JobTracking) -> None:
    """F05."""
    label = str(book.create_client_run(RUN, "acme"))
    assert book.update_client_run(label, posts_scored=1)
    assert book.complete_client_run(label)
    client = book.get_client_run(label)
    assert client is not None
    assert (client["client_id"], client["status"]) == ("acme", "completed")
    assert book.exists(label)


@pytest.mark.parametrize(
    "made_by_old_code", ["job_post_scoring_stream1_20251123013000", "smart_resume_1732323000000_x7"]
)
def test_ids_of_the_old_system_name_runs_too(book: JobTracking, made_by_old_code: str) -> None:
    assert book.create_job(made_by_old_code) == made_by_old_code
    assert book.update_client_run(made_by_old_code, "acme", posts_scored=1)
    assert book.exists(f"{made_by_old_code}-acme") is False  # no form ends with a client here: found by equality only
    assert book.exists(made_by_old_code, "acme")


def test_updating_what_is_missing_creates_it_and_says_where_from(book: JobTracking) -> None:
    assert book.update_client_run(f"{RUN}-acme", posts_scored=1)
    client = book.get_client_run(RUN, "acme")
    assert client is not None
    assert client["origin"] == "auto_created"
    assert client["origin_reason"].startswith("update_client_run at tracking/test_verbs.py:")
    assert "The client run was not in the books" in client["system_notes"][0]
    assert list((book.status().auto_created or {}).values()) == [2]
    assert book.exists(RUN)


def test_a_reporter_says_when_its_work_began_and_ended(book: JobTracking) -> None:
    book.create_job(RUN)
    book.create_client_run(RUN, "acme", started_at="2026-11-23T01:00:00Z", stream=3)
    book.update_client_run(RUN, "beta", started_at="2026-11-23T03:00:00+02:00", ended_at="2026-11-23T01:10:00Z")
    book.update_job(RUN, startTime="2026-11-23T00:59:00Z", client_name="all of them")
    job = book.get_job(RUN)
    assert job is not None
    assert job["started_at"] == "2026-11-23T00:59:00.000000Z"
    assert job["reported"] == {"client_name": "all of them"}
    assert [each["reported"] for each in job["clients"]] == [{"stream": 3}, {"ended_at": "2026-11-23T01:10:00.000000Z"}]


def test_none_is_never_written_over_a_value(book: JobTracking) -> None:
    """F07."""
    book.update_client_run(RUN, "acme", posts_processed=42, error="slow")
    book.update_client_run(RUN, "acme", posts_processed=None, error=None, client_name=None, status=None)
    client = book.get_client_run(RUN, "acme")
    assert client is not None
    assert (client["reported"], client["error"]) == ({"posts_processed": 42}, "slow")


def test_tokens_are_a_row_per_call_which_no_later_step_overwrites(book: JobTracking, ledger: Ledger) -> None:
    """F07, F37: the totals add up whatever sums are claimed beside them, and whoever repeats a call."""
    for n in range(3):
        assert book.record_call(RUN, "acme", "post_scoring", f"call-{n}", input_tokens=100, output_tokens=10)
    assert book.record_call(RUN, "acme", "post_scoring", "call-0", input_tokens=7) is False
    assert book.record_call(RUN, "acme", "post_scoring", "call-3", "openai", "small", "timeout", cost_usd="0.0123")
    book.update_client_run(RUN, "acme", total_tokens=0, post_tokens=0)
    job = book.get_job(RUN)
    assert job is not None
    totals = job["totals"]
    assert (totals["calls"], totals["input_tokens"], totals["output_tokens"]) == (4, 300, 30)
    assert (totals["cost_usd"], totals["unpriced_calls"], totals["unmeasured_calls"]) == ("0.0123", 3, 0)
    assert audit(ledger.database).differences == ()


def test_rates_come_from_rows_and_stay_between_0_and_1(book: JobTracking) -> None:
    """F08."""
    book.create_client_run(RUN, "acme")
    for n, (kind, reason) in enumerate([("scored", None), ("failed", "timeout"), ("skipped", "no_posts")]):
        assert book.record_outcome(RUN, "acme", "lead_scoring", f"lead-{n}", kind, reason, input_hash="x")
        assert book.record_outcome(RUN, "acme", "lead_scoring", f"lead-{n}", "scored") is False
    book.update_client_run(RUN, "acme", total_leads=1, successful_leads=2)
    job = book.get_job(RUN)
    assert job is not None
    assert job["totals"]["success_rate"] == 0.5
    assert job["clients"][0]["operations"][0]["reasons"] == {"no_posts": 1, "timeout": 1}
    book.complete_client_run(RUN, "acme", status="completed")
    assert book.complete_job(RUN)
    ended = book.get_job(RUN)
    assert ended is not None
    assert ended["status"] == "completed_with_errors"


@pytest.mark.parametrize("computed", ["success_rate", "Success Rate", "duration", "tokens_per_lead", "leadSuccessRate"])
def test_computed_fields_cannot_be_written(book: JobTracking, computed: str) -> None:
    """F11."""
    book.create_job(RUN)
    assert book.update_job(RUN, **{"items_processed": 5, computed: 2.0}) is False
    job = book.get_job(RUN)
    assert job is not None
    assert job["reported"] == {}
    assert "cannot be written" in job["system_notes"][-1]


def test_an_unknown_field_is_refused_whole_and_the_known_ones_are_named(
    book: JobTracking, caplog: pytest.LogCaptureFixture
) -> None:
    """F34."""
    book.create_job(RUN)
    with caplog.at_level(logging.WARNING, "tallybook.tracking"):
        assert book.update_client_run(RUN, "acme", posts_procesed=895, posts_scored=1) is False
        assert book.update_client_run(RUN, "acme", posts_procesed=895, posts_scored=1) is False
    assert book.exists(RUN, "acme") is False
    job = book.get_job(RUN)
    assert job is not None
    [line] = job["system_notes"]
    assert "'posts_procesed' is no field; known fields: job_type" in line
    assert "known fields" in caplog.text
    assert book.status().refused == {"update_client_run": 2}
    assert list((book.status().refused_ever or {}).values()) == [1]


def test_legacy_names_and_spellings_are_read(book: JobTracking) -> None:
    book.create_job(RUN, jobType="post-scoring", startTime="2026-11-23T01:00:00Z", initialData="from the old server")
    book.update_job(RUN, **{"System Notes": "a", "notes": "b", "AI Tokens Used": 7, "itemsProcessed": "3"})
    book.update_client_run(RUN, "acme", tokenUsage=9, Error="slow", postsProcessed=2, status="STARTED")
    book.complete_client_run(RUN, "acme", status="No Leads To Score")
    book.complete_job(RUN, status="Success")
    job = book.get_job(RUN)
    assert job is not None
    assert (job["job_type"], job["started_at"]) == ("post_scoring", "2026-11-23T01:00:00.000000Z")
    assert job["reported"] == {"items_processed": 3, "status": "completed", "total_tokens": 7}
    assert "a\nb" in job["system_notes"][1]
    [client] = job["clients"]
    assert (client["status"], client["finish_reason"], client["error"]) == ("completed", "no_work", "slow")


def test_the_first_finisher_does_not_complete_the_run(book: JobTracking, ledger: Ledger) -> None:
    """F36."""
    book.create_client_run(RUN, "acme")
    book.create_client_run(RUN, "beta")
    book.complete_client_run(RUN, "acme")
    assert book.complete_job(RUN, status="completed")
    assert _status(book) == "running"
    book.complete_client_run(RUN, "beta", status="failed")
    assert _status(book) == "completed_with_errors"
    assert audit(ledger.database).differences == ()


def test_a_different_completion_is_refused_and_a_repeated_one_does_nothing(book: JobTracking) -> None:
    """F31, F36: terminal never goes back."""
    book.create_client_run(RUN, "acme")
    assert book.complete_client_run(RUN, "acme", "completed")
    assert book.complete_client_run(RUN, "acme", "completed")
    assert book.complete_client_run(RUN, "acme")
    assert book.complete_client_run(RUN, "acme", "failed", posts_scored=3) is False
    assert book.update_client_run(RUN, "acme", status="canceled") is False
    assert book.complete_job(RUN, "completed")
    assert book.complete_job(RUN, "failed") is False
    assert book.update_job(RUN, status="running", progress="late news")
    job = book.get_job(RUN)
    assert job is not None
    assert (job["status"], job["clients"][0]["status"]) == ("completed", "completed")
    assert job["clients"][0]["reported"] == {"status": "completed"}
    assert any("late news" in line for line in job["system_notes"])


def test_a_status_in_an_update_waits_works_pauses_and_ends(book: JobTracking) -> None:
    for said, then in [("pending", "running"), ("paused", "paused"), ("running", "running"), ("failed", "failed")]:
        assert book.update_client_run(RUN, "acme", status=said)
        assert book.update_job(RUN, status=said)
        client = book.get_client_run(RUN, "acme")
        assert client is not None
        assert (client["status"], _status(book)) == (then, then)
    assert book.complete_job(RUN, status="running") is False


def test_what_comes_after_the_end_is_kept_and_opens_nothing(book: JobTracking, ledger: Ledger) -> None:
    book.create_client_run(RUN, "acme")
    book.complete_client_run(RUN, "acme")
    book.complete_job(RUN)
    assert book.update_client_run(RUN, "acme", posts_scored=1)
    assert book.record_outcome(RUN, "acme", "lead_scoring", "lead-1", "scored")
    assert book.update_client_run(RUN, "beta", posts_scored=2)
    assert book.complete_client_run(RUN, "beta")
    assert book.complete_client_run(RUN, "beta", "failed", errors=1)
    job = book.get_job(RUN)
    assert job is not None
    assert (job["status"], job["totals"]["scored"]) == ("completed", 1)
    assert [(each["status"], each["finish_reason"]) for each in job["clients"]] == [
        ("completed", None),
        ("completed", "late"),
    ]
    assert job["clients"][1]["reported"] == {"errors": 1, "posts_scored": 2, "status": "failed"}
    assert audit(ledger.database).differences == ()


def test_a_run_without_clients_ends_by_what_it_claimed(book: JobTracking) -> None:
    book.create_job(RUN, items_processed=3, failed_leads=2, successful_leads=1)
    book.complete_job(RUN)
    assert _status(book) == "completed_with_errors"
    book.complete_job("261123-013001", status="JOB_TIMEOUT_KILLED")
    job = book.get_job("261123-013001")
    assert job is not None
    assert (job["status"], job["finish_reason"]) == ("timed_out", "run_timeout")


def test_notes_are_appended_and_a_note_said_again_later_is_a_new_one(book: JobTracking) -> None:
    """F38."""
    for note in ["50%", "60%", "60%", "50%"]:
        book.update_job(RUN, progress=note, error="slow")
    job = book.get_job(RUN)
    assert job is not None
    assert [line[20:] for line in job["system_notes"][1:]] == ["50%", "slow", "60%", "slow", "50%", "slow"]
    assert job["error"] == "slow"


def test_an_outcome_keeps_everything_that_was_said(book: JobTracking, ledger: Ledger) -> None:
    facts = {
        "score": 72.5,
        "breakdown": {"seniority": {"points": 10, "evidence": "CEO"}},
        "bestPost": {"url": "https://x.test/1"},
        "posts": 4,
        "rubricVersion": "r1",
        "formula": 2,
        "flagged": True,
    }
    assert book.record_outcome(RUN, "acme", "post-scoring", "lead-1", "Scored", **facts)
    with ledger.database.writing() as tx:
        row = tx.row("SELECT score, breakdown, best_post, posts, rubric_version, formula, flagged FROM @outcomes")
    assert row is not None
    assert (row[0], row[3], row[4], row[5], row[6]) == (72.5, 4, "r1", 2, 1)
    assert "CEO" in row[1]


@pytest.mark.parametrize("strict", [True, False])
def test_what_our_engine_drives_is_not_ended_or_booked_by_a_reporter(
    ledger: Ledger, open_book: OpenBook, *, strict: bool
) -> None:
    """F36."""
    book = open_book(strict=strict)
    run_id = ledger.do(starts.start, starts.Start(starts.Request())).run_id
    ledger.do(starts.plan, run_id, [Client("acme", "Acme")])
    assert book.update_client_run(run_id, "acme", status="running", posts_scored=1)
    assert book.update_job(run_id, job_type="post_scoring", progress="seen from outside")
    acts: list[Callable[[], bool]] = [
        lambda: book.complete_job(run_id),
        lambda: book.complete_client_run(run_id, "acme"),
        lambda: book.record_outcome(run_id, "acme", "lead_scoring", "l", "scored"),
        lambda: book.record_call(run_id, "acme", "lead_scoring", "c"),
    ]
    for act in acts:
        if strict:
            with pytest.raises(ClaimRefused):
                act()
        else:
            assert act() is False
    job = book.get_job(run_id)
    assert job is not None
    assert (job["status"], job["job_type"], job["clients"][0]["status"]) == ("running", "smart_resume", "queued")
    assert job["clients"][0]["operations"] == []


def test_strict_raises_what_others_are_only_told(open_book: OpenBook) -> None:
    book = open_book(strict=True)
    with pytest.raises(UnknownField):
        book.update_job(RUN, colour="blue")
    with pytest.raises(ComputedField):
        book.update_job(RUN, duration=1)
    with pytest.raises(UnknownWord):
        book.complete_job(RUN, status="exploded")
    with pytest.raises(BadInput):
        book.update_job(None)
    with pytest.raises(BadInput):
        book.get_job("nonsense")
    with pytest.raises(BadInput):
        book.update_client_run(RUN, posts_scored=1)
    assert book.get_job(RUN) is None
    assert book.exists(RUN) is False
    assert book.get_client_run(RUN, "acme") is None


def test_a_reporter_nobody_heard_of_for_hours_is_lost_and_may_still_speak(book: JobTracking, ledger: Ledger) -> None:
    """F02."""
    book.create_client_run(RUN, "acme")
    ledger.do(lambda tx: tx.execute("UPDATE @runs SET seen_at = '2020-01-01T00:00:00.000000Z'"))
    assert ledger.do(claims.lose_silent_runs) == [RUN]
    assert book.update_client_run(RUN, "acme", posts_scored=2)
    client = book.get_client_run(RUN, "acme")
    assert client is not None
    assert (client["status"], client["finish_reason"]) == (Status.TIMED_OUT, "lost")
    assert client["reported"] == {"posts_scored": 2}


def test_the_caller_may_be_named(open_book: OpenBook) -> None:
    book = open_book(caller="token nightly")
    book.update_client_run(RUN, "acme", posts_scored=2)
    assert list(book.status().auto_created or {}) == ["update_client_run at token nightly"]


def _status(book: JobTracking) -> object:
    job = book.get_job(RUN)
    return job["status"] if job else None
