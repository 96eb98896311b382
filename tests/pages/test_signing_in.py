"""Sessions and forms: who comes in, how long, and whose form is taken."""

import re
import secrets

import httpx
import pytest

from tallybook.app import App
from tallybook.domain.access import Scope, new_token
from tallybook.ledger.server_tables import sessions
from tallybook.ledger.tokens import list_tokens
from tallybook.ledger.write.sessions import LONGEST
from tallybook.ledger.write.tokens import revoke_token
from tallybook.web import doorkeeper, edge, seats
from tallybook.web.house import House
from tallybook.web.pages.page import safe_place
from tests.pages.conftest import SignedIn
from tests.pages.visiting import Visitor, guarded, path_of, seen, sign_in
from tests.web.scenes import everything, rows_of_all_tables
from tests.web.serving import Host, MakeToken, app_on, made_token


def test_whoever_has_a_token_signs_in_and_goes_where_they_wanted(stranger: httpx.Client, make_token: MakeToken) -> None:
    first = stranger.get("/runs?status=failed")
    assert (first.status_code, first.headers["location"]) == (303, "/sign-in?next=%2Fruns%3Fstatus%3Dfailed")
    form = seen(stranger.get(first.headers["location"]))
    assert {"type": "hidden", "name": "next", "value": "/runs?status=failed"} in form.all("input")
    answer = stranger.post("/sign-in", data={"token": f" {make_token()}\n", "next": "/runs?status=failed"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs?status=failed")
    assert stranger.get("/runs?status=failed").status_code == 200
    again = stranger.get("/sign-in?next=/usage")
    assert (again.status_code, again.headers["location"]) == (303, "/usage")


def test_the_cookie_is_for_this_server_alone_and_only_its_hash_is_kept(
    stranger: httpx.Client, make_token: MakeToken, app: App
) -> None:
    cookie = stranger.post("/sign-in", data={"token": make_token()}).headers["set-cookie"]
    assert re.fullmatch(
        rf"{seats.COOKIE}=[\w-]{{43}}; HttpOnly; Max-Age={int(LONGEST.total_seconds())}; Path=/; SameSite=strict",
        cookie,
    )
    assert stranger.cookies[seats.COOKIE] not in repr(rows_of_all_tables(app.database))


def test_behind_tls_the_cookie_is_sent_by_tls_alone(host: Host, app: App) -> None:
    behind = app_on(str(app.database.url), server__public_url="https://books.example.test")
    host.serve(behind)
    token = made_token(behind).text
    headers = {"Origin": "https://books.example.test"}
    answer = httpx.post(f"{host.address}/sign-in", data={"token": token}, headers=headers)
    assert answer.headers["set-cookie"].startswith(f"__Host-{seats.COOKIE}=")
    assert "Secure" in answer.headers["set-cookie"]
    behind.close()


@pytest.mark.parametrize("token", ["", "tb_wrong", "x" * 10_000, "tb_é"])
def test_a_wrong_token_is_refused_and_said_to_be(token: str, stranger: httpx.Client) -> None:
    answer = stranger.post("/sign-in", data={"token": token})
    assert answer.status_code == 401
    assert "the token is unknown or was revoked" in seen(answer).text
    assert "set-cookie" not in answer.headers


def test_a_token_that_cannot_read_shows_no_page(stranger: httpx.Client, make_token: MakeToken) -> None:
    answer = stranger.post("/sign-in", data={"token": make_token(Scope.RUNS_WRITE)})
    assert answer.status_code == 401
    assert "runs:read" in seen(answer).text


def test_who_guesses_tokens_is_sent_away_here_too(stranger: httpx.Client, make_token: MakeToken) -> None:
    for _ in range(doorkeeper.MOST_FAILURES):
        assert stranger.post("/sign-in", data={"token": "tb_guess"}).status_code == 401
    answer = stranger.post("/sign-in", data={"token": "tb_guess"})
    assert answer.status_code == 429
    assert "too many wrong credentials" in seen(answer).text
    assert stranger.post("/sign-in", data={"token": make_token()}).status_code == 303


@pytest.mark.parametrize(
    "said",
    ["//evil.test", "https://evil.test", "/\\evil.test", "javascript:alert(1)", "", "/sign-in", "/a\r\nb", "runs"],
)
def test_nobody_is_sent_elsewhere_after_signing_in(said: str, stranger: httpx.Client, make_token: MakeToken) -> None:
    assert safe_place(said) == "/"
    answer = stranger.post("/sign-in", data={"token": make_token(), "next": said})
    assert answer.headers["location"] == "/"


def test_a_page_of_somebody_else_that_leads_here_does_not_lose_the_session(
    admin: Visitor, stranger: httpx.Client
) -> None:
    """A strict cookie stays back when another site leads here: the page asks once more, by itself."""
    asked = {"Sec-Fetch-Site": "cross-site"}
    bounced = stranger.get("/runs?status=failed", headers=asked)
    assert bounced.status_code == 200
    assert seen(bounced).all("meta")[-1]["content"] == "0;url=/runs?status=failed"
    assert admin.get("/runs?status=failed", headers=asked).status_code == 200


def test_the_link_that_serve_prints_signs_in_once(stranger: httpx.Client, web_house: House, app: App) -> None:
    web_house.once = made = new_token(secrets.token_bytes)
    before = rows_of_all_tables(app.database)
    form = seen(stranger.get(f"/sign-in?once={made.text}"))
    assert {"type": "hidden", "name": "once", "value": made.text} in form.all("input")
    assert rows_of_all_tables(app.database) == before, "looking at it is not using it"
    assert stranger.post("/sign-in", data={"once": "tb_guess"}).status_code == 401
    assert stranger.post("/sign-in", data={"once": made.text}).headers["location"] == "/"
    assert stranger.get("/tokens").status_code == 200
    stranger.cookies.clear()
    again = stranger.post("/sign-in", data={"once": made.text})
    assert again.status_code == 401
    assert "this link was used before" in seen(again).text
    assert stranger.post("/sign-in", data={"token": made.text}).status_code == 401, "it is no token"
    app.ledger.do(revoke_token, made.token_id)
    assert rows_of_all_tables(app.database)["sessions"] == []


# The end


def test_signing_out_ends_the_session(admin: Visitor, app: App) -> None:
    secret = admin.http.cookies[seats.COOKIE]
    answer = admin.post("/sign-out")
    assert answer.headers["location"] == "/sign-in"
    assert "Max-Age=0" in answer.headers["set-cookie"]
    admin.http.cookies.set(seats.COOKIE, secret)
    assert admin.get("/runs").status_code == 303
    assert rows_of_all_tables(app.database)["sessions"] == []


def test_revoking_the_token_ends_its_sessions(signed_in: SignedIn, app: App) -> None:
    visitor, other = signed_in(Scope.RUNS_READ), signed_in(Scope.RUNS_READ)
    newest = list_tokens(app.database)[0].token_id
    app.ledger.do(revoke_token, newest)
    assert {visitor.get("/runs").status_code, other.get("/runs").status_code} == {200, 303}


def test_signing_in_anew_ends_the_session_before(admin: Visitor, make_token: MakeToken, app: App) -> None:
    before = admin.http.cookies[seats.COOKIE]
    sign_in(admin.http, make_token())
    assert len(rows_of_all_tables(app.database)["sessions"]) == 1
    assert admin.http.cookies[seats.COOKIE] != before


def test_a_session_that_is_used_goes_on(admin: Visitor, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    column = list(sessions.c.keys()).index("expires_at")
    before = rows_of_all_tables(app.database)["sessions"][0][column]
    monkeypatch.setattr(seats, "KEPT_EVERY", seats.KEPT_EVERY * 0)
    admin.get("/runs")
    app.ledger.do(lambda _: None)
    assert str(rows_of_all_tables(app.database)["sessions"][0][column]) > str(before)


# Forms


def test_a_form_without_the_sessions_own_word_is_refused(admin: Visitor, app: App) -> None:
    everything(app)
    before = rows_of_all_tables(app.database)
    for route in guarded():
        if route.methods == {"POST"}:
            for said in ({}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": "é"}):
                answer = admin.http.post(path_of(route), data=said)
                assert answer.status_code == 403, route.path
                assert "this form was not made for you" in seen(answer).text
    assert rows_of_all_tables(app.database) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_that_another_site_sends_is_refused(
    headers: dict[str, str], admin: Visitor, make_token: MakeToken, base_url: str
) -> None:
    for path, said in (("/sign-out", {"csrf": admin.csrf}), ("/sign-in", {"token": make_token()})):
        answer = admin.http.post(path, data=said, headers=headers)
        assert answer.status_code == 403
        assert "another site" in seen(answer).text
    ours = {"Origin": base_url, "Sec-Fetch-Site": "same-origin"}
    assert admin.http.post("/sign-out", data={"csrf": admin.csrf}, headers=ours).status_code == 303


def test_a_form_that_is_far_too_large_is_refused_while_it_comes(
    stranger: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "MOST_BYTES", 1000)
    answer = stranger.post("/sign-in", content=(b" " * 500 for _ in range(3)))
    assert answer.status_code == 413
    assert len(seen(answer).all("h1")) == 1


@pytest.mark.parametrize("sent", [b"\xff", b"token=%ff%fe&csrf=%", b"a&" * 200, b"x" * 70_000])
def test_what_is_no_form_is_refused(sent: bytes, stranger: httpx.Client) -> None:
    assert stranger.post("/sign-in", content=sent).status_code in (401, 422)
