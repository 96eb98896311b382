"""A server of every test's own books, and tokens for it.

`api` is an httpx.Client that speaks to the server of `app` as admin.
`make_token(Scope.RUNS_READ, client_id="acme")` gives another token's text, `headers_of(text)` how it is sent.
"""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tallybook.app import App
from tallybook.domain.access import Scope
from tallybook.domain.client import ClientId
from tallybook.ledger.ledger import Ledger
from tallybook.web.house import House
from tests.books import SqliteBooks
from tests.web.serving import Host, MakeToken, app_on, hosting, made_token


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory, sqlite_books: SqliteBooks) -> Iterator[Host]:
    """The server of this test process. Books only; who needs more asks `serving.served(app, works=True)`."""
    app = app_on(sqlite_books.copied_to(tmp_path_factory.mktemp("host")))
    with hosting(app) as host:
        yield host
    app.close()


@pytest.fixture
def app(tmp_path: Path, sqlite_books: SqliteBooks) -> Iterator[App]:
    """Empty books on SQLite."""
    app = app_on(sqlite_books.copied_to(tmp_path))
    yield app
    app.close()


@pytest.fixture
def web_house(host: Host, app: App) -> House:
    """What the server has at hand, serving `app` from now on."""
    return host.serve(app)


@pytest.fixture
def books(app: App) -> Ledger:
    return app.ledger


@pytest.fixture
def base_url(host: Host, web_house: House) -> str:
    return host.address


@pytest.fixture
def make_token(app: App) -> MakeToken:
    def make(*scopes: Scope, client_id: ClientId | None = None) -> str:
        return made_token(app, *scopes, client_id=client_id).text

    return make


def headers_of(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def api(base_url: str, make_token: MakeToken) -> Iterator[httpx.Client]:
    """An admin."""
    with httpx.Client(base_url=base_url, headers=headers_of(make_token()), timeout=30) as client:
        yield client
