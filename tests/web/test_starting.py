"""Starting, pausing, canceling and resuming over HTTP: once per key, refused while busy, told by whom."""

from contextlib import closing

import httpx
import pytest

from tallybook.app import App
from tallybook.domain.access import Scope
from tallybook.domain.run import OperationName, Status, Stop
from tallybook.engine.lease import Slot
from tallybook.ledger import read, work
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import starts, stops
from tallybook.ledger.write.starts import Request
from tests.ledger.scenes import asked, begun, planned
from tests.web.conftest import headers_of
from tests.web.scenes import V1, furnished, of, problem, told_of, worked
from tests.web.serving import MakeToken


def started(api: httpx.Client, **body: object) -> str:
    answer = api.post(f"{V1}/runs", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["run_id"])


def test_a_start_is_answered_with_the_run_and_where_it_is(api: httpx.Client, app: App) -> None:
    """F21"""
    furnished(app, "acme")
    body = {"operations": ["post_scoring", "lead_scoring"], "stream": 1, "clients": ["acme"], "limit": 5}
    answer = api.post(f"{V1}/runs", json=body)
    assert answer.status_code == 201
    run = answer.json()
    assert (run["status"], run["triggered_by"], run["stream"], run["job_type"]) == ("queued", "api", 1, "smart_resume")
    assert api.get(answer.headers["location"]).json() == run
    kept = Request.of_json(work.request_of(app.database, run["run_id"]))
    assert (kept.operations, kept.clients) == ((OperationName.LEAD_SCORING, OperationName.POST_SCORING), ("acme",))
    assert (kept.limit, kept.trigger) == (5, "api")


