"""Words, statuses, and the verdict against a slow reading of design.md, "Status"."""

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.errors import UnknownWord
from tallybook.domain.run import (
    Child,
    ClientRun,
    Ending,
    JobType,
    OperationName,
    OperationRun,
    Status,
    Stop,
    Trigger,
    Word,
    finish_reason_of,
    verdict,
    verdict_of_children,
)
from tallybook.domain.tally import Tally

STOPS = st.none() | st.sampled_from(Stop)
SMALL = st.integers(0, 3)
ENDED = [status for status in Status if status.terminal]


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    scored, harvested, skipped, failed, pending = (draw(SMALL) for _ in range(5))
    return Tally(scored + harvested + skipped + failed + pending, scored, harvested, skipped, failed)


# Words


@pytest.mark.parametrize("word", [Status, OperationName, JobType, Trigger])
def test_every_word_reads_itself_in_any_dress(word: type[Status | OperationName | JobType | Trigger]) -> None:
    for member in word:
        for text in (member.value, member.value.upper(), f" {member.value.replace('_', ' ').title()} ", member):
            assert word.read(text) is member


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("running", Status.RUNNING), ("COMPLETED", Status.COMPLETED), ("Success", Status.COMPLETED),
        ("Partial", Status.COMPLETED_WITH_ERRORS), ("Completed with Errors", Status.COMPLETED_WITH_ERRORS),
        ("No Leads To Score", Status.COMPLETED), ("Cancelled", Status.CANCELED), ("STARTED", Status.RUNNING),
        ("CLIENT_TIMEOUT_KILLED", Status.TIMED_OUT), ("JOB_TIMEOUT_KILLED", Status.TIMED_OUT),
        ("SKIPPED", Status.COMPLETED),
    ],
)  # fmt: skip
def test_legacy_statuses_are_read(text: str, status: Status) -> None:
    assert Status.read(text) is status


def test_legacy_job_types_and_triggers_are_read() -> None:
    assert JobType.read("post-scoring") is JobType.POST_SCORING
    assert JobType.read("smart-resume-client-by-client") is JobType.SMART_RESUME
    assert OperationName.read("apify_post_harvesting") is OperationName.POST_HARVESTING
    assert Trigger.read("Scheduled") is Trigger.CRON


@pytest.mark.parametrize("text", ["", "finished?", None, 7])
def test_an_unknown_word_is_refused_and_the_known_ones_named(text: object) -> None:
    with pytest.raises(UnknownWord, match="queued, running, paused, completed"):
        Status.read(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("No Leads To Score", "no_work"), ("CLIENT_TIMEOUT_KILLED", "client_timeout"), ("Success", None)],
)
def test_a_legacy_status_also_says_why(text: str, reason: str | None) -> None:
    assert finish_reason_of(text) == reason


def test_a_job_of_one_operation_is_named_for_it_and_a_job_of_several_is_a_smart_resume() -> None:
    for operation in OperationName:
        assert JobType.of([operation]).operations == (operation,)
    assert JobType.of(list(OperationName)[:2]) is JobType.SMART_RESUME
    assert JobType.SMART_RESUME.operations == tuple(OperationName)


def test_airtable_shows_whatever_has_not_ended_as_running() -> None:
    shown = {status: status.mirrored for status in Status}
    assert {shown[each] for each in Status if not each.terminal} == {"Running"}
    assert [shown[each] for each in ENDED] == ["Completed", "Completed_with_errors", "Failed", "Canceled", "Timed_out"]


# Transitions


@given(st.lists(st.sampled_from(Status), min_size=1))
def test_terminal_never_goes_back(wishes: list[Status]) -> None:
    status = Status.QUEUED
    for wish in wishes:
        before, status = status, wish if status.may_become(wish) else status
        assert not before.terminal or status is before


def test_what_runs_is_queued_again_only_after_a_pause() -> None:
    assert not Status.RUNNING.may_become(Status.QUEUED)
    assert Status.RUNNING.may_become(Status.PAUSED)
    assert Status.PAUSED.may_become(Status.QUEUED)


# Verdicts


def slow_verdict(tally: Tally, stop: Stop | None, errors: int) -> Ending:
    """design.md, "Status", sentence by sentence."""
    if stop in (Stop.CANCEL, Stop.TIMEOUT):
        return Ending(Status.CANCELED, "canceled") if stop is Stop.CANCEL else Ending(Status.TIMED_OUT, "timeout")
    any_ok = tally.scored > 0 or tally.harvested > 0
    any_failed = tally.failed > 0 or errors > 0
    if tally.found > tally.scored + tally.harvested + tally.skipped + tally.failed:
        any_failed = True
    if any_ok and any_failed:
        return Ending(Status.COMPLETED_WITH_ERRORS)
    if any_failed:
        return Ending(Status.FAILED)
    return Ending(Status.COMPLETED, "no_work" if tally.found == 0 else None)


@given(tallies(), STOPS, SMALL)
def test_an_operation_run_ends_as_the_design_says(tally: Tally, stop: Stop | None, errors: int) -> None:
    assert verdict(tally, stop, errors) == slow_verdict(tally, stop, errors)


def slow_verdict_of_children(children: list[Child], stop: Stop | None) -> Status:
    if stop is Stop.CANCEL:
        return Status.CANCELED
    if stop is Stop.TIMEOUT:
        return Status.TIMED_OUT
    statuses = [child.status for child in children]
    if statuses.count(Status.COMPLETED) == len(statuses):
        return Status.COMPLETED
    if [child for child in children if child.ok]:
        return Status.COMPLETED_WITH_ERRORS
    for worst in (Status.FAILED, Status.TIMED_OUT, Status.CANCELED, Status.COMPLETED_WITH_ERRORS):
        if worst in statuses:
            return worst
    raise AssertionError(statuses)


@given(st.lists(st.builds(Child, st.sampled_from(ENDED), st.booleans(), st.booleans())), STOPS)
def test_a_parent_ends_as_the_design_says(children: list[Child], stop: Stop | None) -> None:
    """F36"""
    assert verdict_of_children(children, stop).status is slow_verdict_of_children(children, stop)


def test_the_order_of_the_children_decides_nothing() -> None:
    """F36"""
    children = [Child(status, ok=status.good) for status in ENDED[:4]]
    assert len({verdict_of_children(each) for each in itertools.permutations(children)}) == 1


def test_a_parent_that_found_no_work_says_so() -> None:
    idle, busy = Child(Status.COMPLETED, ok=False, found=False), Child(Status.COMPLETED, ok=True)
    assert verdict_of_children([]) == verdict_of_children([idle, idle]) == Ending(Status.COMPLETED, "no_work")
    assert verdict_of_children([idle, busy]) == Ending(Status.COMPLETED)


def test_the_tally_of_a_client_run_is_the_sum_of_its_operation_runs() -> None:
    operations = tuple(OperationRun(each, Status.COMPLETED, Tally(found=2, scored=1)) for each in OperationName)
    run = ClientRun("acme", "Acme", "l", Status.COMPLETED, operations=operations, ended_at=datetime.now(UTC))
    assert run.tally == Tally(found=6, scored=3)


def test_a_vocabulary_without_legacy_spellings_reads_its_own_words() -> None:
    class Colour(Word):
        RED = "red"

    assert Colour.read(" Red ") is Colour.RED
