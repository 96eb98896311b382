"""When leads were last worked on, whatever came of it."""

from datetime import timedelta

from tallybook.domain.outcome import FailReason, Kind, Outcome
from tallybook.ledger.attempts import last_attempts
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import progress
from tests.ledger.scenes import POST_HARVESTING, Clock, asked, begun, frozen, planned


def opened(books: Ledger, client_id: str = "acme") -> OperationKey:
    start = asked(client_id, operations=(POST_HARVESTING,))
    return frozen(books, begun(books, planned(books, client_id, start=start), client_id), "abcd", POST_HARVESTING)


def test_the_newest_outcome_tells_when_a_lead_was_last_worked_on(books: Ledger, clock: Clock) -> None:
    first, noon = opened(books), clock.now
    told = {"first": "a", "last": "c"}
    assert last_attempts(books.database, "acme", POST_HARVESTING, **told) == {}
    done = [Outcome("a", Kind.HARVESTED), Outcome.failed("b", FailReason.TIMEOUT), Outcome("d", Kind.HARVESTED)]
    books.do(progress.record, first, done)
    books.do(progress.record, opened(books, "bolt"), [Outcome("c", Kind.HARVESTED)])
    clock.now += timedelta(hours=1)
    books.do(progress.record, first, [Outcome("a", Kind.HARVESTED), Outcome("c", Kind.HARVESTED)])
    found = last_attempts(books.database, "acme", POST_HARVESTING, **told)
    assert found == {"a": noon, "b": noon, "c": clock.now}
