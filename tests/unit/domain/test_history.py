"""What the rows of an older system's books stand for, whatever they say and however often."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tallybook.domain.history import (
    LOST,
    NO_ROW,
    NOTES_OF_PEOPLE,
    ROW_REFUSED,
    SYSTEM_NOTES,
    Kept,
    Past,
    PastRun,
    Plan,
    What,
    plan,
    to_write,
)
from tallybook.domain.history_report import Written, belonging, report
from tallybook.domain.history_rows import OldRow, Table
from tallybook.domain.run import Ending, JobType, OperationName, Status, Trigger
from tests.unit.domain.old_rows import BEGAN, ENDED, NOW, RUN, client, ended, job


def planned(*rows: OldRow, now: datetime = NOW) -> Plan:
    return plan(rows, now)


def run_of(*rows: OldRow) -> PastRun:
    (run,) = planned(*rows).runs
    return run


def client_of(*rows: OldRow) -> Past:
    (found,) = run_of(*rows).clients
    return found


def why(*rows: OldRow, now: datetime = NOW) -> list[str]:
    return [line.text for line in planned(*rows, now=now).refused]


def told(past: Past, what: What) -> list[str]:
    return [line.text for line in past.lines if line.what is what]


# -- whose a row is ----------------------------------------------------------------------------------------------------

SPELLINGS = {
    "250924-001234": [RUN, f"{RUN}-Guy-Wilson", f"{RUN}-Guy-Wilson-Guy-Wilson", f" {RUN} "],
    "SR-250924-001": ["SR-250924-001", "SR-250924-001-T3304-S1", "SR-250924-001-S1-CAda-CAda"],
    "job_post_scoring_stream1_20250929094802": ["job_post_scoring_stream1_20250929094802"],
    "job_post_scoring_bypass_1758715200123": ["job_post_scoring_bypass_1758715200123"],
    "smart_resume_1758715200123_n3rke": ["smart_resume_1758715200123_n3rke"],
    "post_batch_standalone_1758715200123": ["post_batch_standalone_1758715200123"],
}  # fmt: skip


@pytest.mark.parametrize(("run_id", "texts"), SPELLINGS.items(), ids=list(SPELLINGS))
def test_all_spellings_of_a_run_are_one_run(run_id: str, texts: Sequence[str]) -> None:
    """F05"""
    run = run_of(*(job(text, f"rec{n}", n, **ended()) for n, text in enumerate(texts)))
    assert run.run_id == run_id
    assert run.whole.records == tuple(f"rec{n}" for n in range(len(texts)))


LABELS = [
    ("250924-001234-Ada", "", "Ada"),
    ("250924-001234-Ada-Ada", "", "Ada"),
    ("250924-001234-Baden-Baden", "Baden-Baden", "Baden-Baden"),
    ("250924-001234", " Ada ", "Ada"),
    ("SR-250924-001-S1-CAda", "", "Ada"),
    ("SR-250924-001-S1-Guy-Wilson", "", "Guy-Wilson"),
    ("smart_resume_1758715200123_n3rke-Ada", "Ada", "Ada"),
    ("post_batch_standalone_1758715200123-Guy-Wilson-Guy-Wilson", "Guy-Wilson", "Guy-Wilson"),
]


@pytest.mark.parametrize(("label", "client_id", "whose"), LABELS)
def test_a_client_is_known_by_its_id_and_else_by_the_label(label: str, client_id: str, whose: str) -> None:
    """F04"""
    assert client_of(client(label, client_id=client_id, **ended())).part.client_id == whose


def test_rows_of_which_nobody_can_know_whose_they_are_are_refused_and_say_why() -> None:
    """F39"""
    said = why(
        job("", **ended()),
        job("the run of Tuesday", **ended()),
        client("250924-001234", **ended()),
        client("whenever-Ada", client_id="Ada", **ended()),
        client("whenever", client_id="Ada", **ended()),
        client("250924-001234-Ada", client_id="A\u202eda", **ended()),
        client(status="mostly fine"),
    )
    assert said[0] == "it has no Run ID"
    assert said[1].startswith("'the run of Tuesday' is no run id: it has none of the accepted forms")
    assert said[2] == "it names no client: its Client ID is empty, and '250924-001234' has no client in it"
    assert said[3].startswith("'whenever-Ada' is no run id")
    assert said[4].startswith("'whenever' is no run id")
    assert said[5].startswith("a client id must be printable text")
    assert said[6].startswith("'mostly fine' is no status; use one of: queued, running,")


# -- what a run was ----------------------------------------------------------------------------------------------------


def test_a_run_is_as_its_row_says() -> None:
    run = run_of(job(**ended(job_type="post-scoring", stream=2.0, triggered_by="scheduled", error="one broke")))
    assert (run.job_type, run.stream, run.trigger, run.display) == (JobType.POST_SCORING, 2, Trigger.CRON, RUN)
    assert (run.whole.started_at, run.whole.ended_at, run.whole.error) == (BEGAN, ENDED, "one broke")
    assert run.whole.claims == {"status": "completed"}
    assert run.made_because is None


JOB_TYPES = [
    ("job_post_scoring_stream3_20250929094802", JobType.POST_SCORING, 3),
    ("job_something_stream3_20250929094802", JobType.SMART_RESUME, 3),
    ("job_post_scoring_bypass_1758715200123", JobType.POST_SCORING, None),
    ("post_batch_standalone_1758715200123", JobType.POST_SCORING, None),
    ("smart_resume_1758715200123_n3rke", JobType.SMART_RESUME, None),
    ("SR-250924-001-S4", JobType.SMART_RESUME, 4),
]


@pytest.mark.parametrize(("run_id", "job_type", "stream"), JOB_TYPES)
def test_what_a_row_does_not_say_its_run_id_says(run_id: str, job_type: JobType, stream: int | None) -> None:
    run = run_of(job(run_id, **ended()))
    assert (run.job_type, run.stream, run.display) == (job_type, stream, run_id)


STATUSES = [
    ("COMPLETED", Status.COMPLETED, None),
    ("Completed with Errors", Status.COMPLETED_WITH_ERRORS, None),
    ("Partial", Status.COMPLETED_WITH_ERRORS, None),
    ("Cancelled", Status.CANCELED, None),
    ("failed", Status.FAILED, None),
    ("No Leads To Score", Status.COMPLETED, "no_work"),
    ("CLIENT_TIMEOUT_KILLED", Status.TIMED_OUT, "client_timeout"),
    ("JOB_TIMEOUT_KILLED", Status.TIMED_OUT, "run_timeout"),
]


@pytest.mark.parametrize(("text", "status", "reason"), STATUSES)
def test_statuses_are_read_in_every_spelling(text: str, status: Status, reason: str | None) -> None:
    assert run_of(job(status=text)).whole.ending == Ending(status, reason)


@pytest.mark.parametrize("text", ["Running", "STARTED", "pending", ""])
def test_a_row_that_nobody_ended_is_closed_as_lost_and_it_is_said(text: str) -> None:
    """F02"""
    past = run_of(job(status=text)).whole
    assert past.ending == LOST
    assert "status" not in past.claims
    (said,) = told(past, What.CLOSED)
    assert said.endswith("it is closed as timed_out, lost")


def test_what_may_still_be_under_way_is_left_alone_with_all_of_its_rows() -> None:
    new = NOW - timedelta(hours=5)
    rows = [job(status="Completed"), client(status="Running", started_at=new.isoformat()), client(f"{RUN}-Eve", "recE")]
    found = planned(*rows)
    assert to_write(found.runs[0], None) == frozenset()
    done = report(found, {RUN: Written(frozenset())})
    why = "its run may still be under way: import again when it has ended, or six hours after it began"
    assert [(line.records, line.text) for line in done.of(What.REFUSED)] == [((each.record,), why) for each in rows]
    assert list(belonging(found, {RUN: Written(frozenset())})) == []
    assert to_write(planned(*rows, now=NOW + timedelta(hours=2)).runs[0], None) == {"", "Ada", "Eve"}
    assert run_of(job("261123-100000", status="Running")).under_way


def test_a_run_of_ours_that_is_under_way_is_in_the_books() -> None:
    found = planned(job("261123-100000", status="Running"))
    done = report(found, {"261123-100000": Written(frozenset(), ours=True)})
    assert [line.what for line in done.lines] == [What.ALREADY]


def test_times_that_are_missing_or_impossible_are_replaced_and_it_is_said() -> None:
    past = run_of(job(status="Completed")).whole
    assert past.started_at == past.ended_at == "2025-09-24T00:12:00.000000Z"
    assert told(past, What.ASSUMED) == [f"it says no End Time: {past.ended_at} is taken"]
    past = run_of(job(**ended(started_at=ENDED, ended_at=BEGAN))).whole
    assert past.started_at == past.ended_at == ENDED
    assert told(past, What.ASSUMED) == [f"it ended before it began: {ENDED} is taken for both"]
    run = run_of(job(status="Completed", started_at=BEGAN), client(**ended()))
    assert (run.whole.ended_at, told(run.clients[0], What.ASSUMED)) == (ENDED, [])


def test_cells_that_make_no_sense_are_left_out_and_named_and_the_rest_is_kept() -> None:
    """F09"""
    past = run_of(
        job(**ended(job_type="juggling", triggered_by="magic", stream=1.5, total_leads=-1, prompt_tokens=9, duration=3))
    ).whole
    assert past.claims == {"status": "completed", "prompt_tokens": 9}
    left_out = [said.partition(" ")[0] for said in told(past, What.LEFT_OUT)]
    assert left_out == ["job_type", "triggered_by", "stream", "total_leads"]
    past = run_of(job(status="Completed", started_at="0202-01-01T00:00:00Z", ended_at="soon")).whole
    assert [said.partition(" ")[0] for said in told(past, What.LEFT_OUT)] == ["started_at", "ended_at"]


def test_rates_and_durations_are_derived_here_and_never_taken() -> None:
    """F08: a success rate of 200 % is not even read."""
    past = run_of(job(**ended(success_rate=2.0, lead_success_rate=2.0, duration=30, tokens_per_lead=9))).whole
    assert past.claims.keys() == {"status"}


def test_operations_are_those_a_figure_speaks_of() -> None:
    past = client_of(client(**ended(profiles_examined=0, posts_examined="12", posts_harvested=3)))
    assert past.operations == (OperationName.POST_HARVESTING, OperationName.POST_SCORING)
    assert past.claims["profiles_examined"] == 0


def test_a_run_without_a_row_of_its_own_is_made_for_its_clients_and_ends_as_they_did() -> None:
    """F36"""
    run = run_of(client(**ended()), client(f"{RUN}-Eve", "recE", status="failed", ended_at="2025-09-24T01:00:00Z"))
    assert (run.made_because, run.whole.ending.status) == (NO_ROW, Status.COMPLETED_WITH_ERRORS)
    assert (run.whole.started_at, run.whole.ended_at) == ("2025-09-24T00:12:00.000000Z", "2025-09-24T01:00:00.000000Z")
    assert (run.whole.records, run.whole.claims, run.display) == ((), {}, RUN)
    (line,) = run.whole.lines
    assert (line.what, line.records) == (What.MADE, ("recC", "recE"))
    refused = planned(job(status="???"), job("nothing", "recN"), client(**ended()))
    assert [each.made_because for each in refused.runs] == [ROW_REFUSED]


# -- rows that stand for the same --------------------------------------------------------------------------------------


def test_of_doubled_rows_the_most_complete_and_newest_says_each_thing_and_nothing_adds_up() -> None:
    """F03, F07, F37"""
    past = run_of(
        job(record="recA", minutes=0, status="running", total_leads=40, prompt_tokens=100),
        job(record="recB", minutes=1, **ended(total_leads=60, prompt_tokens=0, estimated_cost_usd=0.5)),
        job(record="recC", minutes=2, status="failed", total_leads=60, estimated_cost_usd=0.0, error="broke"),
    ).whole
    assert past.records == ("recA", "recB", "recC")
    assert {name: past.claims[name] for name in ("total_leads", "prompt_tokens")} == {
        "total_leads": 60,
        "prompt_tokens": 100,
    }
    assert (past.claims["estimated_cost_usd"], past.error) == ("0.5", "broke")
    assert past.ending == Ending(Status.FAILED)
    assert told(past, What.MERGED) == [
        "3 rows are one, recB says most; total_leads 60 of recB was taken, not 40 of recA; prompt_tokens 100 of recA"
        " was taken, not 0 of recB; estimated_cost_usd '0.5' of recB was taken, not '0.0' of recC; status 'failed' of"
        " recC was taken, not 'completed' of recB, 'running' of recA"
    ]


def test_a_nought_that_nobody_contradicts_is_kept() -> None:
    past = run_of(job(**ended(total_leads=0)), job(record="recB", minutes=1, status="completed", total_leads=0)).whole
    assert past.claims["total_leads"] == 0
    assert told(past, What.MERGED) == ["2 rows are one, recJ says most"]


def test_an_ending_wins_over_none_whichever_row_is_newer() -> None:
    past = run_of(job(status="Completed"), job(record="recB", minutes=9, status="Running")).whole
    assert past.ending == Ending(Status.COMPLETED)
    assert told(past, What.CLOSED) == []


def test_notes_of_people_and_of_the_system_are_kept_apart_and_once() -> None:
    """F38"""
    past = run_of(
        job(**ended(notes="Ask Ada", system_notes="Started")),
        job(record="recB", minutes=1, status="completed", notes=" Ask Ada ", system_notes="Done\0"),
        job(record="recC", minutes=2, status="completed", notes="Paid"),
    ).whole
    assert past.notes == {NOTES_OF_PEOPLE: "Ask Ada\nPaid", SYSTEM_NOTES: "Started\nDone"}


def test_every_row_that_is_called_otherwise_in_the_books_is_told() -> None:
    """F04, F05"""
    run = run_of(
        job("SR-250924-001-S1-T9", "recA", 0, **ended()),
        job("SR-250924-001-S1", "recB", 1, status="completed"),
        client("SR-250924-001-S1-CAda", **ended()),
        client("SR-250924-001-Eve", "recE", **ended()),
    )
    assert run.display == "SR-250924-001-S1-T9"
    assert told(run.whole, What.RENAMED) == ["'SR-250924-001-S1' is 'SR-250924-001-S1-T9' in the books"]
    said = [told(each, What.RENAMED) for each in run.clients]
    assert said == [["'SR-250924-001-S1-CAda' is 'SR-250924-001-Ada' in the books"], []]


# -- what the books have already ---------------------------------------------------------------------------------------


def test_only_what_is_missing_is_written_and_runs_that_came_otherwise_are_left_alone() -> None:
    run = run_of(job(**ended()), client(**ended()), client(f"{RUN}-Eve", "recE", **ended()))
    made = replace(run, made_because=NO_ROW)
    ada = frozenset(["Ada"])
    assert to_write(run, None) == {"", "Ada", "Eve"}
    assert to_write(run, Kept(imported=False, made=True, clients=frozenset())) == frozenset()
    assert to_write(run, Kept(imported=True, made=False, clients=ada)) == {"Eve"}
    assert to_write(run, Kept(imported=True, made=True, clients=ada)) == {"", "Eve"}
    assert to_write(made, Kept(imported=True, made=True, clients=ada)) == {"Eve"}


def test_rows_of_runs_in_the_books_are_told_as_such_and_as_nothing_else() -> None:
    found = planned(job(f"{RUN}-x", "recA", **ended()), job(record="recB", status="completed"), client(**ended()))
    done = report(found, {RUN: Written(frozenset(), ours=True)})
    assert {line.what for line in done.lines} == {What.ALREADY}
    assert [done.counts[table].already_in_the_books for table in Table] == [2, 1]
    done = report(found, {RUN: Written(frozenset(["Ada"]))})
    assert [line.text for line in done.of(What.ALREADY)] == ["already in the books: it was imported before"]
    assert done.counts[Table.CLIENTS].imported_as_client_run == 1


def test_whose_rows_are_whose_can_be_asked() -> None:
    later = client("251003-080000-Eve", "recE", started_at="2025-10-03T08:00:00Z")
    found = planned(job(**ended()), client(**ended()), client(record="recD", minutes=1, **ended()), later)
    written = {each.run_id: Written(frozenset()) for each in found.runs}
    assert list(belonging(found, written)) == [
        ((RUN, ""), ("recJ",)),
        ((RUN, "Ada"), ("recC", "recD")),
        (("251003-080000", ""), ()),
        (("251003-080000", "Eve"), ("recE",)),
    ]
    ours = {**written, RUN: Written(frozenset(), ours=True)}
    assert list(belonging(found, ours)) == [(("251003-080000", ""), ()), (("251003-080000", "Eve"), ("recE",))]
