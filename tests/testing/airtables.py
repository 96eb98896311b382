"""Using the look-alike of Airtable by its real client."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any

import pytest
from pyairtable import Api, Table
from requests import HTTPError, Response

from tallybook.testing.airtable_server import AirtableServer, OpenTable

TOKEN = "patA.token"
NOWHERE = "recAAAAAAAAAAAAAA"
AWKWARD = (
    "O'Brien",
    'the "other" one',
    "a{b",
    "a}b",
    "back\\slash",
    "\\'",
    "😀 Zoë",
    "two\nlines",
    "x' OR 1=1 OR 'x'='",
)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = datetime(2025, 5, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def api(server: AirtableServer, token: str = TOKEN, **options: Any) -> Api:
    return Api(token, endpoint_url=server.url, retry_strategy=None, timeout=(5, 30), **options)


def table(server: AirtableServer, name: str, base: str = "Operator") -> Table:
    return api(server).table(server.base(base).id, name)


def jobs_of(server: AirtableServer) -> OpenTable:
    return server.base("Operator").table("Jobs")


def results_of(server: AirtableServer) -> OpenTable:
    return server.base("Operator").table("Results")


def answer_to(do: Callable[[], object]) -> Response:
    """What it says that it does not."""
    with pytest.raises(HTTPError) as raised:
        do()
    assert raised.value.response is not None
    return raised.value.response


def refusal(do: Callable[[], object]) -> tuple[int, str, str]:
    """Status, type and message of the error."""
    response = answer_to(do)
    error = response.json()["error"]
    kind, why = (error, "") if isinstance(error, str) else (error["type"], error["message"])
    return response.status_code, kind, why


def status(do: Callable[[], object]) -> int:
    """200 when it is done."""
    try:
        do()
    except HTTPError as error:
        return 0 if error.response is None else error.response.status_code
    return 200


def ask(
    server: AirtableServer, method: str, path: str, body: Mapping[str, Any] | bytes | None = None, token: str = TOKEN
) -> tuple[int, Any]:
    """Without the client. The body None when it is no JSON."""
    line = HTTPConnection("127.0.0.1", server.port, timeout=20)
    said = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    line.request(method, path, said, {"Authorization": f"Bearer {token}"} if token else {})
    response = line.getresponse()
    text = response.read().decode()
    line.close()
    return response.status, json.loads(text) if response.headers["Content-Type"] == "application/json" else None
