"""Who may come in, by any route there is: nobody without a credential that is good for it; and no secret comes out."""

import logging
from collections.abc import Callable, Mapping

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from tallybook.app import App
from tallybook.domain.access import Scope
from tallybook.ledger.server_tables import api_tokens
from tallybook.ledger.write.tokens import revoke_token
from tallybook.web import doorkeeper
from tallybook.web.guard import Admin, Reader, refuse_unguarded, scope_of, takes_secret
from tallybook.web.server import PUBLIC
from tests.web.calling import call, described, guarded, method_of, path_of, reads, routes
from tests.web.conftest import headers_of
from tests.web.scenes import V1, everything, problem, rows_of_all_tables
from tests.web.serving import SECRET, Host, MakeToken, app_on, made_token

STRANGER = "tb_" + "x" * 43
Credential = Callable[[App], Mapping[str, str]]


def _revoked(app: App) -> Mapping[str, str]:
    made = made_token(app)
    app.ledger.do(revoke_token, made.token_id)
    return headers_of(made.text)


CREDENTIALS: Mapping[str, Credential] = {
    "none": lambda _: {},
    "no token in it": lambda _: {"Authorization": "Bearer"},
    "another scheme": lambda app: {"Authorization": f"Basic {made_token(app).text}"},
    "unknown": lambda _: headers_of(STRANGER),
    "revoked": _revoked,
    "a wrong secret": lambda _: {"x-webhook-secret": "wrong"},
    "an empty secret": lambda _: {"x-webhook-secret": ""},
}


