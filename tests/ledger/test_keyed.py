"""Idempotency keys: done once, answered the same."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tallybook.database import Tx
from tallybook.domain.errors import BadInput, KeyReused
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import events
from tallybook.ledger.write.keyed import Answer, Answered, Key, once

KEY = Key("token a", "k", "what is asked")


def work(tx: Tx) -> Answer:
    events.append(tx, "note", "done")
    return {"done": [1, "ü 🚀", None]}


def times_done(ledger: Ledger) -> int:
    with ledger.database.writing() as tx:
        return len(tx.rows("SELECT 1 FROM @events WHERE kind = 'note'"))


def test_what_is_asked_with_a_key_is_done_once_and_answered_the_same(ledger: Ledger) -> None:
    first = ledger.do(once, KEY, work)
    assert first == Answered({"done": [1, "ü 🚀", None]})
    assert ledger.do(once, KEY, work) == Answered(first.answer, replayed=True)
    assert times_done(ledger) == 1


def test_many_who_ask_at_once_with_one_key_have_it_done_once(ledger: Ledger) -> None:
    other = Ledger(ledger.database)
    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(books.do, once, KEY, work) for books in (ledger, other) for _ in range(8)]
        answers = [each.result() for each in asked]
    assert sorted(each.replayed for each in answers) == [False, *[True] * 15]
    assert times_done(ledger) == 1


def test_without_a_key_everything_is_done_again(ledger: Ledger) -> None:
    assert [ledger.do(once, None, work).replayed for _ in range(2)] == [False, False]
    assert times_done(ledger) == 2


def test_a_key_with_another_request_is_refused_and_of_somebody_else_another_key(ledger: Ledger) -> None:
    ledger.do(once, KEY, work)
    with pytest.raises(KeyReused, match="the key 'k' was sent with another request; use a new key for each"):
        ledger.do(once, Key("token a", "k", "something else"), work)
    assert not ledger.do(once, Key("token b", "k", "something else"), work).replayed


def test_a_key_with_which_something_was_refused_is_free(ledger: Ledger) -> None:
    def refuse(tx: Tx) -> Answer:
        work(tx)
        raise BadInput("no")

    with pytest.raises(BadInput):
        ledger.do(once, KEY, refuse)
    assert times_done(ledger) == 0
    assert not ledger.do(once, KEY, work).replayed


@pytest.mark.parametrize("text", ["", "x" * 201, "line\nfeed"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="an idempotency key is 1 to 200 printable characters"):
        Key("token a", text, "what is asked")
