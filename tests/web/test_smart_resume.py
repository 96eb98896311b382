"""The old cron line: it starts what it always started, and is told what it was always told."""

import httpx
import pytest

from tallybook.app import App
from tallybook.domain.access import Scope
from tallybook.domain.run import OperationName
from tallybook.ledger import read, work
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write.starts import Request
from tests.ledger.scenes import asked, planned
from tests.web.conftest import headers_of
from tests.web.scenes import furnished, problem, worked
from tests.web.serving import SECRET, Host, MakeToken, app_on

START, STATUS = "/smart-resume-client-by-client", "/smart-resume-status"
LEADS, HARVEST, POSTS = OperationName


@pytest.fixture
def cron(base_url: str) -> httpx.Client:
    """As the old cron line calls: curl with the secret."""
    return httpx.Client(base_url=base_url, headers={"x-webhook-secret": SECRET})


def request_kept(app: App, run_id: str) -> Request:
    return Request.of_json(work.request_of(app.database, run_id))


def test_the_old_cron_line_starts_a_run_of_its_stream(cron: httpx.Client, app: App) -> None:
    """F21"""
    furnished(app, "acme")
    answer = cron.post(START, json={"stream": 1, "leadScoringLimit": 100, "postScoringLimit": 50})
    assert answer.status_code == 202
    said = answer.json()
    run_id = said["runId"]
    assert said == {
        "success": True,
        "runId": run_id,
        "jobId": run_id,
        "stream": 1,
        "status": "started",
        "message": f"Run {run_id} of stream 1 was started",
        "statusUrl": f"{STATUS}?stream=1",
    }
    kept = request_kept(app, run_id)
    assert (kept.operations, kept.stream, kept.clients, kept.trigger) == (tuple(OperationName), 1, (), "cron")
    assert [kept.limit_of(each) for each in OperationName] == [100, None, 50]


@pytest.mark.parametrize(
    ("body", "stream", "clients"),
    [
        (b"", None, ()),
        (b" ", None, ()),
        (b"{}", None, ()),
        (b'{"stream": "2"}', 2, ()),
        (b'{"stream": "", "leadScoringLimit": null, "clientFilter": ""}', None, ()),
        (b'{"stream": 3, "clientFilter": "acme", "recovery": {"of": 7}, "singleStream": true}', 3, ("acme",)),
        (b'{"clientFilter": ["other", "acme"]}', None, ("acme", "other")),
        (b'{"clientFilter": [], "batchSize": 12}', None, ()),
    ],
)
def test_what_old_cron_lines_say_beyond_is_passed_over(
    body: bytes, stream: int | None, clients: tuple[str, ...], cron: httpx.Client, app: App
) -> None:
    furnished(app, "acme", "other", stream=stream or 1)
    answer = cron.post(START, content=body)
    assert answer.status_code == 202, answer.text
    kept = request_kept(app, answer.json()["runId"])
    assert (kept.stream, kept.clients, dict(kept.limits)) == (stream, clients, {})


@pytest.mark.parametrize(
    "body",
    [
        b"stream=1",
        b"[]",
        b"null",
        b'{"stream": "one"}',
        b'{"stream": true}',
        b'{"stream": 1.5}',
        b'{"leadScoringLimit": 0}',
        b'{"leadScoringLimit": "-3"}',
        b'{"clientFilter": [""]}',
        b'{"clientFilter": 7}',
        b"\xff",
    ],
)
def test_what_makes_no_sense_is_refused(body: bytes, cron: httpx.Client, app: App) -> None:
    problem(cron.post(START, content=body), 422)
    assert read.list_runs(app.database) == []


def test_a_second_cron_line_is_told_of_the_first(cron: httpx.Client) -> None:
    """F13"""
    first = cron.post(START, json={"stream": 1}).json()["runId"]
    said = problem(cron.post(START, json={"stream": 1}), 409)
    assert (said["runId"], said["run_id"]) == (first, first)
    assert "started by webhook secret (cron) at 20" in said["detail"]
    assert cron.post(START, json={"stream": 2}).status_code == 202


def test_the_newest_run_of_each_stream_is_told(cron: httpx.Client, books: Ledger) -> None:
    assert cron.get(STATUS).json() == {"streams": []}
    worked(books, "acme", stream=1)
    newest, other = worked(books, "acme", stream=1), planned(books, "b", start=asked("b", stream=2))
    told = cron.get(STATUS).raise_for_status()
    assert [(each["stream"], each["run_id"], each["isRunning"]) for each in told.json()["streams"]] == [
        (1, newest, False),
        (2, other, True),
    ]
    (alone,) = cron.get(STATUS, params={"stream": 2}).json()["streams"]
    assert alone == told.json()["streams"][1]
    assert cron.get(STATUS, headers={"If-None-Match": told.headers["etag"]}).status_code == 304
    problem(cron.get(STATUS, params={"stream": "two"}), 422)


def test_a_token_that_may_start_runs_does_as_well_as_the_secret(base_url: str, make_token: MakeToken) -> None:
    headers = headers_of(make_token(Scope.RUNS_START))
    assert httpx.post(f"{base_url}{START}", json={"stream": 1}, headers=headers).status_code == 202
    assert httpx.get(f"{base_url}{STATUS}", headers=headers).json()["streams"][0]["stream"] == 1


def test_while_secrets_change_both_are_good(host: Host, app: App) -> None:
    """F35"""
    url = str(app.database.url)
    changing = app_on(url, server__old_webhook_secret="the-old-one-of-the-webhook")
    host.serve(changing)
    for secret, status in ((SECRET, 200), ("the-old-one-of-the-webhook", 200), ("another-secret-altogether", 401)):
        answer = httpx.get(f"{host.address}{STATUS}", headers={"x-webhook-secret": secret})
        assert answer.status_code == status, answer.text
    changing.close()


def test_a_tenant_starts_and_sees_its_own_alone(app: App, books: Ledger, base_url: str, make_token: MakeToken) -> None:
    furnished(app, "acme", "other")
    shared, foreign = worked(books, "acme", "other", stream=1), worked(books, "other", stream=2)
    with httpx.Client(base_url=base_url, headers=headers_of(make_token(Scope.RUNS_START, client_id="acme"))) as tenant:
        problem(tenant.post(START, json={"stream": 1}), 403)
        problem(tenant.post(START, json={"clientFilter": ["acme", "other"]}), 403)
        (seen,) = tenant.get(STATUS).json()["streams"]
        assert (seen["run_id"], seen["totals"]["scored"]) == (shared, 1)
        assert tenant.get(STATUS, params={"stream": 2}).json() == {"streams": []}, foreign
        assert tenant.post(START, json={"clientFilter": "acme"}).status_code == 202
