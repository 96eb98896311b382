"""Lists a page at a time, and what one tenant sees of the runs that it shares."""

from collections.abc import Callable

import pytest

from tallybook.database import Database
from tallybook.domain.errors import NotFound
from tallybook.domain.run import Run, Status, Stop
from tallybook.domain.tally import Tally
from tallybook.ledger import listing, read
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.listing import Wanted
from tallybook.ledger.tables import SCOPE_OF_RUN
from tallybook.ledger.write import events, starts, stops
from tests.ledger.scenes import (
    LEAD_SCORING,
    NOON,
    ODD_IDS,
    Clock,
    asked,
    begun,
    called,
    client_of,
    clients,
    closed,
    frozen,
    planned,
    recorded,
    reported,
    scored,
    skipped,
)


def ids(runs: list[Run]) -> list[str]:
    return [each.run_id for each in runs]


def shared(ledger: Ledger) -> str:
    """A run that visits "acme", who has a score and a call, and "other", who has a skip."""
    run_id = planned(ledger, "acme", "other", start=asked(by="Ada"))
    for client_id, outcomes in (("acme", scored("x")), ("other", skipped("y"))):
        key = frozen(ledger, begun(ledger, run_id, client_id), [each.lead_id for each in outcomes])
        recorded(ledger, key, *outcomes)
        called(ledger, key, f"call of {client_id}")
        closed(ledger, key)
    return run_id


# Runs


def test_runs_are_listed_by_stream_status_age_and_client(database: Database) -> None:
    clock = Clock()
    ledger = Ledger(database, clock)
    first = planned(ledger, "a", start=asked("a", stream=1))
    clock.pass_by(minutes=1)
    second = planned(ledger, "b", "c", start=asked("b", "c", stream=2))
    clock.pass_by(minutes=1)
    third = reported(ledger, "a", run_id="261123-130000")
    ledger.do(stops.stop_run, second, Stop.CANCEL, "enough")

    def found(**wanted: object) -> list[str]:
        return ids(listing.page_of_runs(database, Wanted(**wanted), after=None, limit=9))  # type: ignore[arg-type]  # its fields

    assert found() == [third, second, first]
    assert found(stream=2) == [second]
    assert found(statuses=[Status.RUNNING]) == [third, first]
    assert found(statuses=[Status.CANCELED, Status.RUNNING]) == [third, second, first]
    assert found(of_client="a") == [third, first]
    assert found(since=NOON.replace(minute=1)) == [third, second]
    assert found(tenant="c") == [second]
    assert found(tenant="c", of_client="a") == []


def test_a_list_goes_on_where_it_was_whatever_is_added_meanwhile(database: Database) -> None:
    clock = Clock()
    ledger = Ledger(database, clock)
    started = []
    for n in range(5):
        started.append(ledger.do(starts.start, asked(queue_behind=True)).run_id)
        clock.pass_by(seconds=n % 2)
    seen: list[str] = []
    after = None
    while page := listing.page_of_runs(database, Wanted(), after=after, limit=2):
        seen += ids(page)
        after = listing.key_of(page[-1])
        clock.pass_by(seconds=5)
        ledger.do(starts.start, asked(queue_behind=True))
    assert seen == started[::-1]


# One tenant


def test_a_tenant_sees_its_own_figures_of_a_run_and_nothing_that_was_said_of_all(ledger: Ledger) -> None:
    run_id = shared(ledger)
    seen = listing.run_seen_by(ledger.database, run_id, "acme")
    assert [each.client_id for each in seen.clients] == ["acme"]
    assert (seen.tally.scored, seen.tally.skipped, seen.tally.calls) == (1, 0, 1)
    assert (seen.requested_by, seen.error, seen.blocked_reason, seen.claims) == (None, None, None, {})
    whole = listing.run_seen_by(ledger.database, run_id, None)
    assert (whole.tally.scored, whole.tally.skipped, whole.tally.calls, whole.requested_by) == (1, 1, 2, "Ada")
    (listed,) = listing.page_of_runs(ledger.database, Wanted(tenant="acme"), after=None, limit=9)
    assert (listed.tally, listed.requested_by) == (seen.tally, None)


def test_to_a_tenant_a_run_without_it_is_not_there(ledger: Ledger) -> None:
    run_id = shared(ledger)
    for unknown in (run_id, "261123-000000"):
        with pytest.raises(NotFound, match=f"there is no run {unknown}$"):
            listing.run_seen_by(ledger.database, unknown, "third")
    assert listing.page_of_runs(ledger.database, Wanted(tenant="third"), after=None, limit=9) == []


