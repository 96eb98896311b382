"""What is worth an alert is found in the books, raised once, and over when it is over."""

import json
from datetime import timedelta

import pytest

from tallybook.domain.alert import Alarms, AlertKind, Condition, Spooled
from tallybook.domain.budget import Budgets, Ceiling, Per
from tallybook.domain.errors import NotFound
from tallybook.domain.run import Blocked, Stop
from tallybook.domain.schedule import Missed
from tallybook.domain.tally import Money, Usage
from tallybook.ledger import alerting
from tallybook.ledger.alerting import Wanted
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import alerts, schedules, stops, telling
from tallybook.ledger.write.budgets import set_budget
from tallybook.ledger.write.schedules import Miss
from tests.ledger.outside import harvesting, started
from tests.ledger.scenes import (
    NOON,
    Clock,
    asked,
    called,
    closed,
    planned,
    recorded,
    reported,
    scored,
    working,
)
from tests.ledger.test_inbox import OVER, received
from tests.ledger.test_schedules import HOURLY, ONE, seen
from tests.ledger.test_schedules import begun as begun_by_schedule

MIRROR = Alarms(followers=("airtable_mirror",))


def found(books: Ledger, alarms: Alarms = Alarms()) -> list[Condition]:  # noqa: B008 -- it is frozen
    known = alerting.open_alerts(books.database)
    return alerting.states(books.database, alarms, books.clock(), known)


def kinds(books: Ledger, alarms: Alarms = Alarms()) -> list[str]:  # noqa: B008 -- it is frozen
    return [each.kind.value for each in found(books, alarms)]


def noted(books: Ledger, *states: Condition, news: tuple[Condition, ...] = (), over: tuple[str, ...] = ()) -> int:
    return books.do(alerts.note, states, news, over)


def texts(books: Ledger, *, everything: bool = False) -> list[str]:
    return [each.text for each in alerting.list_alerts(books.database, Wanted(everything))]


# Runs


def test_an_open_run_of_which_nothing_is_heard_is_stuck(books: Ledger, clock: Clock) -> None:
    key = working(books, ["a", "b"])
    clock.pass_by(minutes=50)
    recorded(books, key, *scored("a"))
    clock.pass_by(minutes=50)
    assert found(books) == []
    clock.pass_by(minutes=11)
    (stuck,) = found(books)
    assert stuck.kind is AlertKind.RUN_STUCK
    assert stuck.run_id == key.run_id
    assert f"Run {key.run_id} of stream 1 is open, and for 1 h 01 min nothing has happened" in stuck.text
    recorded(books, key, *scored("b"))
    assert found(books) == []


def test_a_run_that_waits_its_turn_or_for_the_outside_is_not_stuck(books: Ledger, clock: Clock) -> None:
    key = working(books, ["a"])
    waits = planned(books, "acme", start=asked("acme", queue_behind=True))
    clock.pass_by(hours=2)
    assert [each.run_id for each in found(books)] == [key.run_id]
    recorded(books, key, *scored("a"))
    closed(books, key)
    assert [each.run_id for each in found(books)] == [waits]
    assert found(books)[0].text.startswith(f"Run {waits} of stream 1 is open, and for 2 h 00 min")
    books.do(stops.stop_run, waits, Stop.CANCEL, "enough")
    outside = harvesting(books)
    started(books, outside, clock)
    clock.pass_by(minutes=59)
    assert found(books, Alarms(stuck_after=timedelta(minutes=30))) == []
    clock.pass_by(minutes=2)
    (stuck,) = found(books, Alarms(stuck_after=timedelta(minutes=30)))
    assert "for 1 h 01 min nothing has happened" in stuck.text
    called(books, outside, "another")
    clock.pass_by(minutes=31)
    (stuck,) = found(books, Alarms(stuck_after=timedelta(minutes=30)))
    assert "for 31 min nothing has happened" in stuck.text


def test_a_reported_run_that_is_silent_is_stuck(books: Ledger, clock: Clock) -> None:
    run_id = reported(books, "acme")
    clock.pass_by(days=3)
    (stuck,) = found(books)
    assert f"Run {run_id} of all streams is open, and for 3 days nothing" in stuck.text
    assert "look after the program that reports it" in stuck.text


def test_a_run_that_waits_for_somebody_says_so_and_one_that_somebody_paused_does_not(books: Ledger) -> None:
    first, second = working(books, ["a"]), working(books, ["a"], "other")
    books.do(stops.stop_run, first.run_id, Stop.PAUSE, Blocked.AUTH)
    books.do(stops.stop_run, second.run_id, Stop.PAUSE, "Ada said so")
    for key in (first, second):
        books.do(stops.stop_client, key.of_client, Stop.PAUSE, Blocked.AUTH if key is first else "Ada said so")
    (waits,) = found(books)
    assert (waits.kind, waits.run_id) == (AlertKind.RUN_WAITS, first.run_id)
    assert "paused and waits for somebody (auth)" in waits.text


# Schedules


