"""How many leads of a client's day are used up: those for which an external run was started, each once."""

from datetime import timedelta

import pytest

from tallybook.domain.client import Client
from tallybook.domain.external import ExternalRun
from tallybook.domain.outcome import Kind, Outcome
from tallybook.ledger import external as reads
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import external, standing_alone
from tallybook.ledger.write.starts import RunIdStyle
from tests.ledger.scenes import POST_HARVESTING, Clock, asked, begun, called, frozen, planned

OTHER = OperationKey("another", "acme", POST_HARVESTING)
DAY = timedelta(days=1)


@pytest.fixture
def key(books: Ledger) -> OperationKey:
    run_id = planned(books, "acme", start=asked("acme", operations=(POST_HARVESTING,)))
    return frozen(books, begun(books, run_id, "acme"), "abcdef", POST_HARVESTING)


def made(key: OperationKey, clock: Clock, leads: str, external_id: str = "x1") -> ExternalRun:
    return ExternalRun("apify", external_id, *key, f"call of {external_id}", clock.now + DAY, leads=tuple(leads))


def start(books: Ledger, each: ExternalRun, clock: Clock) -> None:
    called(books, OperationKey(each.run_id, each.client_id, each.operation), each.call_id, None)
    books.do(external.start, each, clock.now)


def taken(books: Ledger, clock: Clock, key: OperationKey = OTHER, ago: timedelta = timedelta(0)) -> int:
    return reads.taken_since(books.database, key, clock.now - ago)


def test_what_was_found_and_not_started_is_not_taken(books: Ledger, clock: Clock, key: OperationKey) -> None:
    assert taken(books, clock) == 0
    start(books, made(key, clock, "ab").unborn, clock)
    assert taken(books, clock) == 2, "it is about to be started"
    books.do(external.forget, "call of x1", "apify")
    assert taken(books, clock) == 0, "it was refused"


def test_a_lead_counts_once_a_day_however_often_it_was_begun_with(
    books: Ledger, clock: Clock, key: OperationKey
) -> None:
    first = made(key, clock, "ab")
    start(books, first, clock)
    start(books, made(key, clock, "bc", "x2"), clock)
    assert taken(books, clock) == 3
    assert taken(books, clock, key) == 0, "a run is not in its own way"
    assert taken(books, clock, OperationKey("another", "bolt", POST_HARVESTING)) == 0


def test_a_resurrected_run_belongs_to_the_day_of_its_start(books: Ledger, clock: Clock, key: OperationKey) -> None:
    first = made(key, clock, "ab")
    start(books, first, clock)
    books.do(external.book, first, [Outcome("a", Kind.HARVESTED)], "succeeded", None)
    clock.now += DAY
    books.do(external.resurrect, first, clock.now + DAY)
    assert taken(books, clock) == 0
    assert taken(books, clock, ago=DAY) == 2


def test_a_run_that_somebody_else_started_counts_with_what_it_was_for(books: Ledger, clock: Clock) -> None:
    until = clock.now + DAY
    alone = books.do(standing_alone.begin, "apify", "own", Client("acme", "Acme"), style=RunIdStyle(), until=until)
    assert taken(books, clock) == 0
    books.do(external.book, alone, [Outcome(each, Kind.HARVESTED, posts=1) for each in "xy"], "succeeded", None)
    assert taken(books, clock) == 2
    assert taken(books, clock, ago=-DAY) == 0
