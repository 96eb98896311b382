"""What the pages ask of the books."""

from tallybook.database import Database
from tallybook.domain.delivery import Delivery, News
from tallybook.domain.run import Status, Stop
from tallybook.ledger import showing
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import inbox, stops
from tallybook.ledger.write.starts import RunIdStyle
from tests.ledger.scenes import asked, begun, closed, failed, frozen, planned, recorded, scored


def test_the_newest_events_come_first_and_a_tenant_is_told_its_own(ledger: Ledger) -> None:
    run_id = planned(ledger, "acme", "other")
    for client_id in ("acme", "other"):
        closed(ledger, frozen(ledger, begun(ledger, run_id, client_id), []))
    everything = showing.newest_events(ledger.database, run_id, None, 100)
    ids = [each.event_id for each in everything]
    assert ids == sorted(ids, reverse=True)
    assert showing.newest_events(ledger.database, run_id, None, 1) == everything[:1]
    told = showing.newest_events(ledger.database, run_id, "acme", 100)
    assert {each.client_id for each in told} <= {"", "acme"}
    assert "Started" in [each.text for each in told], "not by whom"


def test_a_visit_says_how_the_clients_own_part_stands(ledger: Ledger) -> None:
    first = planned(ledger, "acme", "other")
    key = frozen(ledger, begun(ledger, first, "acme"), ["one", "two"])
    recorded(ledger, key, *scored("one"), *failed("two"))
    closed(ledger, key)
    second = planned(ledger, "acme", start=asked(stream=2, queue_behind=True))
    ledger.do(stops.stop_run, second, Stop.PAUSE, "paused by Ada")
    found = showing.visits(ledger.database, "acme", [first, second, "none"])
    assert {run_id: each.status for run_id, each in found.items()} == {
        first: Status.COMPLETED_WITH_ERRORS,
        second: Status.PAUSED,
    }
    assert found[second].note == "paused by Ada"
    assert found[first].note is None
    assert found[first].started_at is not None
    newest = showing.newest_visits(ledger.database, ["acme", "other", "nobody"])
    assert newest == {"acme": (second, Status.PAUSED), "other": (first, Status.QUEUED)}
    assert showing.clients_of(ledger.database, [first, second]) == {
        first: {Status.COMPLETED_WITH_ERRORS: 1, Status.QUEUED: 1},
        second: {Status.PAUSED: 1},
    }


def test_orphans_are_counted_and_streams_named(ledger: Ledger, database: Database) -> None:
    for number in range(3):
        delivery = Delivery("apify", f"d{number}", "{}", {}, "X", News.OVER, f"run{number}")
        ledger.do(inbox.keep, delivery, RunIdStyle())
        ledger.do(inbox.apply, "apify", f"d{number}", None)
    assert (showing.orphans(database, 100), showing.orphans(database, 2)) == (3, 2)
    for stream in (3, None, 1):
        planned(ledger, "acme", start=asked(stream=stream, queue_behind=True))
    assert showing.streams(database, 10) == [1, 3]
    assert showing.streams(database, 1) == [1]
