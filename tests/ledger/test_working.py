"""Work from the first begin to the last close: worklists freeze, outcomes count once, parents end last."""

import pytest

from tallybook.database import Database
from tallybook.domain.errors import NotFound
from tallybook.domain.outcome import FailReason, Kind, Outcome, SkipReason, Versions
from tallybook.domain.run import OperationName, Status, Stop
from tallybook.ledger import read, work
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import calls, endings, progress, stops
from tests.ledger.scenes import (
    LEAD_SCORING,
    POST_HARVESTING,
    POST_SCORING,
    asked,
    begun,
    client_of,
    closed,
    due,
    failed,
    frozen,
    planned,
    recorded,
    scored,
    skipped,
    texts,
    told,
    working,
)

FULL = Outcome(
    "ada\u2019s 🦊",
    Kind.SCORED,
    detail="d",
    score=12.34,
    breakdown={"a": {"points": 1.5, "evidence": "é \u2028"}},
    assessment="good",
    best_post={"url": "u", "text": "t", "score": 1, "is_repost": False},
    posts=3,
    excluded_by="b",
    flagged=True,
    versions=Versions("r", "p", 2, "m"),
    input_hash="h",
)


# Beginning


def test_a_client_run_begins_again_after_its_worker_died(ledger: Ledger) -> None:
    """F02"""
    run_id = planned(ledger, "acme")
    key = begun(ledger, run_id, "acme", "w1")
    ledger.do(progress.book_work, key, 1500)
    again = ledger.do(progress.begin_client, key, "w2")
    assert (again.go, again.worked_ms) == (True, 1500)
    assert work.workers(ledger.database) == {"w2": [key]} == work.workers(ledger.database, run_id)
    assert work.workers(ledger.database, "another") == {}


def test_a_client_run_that_is_unknown_or_over_is_not_begun(ledger: Ledger) -> None:
    key = working(ledger, [])
    closed(ledger, key)
    assert not ledger.do(progress.begin_client, client_of(key), "w").go
    assert not ledger.do(progress.begin_client, ClientKey(key.run_id, "nobody"), "w").go


def test_a_client_that_an_earlier_run_has_is_waited_for_and_the_run_says_so(ledger: Ledger) -> None:
    """F14"""
    first = working(ledger, [])
    second = planned(ledger, "acme", start=asked("acme", queue_behind=True))
    waiting = ledger.do(progress.begin_client, ClientKey(second, "acme"), "w")
    assert (waiting.go, waiting.waits_for) == (False, first.run_id)
    assert told(ledger, second).clients[0].blocked_reason == f"waiting for run {first.run_id}"
    closed(ledger, first)
    begun(ledger, second, "acme")
    assert told(ledger, second).clients[0].blocked_reason is None


def test_a_client_run_whose_run_was_told_to_stop_is_not_begun(ledger: Ledger) -> None:
    """F40"""
    run_id = planned(ledger, "acme")
    begun(ledger, run_id, "acme")
    ledger.do(stops.stop_run, run_id, Stop.CANCEL, "by Ada")
    again = ledger.do(progress.begin_client, ClientKey(run_id, "acme"), "w2")
    assert (again.go, again.stop, again.blocked_reason) == (False, Stop.CANCEL, "by Ada")


# Freezing


def test_a_worklist_is_frozen_in_parts_and_repeating_a_part_changes_nothing(ledger: Ledger) -> None:
    """F15"""
    run_id = planned(ledger, "acme")
    key = OperationKey(*begun(ledger, run_id, "acme"), LEAD_SCORING)
    assert ledger.do(progress.open_operation, key) is Status.QUEUED
    for _time in range(2):
        ledger.do(progress.freeze, key, due("a", "b"), [], whole=False)
    assert work.last_frozen(ledger.database, key) == ("b", 2)
    for _time in range(2):
        given_up = [Outcome.skipped("c", SkipReason.GAVE_UP)]
        ledger.do(progress.freeze, key, due("c"), given_up, whole=True)
    tally = told(ledger, run_id).tally
    assert (tally.found, tally.skipped, tally.pending) == (3, 1, 2)
    assert ledger.do(progress.open_operation, key) is Status.RUNNING
    assert work.pending(ledger.database, key, after="", limit=9) == [("a", "hash of a"), ("b", "hash of b")]
    assert work.pending(ledger.database, key, after="a", limit=9) == [("b", "hash of b")]


