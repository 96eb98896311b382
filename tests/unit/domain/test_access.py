"""Who may do what, and how a token is made."""

import re
from dataclasses import FrozenInstanceError
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.access import Access, NewToken, Scope, hash_of, new_token
from tallybook.domain.errors import BadInput, UnknownWord

ORDINARY = [scope for scope in Scope if scope is not Scope.ADMIN]


# Scopes


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_is_read_as_it_is_written_in_any_case(scope: Scope) -> None:
    assert Scope.read(scope.value) is Scope.read(f" {scope.value.upper()} ") is scope


@pytest.mark.parametrize("text", ["", "runs", "runs:delete", "runs:read runs:start", "*", "adm\0in", None])
def test_an_unknown_scope_is_refused_with_the_known_ones(text: object) -> None:
    with pytest.raises(UnknownWord, match="is no scope; use one of: runs:read, runs:write, runs:start, admin"):
        Scope.read(text)


# What an access allows


@pytest.mark.parametrize("held", ORDINARY)
def test_no_scope_includes_another(held: Scope) -> None:
    access = Access.of_token("3f9a12bc", [held])
    assert [scope for scope in Scope if access.may(scope)] == [held]


def test_admin_includes_every_scope() -> None:
    access = Access.of_token("3f9a12bc", [Scope.ADMIN])
    assert all(access.may(scope) for scope in Scope)


def test_an_access_without_a_scope_may_nothing() -> None:
    assert not any(Access.of_token("3f9a12bc", []).may(scope) for scope in Scope)


def test_an_access_that_is_bound_to_no_client_reaches_any() -> None:
    access = Access.of_token("3f9a12bc", [Scope.RUNS_READ])
    assert access.reaches("acme")
    assert access.reaches("o'hara {x} 🦊")


def test_an_access_that_is_bound_to_a_client_reaches_that_one_alone() -> None:
    access = Access.of_token("3f9a12bc", ORDINARY, "acme")
    assert [client for client in ("acme", "Acme", "acme ", "", "acme-law") if access.reaches(client)] == ["acme"]


def test_an_admin_cannot_be_bound_to_a_client() -> None:
    with pytest.raises(BadInput, match="admin reaches every client, so it cannot be bound to one"):
        Access.of_token("3f9a12bc", [Scope.RUNS_READ, Scope.ADMIN], "acme")


def test_the_actor_of_a_token_names_its_whole_id() -> None:
    """It is the scope of idempotency keys: two tokens must never share one."""
    assert Access.of_token("3f9a12bc", [Scope.ADMIN]).actor == "token 3f9a12bc"


def test_an_access_cannot_be_widened() -> None:
    access = Access.of_token("3f9a12bc", [Scope.RUNS_READ], "acme")
    with pytest.raises(FrozenInstanceError):
        access.client_id = None  # type: ignore[misc]  # that is what is tried


# Tokens


def test_a_token_is_made_of_the_randomness_handed_in() -> None:
    lengths = []

    def zeros(length: int) -> bytes:
        lengths.append(length)
        return bytes(length)

    made = new_token(zeros)
    assert (made.text, made.token_id) == ("tb_" + "A" * 43, "00000000")
    assert lengths == [32, 4]


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=4, max_size=4))
def test_any_token_is_of_one_shape_and_its_id_says_nothing_of_it(key: bytes, name: bytes) -> None:
    given_out = iter((key, name))
    made = new_token(lambda _length: next(given_out))
    assert re.fullmatch("tb_[A-Za-z0-9_-]{43}", made.text)
    assert made.token_id == name.hex()
    assert made.hash == hash_of(made.text)


def test_tokens_of_different_randomness_differ() -> None:
    numbers = count()
    made = [new_token(lambda length: next(numbers).to_bytes(length, "big")) for _ in range(100)]
    assert len({each.text for each in made}) == len({each.hash for each in made}) == 100


def test_a_token_does_not_show_its_text() -> None:
    """F35"""
    assert "s3cret" not in repr(NewToken("3f9a12bc", "tb_s3cret"))


def test_a_token_is_kept_as_the_sha_256_of_its_text() -> None:
    assert hash_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_is_handed_in_as_a_token_has_a_hash(text: str) -> None:
    assert re.fullmatch("[0-9a-f]{64}", hash_of(text))
