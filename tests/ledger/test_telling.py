"""What followers are still to be told: every change is found, none is told twice, and nothing is looked at for ever."""

from datetime import timedelta

import pytest

from tallybook.database import Database, Tx
from tallybook.domain.outcome import Kind, Outcome
from tallybook.domain.run import OperationName
from tallybook.domain.tally import Money, Usage
from tallybook.domain.telling import Part, Standing, Told
from tallybook.ledger import telling
from tallybook.ledger.following import MOST_AT_ONCE, FollowerBook
from tallybook.ledger.keys import ClientKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import calls, claims, events, progress, reported
from tests.ledger import outside, scenes
from tests.ledger.scenes import NOON, Clock

NAME = "somebody"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(database: Database, clock: Clock) -> Ledger:
    return Ledger(database, clock)


@pytest.fixture
def book(ledger: Ledger) -> FollowerBook:
    return FollowerBook(ledger, NAME)


def ids(book: FollowerBook) -> list[str]:
    return [each.run_id for each in book.changed()]


def all_told(book: FollowerBook, run_id: str) -> None:
    book.told([Told(each.part, each.version, f"row of {each.part.client_id}") for each in book.tellings(run_id)])


def test_open_runs_and_what_has_just_ended_are_looked_at(ledger: Ledger, book: FollowerBook, clock: Clock) -> None:
    assert ids(book) == []
    waiting = scenes.planned(ledger, "acme")
    key = scenes.working(ledger, ("a",), "north")
    scenes.recorded(ledger, key, *scenes.scored("a"))
    scenes.closed(ledger, key)
    assert ids(book) == [waiting, key.run_id]
    clock.pass_by(hours=1)
    book.told_until(clock.now)
    assert ids(book) == [waiting]


def test_what_happened_before_a_follower_came_is_nothing_to_it(
    ledger: Ledger, book: FollowerBook, clock: Clock
) -> None:
    key = scenes.working(ledger, ("a",))
    scenes.closed(ledger, key)
    clock.pass_by(hours=1)
    assert ids(book) == []
    assert book.made_since(NOON) == [key.run_id]
    assert book.made_since(NOON, after=key.run_id) == []


def test_versions_grow_with_whatever_changes(ledger: Ledger, book: FollowerBook) -> None:
    key = scenes.working(ledger, ("a", "b"))
    seen = [book.tellings(key.run_id)[0].version]

    def grown() -> bool:
        whole, client = book.tellings(key.run_id)
        seen.append(whole.version)
        return seen[-1] > seen[-2] and client.begun

    scenes.called(ledger, key, "call-1", None)
    assert not grown()
    ledger.do(calls.settle_call, "call-1", "ok", scenes.USED)
    assert grown()
    scenes.recorded(ledger, key, *scenes.scored("a"))
    assert grown()
    ledger.do(events.append, "note", "Something happened", run_id=key.run_id, client_id=key.client_id)
    assert grown()
    scenes.closed(ledger, key)
    assert grown()


def test_what_is_told_is_behind_again_when_it_changes(ledger: Ledger, book: FollowerBook, clock: Clock) -> None:
    run_id = scenes.planned(ledger, "acme", "north")
    whole, acme, north = book.tellings(run_id)
    assert (whole.behind, acme.behind, north.behind) == (True, False, False)  # they wait in the queue
    all_told(book, run_id)
    assert not any(each.behind for each in book.tellings(run_id))
    scenes.begun(ledger, run_id, "acme")
    assert [each.part.client_id for each in book.tellings(run_id) if each.behind] == ["", "acme"]
    assert book.changed()[0].news is False


def test_news_are_runs_that_begin_and_runs_that_end(ledger: Ledger, book: FollowerBook, clock: Clock) -> None:
    key = scenes.working(ledger, ("a",))
    assert [each.news for each in book.changed()] == [True]
    all_told(book, key.run_id)
    assert [each.news for each in book.changed()] == [False]
    clock.pass_by(seconds=1)
    scenes.closed(ledger, key)
    assert [(each.news, each.ended) for each in book.changed()] == [(True, True)]
    clock.pass_by(seconds=1)
    all_told(book, key.run_id)
    assert [each.news for each in book.changed()] == [False]
    book.stands({Part(key.run_id, ""): "deleted"}, Standing.GONE)
    assert [each.news for each in book.changed()] == [False]


def test_what_comes_late_has_the_run_looked_at_again(ledger: Ledger, book: FollowerBook, clock: Clock) -> None:
    """F31"""
    late, settled, silent = (scenes.working(ledger, ("a", "b"), each) for each in ("acme", "north", "south"))
    scenes.called(ledger, settled, "call-1", None)
    for key in (late, settled, silent):
        scenes.closed(ledger, key)
    clock.pass_by(hours=1)
    book.told_until(clock.now)
    assert ids(book) == []
    ledger.do(progress.record, late, scenes.scored("a"))
    ledger.do(calls.settle_call, "call-1", "ok", Usage(1, 0, 1, Money.usd("1")))
    assert sorted(ids(book)) == sorted([late.run_id, settled.run_id])
    clock.pass_by(hours=1)
    book.told_until(clock.now)
    ledger.do(events.append, "note", "People wrote", run_id=silent.run_id)
    assert ids(book) == [silent.run_id]


