"""Runs that other programs drive: claims are kept as such, exact rows outweigh them, nothing ended is opened again."""

import pytest

from tallybook.database import Database
from tallybook.domain.errors import BadInput, ClaimRefused, InvalidRunId, NotFound
from tallybook.domain.fields import read_fields
from tallybook.domain.outcome import Outcome
from tallybook.domain.run import Basis, Origin, Status
from tallybook.ledger import read
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import calls, claims
from tallybook.ledger.write import reported as words
from tests.ledger.scenes import (
    LEAD_SCORING,
    ODD_IDS,
    POST_SCORING,
    USED,
    Clock,
    failed,
    planned,
    reported,
    scored,
    texts,
    told,
)

RUN = "261123-120000"
ACME = ClientKey(RUN, "acme")
SCORING = OperationKey(*ACME, LEAD_SCORING)


def say(ledger: Ledger, key: ClientKey, **said: object) -> bool:
    return ledger.do(words.claim, key, read_fields(said))


# Coming into the books


def test_creating_what_exists_gives_it_back(ledger: Ledger) -> None:
    """F03"""
    reported(ledger, "acme")
    before = told(ledger, RUN)
    assert ledger.do(claims.create_run, f"{RUN}-acme", claims.Job(stream=7)) == RUN
    assert not ledger.do(claims.create_client, ACME, "Another name")
    assert told(ledger, RUN) == before


@pytest.mark.parametrize("client_id", ODD_IDS)
def test_a_run_or_its_label_reaches_the_same_row(ledger: Ledger, client_id: str) -> None:
    """F04, F05, F16"""
    reported(ledger, client_id)
    assert ledger.do(claims.find, RUN) == ClientKey(RUN, "")
    assert ledger.do(claims.find, f"{RUN}-{client_id}") == ClientKey(RUN, client_id)
    assert read.find_run(ledger.database, f"{RUN}-{client_id}") == RUN


def test_a_label_of_an_unknown_client_still_finds_its_run(ledger: Ledger) -> None:
    """F05"""
    reported(ledger, "acme")
    assert ledger.do(claims.find, f"{RUN}-acme-acme") == ClientKey(RUN, "")
    assert ledger.do(claims.find, "261123-115959-acme") is None


def test_a_structured_id_is_found_by_each_of_its_forms(ledger: Ledger) -> None:
    """F05"""
    shown = "SR-261123-001-S1-CGuy-Wilson"
    assert reported(ledger, run_id="SR-261123-001-S1-CGuy-Wilson") == shown
    for text in (shown, "SR-261123-001", "SR-261123-001-S2"):
        assert read.find_run(ledger.database, text) == "SR-261123-001"
        assert ledger.do(claims.find, text) == ClientKey("SR-261123-001", "")


@pytest.mark.parametrize("text", ["undefined", "", "\0", "\ud800", None, 7, "x" * 10_000])
def test_what_is_no_run_id_is_refused_and_asks_no_database(ledger: Ledger, text: str) -> None:
    """F05, F39"""
    with pytest.raises(InvalidRunId):
        ledger.do(claims.create_run, text, claims.Job())
    with pytest.raises(InvalidRunId):
        read.find_run(ledger.database, text)


def test_what_was_auto_created_says_why(ledger: Ledger) -> None:
    """F05"""
    ledger.do(claims.create_run, RUN, claims.Job(auto_created="update_job in jobs.py:12"))
    ledger.do(claims.create_client, ACME, None, "update_client_run in jobs.py:14")
    [client] = told(ledger, RUN).clients
    assert (client.origin, client.origin_reason) == (Origin.AUTO_CREATED, "update_client_run in jobs.py:14")
    assert len(texts(ledger, RUN, "auto_created")) == 2