@pytest.fixture
def anybody(base_url: str, app: App) -> httpx.Client:
    everything(app)
    return httpx.Client(base_url=base_url, timeout=30)


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_nobody_comes_in_without_a_good_credential(
    credential: str, anybody: httpx.Client, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F35"""
    monkeypatch.setattr(doorkeeper, "MOST_FAILURES", 1000)
    headers = CREDENTIALS[credential](app)
    before = rows_of_all_tables(app.database)
    let_in = []
    for route in guarded():
        answer = call(anybody, route, headers=headers)
        if answer.status_code != 401 or "www-authenticate" not in answer.headers:
            let_in.append(described(route, answer))
            continue
        problem(answer, 401)
    assert let_in == []
    assert rows_of_all_tables(app.database) == before


def test_what_is_sent_is_not_read_before_it_is_known_who_sends_it(anybody: httpx.Client) -> None:
    for route in guarded():
        answer = anybody.request(method_of(route), path_of(route), content=b"{", params={"odd": "1"})
        problem(answer, 401)


@pytest.mark.parametrize("scope", Scope)
def test_a_token_is_good_for_its_scope_alone(scope: Scope, anybody: httpx.Client, make_token: MakeToken) -> None:
    headers = headers_of(make_token(scope))
    wrong = []
    for route in guarded():
        answer = call(anybody, route, headers=headers)
        good = scope in (scope_of(route), Scope.ADMIN)
        if (answer.status_code == 403) is good:
            wrong.append(described(route, answer))
        elif not good:
            assert str(scope_of(route)) in problem(answer, 403)["detail"]
    assert wrong == []


def test_the_webhook_secret_opens_the_old_cron_line_alone(anybody: httpx.Client) -> None:
    opened = [
        route.path
        for route in guarded()
        if call(anybody, route, headers={"x-webhook-secret": SECRET}).status_code != 401
    ]
    assert sorted(opened) == ["/smart-resume-client-by-client", "/smart-resume-status"]
    assert sorted(route.path for route in guarded() if takes_secret(route)) == sorted(opened)


def test_without_a_configured_secret_no_secret_is_right(host: Host, app: App) -> None:
    bare = app_on(str(app.database.url), server__webhook_secret=None)
    host.serve(bare)
    for said in ("", "None", SECRET):
        answer = httpx.get(f"{host.address}/smart-resume-status", headers={"x-webhook-secret": said})
        problem(answer, 401)
    bare.close()


def test_a_token_of_another_client_reaches_nothing_of_this_one(anybody: httpx.Client, make_token: MakeToken) -> None:
    """The lists, which it may see, hold nothing of others: see test_tenants.py."""
    scopes = (Scope.RUNS_READ, Scope.RUNS_WRITE, Scope.RUNS_START)
    headers = headers_of(make_token(*scopes, client_id="third"))
    reached = []
    for route in guarded():
        answer = call(anybody, route, headers=headers)
        if "{" in route.path and answer.status_code not in (403, 404):
            reached.append(described(route, answer))
    assert reached == []


def test_what_anybody_may_ask_is_exactly_what_is_named(anybody: httpx.Client) -> None:
    assert {route.path for route in routes() if scope_of(route) is None} == set(PUBLIC)
    assert PUBLIC == ("/healthz", "/readyz", "/webhooks/apify")
    assert anybody.get("/healthz").json() == anybody.get("/readyz").json() == {"status": "ok"}
    problem(anybody.post("/webhooks/apify", json={"eventType": "TEST"}), 401)


# A new route


async def _open() -> str:
    return "anybody may read this"


async def _for_readers(access: Reader) -> str:
    return access.actor


async def _for_admins(access: Admin) -> str:
    return access.actor


def api_with(path: str, endpoint: Callable[..., object]) -> FastAPI:
    router = APIRouter()
    router.add_api_route(path, endpoint)
    api = FastAPI(openapi_url=None)
    api.router.routes.extend(router.routes)
    return api


def test_a_route_without_a_guard_is_not_served() -> None:
    """F35"""
    with pytest.raises(RuntimeError, match="routes without a guard: /new"):
        refuse_unguarded(api_with("/new", _open), PUBLIC)
    refuse_unguarded(api_with("/new", _for_readers), PUBLIC)
    refuse_unguarded(api_with("/new", _for_admins), PUBLIC)
    refuse_unguarded(api_with("/healthz", _open), PUBLIC)


def test_what_is_no_route_of_ours_is_not_served_either() -> None:
    """F35"""

    async def bare(_request: object) -> PlainTextResponse:
        return PlainTextResponse("anybody may read this")

    for odd in (Route("/odd", bare), Mount("/odd", app=FastAPI())):
        api = FastAPI(openapi_url=None)
        api.router.routes.append(odd)
        with pytest.raises(RuntimeError, match="routes without a guard: /odd"):
            refuse_unguarded(api, PUBLIC)
    included = FastAPI(openapi_url=None)
    router = APIRouter()
    router.add_api_route("/new", _open)
    included.include_router(router)
    with pytest.raises(RuntimeError, match="routes without a guard"):
        refuse_unguarded(included, PUBLIC)


# Guessing


def test_who_guesses_is_sent_away_and_who_has_a_good_credential_is_not(
    anybody: httpx.Client, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(doorkeeper.MOST_FAILURES):
        problem(anybody.get(f"{V1}/runs", headers=headers_of(STRANGER)), 401)
    for guess in (headers_of(STRANGER), {"x-webhook-secret": "guess"}):
        answer = anybody.get("/smart-resume-status", headers=guess)
        assert "too many wrong credentials" in problem(answer, 429)["detail"]
        assert 0 < int(answer.headers["retry-after"]) <= doorkeeper.FAILURES_FORGOTTEN_AFTER_S + 1
    for good in ({"x-webhook-secret": SECRET}, headers_of(make_token())):
        anybody.get("/smart-resume-status", headers=good).raise_for_status()
    monkeypatch.setattr(doorkeeper, "FAILURES_FORGOTTEN_AFTER_S", 0.0)
    problem(anybody.get("/smart-resume-status", headers=headers_of(STRANGER)), 401)


def test_a_revoked_token_is_good_for_nothing_within_seconds(
    anybody: httpx.Client, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorkeeper, "TRUSTED_FOR_S", 0.0)
    made = made_token(app, Scope.RUNS_READ)
    anybody.get(f"{V1}/runs", headers=headers_of(made.text)).raise_for_status()
    app.ledger.do(revoke_token, made.token_id)
    problem(anybody.get(f"{V1}/runs", headers=headers_of(made.text)), 401)


# Reading


def test_no_get_changes_anything(anybody: httpx.Client, app: App, make_token: MakeToken) -> None:
    """F35"""
    headers = headers_of(make_token())
    anybody.get("/docs", headers=headers).raise_for_status()
    app.ledger.do(lambda _: None)
    before = rows_of_all_tables(app.database)
    called = [described(route, call(anybody, route, headers=headers)) for route in reads()]
    assert called == [f"GET {route.path}: 200" for route in reads()]
    app.ledger.do(lambda _: None)
    after = rows_of_all_tables(app.database)
    used_at = list(api_tokens.c.keys()).index("used_at")
    for rows in (before, after):
        rows["api_tokens"] = [(*each[:used_at], *each[used_at + 1 :]) for each in rows["api_tokens"]]
    assert before == after


# Secrets


def test_no_secret_comes_out_anywhere(
    host: Host, app: App, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F35"""
    monkeypatch.setattr(doorkeeper, "MOST_FAILURES", 1000)
    caplog.set_level(logging.DEBUG)
    everything(app)
    planted = "PLANTED-webhook-secret"
    telling = app_on(str(app.database.url), server__webhook_secret=planted)
    host.serve(telling)
    token = made_token(telling).text
    secrets = (planted, token, token[3:], "PLANTED-guess", "PLANTED-password")
    said = _all_that_is_said(host, token, planted)
    said += _all_that_is_said(host, "PLANTED-guess", "PLANTED-guess")
    away = app_on("postgresql://tallybook:PLANTED-password@127.0.0.1:1/books", server__webhook_secret=planted)
    host.serve(away)
    said += _all_that_is_said(host, token, planted)
    kept = repr(rows_of_all_tables(app.database))
    assert [secret for secret in secrets for text in (said, caplog.text, kept) if secret in text] == []
    assert "***" in said, "the address of the database is told, its password is not"
    for each in (away, telling):
        each.close()


def _all_that_is_said(host: Host, token: str, secret: str) -> str:
    """To whoever calls every route with both credentials: bodies and headers."""
    headers = {**headers_of(token), "x-webhook-secret": secret, "Idempotency-Key": "k"}
    with httpx.Client(base_url=host.address, timeout=30) as api:
        answers = [call(api, route, headers=headers) for route in routes()]
        answers += [api.get(f"{path_of(route)}/odd", headers=headers) for route in routes()]
    return "\n".join(f"{each.headers}\n{each.text}" for each in answers)