@pytest.mark.parametrize("client_id", ODD_IDS)
def test_a_run_for_one_client_alone_is_its_own_before_anybody_read_the_client_list(
    client_id: str, ledger: Ledger
) -> None:
    run_id = ledger.do(starts.start, asked(client_id)).run_id
    lookalike = f'x"clients": ["{client_id}"], '
    other = ledger.do(starts.start, asked(lookalike[-200:], queue_behind=True)).run_id
    both = ledger.do(starts.start, asked(client_id, "zzz", queue_behind=True)).run_id
    assert ids(listing.page_of_runs(ledger.database, Wanted(tenant=client_id), after=None, limit=9)) == [run_id]
    assert listing.run_seen_by(ledger.database, run_id, client_id).tally == Tally()
    for foreign in (other, both):
        with pytest.raises(NotFound):
            listing.refuse_unconcerned(ledger.database, foreign, client_id)
    ledger.do(starts.plan, both, clients("zzz"))
    with pytest.raises(NotFound):
        listing.refuse_unconcerned(ledger.database, both, client_id)


# Streams


def test_the_newest_run_of_each_stream_is_told(database: Database) -> None:
    clock = Clock()
    ledger = Ledger(database, clock)
    made: dict[int | None, str] = {}
    for stream in (2, 1, None, 1):
        start = asked("acme" if stream == 2 else "other", stream=stream, queue_behind=True)
        made[stream] = ledger.do(starts.start, start).run_id
        clock.pass_by(seconds=2)
    reported(ledger, run_id="261123-130000")
    newest: Callable[..., list[Run]] = listing.newest_of_streams
    assert ids(newest(database)) == [made[None], made[1], made[2]]
    assert ids(newest(database, stream=1)) == [made[1]]
    assert ids(newest(database, tenant="acme")) == [made[2]]
    assert newest(database, stream=7) == []


# Client runs


def test_client_runs_are_listed_in_the_order_in_which_they_are_visited(ledger: Ledger) -> None:
    names = ["c", "a", *ODD_IDS, "b"]
    run_id = planned(ledger, *names, start=asked())
    seen: list[str] = []
    after = None
    while page := listing.page_of_client_runs(ledger.database, run_id, tenant=None, after=after, limit=2):
        seen += [client.client_id for _, client in page]
        after = page[-1][0]
    assert seen == names
    page = listing.page_of_client_runs(ledger.database, run_id, tenant="b", after=None, limit=2)
    assert [(place, client.client_id) for place, client in page] == [((len(names) - 1, "b"), "b")]
    assert listing.page_of_client_runs(ledger.database, run_id, tenant="b", after=(99, ""), limit=2) == []


def test_a_client_run_is_read_by_itself_with_what_is_its_own(ledger: Ledger) -> None:
    run_id = shared(ledger)
    found = listing.client_run(ledger.database, run_id, "acme")
    assert found == read.run(ledger.database, run_id).clients[0]
    assert listing.client_run(ledger.database, run_id, "third") is None
    assert listing.find_label(ledger.database, f"{run_id}-other") == "other"
    assert listing.find_label(ledger.database, f"{run_id}-third") is None


# Events


def test_notes_are_those_of_the_run_or_of_one_client(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for n, client_id in enumerate([SCOPE_OF_RUN, "acme", SCOPE_OF_RUN, "other"]):
        ledger.do(events.append, "note", f"line {n}", run_id="r", client_id=client_id)
    assert [each.text for each in listing.notes(ledger.database, "r")] == ["line 0", "line 2"]
    assert [each.text for each in listing.notes(ledger.database, "r", "acme")] == ["line 1"]
    monkeypatch.setattr(listing, "LONGEST_NOTES", 1)
    assert [each.text for each in listing.notes(ledger.database, "r")] == ["line 2"]


def test_a_tenant_is_told_its_own_events_and_that_the_run_began_and_ended(ledger: Ledger) -> None:
    run_id = shared(ledger)
    ledger.do(events.append, "note", "of all", run_id=run_id)
    ledger.do(events.append, "note", "of acme", run_id=run_id, client_id="acme")
    ledger.do(events.append, "ended", "of other", run_id=run_id, client_id="other")
    happened = read.events_of(ledger.database, run_id)
    told = [each for each in (listing.told_to(event, "acme") for event in happened) if each]
    assert [(each.kind, each.text) for each in told] == [
        ("started", "Started"),
        ("ended", "Ended completed"),
        ("note", "of acme"),
    ]
    assert [listing.told_to(each, None) for each in happened] == happened


def test_events_are_read_up_to_one(ledger: Ledger) -> None:
    for n in range(4):
        ledger.do(events.append, "note", f"line {n}", run_id="r")
    first = read.events_of(ledger.database, "r")
    assert read.events_of(ledger.database, "r", after=first[0].event_id, until=first[2].event_id) == first[1:3]


def test_what_a_tenant_waits_for_is_its_own(ledger: Ledger) -> None:
    """Calls under way are counted for the tenant that made them."""
    run_id = planned(ledger, "acme", "other", start=asked())
    for client_id in ("acme", "other"):
        key = frozen(ledger, begun(ledger, run_id, client_id), ["x"], LEAD_SCORING)
        called(ledger, key, f"open call of {client_id}", None)
        assert client_of(key).client_id == client_id
    assert read.run(ledger.database, run_id).unsettled == 2
    assert read.run(ledger.database, run_id, only="acme").unsettled == 1
