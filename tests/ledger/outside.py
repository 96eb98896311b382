"""External runs as tests need them: an operation run that harvests, started, taken."""

from datetime import timedelta

from tallybook.domain.external import ExternalRun
from tallybook.domain.outcome import Kind, Outcome
from tallybook.domain.tally import Money
from tallybook.ledger import external as reads
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import external
from tests.ledger.scenes import POST_HARVESTING, Clock, asked, begun, called, frozen, planned

MINUTE = timedelta(minutes=1)


def harvesting(books: Ledger, leads: str = "ab", client_id: str = "acme") -> OperationKey:
    run_id = planned(books, client_id, start=asked(client_id, operations=(POST_HARVESTING,)))
    return frozen(books, begun(books, run_id, client_id), leads, POST_HARVESTING)


def external_of(key: OperationKey, clock: Clock, external_id: str = "x1", leads: str | None = "ab") -> ExternalRun:
    named = tuple(leads) if leads is not None else None
    return ExternalRun("apify", external_id, *key, f"call of {external_id}", clock.now + 60 * MINUTE, leads=named)


def started(
    books: Ledger, key: OperationKey, clock: Clock, external_id: str = "x1", leads: str | None = "ab"
) -> ExternalRun:
    made = external_of(key, clock, external_id, leads)
    called(books, key, made.call_id, None)
    assert books.do(external.start, made, clock.now + MINUTE)
    return made


def harvested(*leads: str) -> list[Outcome]:
    return [Outcome(each, Kind.HARVESTED, posts=2) for each in leads]


def taken(books: Ledger, each: ExternalRun, *outcomes: Outcome, cost: str | None = "0.1") -> bool:
    """Booked, saved, ended; True when the client run goes on."""
    books.do(external.book, each, outcomes, "succeeded", None if cost is None else Money.usd(cost))
    return books.do(external.end, each, "succeeded", None)


def at_work(books: Ledger, key: OperationKey, leads: str = "abc") -> frozenset[str] | None:
    return reads.taken(books.database, key, list(leads)).leads
