"""API tokens in the books, and the audit log that says who made and revoked them."""

import secrets

import pytest
import sqlalchemy as sa

from benchmarks.house import House
from tallybook.database import Database, Tx
from tallybook.domain.access import Access, NewToken, Scope, new_token
from tallybook.domain.client import ClientId
from tallybook.domain.errors import BadInput, Conflict, NotFound
from tallybook.ledger.audit_log import Entry, list_entries
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.server_tables import api_tokens, audit_log, sessions
from tallybook.ledger.tokens import find_by_hash, list_tokens
from tallybook.ledger.write.audit_log import note
from tallybook.ledger.write.tokens import create_token, note_use, revoke_token
from tests.ledger.scenes import NOON, ODD_IDS, Clock

READ, _WRITE, START, ADMIN = Scope


def created(
    books: Ledger, *scopes: Scope, client_id: ClientId | None = None, token_id: str | None = None, by: str = "cli"
) -> NewToken:
    made = new_token(secrets.token_bytes)
    name = token_id or made.token_id
    books.do(create_token, token_id=name, hash=made.hash, scopes=scopes or (READ,), client_id=client_id, by=by)
    return NewToken(name, made.text)


def logged(books: Ledger) -> list[tuple[str, str, str | None]]:
    """Oldest first."""
    return [(each.actor, each.action, each.subject) for each in reversed(list_entries(books.database))]


# Made and looked up


def test_a_token_is_found_by_its_hash_with_what_it_may(books: Ledger) -> None:
    made = created(books, START, READ)
    found = find_by_hash(books.database, made.hash)
    assert found == Access(f"token {made.token_id}", made.token_id, frozenset({READ, START}))


def test_a_token_is_bound_to_its_client_whatever_that_is_called(books: Ledger) -> None:
    """F16"""
    made = {client_id: created(books, client_id=client_id) for client_id in ODD_IDS}
    found = {client_id: find_by_hash(books.database, token.hash) for client_id, token in made.items()}
    assert {client_id: access and access.client_id for client_id, access in found.items()} == {
        client_id: client_id for client_id in ODD_IDS
    }


def test_a_token_nobody_made_is_not_found(books: Ledger) -> None:
    made = created(books)
    assert find_by_hash(books.database, new_token(secrets.token_bytes).hash) is None
    assert find_by_hash(books.database, made.text) is None
    assert find_by_hash(books.database, "") is None


def test_the_text_of_a_token_is_nowhere_in_the_books(books: Ledger) -> None:
    """F35"""
    made = created(books, ADMIN)
    with books.database.reading() as connection:
        kept = [str(row) for table in (api_tokens, audit_log) for row in connection.execute(sa.select(table))]
    assert len(kept) == 2
    assert not [row for row in kept if made.text.removeprefix("tb_") in row]
    assert [made.hash in row for row in kept] == [True, False]


def test_a_token_without_a_scope_is_not_made(books: Ledger) -> None:
    with pytest.raises(BadInput, match="at least one scope: runs:read, runs:write, runs:start, admin"):
        books.do(create_token, token_id="3f9a12bc", hash="h", scopes=[], client_id=None)
    assert (list_tokens(books.database), logged(books)) == ([], [])


def test_an_admin_who_is_bound_to_a_client_is_not_made(books: Ledger) -> None:
    with pytest.raises(BadInput, match="cannot be bound to one"):
        created(books, READ, ADMIN, client_id="acme")
    assert (list_tokens(books.database), logged(books)) == ([], [])


def test_an_id_that_is_taken_is_refused_and_the_first_token_stays_good(books: Ledger) -> None:
    made = created(books, token_id="3f9a12bc")
    with pytest.raises(Conflict, match="there is a token 3f9a12bc already; make another"):
        created(books, ADMIN, token_id="3f9a12bc")
    found = find_by_hash(books.database, made.hash)
    assert found is not None
    assert found.scopes == {READ}
    assert len(logged(books)) == 1


def test_a_scope_of_a_newer_tallybook_is_good_for_nothing(books: Ledger) -> None:
    made = created(books)
    books.do(lambda tx: tx.execute("UPDATE @api_tokens SET scopes = 'runs:read leads:sell'"))
    found = find_by_hash(books.database, made.hash)
    assert found is not None
    assert found.scopes == {READ}
    assert list_tokens(books.database)[0].scopes == ("runs:read", "leads:sell")


# Revoked


def test_a_revoked_token_is_good_for_nothing_and_the_others_are(books: Ledger, clock: Clock) -> None:
    made, other = created(books), created(books)
    clock.pass_by(minutes=5)
    assert books.do(revoke_token, made.token_id)
    assert find_by_hash(books.database, made.hash) is None
    assert find_by_hash(books.database, other.hash) is not None
    revoked = {each.token_id: each.revoked_at for each in list_tokens(books.database)}
    assert revoked == {made.token_id: clock.now, other.token_id: None}


def test_revoking_again_changes_nothing(books: Ledger, clock: Clock) -> None:
    made = created(books)
    books.do(revoke_token, made.token_id)
    before = list_tokens(books.database)
    clock.pass_by(minutes=5)
    assert not books.do(revoke_token, made.token_id)
    assert list_tokens(books.database) == before
    assert len(logged(books)) == 2