def test_a_missed_run_of_a_schedule_is_told_until_its_next_run_began(books: Ledger, clock: Clock) -> None:
    """F20"""
    seen(books)
    clock.now = ONE + timedelta(hours=3)
    books.do(schedules.miss, HOURLY, NOON, [Miss(ONE, Missed.NO_SERVER), Miss(ONE + timedelta(hours=1), "busy", None)])
    (missed,) = found(books)
    assert missed.kind is AlertKind.MISSED_RUN
    assert missed.text.startswith("2 runs were missed of stream 1, last the one due at 2026-11-23 14:00 UTC:")
    assert "tallybook run start --stream 1" in missed.text
    noted(books, missed)
    due_at = ONE + timedelta(hours=2)
    begun_by_schedule(books, clock, ONE + timedelta(hours=1), due_at)
    noted(books, *found(books))
    assert texts(books) == []
    clock.pass_by(days=30)
    assert AlertKind.MISSED_RUN.value not in kinds(books)


def test_a_stream_that_has_none_is_said_as_all(books: Ledger, clock: Clock) -> None:
    everybody = type(HOURLY)("0 3 * * *")
    seen(books, everybody)
    books.do(schedules.miss, everybody, NOON, [Miss(ONE, Missed.NO_SERVER)])
    clock.now = ONE
    (missed,) = found(books)
    assert missed.text.startswith("A run was missed of all streams")
    assert missed.text.endswith("`tallybook run start`")


# Budgets


def test_a_budget_is_told_near_its_end_and_when_it_is_used_up(books: Ledger, clock: Clock) -> None:
    alarms = Alarms(budgets=Budgets(day=Ceiling(10_000, Money.usd(100)), month=Ceiling(0)))
    key = working(books, ["a"])
    called(books, key, "c1", Usage(7_000, 0, 900, Money.usd(1)))
    assert found(books, alarms) == []
    called(books, key, "c2", Usage(100, 0, 0, Money.usd(1)))
    (near,) = found(books, alarms)
    assert (near.kind, near.client_id) == (AlertKind.BUDGET_NEAR, "acme")
    assert near.text == (
        "The day's budget of acme is used to 80 %; it is refilled at 2026-11-24 00:00 UTC, or by"
        " `tallybook client budget`"
    )
    noted(books, near)
    called(books, key, "c3", Usage(0, 0, 0, Money.usd(98)))
    (used_up,) = found(books, alarms)
    assert used_up.kind is AlertKind.BUDGET_USED_UP
    assert "is used up: no paid call is made" in used_up.text
    noted(books, used_up)
    recorded(books, key, *scored("a"))
    closed(books, key)
    assert kinds(books, alarms) == ["budget_used_up"]  # though nobody works for it any more
    clock.pass_by(days=1)
    noted(books, *found(books, alarms))
    assert found(books, alarms) == []
    assert texts(books) == []


def test_a_clients_own_budget_and_one_in_tokens_alone_count_as_well(books: Ledger) -> None:
    key = working(books, ["a"])
    called(books, key, "c1", Usage(900, 0, 0, None))
    books.do(set_budget, "acme", Per.MONTH, Ceiling(1_000))
    assert kinds(books) == ["budget_near"]


def test_the_budget_of_a_run_is_told_of(books: Ledger) -> None:
    alarms = Alarms(budgets=Budgets(run=Ceiling(cost=Money.usd(1))))
    key = working(books, ["a"])
    assert found(books, alarms) == []
    called(books, key, "c1", Usage(10, 0, 1, Money.usd("0.95")))
    (near,) = found(books, alarms)
    assert (near.kind, near.run_id, near.client_id) == (AlertKind.BUDGET_NEAR, key.run_id, None)
    assert f"The budget of run {key.run_id} of stream 1 is used to 95 %" in near.text


# What is told elsewhere


def test_drift_and_a_mirror_that_is_behind_are_told(books: Ledger, clock: Clock) -> None:
    drift = [{"change": "gone", "text": "Runs.Status is gone", "at": "2026"}, {"odd": 1}, 7]
    trouble = {"since": (NOON - timedelta(minutes=30)).isoformat(), "text": "Airtable says 503"}
    for name, value in (("drift", drift), ("trouble", trouble)):
        books.do(telling.keep, "airtable_mirror", name, json.dumps(value))
    assert found(books) == []  # it is not followed
    (gone,) = found(books, MIRROR)
    assert (gone.kind, gone.text) == (AlertKind.MIRROR_DRIFT, "In Airtable, Runs.Status is gone")
    clock.pass_by(minutes=31)
    behind = found(books, MIRROR)[1]
    assert behind.kind is AlertKind.MIRROR_BEHIND
    assert behind.text.startswith("For 1 h 01 min nothing could be told to airtable mirror: Airtable says 503;")


@pytest.mark.parametrize("kept", ["no JSON", "[]", '{"since": "soon"}', '{"since": "2026-01-01T00:00:00"}', "null"])
def test_a_note_of_a_follower_that_says_something_else_is_no_trouble(books: Ledger, kept: str) -> None:
    for name in ("drift", "trouble"):
        books.do(telling.keep, "airtable_mirror", name, kept)
    assert found(books, MIRROR) == []


