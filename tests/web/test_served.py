"""A server that works, over real HTTP: started once however often it is asked, and going on when its caller is gone."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tallybook.app import App
from tallybook.domain.run import Status
from tallybook.ledger import listing, read
from tallybook.ledger.listing import Wanted
from tests.books import SqliteBooks
from tests.stories.acting import until
from tests.web.conftest import headers_of
from tests.web.scenes import V1, furnished, heard, problem
from tests.web.serving import SECRET, app_on, made_token, served

CRON = "/smart-resume-client-by-client"


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory, sqlite_books: SqliteBooks) -> Iterator[tuple[App, str]]:
    folder: Path = tmp_path_factory.mktemp("working")
    app = app_on(
        sqlite_books.copied_to(folder), scorer__model="scripted", scripted__latency_ms=100, engine__calls_at_once=1
    )
    for stream in (1, 2, 3):
        furnished(app, f"client of {stream}", leads=20, stream=stream)
    with served(app, works=True) as url:
        yield app, url
    app.close()


def test_a_cron_line_that_is_called_twice_starts_one_run(working: tuple[App, str]) -> None:
    """F13"""
    app, url = working
    with ThreadPoolExecutor(8) as pool:
        headers = {"x-webhook-secret": SECRET}
        calls = [pool.submit(httpx.post, f"{url}{CRON}", json={"stream": 1}, headers=headers) for _ in range(8)]
    answers = [each.result() for each in calls]
    (first,) = [each.json()["runId"] for each in answers if each.status_code == 202]
    others = [problem(each, 409) for each in answers if each.status_code != 202]
    assert {each["runId"] for each in others} == {first}
    assert all("started by webhook secret (cron) at " in each["detail"] for each in others)
    assert len(listing.page_of_runs(app.database, Wanted(stream=1), after=None, limit=9)) == 1
    until(lambda: read.status(app.database, first).terminal, "the end")


def test_work_goes_on_when_its_caller_is_cut_off(working: tuple[App, str]) -> None:
    """F21"""
    app, url = working
    body = json.dumps({"stream": 2}).encode()
    place = urlsplit(url)
    request = (
        f"POST {CRON} HTTP/1.1\r\nHost: {place.netloc}\r\nx-webhook-secret: {SECRET}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((place.hostname or "", place.port or 0)) as connection:
        connection.sendall(request.encode() + body)

    def runs() -> list[Status]:
        return [each.status for each in listing.page_of_runs(app.database, Wanted(stream=2), after=None, limit=9)]

    until(lambda: runs() == [Status.COMPLETED], "the end of a run whose caller is gone")


def test_a_run_is_started_watched_and_canceled_over_http(working: tuple[App, str]) -> None:
    """F40"""
    app, url = working
    with httpx.Client(base_url=url, headers=headers_of(made_token(app).text), timeout=30) as api:
        run_id = api.post(f"{V1}/runs", json={"stream": 3}).raise_for_status().json()["run_id"]
        until(lambda: read.run(app.database, run_id).tally.scored, "a score")
        told = api.post(f"{V1}/runs/{run_id}:cancel")
        assert told.status_code in (200, 202)
        messages = heard(api, run_id)
        assert [each.kind for each in messages if each.event_id][:1] == ["started"]
        assert (messages[-1].kind, messages[-1].data["status"]) == ("end", "canceled")
        totals = api.get(f"{V1}/runs/{run_id}").json()["totals"]
        assert 0 < totals["scored"] < totals["found"] == 20