def test_a_token_that_is_not_there_cannot_be_revoked(books: Ledger) -> None:
    created(books)
    for token_id in ("3f9a12bc", "", "'; --", "a\0b", "\ud800"):
        with pytest.raises(NotFound, match="`tallybook token list` names them all"):
            books.do(revoke_token, token_id)


def test_who_signed_in_with_a_token_is_signed_out_with_it(books: Ledger) -> None:
    made, other = created(books), created(books)
    for name, token_id in (("one", made.token_id), ("two", other.token_id), ("three", None)):
        books.do(_sign_in, name, token_id)
    books.do(revoke_token, made.token_id)
    with books.database.reading() as connection:
        assert set(connection.execute(sa.select(sessions.c.session_id)).scalars()) == {"two", "three"}


def _sign_in(tx: Tx, name: str, token_id: str | None) -> None:
    tx.execute(
        "INSERT INTO @sessions (session_id, hash, token_id, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
        (name, name, token_id, tx.stamp, tx.stamp),
    )


# Used


def test_the_last_use_is_noted_to_the_minute(books: Ledger, clock: Clock) -> None:
    made, other = created(books), created(books)
    seen = []
    for seconds in (5, 59, 2, 600):
        clock.pass_by(seconds=seconds)
        books.do(note_use, made.token_id)
        used = {each.token_id: each.used_at for each in list_tokens(books.database)}
        seen.append((used[made.token_id] or NOON) - NOON)
        assert used[other.token_id] is None
    assert [each.total_seconds() for each in seen] == [5, 5, 66, 666]


# Listed


def test_tokens_are_listed_newest_first_a_page_at_a_time(books: Ledger, clock: Clock) -> None:
    made = []
    for n in range(7):
        made.append((clock.now, created(books).token_id))
        clock.pass_by(seconds=n % 2)
    seen: list[str] = []
    cursor = None
    while page := list_tokens(books.database, cursor, 3):
        seen += [each.token_id for each in page]
        cursor = page[-1].cursor
    assert seen == [token_id for _, token_id in sorted(made, reverse=True)]


def test_a_listed_token_says_what_people_may_know(books: Ledger, clock: Clock) -> None:
    made = created(books, START, READ, client_id="acme")
    (found,) = list_tokens(books.database)
    assert (found.token_id, found.scopes, found.client_id) == (made.token_id, ("runs:read", "runs:start"), "acme")
    assert (found.created_at, found.used_at, found.revoked_at) == (clock.now, None, None)
    assert made.hash not in repr(found)


@pytest.mark.parametrize("cursor", ["", "\0", "-1", "1.0", "١", "1" * 19])
def test_what_is_no_cursor_is_refused(sqlite_house: House, cursor: str) -> None:
    for listed in (list_tokens, list_entries):
        with pytest.raises(BadInput, match="is no cursor; give the next_cursor of the page before"):
            listed(sqlite_house.database, cursor)


# Who did what


def test_making_and_revoking_are_in_the_audit_log_with_who_did_it(books: Ledger, clock: Clock) -> None:
    made = created(books, START, READ, client_id="acme", by="token 01234567")
    clock.pass_by(minutes=1)
    books.do(revoke_token, made.token_id)
    revoked, first = list_entries(books.database)
    assert (first.actor, first.action, first.subject) == ("token 01234567", "token_created", f"token {made.token_id}")
    assert first.facts == {"scopes": ["runs:read", "runs:start"], "client_id": "acme"}
    assert (revoked.actor, revoked.action, revoked.subject) == ("cli", "token_revoked", f"token {made.token_id}")
    assert (first.at, revoked.at, revoked.facts) == (NOON, clock.now, {})


def test_a_deed_that_fails_is_not_in_the_audit_log(books: Ledger) -> None:
    def fails(tx: Tx) -> None:
        note(tx, "cli", "tried", None)
        raise BadInput("no")

    with pytest.raises(BadInput):
        books.do(fails)
    assert logged(books) == []


def test_the_audit_log_is_listed_newest_first_a_page_at_a_time(books: Ledger) -> None:
    for n in range(7):
        books.do(note, "cli", "counted", f"number {n}", number=n)
    seen: list[Entry] = []
    cursor = None
    while page := list_entries(books.database, cursor, 3):
        seen += page
        cursor = page[-1].cursor
    assert [each.facts["number"] for each in seen] == [6, 5, 4, 3, 2, 1, 0]


def test_the_audit_log_keeps_what_no_database_would(ledger: Ledger) -> None:
    ledger.do(note, "to\0ken 🦊", "said", "\ud800 'x' {y}", said="\0 \ud800 🦊", at=NOON, actor="a fact of this name")
    (found,) = list_entries(ledger.database)
    assert (found.actor, found.subject) == ("token 🦊", "� 'x' {y}")
    assert found.facts == {"said": "\0 \ud800 🦊", "at": str(NOON), "actor": "a fact of this name"}
    assert _subject_of_nothing(ledger) is None


def _subject_of_nothing(ledger: Ledger) -> str | None:
    ledger.do(note, "cli", "tidied", None)
    return list_entries(ledger.database, limit=1)[0].subject


def test_an_empty_book_has_no_tokens_and_no_audit_log(database: Database) -> None:
    assert (list_tokens(database), list_entries(database)) == ([], [])
