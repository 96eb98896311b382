"""What goes wrong between the door and Airtable, and how it is told."""

import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.errors import (
    AirtableError,
    BadRow,
    Cause,
    LostAnswer,
    Misconfigured,
    MonthUsedUp,
    NotNow,
    Resting,
    RowGone,
    SeveralRows,
)
from tallybook.airtable.pacing import Pace
from tallybook.airtable.seen import OperatorBase
from tallybook.airtable.values import row_of
from tallybook.domain.errors import BadSetting, Conflict, StoreUnavailable
from tallybook.testing import airtable_fields as fields
from tallybook.testing.airtable_owner import OpenBase
from tallybook.testing.airtable_server import AirtableFault, AirtableServer, Limits
from tests.airtable.premises import TOKEN, Clock, Found

READ_AGAIN = [
    AirtableFault.RATE_LIMIT,
    AirtableFault.SERVER_ERROR,
    AirtableFault.BAD_GATEWAY,
    AirtableFault.UNAVAILABLE,
    AirtableFault.RESET,
    AirtableFault.LOST_ANSWER,
]


@pytest.mark.parametrize("fault", READ_AGAIN)
def test_a_question_is_asked_again_by_itself_and_then_given_up(
    door: AirtableDoor, base: OpenBase, found: Found, server: AirtableServer, fault: AirtableFault
) -> None:
    base.table("Job Tracking").add({"Run ID": "a"})
    server.faults.then(fault, fault)
    assert len(list(door.records(found.jobs))) == 1
    server.faults.then(fault, fault, fault)
    with pytest.raises(NotNow) as told:
        list(door.records(found.jobs))
    assert told.value.retryable
    assert isinstance(told.value, StoreUnavailable)
    assert not isinstance(told.value, LostAnswer)


@pytest.mark.parametrize("fault", [each for each in READ_AGAIN if each is not AirtableFault.RATE_LIMIT])
def test_a_write_whose_answer_is_lost_is_not_repeated_and_says_that_it_may_have_happened(
    door: AirtableDoor, base: OpenBase, found: Found, server: AirtableServer, fault: AirtableFault
) -> None:
    server.faults.then(fault)
    with pytest.raises(LostAnswer, match="may have been done"):
        door.upsert(found.jobs, {"a": {}})
    assert server.log.by_kind()["upsert"] == 1
    door.upsert(found.jobs, {"a": {}})
    assert len(base.table("Job Tracking")) == 1


def test_a_late_answer_is_an_answer(door: AirtableDoor, found: Found, server: AirtableServer) -> None:
    server.faults.then(AirtableFault.SLOW)
    assert door.upsert(found.jobs, {"a": {}}).created


def test_too_fast_lets_the_base_rest_for_everybody_and_another_base_go_on(
    door: AirtableDoor, found: Found, server: AirtableServer, clock: Clock
) -> None:
    server.faults.then(AirtableFault.RATE_LIMIT)
    with pytest.raises(NotNow) as told:
        door.upsert(found.jobs, {"a": {}})
    assert told.value.retry_after_s == pytest.approx(31.5)
    refused_at = clock.now()
    other = server.add_base("Other", {"Job Tracking": [fields.text("Run ID")]})
    door.tables(OperatorBase(other.id))
    assert clock.now() < refused_at + 1
    door.upsert(found.jobs, {"a": {}})
    assert clock.now() >= refused_at + 31.5


def test_whoever_has_no_time_for_a_rest_is_told_so_at_once_and_nothing_is_asked(
    found: Found, server: AirtableServer, pace: Pace, clock: Clock
) -> None:
    hasty = AirtableDoor(TOKEN, server.url, pace, patience_s=5, sleep=clock.sleep)
    server.faults.then(AirtableFault.RATE_LIMIT)
    with pytest.raises(NotNow):
        hasty.upsert(found.jobs, {"a": {}})
    asked, at = len(server.calls), clock.now()
    with pytest.raises(Resting, match="try again then") as told:
        list(hasty.records(found.jobs))
    assert 25 < told.value.retry_after_s < 32
    assert (len(server.calls), clock.now()) == (asked, at)


