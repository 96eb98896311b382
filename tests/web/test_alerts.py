"""Alerts over HTTP: what is open, page by page, and taking notice of it."""

import httpx
import pytest

from tallybook.domain.access import Scope
from tallybook.ledger.ledger import Ledger
from tests.web.conftest import headers_of
from tests.web.scenes import V1, alerted, problem
from tests.web.serving import MakeToken

ONE, TWO, THREE = (f"{number}" * 10 for number in "123")


@pytest.fixture
def three(books: Ledger) -> None:
    """Of two clients, and of nobody."""
    for alert_id, client_id in ((ONE, "acme"), (TWO, "other"), (THREE, None)):
        alerted(books, alert_id, client_id)


def ids(answer: httpx.Response) -> list[str]:
    return [each["alert_id"] for each in answer.raise_for_status().json()["items"]]


@pytest.mark.usefixtures("three")
def test_open_alerts_are_listed_newest_first_a_page_at_a_time(api: httpx.Client) -> None:
    first = api.get(f"{V1}/alerts", params={"limit": 2})
    assert ids(first) == [THREE, TWO]
    rest = api.get(f"{V1}/alerts", params={"cursor": first.json()["next_cursor"]})
    assert ids(rest) == [ONE]
    assert rest.json()["next_cursor"] is None
    assert rest.json()["items"][0]["text"] == "Something is wrong"


@pytest.mark.usefixtures("three")
def test_who_takes_notice_sees_it_no_more_and_may_do_so_again(api: httpx.Client) -> None:
    path = f"{V1}/alerts/{ONE}:acknowledge"
    assert [api.post(path).json()["acknowledged_before"] for _ in range(2)] == [False, True]
    assert ids(api.get(f"{V1}/alerts")) == [THREE, TWO]
    assert ids(api.get(f"{V1}/alerts", params={"all": "true"})) == [THREE, TWO, ONE]
    assert "tallybook alert list" in problem(api.post(f"{V1}/alerts/{'0' * 10}:acknowledge"), 404)["detail"]


@pytest.mark.usefixtures("three")
def test_a_token_of_a_client_sees_and_acknowledges_that_clients_own(api: httpx.Client, make_token: MakeToken) -> None:
    headers = headers_of(make_token(Scope.RUNS_READ, Scope.RUNS_START, client_id="acme"))
    assert ids(api.get(f"{V1}/alerts", headers=headers)) == [ONE]
    for other in (TWO, THREE):
        problem(api.post(f"{V1}/alerts/{other}:acknowledge", headers=headers), 404)
    assert api.post(f"{V1}/alerts/{ONE}:acknowledge", headers=headers).status_code == 200
