"""Sessions of the pages: as good as their token, for twelve hours unused, for seven days at the most."""

from datetime import timedelta

import pytest

from tallybook.database import Database
from tallybook.domain.access import Access, Scope
from tallybook.domain.errors import Unauthenticated
from tallybook.ledger.audit_log import list_entries
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.sessions import find_session
from tallybook.ledger.write.sessions import IDLE, LONGEST, begin_session, end_session, keep_session
from tallybook.ledger.write.tokens import create_token, revoke_token
from tests.ledger.scenes import NOON, Clock

TENANT = Access.of_token("1a2b3c4d", [Scope.RUNS_READ], "acme")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def books(database: Database, clock: Clock) -> Ledger:
    """In which somebody is signed in since noon."""
    books = Ledger(database, clock)
    books.do(create_token, token_id="1a2b3c4d", hash="h", scopes=[Scope.RUNS_READ], client_id="acme")
    books.do(begin_session, session_id="s1", hash="hash", access=TENANT)
    return books


def test_a_session_has_exactly_the_rights_of_its_token(books: Ledger) -> None:
    found = find_session(books.database, "hash", NOON)
    assert found is not None
    assert (found.access, found.expires_at) == (TENANT, NOON + IDLE)
    assert find_session(books.database, "another", NOON) is None
    assert list_entries(books.database, limit=1)[0].action == "signed_in"


def test_a_session_that_is_not_used_ends_and_stays_so(books: Ledger, clock: Clock) -> None:
    assert find_session(books.database, "hash", NOON + IDLE - timedelta(seconds=1))
    assert find_session(books.database, "hash", NOON + IDLE) is None
    clock.now += IDLE
    books.do(keep_session, "s1")
    assert find_session(books.database, "hash", clock.now) is None
    books.do(begin_session, session_id="s2", hash="new", access=TENANT)
    books.do(keep_session, "s1")
    assert find_session(books.database, "new", clock.now)


def test_a_session_that_is_used_goes_on_but_not_for_ever(books: Ledger, clock: Clock) -> None:
    while clock.now < NOON + LONGEST - timedelta(hours=6):
        clock.pass_by(hours=6)
        books.do(keep_session, "s1")
    found = find_session(books.database, "hash", clock.now)
    assert found is not None
    assert found.expires_at == NOON + LONGEST
    assert find_session(books.database, "hash", NOON + LONGEST) is None


def test_signing_out_ends_it_once(books: Ledger) -> None:
    for _ in range(2):
        books.do(end_session, "s1", TENANT.actor)
    assert find_session(books.database, "hash", NOON) is None
    assert [each.action for each in list_entries(books.database)].count("signed_out") == 1


def test_revoking_the_token_ends_it_and_lets_nobody_begin_another(books: Ledger) -> None:
    books.do(revoke_token, "1a2b3c4d")
    assert find_session(books.database, "hash", NOON) is None
    with pytest.raises(Unauthenticated, match="the token was revoked"):
        books.do(begin_session, session_id="s2", hash="new", access=TENANT)
