"""Books of every test's own behind the server of the test process, as in tests/web; and people who are signed in."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from tallybook.domain.access import Scope
from tests.pages.visiting import Visitor, sign_in
from tests.web.conftest import api, app, base_url, books, host, make_token, web_house
from tests.web.serving import MakeToken

__all__ = ["api", "app", "base_url", "books", "host", "make_token", "web_house"]
SignedIn = Callable[..., Visitor]


@pytest.fixture
def signed_in(base_url: str, make_token: MakeToken) -> Iterator[SignedIn]:
    """`signed_in(Scope.RUNS_READ, client_id="acme")`: somebody with such a token; without a scope an admin."""
    with ExitStack() as stack:

        def come_in(*scopes: Scope, client_id: str | None = None) -> Visitor:
            client = stack.enter_context(httpx.Client(base_url=base_url, timeout=30))
            return sign_in(client, make_token(*scopes, client_id=client_id))

        yield come_in


@pytest.fixture
def admin(signed_in: SignedIn) -> Visitor:
    return signed_in()


@pytest.fixture
def stranger(base_url: str) -> Iterator[httpx.Client]:
    """Somebody who is not signed in."""
    with httpx.Client(base_url=base_url, timeout=30) as client:
        yield client