@pytest.mark.parametrize("body", [{}, {"operations": [], "clients": []}, {"operations": None, "stream": None}])
def test_what_is_not_said_is_everything(body: dict[str, object], api: httpx.Client, app: App) -> None:
    kept = Request.of_json(work.request_of(app.database, started(api, **body)))
    assert (kept.operations, kept.stream, kept.clients, kept.limit) == (tuple(OperationName), None, (), None)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"strem": 1}, "'strem' is no field; known fields: operations, stream, clients, limit, queue"),
        ({"operations": ["all"]}, "body.operations.0"),
        ({"stream": "1"}, "body.stream"),
        ({"stream": True}, "body.stream"),
        ({"stream": 2**63}, "body.stream"),
        ({"limit": 0}, "body.limit"),
        ({"queue": 1}, "body.queue"),
        ({"clients": "acme"}, "body.clients"),
        ({"clients": [""]}, "body.clients.0"),
        ({"clients": ["a\tb"]}, "printable"),
        ([], "body"),
        ("{", "body"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_started(
    body: object, why: str, api: httpx.Client, app: App
) -> None:
    said = {"content": body} if isinstance(body, str) else {"json": body}
    answer = api.post(f"{V1}/runs", headers={"Content-Type": "application/json"}, **said)
    assert why in problem(answer, 422)["detail"]
    assert read.list_runs(app.database) == []


def test_a_client_that_nobody_knows_cannot_be_asked_for(api: httpx.Client, app: App) -> None:
    problem(api.post(f"{V1}/runs", json={"clients": ["nobody"]}), 404)
    assert read.list_runs(app.database) == []


# Keys


def test_the_same_key_and_request_are_the_same_run(api: httpx.Client) -> None:
    """F13"""
    first = api.post(f"{V1}/runs", json={"stream": 1}, headers={"Idempotency-Key": "k"})
    again = api.post(f"{V1}/runs", json={"stream": 1, "queue": True}, headers={"Idempotency-Key": "k"})
    assert (first.status_code, first.headers.get("idempotent-replayed")) == (201, None)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.json()["run_id"] == first.json()["run_id"]


def test_the_same_key_with_another_request_is_refused_and_names_the_run(api: httpx.Client) -> None:
    first = api.post(f"{V1}/runs", json={"stream": 1}, headers={"Idempotency-Key": "k"})
    other = api.post(f"{V1}/runs", json={"stream": 2}, headers={"Idempotency-Key": "k"})
    said = problem(other, 409)
    assert (said["run_id"], said["code"]) == (first.json()["run_id"], "KeyReused")


def test_keys_of_two_tokens_are_two_keys(api: httpx.Client, make_token: MakeToken) -> None:
    first = started(api, stream=1)
    headers = {"Idempotency-Key": "k", **headers_of(make_token(Scope.RUNS_START, Scope.RUNS_READ))}
    other = api.post(f"{V1}/runs", json={"stream": 2}, headers=headers)
    assert other.status_code == 201
    assert other.json()["run_id"] != first


@pytest.mark.parametrize("key", ["", "k" * 201, "a\tb"])
def test_a_key_is_short_and_printable(key: str, api: httpx.Client) -> None:
    problem(api.post(f"{V1}/runs", json={}, headers={"Idempotency-Key": key}), 422)


# Busy


def test_a_start_in_the_way_of_another_is_told_of_it_and_may_queue_behind_it(api: httpx.Client) -> None:
    """F13"""
    first = started(api, stream=1)
    said = problem(api.post(f"{V1}/runs", json={"stream": 1}), 409)
    assert (said["run_id"], said["code"]) == (first, "Busy")
    assert "started by token " in said["detail"]
    assert started(api, stream=2) not in (first, started(api, stream=1, queue=True))


# One tenant


def test_a_token_bound_to_a_client_starts_what_names_that_client_alone(
    app: App, base_url: str, make_token: MakeToken
) -> None:
    furnished(app, "acme", "other")
    headers = headers_of(make_token(Scope.RUNS_START, Scope.RUNS_READ, client_id="acme"))
    with httpx.Client(base_url=base_url, headers=headers) as tenant:
        problem(tenant.post(f"{V1}/runs", json={"stream": 1}), 403)
        for named in ([], ["other"], ["acme", "other"]):
            problem(tenant.post(f"{V1}/runs", json={"clients": named}), 403)
        run_id = started(tenant, clients=["acme"])
        run = tenant.get(of("runs", run_id)).raise_for_status().json()
        assert [line[20:] for line in run["system_notes"]] == ["Started"]
        assert [each["run_id"] for each in tenant.get(f"{V1}/runs").json()["items"]] == [run_id]
        assert tenant.post(of("runs", run_id) + ":cancel").json()["status"] == "canceled"


def test_a_tenant_in_the_way_of_others_is_not_told_who_they_are(
    books: Ledger, app: App, base_url: str, make_token: MakeToken
) -> None:
    furnished(app, "acme")
    headers = headers_of(make_token(Scope.RUNS_START, client_id="acme"))
    with httpx.Client(base_url=base_url, headers=headers) as tenant:
        run_id = planned(books, "acme", "other", start=asked(queue_behind=True, by="Ada"))
        said = problem(tenant.post(f"{V1}/runs", json={"clients": ["acme"]}), 409)
        assert said["run_id"] == run_id
        assert "Ada" not in said["detail"]
        books.do(stops.stop_run, run_id, Stop.CANCEL, "enough")
        books.do(starts.start, asked("other", "acme", stream=None, by="Ada"))
        said = problem(tenant.post(f"{V1}/runs", json={"clients": ["acme"]}), 409)
        assert "run_id" not in said, "it does not know yet that it will be in that run"
        assert "Ada" not in said["detail"]


# Stopping and going on


def test_a_run_is_paused_resumed_and_canceled_by_any_of_its_names(api: httpx.Client, books: Ledger) -> None:
    """F05"""
    run_id = planned(books, "acme")
    paused = api.post(f"{V1}/runs/{run_id}-acme:pause")
    assert (paused.status_code, paused.json()["status"]) == (200, "paused")
    assert paused.json()["blocked_reason"].startswith("paused by token ")
    resumed = api.post(f"{V1}/runs/{run_id}:resume")
    assert (resumed.status_code, resumed.json()["status"]) == (200, "running")
    again = api.post(f"{V1}/runs/{run_id}:resume")
    assert (again.status_code, again.json()["status"]) == (200, "running")
    canceled = api.post(f"{V1}/runs/{run_id}:cancel")
    assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
    for verb in ("cancel", "pause", "resume"):
        assert problem(api.post(f"{V1}/runs/{run_id}:{verb}"), 409)["run_id"] == run_id


def test_a_run_whose_calls_are_letting_go_was_told(api: httpx.Client, books: Ledger) -> None:
    with closing(Slot(books.database)) as slot:
        run_id = planned(books, "acme")
        begun(books, run_id, "acme", slot.executor)
        _told_and_not_yet_stopped(api, books, run_id)


def _told_and_not_yet_stopped(api: httpx.Client, books: Ledger, run_id: str) -> None:
    told = api.post(f"{V1}/runs/{run_id}:pause")
    assert (told.status_code, told.json()["status"]) == (202, "running")
    problem(api.post(f"{V1}/runs/{run_id}:resume"), 409)
    assert read.status(books.database, run_id) is Status.RUNNING


def test_what_another_program_drives_is_stopped_there(api: httpx.Client, app: App) -> None:
    run_id = told_of(app, "acme")
    for verb in ("cancel", "pause", "resume"):
        assert "another program" in problem(api.post(f"{V1}/runs/{run_id}:{verb}"), 409)["detail"]


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume"])
def test_what_is_not_there_cannot_be_stopped(verb: str, api: httpx.Client) -> None:
    problem(api.post(f"{V1}/runs/261123-000000:{verb}"), 404)
    problem(api.post(f"{V1}/runs/nonsense:{verb}"), 422)


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume"])
def test_a_tenant_stops_what_is_for_it_alone(verb: str, books: Ledger, base_url: str, make_token: MakeToken) -> None:
    foreign = worked(books, "other", stream=2)
    shared = planned(books, "acme", "other", start=asked(stream=1))
    headers = headers_of(make_token(Scope.RUNS_START, client_id="acme"))
    with httpx.Client(base_url=base_url, headers=headers) as tenant:
        problem(tenant.post(f"{V1}/runs/{shared}:{verb}"), 403)
        problem(tenant.post(f"{V1}/runs/{foreign}:{verb}"), 404)
    assert read.status(books.database, shared) is Status.RUNNING