@pytest.mark.parametrize("fault", [AirtableFault.MONTHLY_LIMIT, AirtableFault.MONTHLY_LIMIT_LISTED])
def test_when_the_month_is_used_up_nothing_is_asked_until_it_turns(
    door: AirtableDoor, found: Found, server: AirtableServer, clock: Clock, fault: AirtableFault
) -> None:
    server.faults.then(fault)
    since = clock.today()
    with pytest.raises(MonthUsedUp):
        door.upsert(found.jobs, {"a": {}})
    asked = len(server.calls)
    clock.sleep(3600)
    with pytest.raises(MonthUsedUp, match=r"since 2026-11-23 01:30 UTC; nothing is asked until 2026-12-01") as told:
        list(door.records(found.jobs))
    assert told.value.since - since < timedelta(seconds=1)
    assert told.value.until == datetime(2026, 12, 1, tzinfo=UTC)
    assert not told.value.retryable
    assert len(server.calls) == asked
    clock.sleep((told.value.until - clock.today()).total_seconds())
    assert door.upsert(found.jobs, {"a": {}}).created


def test_a_month_that_really_is_used_up_is_told_so(door: AirtableDoor, found: Found, server: AirtableServer) -> None:
    server.limit(Limits(calls_per_month=2))
    door.upsert(found.jobs, {"a": {}})
    door.upsert(found.jobs, {"b": {}})
    with pytest.raises(MonthUsedUp):
        door.upsert(found.jobs, {"c": {}})


def test_after_the_plan_was_changed_the_month_can_be_gone_on_with(
    door: AirtableDoor, found: Found, server: AirtableServer, pace: Pace
) -> None:
    server.faults.then(AirtableFault.MONTHLY_LIMIT)
    with pytest.raises(MonthUsedUp):
        door.upsert(found.jobs, {"a": {}})
    pace.ask_again(found.jobs.base.id)
    assert door.upsert(found.jobs, {"a": {}}).created


def test_a_field_that_was_deleted_is_told_as_what_has_to_be_mended(
    door: AirtableDoor, base: OpenBase, found: Found
) -> None:
    """F09, F10"""
    cells = row_of(found.jobs, {"stream": 1}).cells
    base.table("Job Tracking").delete_field("Stream")
    assert _cause(door, found, cells) is Cause.UNKNOWN_FIELD


def test_a_field_that_has_become_a_formula_is_told_as_such(door: AirtableDoor, base: OpenBase, found: Found) -> None:
    """F11"""
    cells = row_of(found.jobs, {"stream": 1}).cells
    base.table("Job Tracking").retype_field("Stream", fields.formula("Stream", "1"))
    assert _cause(door, found, cells) is Cause.COMPUTED


def test_an_option_that_is_gone_is_told_as_such(door: AirtableDoor, base: OpenBase, found: Found) -> None:
    cells = row_of(found.jobs, {"job_type": "post_scoring"}).cells
    base.table("Job Tracking").retype_field("Job Type", fields.select("Job Type", "lead_scoring"))
    assert _cause(door, found, cells) is Cause.UNKNOWN_OPTION


def test_a_full_base_is_told_as_such(door: AirtableDoor, found: Found, server: AirtableServer) -> None:
    server.limit(Limits(records_per_base=0))
    assert _cause(door, found, {}) is Cause.FULL


def test_a_base_that_is_gone_or_that_the_token_may_not_see_is_told_as_such(
    door: AirtableDoor, found: Found, server: AirtableServer
) -> None:
    """F17"""
    server.add_token(TOKEN, base_ids=[])
    assert _cause(door, found, {}) is Cause.ACCESS


def _cause(door: AirtableDoor, found: Found, cells: object) -> Cause:
    with pytest.raises(Misconfigured) as told:
        door.upsert(found.jobs, {"a": cells})  # type: ignore[dict-item]  # cells of the table
    assert not told.value.retryable
    assert told.value.cause in str(told.value)
    return told.value.cause


def test_a_value_that_the_field_does_not_take_is_a_bad_row(door: AirtableDoor, base: OpenBase, found: Found) -> None:
    cells = row_of(found.jobs, {"stream": 1}).cells
    base.table("Job Tracking").retype_field("Stream", fields.text("Stream"))
    with pytest.raises(BadRow) as told:
        door.upsert(found.jobs, {"a": cells})
    assert not isinstance(told.value, RowGone)


def test_a_row_that_somebody_deleted_is_gone_and_not_created_anew(
    door: AirtableDoor, base: OpenBase, found: Found
) -> None:
    table = base.table("Job Tracking")
    record_id = table.add({"Run ID": "a"})
    table.delete(record_id)
    with pytest.raises(RowGone):
        door.update(found.jobs, {record_id: row_of(found.jobs, {"stream": 1}).cells})
    with pytest.raises(RowGone):
        door.delete(found.jobs, [record_id])
    assert len(table) == 0