def test_a_run_of_our_engine_takes_no_clients_rows_or_endings_from_outside(ledger: Ledger) -> None:
    run_id = planned(ledger, "acme")
    key = ClientKey(run_id, "acme")
    assert not ledger.do(claims.create_client, key, None)
    for refused in (
        lambda: ledger.do(claims.create_client, ClientKey(run_id, "new"), None),
        lambda: ledger.do(claims.record_outcome, OperationKey(*key, LEAD_SCORING), scored("a")[0]),
        lambda: ledger.do(claims.record_call, calls.Call("c", OperationKey(*key, LEAD_SCORING), "p", "m"), "ok", USED),
        lambda: ledger.do(claims.complete_client, key, Status.COMPLETED),
        lambda: ledger.do(claims.complete_run, run_id, Status.COMPLETED),
    ):
        with pytest.raises(ClaimRefused, match="Tallybook itself drives"):
            refused()
    say(ledger, key, posts_scored=5)
    assert told(ledger, run_id).clients[0].operations == ()


def test_what_is_unknown_is_not_found(ledger: Ledger) -> None:
    reported(ledger)
    for unknown in (
        lambda: ledger.do(claims.complete_client, ACME, None),
        lambda: ledger.do(claims.complete_run, "261123-000000", None),
        lambda: ledger.do(claims.record_outcome, SCORING, scored("a")[0]),
    ):
        with pytest.raises(NotFound):
            unknown()
    assert not say(ledger, ACME, posts_scored=5)


# Exact rows


def test_exact_rows_from_a_reporter_count_once(ledger: Ledger) -> None:
    """F07, F37"""
    reported(ledger, "acme")
    assert ledger.do(claims.record_outcome, SCORING, scored("a")[0])
    assert not ledger.do(claims.record_outcome, SCORING, failed("a")[0])
    call = calls.Call("c1", SCORING, "p", "m")
    assert ledger.do(claims.record_call, call, "ok", USED)
    assert not ledger.do(claims.record_call, call, "ok", USED)
    tally = told(ledger, RUN).tally
    assert (tally.found, tally.scored, tally.calls) == (1, 1, 1)


def test_the_first_exact_row_makes_an_operation_exact(ledger: Ledger) -> None:
    reported(ledger, "acme")
    say(ledger, ACME, profiles_scored=5)
    assert told(ledger, RUN).clients[0].operations[0].basis is Basis.REPORTED
    ledger.do(claims.record_outcome, SCORING, scored("a")[0])
    operation = told(ledger, RUN).clients[0].operations[0]
    assert (operation.basis, operation.tally.scored) == (Basis.EXACT, 1)
    assert told(ledger, RUN).clients[0].claims == {"profiles_scored": 5}


# Ending


@pytest.mark.parametrize(
    ("rows", "claimed", "status"),
    [
        ([*scored("a")], None, Status.COMPLETED),
        ([*scored("a"), *failed("b")], None, Status.COMPLETED_WITH_ERRORS),
        ([*scored("a"), *failed("b")], Status.COMPLETED, Status.COMPLETED_WITH_ERRORS),
        ([*failed("b")], Status.COMPLETED_WITH_ERRORS, Status.FAILED),
        ([*scored("a")], Status.COMPLETED_WITH_ERRORS, Status.COMPLETED_WITH_ERRORS),
        ([*scored("a")], Status.FAILED, Status.FAILED),
        ([*scored("a")], Status.CANCELED, Status.CANCELED),
        ([*scored("a")], Status.TIMED_OUT, Status.TIMED_OUT),
        ([], Status.FAILED, Status.FAILED),
        ([], None, Status.COMPLETED),
    ],
)
def test_a_claimed_ending_is_accepted_when_no_exact_rows_contradict_it(
    ledger: Ledger, rows: list[Outcome], claimed: Status | None, status: Status
) -> None:
    """F36"""
    reported(ledger, "acme")
    for each in rows:
        ledger.do(claims.record_outcome, SCORING, each)
    ledger.do(claims.complete_client, ACME, claimed)
    ledger.do(claims.complete_run, RUN, claimed)
    run = told(ledger, RUN)
    assert [run.status, run.clients[0].status] == [status] * 2
    assert bool(texts(ledger, RUN, "claim_refused")) == (claimed in (Status.COMPLETED, Status.COMPLETED_WITH_ERRORS)
                                                        and status is not claimed)  # fmt: skip