def test_orphans_are_told_once_they_have_been_there_for_an_hour(books: Ledger, clock: Clock) -> None:
    received(books, OVER)
    assert found(books) == []
    clock.pass_by(minutes=61)
    (orphans,) = found(books)
    assert orphans.text.startswith("A delivery of runs that nobody knows, the oldest 1 h 01 min old:")


@pytest.mark.parametrize(
    ("spooled", "said"),
    [
        (Spooled("/spool", waiting=3), None),
        (Spooled("/spool", waiting=3, since=NOON - timedelta(minutes=9)), None),
        (Spooled("/spool", 3, 0, since=NOON - timedelta(minutes=10), why="disk full"), "/spool 3 wait: disk full;"),
        (Spooled("/spool", broken=1), "/spool 1 cannot be written or were refused;"),
        (Spooled("/spool", 2, 1, denied=True), "/spool 2 wait and 1 cannot be written or were refused;"),
        (Spooled("/spool", 2, denied=True), "/spool 2 wait;"),
    ],
)
def test_tracking_that_cannot_be_written_is_told(books: Ledger, spooled: Spooled, said: str | None) -> None:
    """F34"""
    told = found(books, Alarms(spooled=lambda: [spooled]))
    assert [each.kind for each in told] == ([AlertKind.SPOOL] if said else [])
    assert all(str(said) in each.text for each in told)


# Raised once


STATE = Condition(AlertKind.ORPHANS, "inbox", "Orphans", client_id="acme")
FACT = Condition(AlertKind.RUN_FAILED, "1 smart_resume", "It failed", "r1", "r1", fact=True)


def test_what_holds_is_raised_once_and_over_when_it_is_not_found(books: Ledger, clock: Clock) -> None:
    assert noted(books, STATE) == 1
    assert noted(books, STATE) == 0
    assert texts(books) == ["Orphans"]
    noted(books)
    assert (texts(books), texts(books, everything=True)) == ([], ["Orphans"])
    clock.pass_by(minutes=1)
    assert noted(books, STATE) == 1, "it is so again"
    assert texts(books, everything=True) == ["Orphans", "Orphans"]


def test_a_fact_stays_so_until_it_is_over_or_old_and_is_never_raised_again(books: Ledger, clock: Clock) -> None:
    assert noted(books, news=(FACT,)) == 1
    noted(books)
    assert texts(books) == ["It failed"]
    noted(books, over=("run_failed 2 smart_resume",))
    assert texts(books) == ["It failed"]
    noted(books, over=(FACT.quiet_key,))
    assert texts(books) == []
    assert noted(books, news=(FACT,)) == 0
    other = Condition(AlertKind.RUN_FAILED, "1 smart_resume", "Another", "r2", "r2", fact=True)
    noted(books, news=(other,))
    clock.pass_by(days=7, seconds=1)
    noted(books)
    assert texts(books) == []


def test_old_alerts_are_forgotten_when_they_are_over(books: Ledger, clock: Clock) -> None:
    noted(books, STATE, news=(FACT,))
    noted(books, STATE)
    clock.pass_by(days=8)
    noted(books, STATE)
    clock.pass_by(days=91)
    books.do(alerts.forget_old)
    assert texts(books, everything=True) == ["Orphans"]


def test_who_takes_notice_does_so_once_and_of_what_it_may_see(books: Ledger) -> None:
    noted(books, STATE, news=(FACT,))
    (mine,) = alerting.list_alerts(books.database, Wanted(tenant="acme"))
    (whole,) = (each for each in alerting.open_alerts(books.database) if each.client_id is None)
    assert books.do(alerts.acknowledge, mine.alert_id, "acme")
    assert not books.do(alerts.acknowledge, mine.alert_id)
    assert texts(books) == ["It failed"]
    for nothing in ((whole.alert_id, "acme"), ("nonsense", None)):
        with pytest.raises(NotFound):
            books.do(alerts.acknowledge, *nothing)


def test_alerts_are_listed_newest_first_a_page_at_a_time(books: Ledger, clock: Clock) -> None:
    for number in range(5):
        odd = Condition(AlertKind.RUN_FAILED, "1", f"number {number}", str(number), fact=True)
        noted(books, news=(odd,))
        clock.pass_by(seconds=1)
    first = alerting.list_alerts(books.database, Wanted(), limit=3)
    rest = alerting.list_alerts(books.database, Wanted(), after=alerting.key_of(first[-1]))
    assert [each.text for each in (*first, *rest)] == [f"number {number}" for number in (4, 3, 2, 1, 0)]


def test_an_odd_sign_in_a_text_does_no_harm(books: Ledger) -> None:
    odd = Condition(AlertKind.MIRROR_DRIFT, "a\0b\ud800", "x\0y\ud800")
    assert [noted(books, odd), noted(books, odd)] == [1, 0]


def test_what_was_told_of_late_is_known(books: Ledger, clock: Clock) -> None:
    noted(books, STATE)
    (alert,) = alerting.open_alerts(books.database)
    books.do(alerts.took, "key", [alert.alert_id])
    assert alerting.told_about_since(books.database, NOON - timedelta(hours=1)) == {STATE.quiet_key}
    assert alerting.told_about_since(books.database, NOON) == set()
