"""What everything came to is the sum of all tallies, and only ever grows; what went wrong is counted by fingerprint."""

from datetime import timedelta

from tallybook.domain.alert import AlertKind, Condition
from tallybook.domain.run import Stop
from tallybook.domain.schedule import Missed
from tallybook.domain.tally import Usage
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.tables import TALLY
from tallybook.ledger.totals import Behind, Sums, Totals
from tallybook.ledger.troubles import troubles
from tallybook.ledger.write import alerts, events, schedules, stops, telling
from tallybook.ledger.write.schedules import Miss
from tests.ledger.scenes import (
    NOON,
    USED,
    Clock,
    called,
    closed,
    failed,
    planned,
    recorded,
    scored,
    skipped,
    working,
)
from tests.ledger.test_inbox import OVER, received
from tests.ledger.test_schedules import HOURLY, ONE, seen


def ran(books: Ledger, name: str) -> None:
    key = working(books, ["a", "b", "c"], name)
    recorded(books, key, *scored("a"), *failed("b"), *skipped("c"))
    called(books, key, f"call of {name}")
    closed(books, key)


def told(sums: Sums) -> dict[str, int]:
    of_it = dict(zip(TALLY, sums.operations["lead_scoring"], strict=True))
    return {name: of_it[name] for name in ("found", "scored", "failed", "skipped", "calls", "output_tokens")}


def one(number: int) -> dict[str, int]:
    facts = {"found": 3, "scored": 1, "failed": 1, "skipped": 1, "calls": 1, "output_tokens": USED.output_tokens or 0}
    return {name: number * value for name, value in facts.items()}


def test_totals_are_the_same_whoever_asks_when_and_never_shrink(books: Ledger, clock: Clock) -> None:
    totals = Totals(books.database)
    assert totals.sums(clock.now) == Sums({}, {})
    before = 0
    for number in range(1, 5):
        ran(books, f"client {number}")
        for _ in range(3):
            clock.pass_by(days=3)
            sums = totals.sums(clock.now)
            assert told(sums) == one(number) == told(Totals(books.database).sums(clock.now))
            assert sums.calls == {("google", "lead_scoring", "ok"): number}
            assert sum(sums.operations["lead_scoring"]) >= before
            before = sum(sums.operations["lead_scoring"])


def test_what_changes_of_an_old_run_is_seen_a_day_later(books: Ledger, clock: Clock) -> None:
    key = working(books, ["a", "b"])
    clock.pass_by(days=8)
    totals = Totals(books.database)
    totals.sums(clock.now)
    recorded(books, key, *scored("a"))
    assert told(totals.sums(clock.now))["scored"] == 0
    clock.pass_by(days=1)
    assert told(totals.sums(clock.now))["scored"] == 1


def test_how_everything_stands_is_told(books: Ledger, clock: Clock) -> None:
    nothing = Totals(books.database).standing(clock.now, ["airtable_mirror"])
    assert (nothing.oldest_open_s, nothing.looked_at, nothing.missed) == (0.0, None, 0)
    assert nothing.followers == {"airtable_mirror": Behind(0.0, 0, False)}
    seen(books)
    books.do(schedules.miss, HOURLY, NOON, [Miss(ONE, Missed.NO_SERVER)])
    key = working(books, ["a"])
    waits = planned(books, "other", "third")
    paused = planned(books, "fourth")
    books.do(stops.stop_run, paused, Stop.CANCEL, "enough")
    received(books, OVER)
    books.do(alerts.note, (Condition(AlertKind.ORPHANS, "inbox", "Orphans"),), (), ())
    clock.pass_by(minutes=5)
    found = Totals(books.database).standing(clock.now, [])
    assert {status: count for status, count in found.runs.items() if count} == {"running": 2, "canceled": 1}
    assert found.client_runs == {"running": 1, "queued": 2, "paused": 0}
    assert found.oldest_open_s == 300.0
    assert found.alerts == {"orphans": 1}
    assert found.inbox == {"orphan": 1, "received": 0}
    assert found.missed == 1
    assert found.looked_at == ONE
    assert {key.run_id, waits} == {"261123-120000", "261123-120001"}


def test_how_far_a_follower_is_behind_is_told(books: Ledger, clock: Clock) -> None:
    books.do(telling.look_from, "airtable_mirror", NOON)
    clock.pass_by(seconds=1)
    ran(books, "acme")
    clock.pass_by(minutes=2)
    books.do(telling.keep, "airtable_mirror", "trouble", "{}")
    found = Totals(books.database).standing(clock.now, ["airtable_mirror"])
    assert found.followers == {"airtable_mirror": Behind(120.0, 2, True)}
    books.do(telling.look_from, "airtable_mirror", clock.now)
    books.do(telling.keep, "airtable_mirror", "trouble", None)
    found = Totals(books.database).standing(clock.now, ["airtable_mirror"])
    assert found.followers == {"airtable_mirror": Behind(0.0, 0, False)}


def test_calls_of_every_result_are_counted(books: Ledger, clock: Clock) -> None:
    key = working(books, ["a"])
    called(books, key, "open", None)
    called(books, key, "done", Usage())
    assert Totals(books.database).sums(clock.now + timedelta(days=1)).calls == {("google", "lead_scoring", "ok"): 1}


def test_errors_are_events_with_a_fingerprint_and_are_counted_by_it(books: Ledger, clock: Clock) -> None:
    """F24"""
    run_id, other = planned(books, "acme"), planned(books, "other")
    for number, where in enumerate((run_id, run_id, other)):
        clock.pass_by(minutes=1)
        books.do(events.append, "store_error", f"The store said 50{number} after {number}.5 s", run_id=where)
    books.do(events.append, "error", "Something else", run_id=run_id)
    books.do(events.append, "note", "Nothing wrong", run_id=run_id)
    first, second = troubles(books.database, NOON)
    assert (first.kind, first.count, first.runs) == ("store_error", 3, 2)
    assert first.text == "The store said 502 after 2.5 s"
    assert (first.first_at, first.last_at) == (NOON + timedelta(minutes=1), NOON + timedelta(minutes=3))
    assert first.fingerprint == events.fingerprint("store_error", "The store said 999 after 7.5 s")
    assert (second.kind, second.count, second.text) == ("error", 1, "Something else")
    assert troubles(books.database, clock.now) == []
    assert len(troubles(books.database, NOON, limit=1)) == 1