def test_a_frozen_worklist_takes_no_more_leads(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    ledger.do(progress.freeze, key, due("b"), [], whole=False)
    assert told(ledger, key.run_id).tally.found == 1
    assert ledger.do(progress.open_operation, key) is Status.RUNNING


def test_freezing_after_the_end_opens_nothing_again(ledger: Ledger) -> None:
    """F31"""
    run_id = planned(ledger, "acme")
    key = OperationKey(*begun(ledger, run_id, "acme"), LEAD_SCORING)
    ledger.do(progress.open_operation, key)
    ledger.do(stops.stop_client, client_of(key), Stop.CANCEL, "by Ada")
    ledger.do(progress.freeze, key, due("a"), [], whole=True)
    assert told(ledger, run_id).clients[0].operations[0].status is Status.CANCELED
    assert told(ledger, run_id).tally.found == 0


def test_an_operation_opened_after_its_client_run_has_ended_is_born_ended(ledger: Ledger) -> None:
    """F01, F31"""
    key = working(ledger, [])
    closed(ledger, key)
    late = OperationKey(key.run_id, key.client_id, POST_SCORING)
    assert ledger.do(progress.open_operation, late) is Status.COMPLETED
    born = told(ledger, key.run_id).clients[0].operations[1]
    assert (born.operation, born.finish_reason, born.ended_at is not None) == (POST_SCORING, "late", True)


def test_an_operation_of_nobody_is_refused(ledger: Ledger) -> None:
    run_id = planned(ledger, "acme")
    with pytest.raises(NotFound, match="has no client 'nobody'"):
        ledger.do(progress.open_operation, OperationKey(run_id, "nobody", LEAD_SCORING))
    with pytest.raises(NotFound, match="has no lead_scoring for acme"):
        ledger.do(progress.record, OperationKey(run_id, "acme", LEAD_SCORING), scored("a"))


# Recording


def test_an_outcome_comes_back_as_it_was_recorded(ledger: Ledger) -> None:
    key = working(ledger, [FULL.lead_id])
    ledger.do(progress.record, key, [FULL])
    assert list(work.unsaved(ledger.database, "acme")) == [(key, [FULL])]
    [seen] = read.why(ledger.database, "acme", FULL.lead_id)
    assert (seen.outcome, seen.saved, seen.late) == (FULL, False, False)
    ledger.do(progress.mark_saved, key, [FULL.lead_id])
    ledger.do(progress.mark_saved, key, [])
    assert list(work.unsaved(ledger.database, "acme", run_id=key.run_id)) == []
    assert read.why(ledger.database, "acme", FULL.lead_id)[0].saved


def test_text_that_no_database_keeps_is_mended_and_does_not_cost_the_outcome(ledger: Ledger) -> None:
    key = working(ledger, ["ada"])
    outcome = scored("ada", detail="\0", assessment="a\0b\ud800", breakdown={"\ud83d": "\0x"})
    assert ledger.do(progress.record, key, outcome) == {"ada"}
    [(_, [kept])] = work.unsaved(ledger.database, "acme")
    assert (kept.detail, kept.assessment, kept.breakdown) == ("", "ab\ufffd", {"\ufffd": "\0x"})


def test_the_tally_grows_by_exactly_what_was_new(ledger: Ledger) -> None:
    """F37"""
    key = working(ledger, "abcdef")
    assert ledger.do(progress.record, key, [*scored("a", "b", posts=2), *skipped("c")]) == set("abc")
    assert ledger.do(progress.record, key, [*failed("a", "c", "d"), *scored("e")]) == set("de")
    assert ledger.do(progress.record, key, []) == set()
    tally = told(ledger, key.run_id).tally
    assert (tally.scored, tally.skipped, tally.failed, tally.pending, tally.posts) == (3, 1, 1, 1, 4)


def test_a_lead_that_stands_twice_in_one_batch_counts_once(ledger: Ledger) -> None:
    """F37"""
    key = working(ledger, ["a"])
    assert ledger.do(progress.record, key, [*failed("a"), *scored("a"), *scored("a")]) == {"a"}
    tally = told(ledger, key.run_id).tally
    assert (tally.done, tally.failed) == (1, 1)


def test_reasons_are_counted_and_a_lead_tells_why(ledger: Ledger) -> None:
    key = working(ledger, "abc")
    ledger.do(progress.record, key, [*failed("a", "b"), *skipped("c")])
    assert told(ledger, key.run_id).clients[0].operations[0].reasons == {"no_content": 1, "timeout": 2}
    [why] = read.why(ledger.database, "acme", "a")
    assert (why.run_id, why.operation, why.outcome.reason) == (key.run_id, LEAD_SCORING, FailReason.TIMEOUT)


def test_what_earlier_runs_made_of_a_lead_is_known(ledger: Ledger) -> None:
    """F28: and that the provider did not answer in time is no failure of the lead's."""
    own = Outcome.failed("a", FailReason.OUTPUT_TRUNCATED)
    for outcome in (own, own, failed("a")[0], skipped("a")[0]):
        key = working(ledger, ["a"])
        recorded(ledger, key, outcome)
        closed(ledger, key)
    past = work.past(ledger.database, "acme", LEAD_SCORING, first="a", last="b")
    assert past == {"a": work.Past(Kind.SKIPPED, None, None, {(None, None): 2})}


# Ending


@pytest.mark.parametrize(
    ("outcomes", "status", "reason"),
    [
        ([*scored("a", "b", "c")], Status.COMPLETED, None),
        ([*skipped("a", "b", "c")], Status.COMPLETED, None),
        ([*scored("a"), *failed("b"), *skipped("c")], Status.COMPLETED_WITH_ERRORS, None),
        ([*failed("a", "b"), *skipped("c")], Status.FAILED, None),
        ([*scored("a", "b")], Status.COMPLETED_WITH_ERRORS, None),
        ([*skipped("a", "b")], Status.FAILED, None),
    ],
)
def test_a_run_ends_as_its_outcomes_say(
    ledger: Ledger, outcomes: list[Outcome], status: Status, reason: str | None
) -> None:
    """F01, F36"""
    key = working(ledger, "abc")
    recorded(ledger, key, *outcomes)
    closed(ledger, key)
    run = told(ledger, key.run_id)
    assert (run.status, run.finish_reason) == (status, reason)
    assert (run.clients[0].status, run.clients[0].operations[0].status) == (status, status)


def test_a_run_that_found_nothing_says_so_all_the_way_up(ledger: Ledger) -> None:
    key = working(ledger, [])
    closed(ledger, key)
    run = told(ledger, key.run_id)
    found = [run.finish_reason, run.clients[0].finish_reason, run.clients[0].operations[0].finish_reason]
    assert found == ["no_work"] * 3


def test_an_operation_that_does_not_apply_says_why(ledger: Ledger) -> None:
    run_id = planned(ledger, "acme")
    key = OperationKey(*begun(ledger, run_id, "acme"), POST_HARVESTING)
    ledger.do(progress.open_operation, key)
    ledger.do(endings.close_operation, key, finish_reason="below_service_level")
    operation = told(ledger, run_id).clients[0].operations[0]
    assert (operation.status, operation.finish_reason) == (Status.COMPLETED, "below_service_level")


def test_a_client_run_ends_only_when_each_of_its_operation_runs_has(ledger: Ledger) -> None:
    """F01"""
    key = working(ledger, ["a"])
    ledger.do(endings.close_client, client_of(key))
    assert told(ledger, key.run_id).status is Status.RUNNING
    recorded(ledger, key, *scored("a"))
    closed(ledger, key)
    assert told(ledger, key.run_id).status is Status.COMPLETED


def test_the_first_client_to_finish_does_not_end_the_run(ledger: Ledger) -> None:
    """F01, F36"""
    run_id = planned(ledger, "a", "b")
    for name, last in (("a", Status.RUNNING), ("b", Status.COMPLETED_WITH_ERRORS)):
        key = frozen(ledger, begun(ledger, run_id, name), ["x"])
        recorded(ledger, key, *(scored("x") if name == "a" else failed("x")))
        closed(ledger, key)
        assert told(ledger, run_id).status is last


def test_closing_again_changes_nothing(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    recorded(ledger, key, *failed("a"))
    closed(ledger, key)
    before = told(ledger, key.run_id)
    closed(ledger, key)
    ledger.do(endings.close_operation, key, errors=3)
    ledger.do(endings.close_run_if_done, key.run_id)
    ledger.do(endings.close_run_if_done, "261123-000000")
    assert told(ledger, key.run_id) == before
    assert len(texts(ledger, key.run_id, "ended")) == 1


def test_trouble_beside_the_leads_counts_as_an_error(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    recorded(ledger, key, *scored("a"))
    ledger.do(endings.close_open_operations, client_of(key), errors=1)
    ledger.do(endings.close_client, client_of(key), error="the store broke \ud800")
    run = told(ledger, key.run_id)
    assert (run.status, run.clients[0].error) == (Status.COMPLETED_WITH_ERRORS, "the store broke \ufffd")
    assert texts(ledger, key.run_id, "client_error") == ["the store broke \ufffd"]


def test_a_client_that_broke_before_any_work_has_failed(ledger: Ledger) -> None:
    run_id = planned(ledger, "acme")
    ledger.do(endings.close_client, begun(ledger, run_id, "acme"), error="no store")
    assert told(ledger, run_id).status is Status.FAILED


def test_an_operation_with_outcomes_that_could_not_be_saved_is_not_simply_completed(ledger: Ledger) -> None:
    key = working(ledger, ["a", "b"])
    ledger.do(progress.record, key, scored("a", "b"))
    ledger.do(progress.mark_saved, key, ["a"])
    closed(ledger, key)
    assert told(ledger, key.run_id).status is Status.COMPLETED_WITH_ERRORS
    assert texts(ledger, key.run_id, "unsaved") == [
        "1 outcomes of lead_scoring could not be saved; the client's next run saves them"
    ]
    assert [each.lead_id for _, part in work.unsaved(ledger.database, "acme") for each in part] == ["b"]


# Late


def test_a_late_outcome_fills_a_pending_lead_and_moves_no_status(ledger: Ledger) -> None:
    """F31"""
    key = working(ledger, ["a", "b"])
    recorded(ledger, key, *scored("a"))
    closed(ledger, key)
    before = told(ledger, key.run_id)
    assert ledger.do(progress.record, key, scored("b")) == {"b"}
    after = told(ledger, key.run_id)
    assert (before.status, before.tally.pending) == (Status.COMPLETED_WITH_ERRORS, 1)
    assert (after.status, after.ended_at, after.tally.pending) == (before.status, before.ended_at, 0)
    assert read.why(ledger.database, "acme", "b")[0].late


def test_an_outcome_that_is_too_late_even_for_that_becomes_one_event(ledger: Ledger) -> None:
    """F31"""
    key = working(ledger, ["a"])
    recorded(ledger, key, *scored("a"))
    closed(ledger, key)
    for _time in range(2):
        assert ledger.do(progress.record, key, failed("a")) == set()
    [text] = texts(ledger, key.run_id, "outcome_too_late")
    assert "lead 'a' came out failed" in text
    assert told(ledger, key.run_id).tally.failed == 0


def test_what_is_stopped_and_since_when_is_worked_is_told(database: Database) -> None:
    ledger = Ledger(database)
    run_id = planned(ledger, "a")
    begun(ledger, run_id, "a")
    assert list(work.working_since(database, [run_id, "x"])) == [run_id]
    ledger.do(stops.stop_run, run_id, Stop.TIMEOUT, "3 h are over")
    assert work.stops_of(database, [run_id, "x"]) == {run_id: (Stop.TIMEOUT, "3 h are over")}
    assert work.working_since(database, [run_id]) == {}


def test_every_operation_has_its_place(ledger: Ledger) -> None:
    run_id = planned(ledger, "acme", start=asked("acme", operations=list(OperationName)))
    key = begun(ledger, run_id, "acme")
    for name in reversed(OperationName):
        ledger.do(calls.start_call, calls.Call(f"c {name}", frozen(ledger, key, ["a"], name), "p", "m"))
    assert [each.operation for each in told(ledger, run_id).clients[0].operations] == list(OperationName)
