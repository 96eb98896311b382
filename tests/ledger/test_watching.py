"""Looking at one run again and again: nothing that happened is lost, in whatever order it comes to light."""

import pytest

from tallybook.database import Database
from tallybook.domain.errors import NotFound
from tallybook.domain.run import Status
from tallybook.ledger import snapshot, watching
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.watching import look, settled_up_to
from tallybook.ledger.write import events
from tests.books import PostgresBooks
from tests.ledger.scenes import planned


def test_a_look_tells_what_is_new_and_how_far_the_run_is(ledger: Ledger) -> None:
    run_id = planned(ledger, "acme")
    first = look(ledger.database, run_id, behind=0, known=(), at_all=True)
    assert [each.kind for each in first.new] == ["started"]
    assert first.glance == snapshot.glance(ledger.database, run_id)
    assert first.glance.status is Status.RUNNING
    known = {each.event_id for each in first.new}
    again = look(ledger.database, run_id, behind=0, known=known, at_all=False)
    assert (again.new, again.more, again.glance) == ((), False, None)
    assert look(ledger.database, run_id, behind=max(known), known=(), at_all=False).new == ()


def test_of_an_unknown_run_there_is_no_glance(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        look(ledger.database, "261123-000000", behind=0, known=(), at_all=True)


def test_a_rush_is_told_in_parts(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_AT_ONCE", 2)
    for n in range(3):
        ledger.do(events.append, "note", f"line {n}", run_id="r")
    first = look(ledger.database, "r", behind=0, known=(), at_all=False)
    assert ([each.text for each in first.new], first.more) == (["line 0", "line 1"], True)
    rest = look(ledger.database, "r", behind=0, known={each.event_id for each in first.new}, at_all=False)
    assert ([each.text for each in rest.new], rest.more) == (["line 2"], False)


def test_only_the_newest_events_are_looked_at_anew(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "WINDOW", 2)
    assert settled_up_to(ledger.database, "r") == 0
    for n in range(3):
        ledger.do(events.append, "note", f"line {n}", run_id="r")
    behind = settled_up_to(ledger.database, "r")
    found = look(ledger.database, "r", behind=behind, known=(), at_all=False)
    assert [each.text for each in found.new] == ["line 1", "line 2"]


def test_an_event_that_comes_to_light_after_one_with_a_larger_id_is_told(postgres_books: PostgresBooks) -> None:
    database = Database(postgres_books.url)
    ledger = Ledger(database)
    try:
        with database.writing() as slow:
            events.append(slow, "note", "slow", run_id="r")
            ledger.do(events.append, "note", "quick", run_id="r")
            first = look(database, "r", behind=0, known=(), at_all=False)
        (quick,) = first.new
        (late,) = look(database, "r", behind=settled_up_to(database, "r"), known={quick.event_id}, at_all=False).new
        assert (quick.text, late.text) == ("quick", "slow")
        assert late.event_id < quick.event_id
    finally:
        ledger.close()
        postgres_books.clean()