def test_several_rows_with_one_key_are_named_the_oldest_first(
    door: AirtableDoor, base: OpenBase, found: Found, clock: Clock
) -> None:
    """F03"""
    table = base.table("Job Tracking")
    oldest = table.add({"Run ID": "it's {a}"})
    clock.sleep(1)
    newer = table.duplicate(oldest)
    with pytest.raises(SeveralRows, match=r"it's \{a\} \(2 rows\)") as told:
        door.upsert(found.jobs, {"it's {a}": {}, "b": {}})
    assert told.value.rows == {"it's {a}": [oldest, newer]}
    assert isinstance(told.value, Conflict)


def test_what_is_no_duplicate_is_not_told_as_one(door: AirtableDoor, base: OpenBase, found: Found) -> None:
    """The primary field was made one that nothing can be merged on."""
    base.table("Job Tracking").retype_field("Run ID", fields.checkbox("Run ID"))
    with pytest.raises(BadRow):
        door.upsert(found.jobs, {"a": {}})


def test_nobody_there_is_no_lost_answer(pace: Pace, clock: Clock, found: Found) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    door = AirtableDoor(TOKEN, f"http://127.0.0.1:{port}/", pace, sleep=clock.sleep)
    with pytest.raises(NotNow) as told:
        door.upsert(found.jobs, {"a": {}})
    assert not isinstance(told.value, LostAnswer)


def test_an_address_that_is_none_is_told_as_such(pace: Pace, clock: Clock) -> None:
    door = AirtableDoor(TOKEN, "nowhere", pace, sleep=clock.sleep)
    with pytest.raises(Misconfigured, match=r"airtable\.endpoint_url"):
        door.whoami()


@pytest.mark.parametrize("token", ["", "pat with spaces", "patLineEnd\n", "patÜmlaut"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_repeated(pace: Pace, token: str) -> None:
    """F35"""
    with pytest.raises(BadSetting) as told:
        AirtableDoor(token, "http://127.0.0.1", pace)
    assert token == "" or token not in str(told.value)


def test_a_wrong_token_is_told_as_such_and_never_repeated(server: AirtableServer, pace: Pace, clock: Clock) -> None:
    """F35"""
    door = AirtableDoor("patPlanted.5ec2e7", server.url, pace, sleep=clock.sleep)
    with pytest.raises(Misconfigured, match=r"airtable\.token") as told:
        door.whoami()
    assert "5ec2e7" not in _everything_about(told.value)


@pytest.mark.parametrize("fault", [*READ_AGAIN, AirtableFault.MONTHLY_LIMIT])
def test_no_error_repeats_the_token(
    door: AirtableDoor, found: Found, server: AirtableServer, fault: AirtableFault
) -> None:
    """F35"""
    server.faults.then(fault)
    with pytest.raises(AirtableError) as told:
        door.upsert(found.jobs, {"a": {}})
    assert TOKEN not in _everything_about(told.value)


def test_what_airtable_says_is_repeated_without_the_token(door: AirtableDoor, base: OpenBase, found: Found) -> None:
    """F35: a field that somebody called by the token is deleted, and Airtable names it."""
    table = base.table("Job Tracking")
    table.rename_field("Stream", TOKEN)
    cells = row_of(found.jobs, {"stream": 1}).cells
    table.retype_field(TOKEN, fields.formula(TOKEN, "1"))
    with pytest.raises(Misconfigured, match=r"Field \"\*{8}\" cannot accept") as told:
        door.upsert(found.jobs, {"a": cells})
    assert TOKEN not in _everything_about(told.value)


def _everything_about(error: BaseException) -> str:
    chain = [error, error.__cause__, error.__context__ if not error.__suppress_context__ else None]
    return " ".join(f"{each!r} {each} {vars(each)}" for each in chain if each is not None)


def test_the_room_is_imported_without_the_library() -> None:
    """It is of an extra, and slow: no start-up pays for it."""
    rooms = "client, batches, calls, drift, errors, formulas, pacing, setting_up, shared_lanes, values"
    said = f"import sys; from tallybook.airtable import {rooms}; print({{'pyairtable', 'requests'}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