def test_a_reporter_that_speaks_of_an_ended_run_is_heard(ledger: Ledger, book: FollowerBook, clock: Clock) -> None:
    run_id = scenes.reported(ledger, "acme")
    ledger.do(claims.complete_client, ClientKey(run_id, "acme"), None)
    ledger.do(claims.complete_run, run_id, None)
    clock.pass_by(hours=1)
    book.told_until(clock.now)
    assert ids(book) == []
    ledger.do(reported.claim, ClientKey(run_id, "acme"), {})
    assert ids(book) == [run_id]


def test_a_run_of_which_no_follower_was_ever_to_hear_stays_untold(
    ledger: Ledger, book: FollowerBook, clock: Clock
) -> None:
    """As runs of an older system."""
    key = scenes.working(ledger, ("a",))
    scenes.closed(ledger, key)
    ledger.do(lambda tx: tx.execute("UPDATE @runs SET changed_at = NULL"))
    ledger.do(events.append, "note", "Imported", run_id=key.run_id)
    assert ids(book) == []
    assert book.made_since(NOON) == []


def test_many_ended_runs_are_given_page_by_page_each_once(ledger: Ledger, book: FollowerBook, clock: Clock) -> None:
    _ = book.changed()
    made = []
    for number in range(MOST_AT_ONCE + 7):
        run_id = f"261123-{12 + number // 60:02}{number % 60:02}30"
        made.append(run_id)
        ledger.do(claims.create_run, run_id, claims.Job())
        ledger.do(claims.complete_run, run_id, None)
    first = book.changed()
    second = book.changed(first[-1])
    assert len(first) == MOST_AT_ONCE
    assert sorted(each.run_id for each in [*first, *second]) == made
    assert book.changed(second[-1]) == []


def test_how_parts_stand_and_where(ledger: Ledger, book: FollowerBook) -> None:
    run_id = scenes.planned(ledger, "acme", "north", "south")
    all_told(book, run_id)
    acme, north = Part(run_id, "acme"), Part(run_id, "north")
    book.stands({acme: "not taken"}, Standing.PARKED, {acme: 7})
    book.stands({north: None}, Standing.GONE)
    by_id = {each.part: each for each in book.tellings(run_id)}
    assert (by_id[acme].standing, by_id[acme].told_version, by_id[acme].tries) == (Standing.PARKED, 7, 1)
    assert book.parked(10) == [(acme, "not taken")]
    assert book.counts() == {Standing.TOLD: 2, Standing.PARKED: 1, Standing.GONE: 1}
    assert book.standing_so(Standing.GONE, Standing.PARKED) == [run_id]
    assert book.parts_of(["row of north", "row of nobody"]) == {"row of north": north}
    assert [part for part, _ in book.refs()] == [Part(run_id, ""), acme, Part(run_id, "south")]
    assert book.refs(acme) == [(Part(run_id, "south"), "row of south")]
    book.adopt({north: "another row"})
    assert {each.part: each for each in book.tellings(run_id)}[north].ref == "another row"
    book.owe_again(run_id)
    assert book.counts() == {Standing.OWED: 4}


def test_clients_are_owed_again_when_the_run_is_had_elsewhere(ledger: Ledger, book: FollowerBook) -> None:
    run_id = scenes.planned(ledger, "acme")
    all_told(book, run_id)
    whole, acme = book.tellings(run_id)
    book.told([Told(whole.part, whole.version, "row of ")])
    assert not book.tellings(run_id)[1].behind
    book.told([Told(whole.part, whole.version, "a new row")])
    assert book.tellings(run_id)[1].behind
    assert acme.ref


def test_what_a_key_means(ledger: Ledger, book: FollowerBook) -> None:
    run_id = scenes.planned(ledger, 'say "hi"')
    label = f'{run_id}-say "hi"'
    assert book.parts_named([label, run_id, "nobody's"]) == {label: Part(run_id, 'say "hi"'), run_id: Part(run_id, "")}


def test_old_runs_that_nobody_wrote_beside(ledger: Ledger, book: FollowerBook, clock: Clock) -> None:
    old, noted, new = (scenes.working(ledger, ("a",), each) for each in ("acme", "north", "south"))
    for key in (old, noted):
        scenes.closed(ledger, key)
        all_told(book, key.run_id)
    all_told(book, new.run_id)
    for part in (Part(noted.run_id, ""), Part(noted.run_id, "north")):
        book.keep_notes({part: "mine"})
    clock.pass_by(days=2)
    assert book.told_before(NOON + timedelta(days=1), 10) == [old.run_id]
    assert telling.notes_of_people(ledger.database, noted.run_id) == {"": "mine", "north": "mine"}
    book.keep_notes({Part(noted.run_id, ""): None})
    assert telling.notes_of_people(ledger.database, noted.run_id) == {"north": "mine"}