@pytest.mark.parametrize(
    ("sums", "status"),
    [
        ({"profiles_scored": 3}, Status.COMPLETED),
        ({"profiles_scored": 3, "errors": 1}, Status.COMPLETED_WITH_ERRORS),
        ({"failed_leads": 2}, Status.FAILED),
    ],
)
def test_without_rows_or_word_the_claimed_sums_decide(ledger: Ledger, sums: dict[str, int], status: Status) -> None:
    reported(ledger, "acme")
    say(ledger, ACME, **sums)
    ledger.do(claims.complete_client, ACME, None)
    assert told(ledger, RUN).clients[0].status is status


def test_completing_a_job_with_open_clients_ends_it_with_the_last_of_them(ledger: Ledger) -> None:
    """F01, F36"""
    reported(ledger, "acme", "b")
    for _time in range(2):
        ledger.do(claims.complete_run, RUN, Status.COMPLETED)
        assert told(ledger, RUN).status is Status.RUNNING
    with pytest.raises(ClaimRefused, match="cannot end failed as well"):
        ledger.do(claims.complete_run, RUN, Status.FAILED)
    ledger.do(claims.complete_client, ACME, Status.COMPLETED)
    assert told(ledger, RUN).status is Status.RUNNING
    ledger.do(claims.complete_client, ClientKey(RUN, "b"), Status.FAILED)
    assert told(ledger, RUN).status is Status.COMPLETED_WITH_ERRORS


def test_a_completion_is_repeatable_and_a_different_one_is_refused(ledger: Ledger) -> None:
    """F31"""
    reported(ledger, "acme")
    for _time in range(2):
        ledger.do(claims.complete_client, ACME, Status.COMPLETED, "all_done")
        ledger.do(claims.complete_run, RUN, Status.COMPLETED)
    before = told(ledger, RUN)
    ledger.do(claims.complete_client, ACME, None)
    ledger.do(claims.complete_run, RUN, None)
    with pytest.raises(ClaimRefused, match="cannot end failed as well"):
        ledger.do(claims.complete_client, ACME, Status.FAILED)
    with pytest.raises(ClaimRefused, match="cannot end failed as well"):
        ledger.do(claims.complete_run, RUN, Status.FAILED)
    assert told(ledger, RUN) == before
    assert before.clients[0].finish_reason == "all_done"


def test_a_job_without_clients_ends_as_it_is_claimed_or_as_its_sums_say(ledger: Ledger) -> None:
    reported(ledger)
    ledger.do(claims.complete_run, RUN, Status.FAILED, "no_money")
    run = told(ledger, RUN)
    assert (run.status, run.finish_reason) == (Status.FAILED, "no_money")
    other = reported(ledger, run_id="261123-120001")
    ledger.do(claims.complete_run, other, None)
    assert told(ledger, other).status is Status.COMPLETED


@pytest.mark.parametrize("claimed", [Status.QUEUED, Status.RUNNING, Status.PAUSED])
def test_what_is_no_ending_ends_nothing(ledger: Ledger, claimed: Status) -> None:
    reported(ledger, "acme")
    with pytest.raises(BadInput, match="is no way to end"):
        ledger.do(claims.complete_client, ACME, claimed)
    with pytest.raises(BadInput, match="is no way to end"):
        ledger.do(claims.complete_run, RUN, claimed)
    assert told(ledger, RUN).status is Status.RUNNING


# Late


