"""How tokens are looked up: rarely, and once for all who wait."""

import asyncio

import pytest
import sqlalchemy as sa

from tallybook.app import App
from tallybook.domain.access import Access
from tallybook.domain.errors import LedgerUnavailable, TooManyFailures, Unauthenticated
from tallybook.web import doorkeeper
from tallybook.web.doorkeeper import Doorkeeper
from tests.web.serving import app_on, made_token


@pytest.fixture
def looks(app: App) -> list[str]:
    """Every look for a token in the database of *app*."""
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith("SELECT") and "api_tokens" in statement:
            found.append(statement)

    sa.event.listen(app.database.engine, "before_cursor_execute", note)
    return found


def asked(keeper: Doorkeeper, text: str, times: int) -> list[Access | BaseException]:
    """What each of so many gets, who all ask at once."""

    async def ask() -> list[Access | BaseException]:
        return await asyncio.gather(*(keeper.of_bearer(text, "here") for _ in range(times)), return_exceptions=True)

    return asyncio.run(ask())


def test_all_who_ask_at_once_share_one_look(app: App, looks: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, made = Doorkeeper(lambda: app.ledger), made_token(app)
    found = asked(keeper, made.text, 50)
    assert {each.token_id for each in found if isinstance(each, Access)} == {made.token_id}
    assert (len(found), len(looks)) == (50, 1)
    asked(keeper, made.text, 5)
    assert len(looks) == 1, "it is trusted for a while"
    monkeypatch.setattr(doorkeeper, "TRUSTED_FOR_S", 0.0)
    asked(Doorkeeper(lambda: app.ledger), made.text, 5)
    assert len(looks) == 2


def test_who_asks_with_an_unknown_token_is_counted_each(app: App, looks: list[str]) -> None:
    found = asked(Doorkeeper(lambda: app.ledger), "tb_guess", doorkeeper.MOST_FAILURES + 3)
    assert [sum(isinstance(each, kind) for each in found) for kind in (Unauthenticated, TooManyFailures)] == [
        doorkeeper.MOST_FAILURES,
        3,
    ]
    assert len(looks) == 1


def test_one_who_stops_waiting_takes_nothing_from_the_others(app: App, looks: list[str]) -> None:
    keeper, made = Doorkeeper(lambda: app.ledger), made_token(app)

    async def ask() -> Access:
        first, second = (asyncio.create_task(keeper.of_bearer(made.text, "here")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(ask()).token_id == made.token_id
    assert len(looks) == 1


def test_a_look_that_failed_is_no_wrong_credential_and_is_made_again() -> None:
    away = app_on("postgresql://tallybook@127.0.0.1:1/books")
    keeper = Doorkeeper(lambda: away.ledger)
    for _ in range(2):
        with pytest.raises(LedgerUnavailable):
            raise_of(asked(keeper, "tb_any", 1))
    away.close()


def raise_of(found: list[Access | BaseException]) -> None:
    for each in found:
        if isinstance(each, BaseException):
            raise each


def test_addresses_are_not_remembered_without_end(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorkeeper, "MOST_ADDRESSES", 2)
    keeper = Doorkeeper(lambda: app.ledger, ["good"])
    for address in ("a", "b", "c"):
        with pytest.raises(Unauthenticated):
            keeper.of_secret("guess", address)
    assert list(keeper._failures) == ["b", "c"]