def test_the_story_of_a_run(ledger: Ledger, book: FollowerBook) -> None:
    key = scenes.working(ledger, ("a", "b"))
    scenes.recorded(ledger, key, *scenes.scored("a"), *scenes.failed("b"))
    ledger.do(progress.open_operation, key._replace(operation=OperationName.POST_SCORING))
    posts = scenes.frozen(ledger, scenes.client_of(key), ("a", "b"), OperationName.POST_SCORING)
    scenes.recorded(ledger, posts, Outcome("a", Kind.SCORED, score=1.0, posts=3), *scenes.failed("b"))
    ledger.do(events.append, "note", "Half of it", run_id=key.run_id, client_id="acme")
    story = book.story(key.run_id)
    assert story.run.run_id == key.run_id
    assert story.leads["acme"].failed == 1
    assert story.posts_scored == {"acme": 3}
    assert [text for _, kind, text in story.said["acme"] if kind == "note"] == ["Half of it"]
    assert "" in story.said
    assert story.outside == {}


def test_what_a_follower_keeps_is_its_own(ledger: Ledger, book: FollowerBook) -> None:
    other = FollowerBook(ledger, "another")
    book.keep("schema", "one")
    book.keep("schema", "two")
    other.keep("schema", "three")
    assert (book.kept("schema"), other.kept("schema")) == ("two", "three")
    book.keep("schema", None)
    assert book.kept("schema") is None
    book.event("drift", "A field is gone", once_key="drift 1")
    book.event("drift", "A field is gone", once_key="drift 1", part=Part("261123-120000", ""))
    with ledger.database.reading() as connection:
        from tallybook.database import rows_of

        assert rows_of(connection, "SELECT run_id, text FROM @events WHERE kind = 'drift'", ()) == [
            (None, "A field is gone")
        ]


def test_what_was_said_to_have_been_earlier_is_still_told(ledger: Ledger, book: FollowerBook, clock: Clock) -> None:
    """A verb that waited in a spool ends a run in the past."""
    from tallybook.tracking import writing

    run_id = scenes.reported(ledger)
    clock.pass_by(hours=5)
    book.told_until(clock.now)
    ledger.do(lambda tx: claims.complete_run(writing.as_of(tx, "2026-11-23T13:00:00.000000Z"), run_id, None))
    (found,) = book.changed()
    assert (found.run_id, found.ended_at, found.changed_at) == (run_id, NOON + timedelta(hours=1), clock.now)


def test_outside_runs_are_named_each_once(ledger: Ledger, book: FollowerBook, clock: Clock) -> None:
    key = outside.harvesting(ledger)
    one = outside.started(ledger, key, clock, "x1", "a")
    outside.taken(ledger, one, *outside.harvested("a"))
    clock.pass_by(seconds=1)
    outside.started(ledger, key, clock, "x2", "b")
    assert book.story(key.run_id).outside == {key.client_id: ["x1", "x2"]}


def test_a_call_that_is_told_late_and_as_of_earlier_has_the_run_looked_at(
    ledger: Ledger, book: FollowerBook, clock: Clock
) -> None:
    from tallybook.tracking import writing

    key = scenes.working(ledger, ("a",))
    scenes.closed(ledger, key)
    clock.pass_by(hours=5)
    book.told_until(clock.now)
    call = calls.Call("late", key, "google", "gemini")
    ledger.do(lambda tx: calls.record_call(writing.as_of(tx, "2026-11-23T12:30:00.000000Z"), call, "ok", scenes.USED))
    assert ids(book) == [key.run_id]


def test_one_client_that_talks_much_leaves_the_others_their_notes(ledger: Ledger, book: FollowerBook) -> None:
    run_id = scenes.planned(ledger, "acme", "beta")
    ledger.do(events.append, "note", "Said once", run_id=run_id, client_id="acme")

    def chatter(tx: Tx) -> None:
        for number in range(telling.MOST_SAID + 5):
            events.append(tx, "note", f"Said {number}", run_id=run_id, client_id="beta")

    ledger.do(chatter)
    said = book.story(run_id).said
    assert [text for _, _, text in said["acme"]] == ["Said once"]
    assert len(said["beta"]) == telling.MOST_SAID
    assert said["beta"][-1][2] == f"Said {telling.MOST_SAID + 4}"
    assert said[""]


def test_a_follower_may_start_over(ledger: Ledger, book: FollowerBook) -> None:
    run_id = scenes.planned(ledger, "acme")
    all_told(book, run_id)
    book.keep("schema", "one")
    old = scenes.planned(ledger, "north")
    book.found({Part(old, ""): "there before us"})
    began_at = book.began_at
    book.start_over()
    assert book.kept("schema") is None
    assert book.began_at == began_at
    assert [(each.standing, each.ref) for each in book.tellings(run_id)] == [(Standing.OWED, None)] * 2
    assert book.counts() == {Standing.OWED: 2}
