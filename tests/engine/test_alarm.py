"""Alerts are told once to every channel, together, held back for a while, and again where one did not take them."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import time as clock_time
from datetime import timedelta

import pytest

from benchmarks.house import House, furnish
from tallybook.database import Database
from tallybook.domain.alert import Alarms, AlertKind, Condition, QuietHours, Sent
from tallybook.domain.schedule import Schedule
from tallybook.engine import alarm
from tallybook.engine.alarm import Alarm, owed_by_channel, try_channels
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.engine.schedule import Timetable
from tallybook.engine.telling import alone
from tallybook.ledger import alerting
from tallybook.ledger.alerting import Wanted
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.tables import events
from tallybook.ledger.write import alerts
from tallybook.ledger.write.alerts import FOLLOWER, Owed
from tallybook.scorers.scripted import ScriptedScorer
from tests.ledger.scenes import NOON, Clock, begun, closed, failed, frozen, planned, recorded, scored
from tests.stories.acting import until

TWO_MINUTES = timedelta(minutes=2)


@dataclass
class Ear:
    """A channel that keeps what it is told. *refuses*: so often it does not take it."""

    name: str = "channel 1 (ear://…)"
    key: str = "one"
    refuses: int = 0
    heard: list[tuple[str, str]] = field(default_factory=list)
    dies: bool = False

    def send(self, title: str, text: str) -> Sent:
        self.heard.append((title, text))
        if self.dies:
            raise SystemExit
        self.refuses -= 1
        return Sent(self.name, "it is full" if self.refuses >= 0 else None)

    @property
    def texts(self) -> Sequence[str]:
        return [text for _, text in self.heard]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def books(database: Database, clock: Clock) -> Iterator[Ledger]:
    ledger = Ledger(database, clock)
    yield ledger
    ledger.close()


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def alarms(ear: Ear) -> Alarms:
    return Alarms([ear])


def fact(number: int, about: str = "stream 1", kind: AlertKind = AlertKind.RUN_FAILED) -> Condition:
    return Condition(kind, about, f"number {number}", str(number), fact=True)


def raised(books: Ledger, *found: Condition) -> None:
    books.do(alerts.note, (), found, ())


def looked(books: Ledger, alarms: Alarms, clock: Clock, after: timedelta = timedelta()) -> None:
    clock.now += after
    until(Alarm(books, alarms).look, "a look (a lock that was let go of is free in a moment)")


def ran(books: Ledger, *, well: bool) -> str:
    run_id = planned(books, "acme")
    key = frozen(books, begun(books, run_id, "acme"), ["a"])
    recorded(books, key, *(scored("a") if well else failed("a")))
    closed(books, key)
    return run_id


def test_a_failed_run_is_told_once_and_what_was_before_anybody_looked_is_not(
    books: Ledger, clock: Clock, ear: Ear, alarms: Alarms
) -> None:
    ran(books, well=False)
    clock.pass_by(days=1)
    looked(books, alarms, clock)
    run_id = ran(books, well=False)
    looked(books, alarms, clock, timedelta(seconds=30))
    assert ear.heard == [], "others may join it"
    for _ in range(3):
        looked(books, alarms, clock, TWO_MINUTES)
    ((title, text),) = ear.heard
    assert title == "Tallybook: run failed"
    assert text.startswith(f"- Run {run_id} of stream 1 failed")
    (alert,) = alerting.open_alerts(books.database)
    assert alert.told_at == clock.now - 2 * TWO_MINUTES


def test_a_run_that_ended_while_nobody_looked_is_found_later(
    books: Ledger, clock: Clock, ear: Ear, alarms: Alarms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallybook.ledger.alert_news.MOST_RUNS", 2)
    looked(books, alarms, clock)
    for _ in range(3):
        clock.pass_by(minutes=5)
        ran(books, well=False)
    for _ in range(8):
        looked(books, alarms, clock, timedelta(minutes=30))
    assert len(alerting.open_alerts(books.database)) == 3


def test_what_is_raised_together_is_one_message_and_of_many_the_first_are_named(
    books: Ledger, clock: Clock, ear: Ear, alarms: Alarms
) -> None:
    raised(books, *(fact(number, f"stream {number}") for number in range(25)))
    looked(books, alarms, clock, TWO_MINUTES)
    (text,) = ear.texts
    assert len(text.splitlines()) == 21
    assert text.endswith("- and 5 more: `tallybook alert list`")


def test_the_same_thing_is_not_told_again_within_its_quiet_period_but_afterwards(
    books: Ledger, clock: Clock, ear: Ear, alarms: Alarms
) -> None:
    raised(books, fact(1))
    looked(books, alarms, clock, TWO_MINUTES)
    raised(books, fact(2), fact(3, "stream 2"))
    looked(books, alarms, clock, TWO_MINUTES)
    assert ear.texts == ["- number 1", "- number 3"]
    looked(books, alarms, clock, timedelta(hours=6))
    assert ear.texts[2:] == ["- number 2"]


def test_what_is_over_or_acknowledged_is_not_told(books: Ledger, clock: Clock, ear: Ear, alarms: Alarms) -> None:
    raised(books, fact(1), fact(2, "stream 2"))
    books.do(alerts.note, (), (), (fact(1).quiet_key,))
    (other,) = alerting.open_alerts(books.database)
    books.do(alerts.acknowledge, other.alert_id)
    looked(books, alarms, clock, TWO_MINUTES)
    assert ear.heard == []


def test_at_quiet_hours_nothing_is_told_and_afterwards_what_is_still_so(
    books: Ledger, clock: Clock, ear: Ear, alarms: Alarms
) -> None:
    alarms = replace(alarms, quiet_hours=QuietHours(clock_time(11), clock_time(14)))
    raised(books, fact(1))
    looked(books, alarms, clock, TWO_MINUTES)
    assert ear.heard == []
    looked(books, alarms, clock, timedelta(hours=2))
    assert ear.texts == ["- number 1"]


@pytest.mark.parametrize(("hour", "held"), [(21, False), (22, True), (3, True), (7, False)])
def test_quiet_hours_go_over_midnight(hour: int, held: bool) -> None:
    assert QuietHours(clock_time(22), clock_time(7)).hold(NOON.replace(hour=hour)) is held


def test_a_channel_that_does_not_take_it_is_tried_again_ever_later_and_holds_up_no_other(
    books: Ledger, clock: Clock, ear: Ear, alarms: Alarms
) -> None:
    down = Ear("channel 2 (down://…)", "two", refuses=3)
    alarms = replace(alarms, channels=[ear, down])
    raised(books, fact(1))
    looked(books, alarms, clock, TWO_MINUTES)
    assert (len(ear.heard), len(down.heard)) == (1, 1)
    ((owed),) = owed_by_channel(books.database)
    assert (owed.key, owed.owed.tries, owed.owed.error) == ("two", 1, "it is full")
    looked(books, alarms, clock, timedelta(seconds=29))
    assert len(down.heard) == 1
    looked(books, alarms, clock, timedelta(seconds=1))
    raised(books, fact(2, "stream 2"))
    looked(books, alarms, clock, timedelta(minutes=1))
    looked(books, alarms, clock, timedelta(minutes=3))
    assert ear.texts == ["- number 1", "- number 2"]
    assert down.texts[-1] == "- number 1\n- number 2"
    looked(books, alarms, clock, timedelta(hours=1))
    assert owed_by_channel(books.database) == []
    assert len(down.heard) == 4


def test_what_is_over_before_a_channel_took_it_is_owed_to_it_no_more(
    books: Ledger, clock: Clock, ear: Ear, alarms: Alarms
) -> None:
    ear.refuses = 1
    raised(books, fact(1))
    looked(books, alarms, clock, TWO_MINUTES)
    books.do(alerts.note, (), (), (fact(1).quiet_key,))
    looked(books, alarms, clock, TWO_MINUTES)
    assert (owed_by_channel(books.database), len(ear.heard)) == ([], 1)


def test_what_a_channel_was_owed_that_nobody_has_any_more_is_told_to_the_new_one(
    books: Ledger, clock: Clock, ear: Ear, alarms: Alarms
) -> None:
    gone = Ear(key="gone", refuses=9)
    raised(books, fact(1))
    looked(books, replace(alarms, channels=[gone]), clock, TWO_MINUTES)
    looked(books, alarms, clock, TWO_MINUTES)
    assert (owed_by_channel(books.database), ear.texts) == ([], ["- number 1"])


def test_what_was_being_told_when_the_process_died_is_not_told_again_and_that_is_noted(
    books: Ledger, clock: Clock, ear: Ear, alarms: Alarms
) -> None:
    ear.dies = True
    raised(books, fact(1))
    with pytest.raises(SystemExit):
        looked(books, alarms, clock, TWO_MINUTES)
    ear.dies = False
    assert [each.owed.sending for each in owed_by_channel(books.database)] == [True]
    looked(books, alarms, clock, TWO_MINUTES)
    looked(books, alarms, clock, TWO_MINUTES)
    assert len(ear.heard) == 1
    assert owed_by_channel(books.database) == []
    with books.database.reading() as connection:
        said = [row.text for row in connection.execute(events.select()) if row.kind == "alerts_maybe_told"]
    assert said == [f"Alerts were being told to {ear.name} when the process died; they are not told again"]


def test_without_a_channel_alerts_are_raised_all_the_same(books: Ledger, clock: Clock) -> None:
    looked(books, Alarms(), clock)
    ran(books, well=False)
    looked(books, Alarms(), clock, TWO_MINUTES)
    (alert,) = alerting.list_alerts(books.database, Wanted())
    assert alert.told_at is None


def test_of_several_processes_one_looks(books: Ledger, clock: Clock, ear: Ear, alarms: Alarms) -> None:
    raised(books, fact(1))
    clock.now += TWO_MINUTES
    with alone(books.database, FOLLOWER):
        assert not Alarm(books, alarms).look()
        assert ear.heard == []
    together = [threading.Thread(target=Alarm(books, alarms).look) for _ in range(8)]
    for each in together:
        each.start()
    for each in together:
        each.join()
    assert len(ear.heard) == 1


def test_a_server_looks_by_itself_and_a_worker_does_not(
    sqlite_house: House, ear: Ear, alarms: Alarms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F20"""
    monkeypatch.setattr(alarm, "LOOK_EVERY_S", 0.01)
    furnish(sqlite_house, 1, 1)
    raised(sqlite_house.ledger, fact(1))
    at_once = replace(alarms, together=timedelta())
    operations = sqlite_house.operations(ScriptedScorer())
    with Engine(sqlite_house.ledger, sqlite_house.clients, operations, Limits()):
        time.sleep(0.05)
    with Engine(sqlite_house.ledger, sqlite_house.clients, operations, Limits(), Timetable([Schedule("0 3 * * *")])):
        time.sleep(0.05)
    assert ear.heard == []
    timetable = Timetable([], alarms=at_once)
    with Engine(sqlite_house.ledger, sqlite_house.clients, operations, Limits(), timetable):
        assert until(lambda: bool(ear.heard))
    Alarm(sqlite_house.ledger, alarms).close()


def test_every_channel_can_be_tried(ear: Ear) -> None:
    assert try_channels([ear, Ear("two", "two", refuses=1)]) == [Sent(ear.name), Sent("two", "it is full")]


def test_what_a_channel_is_owed_is_kept_as_it_is(books: Ledger) -> None:
    owed = Owed(("a", "b"), 3, "2026", "2025", "why", sending=True)
    books.do(alerts.owe, "one", owed)
    assert [each.owed for each in owed_by_channel(books.database)] == [owed]