def test_what_is_reported_after_the_end_is_kept_and_opens_nothing_again(ledger: Ledger) -> None:
    """F01, F31"""
    reported(ledger, "acme")
    ledger.do(claims.complete_client, ACME, Status.COMPLETED)
    ledger.do(claims.complete_run, RUN, Status.COMPLETED)
    assert ledger.do(claims.create_client, ClientKey(RUN, "late"), "Late")
    assert ledger.do(claims.record_outcome, SCORING, scored("a")[0])
    assert ledger.do(claims.record_outcome, OperationKey(RUN, "late", POST_SCORING), failed("b")[0])
    say(ledger, ACME, posts_scored=4)
    ledger.do(claims.complete_client, ClientKey(RUN, "late"), None)
    ledger.do(claims.complete_client, ClientKey(RUN, "late"), Status.FAILED)
    run = told(ledger, RUN)
    assert [run.status, *(each.status for each in run.clients)] == [Status.COMPLETED] * 3
    assert [each.finish_reason for each in run.clients] == [None, "late"]
    assert (run.tally.scored, run.tally.failed) == (1, 1)
    assert run.clients[1].claims == {"status": "failed"}
    assert read.why(ledger.database, "acme", "a")[0].late


def test_a_row_that_is_said_again_after_the_end_is_a_repeat_and_another_one_is_noted(ledger: Ledger) -> None:
    """F31"""
    reported(ledger, "acme")
    ledger.do(claims.record_outcome, SCORING, scored("a")[0])
    ledger.do(claims.complete_client, ACME, None)
    assert not ledger.do(claims.record_outcome, SCORING, scored("a")[0])
    assert texts(ledger, RUN, "outcome_too_late") == []
    assert not ledger.do(claims.record_outcome, SCORING, failed("a")[0])
    assert len(texts(ledger, RUN, "outcome_too_late")) == 1


# Silence


def test_a_run_that_is_silent_for_six_hours_is_lost(database: Database) -> None:
    """F02"""
    clock = Clock()
    ledger = Ledger(database, clock)
    reported(ledger, "acme", "b")
    ledger.do(claims.record_outcome, SCORING, scored("a")[0])
    say(ledger, ACME, posts_scored=1)
    clock.pass_by(hours=6)
    assert ledger.do(claims.lose_silent_runs) == []
    clock.pass_by(seconds=1)
    assert ledger.do(claims.lose_silent_runs) == [RUN]
    assert ledger.do(claims.lose_silent_runs) == []
    run = told(ledger, RUN)
    assert (run.status, run.finish_reason) == (Status.TIMED_OUT, "lost")
    assert [(each.status, each.finish_reason) for each in run.clients] == [(Status.TIMED_OUT, "lost")] * 2
    assert texts(ledger, RUN, "lost") == ["Nothing was heard of it for 6 hours"]
    assert not ledger.do(claims._lose, RUN)  # another process was faster
    assert told(ledger, RUN) == run


def test_a_run_that_was_closing_is_lost_as_well(database: Database) -> None:
    """F02"""
    clock = Clock()
    ledger = Ledger(database, clock)
    reported(ledger, "acme", "b")
    ledger.do(claims.complete_client, ACME, Status.COMPLETED)
    ledger.do(claims.complete_run, RUN, Status.COMPLETED)
    clock.pass_by(hours=7)
    assert ledger.do(claims.lose_silent_runs) == [RUN]
    run = told(ledger, RUN)
    assert (run.status, run.finish_reason) == (Status.TIMED_OUT, "lost")
    assert [each.status for each in run.clients] == [Status.COMPLETED, Status.TIMED_OUT]


@pytest.mark.parametrize("verb", ["create", "complete", "outcome", "claim"])
def test_every_verb_breaks_the_silence(database: Database, verb: str) -> None:
    """F02"""
    clock = Clock()
    ledger = Ledger(database, clock)
    reported(ledger, "acme", "b")
    clock.pass_by(hours=5)
    if verb == "create":
        ledger.do(claims.create_client, ACME, None)
    elif verb == "complete":
        ledger.do(claims.complete_client, ACME, Status.COMPLETED)
    elif verb == "outcome":
        ledger.do(claims.record_outcome, SCORING, scored("a")[0])
    else:
        say(ledger, ACME, posts_scored=1)
    clock.pass_by(hours=5)
    assert ledger.do(claims.lose_silent_runs) == []
