"""Every page: what it is made of, whom it shows what, and that looking changes nothing. Without a browser."""

import re

import httpx
import pytest

from tallybook.app import App
from tallybook.database import Database
from tallybook.domain.access import Scope
from tallybook.domain.client import Client
from tallybook.ledger.ledger import Ledger
from tallybook.web import pages
from tallybook.web.guard import scope_of
from tallybook.web.pages.assets import SCRIPT, STYLE
from tallybook.web.pages.page import POLICY
from tests.pages.conftest import SignedIn
from tests.pages.visiting import Visitor, guarded, path_of, routes, seen, shown
from tests.web.calling import CLIENT, DRIVEN, RUN
from tests.web.scenes import everything, furnished, rows_of_all_tables, told_of, worked

ODD = """<script>alert(1)</script>"O'Neil" & \u202egnp.exe\u202c {{ 7 * 7 }}"""
OF_ALL = {"/inbox", "/mirror", "/schedules"}
"""Pages that concern every client."""


def test_every_page_answers_and_stands_in_the_frame(admin: Visitor, app: App) -> None:
    """F19"""
    everything(app)
    for route in shown():
        answer = admin.get(path_of(route))
        assert answer.status_code == 200, (route.path, answer.text)
        found = seen(answer)
        assert found.all("html") == [{"lang": "en"}]
        assert len(found.all("h1")) == len(found.all("main")) == 1
        assert answer.text.index("<title>") < answer.text.index("<body>")
        assert found.all("a")[0] == {"class": "skip", "href": "#main"}
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"


def test_a_page_is_made_of_three_files_of_ours_and_nothing_inline(admin: Visitor, app: App) -> None:
    everything(app)
    for route in shown():
        found = seen(admin.get(path_of(route)))
        assert [each.get("src") for each in found.all("script")] == [f"/static/{SCRIPT.name}"]
        sheets = [each["href"] for each in found.all("link") if each["rel"] == "stylesheet"]
        assert sheets == [f"/static/{STYLE.name}"]
        assert not found.all("style")
        assert not [attrs for _, attrs in found.tags if "style" in attrs or any(name[:2] == "on" for name in attrs)]
        assert not [each for each in found.addresses() if re.match("(https?:)?//", each)]
        assert all(each["method"] != "post" or each["action"] for each in found.all("form"))
        labels = {each.get("for") for each in found.all("label")}
        fields = [each for tag in ("input", "select") for each in found.all(tag) if each.get("type") != "hidden"]
        assert {each["id"] for each in fields} <= labels


def test_who_is_not_signed_in_is_sent_to_sign_in(stranger: httpx.Client, app: App) -> None:
    """F35"""
    everything(app)
    before = rows_of_all_tables(app.database)
    for route in guarded():
        method = "GET" if "GET" in (route.methods or ()) else "POST"
        answer = stranger.request(method, path_of(route), headers={"Cookie": "tallybook-session=guessed"})
        if method == "GET":
            assert answer.status_code == 303, route.path
            assert answer.headers["location"].startswith("/sign-in")
        else:
            assert answer.status_code == 401, route.path
    assert {each.path for each in routes()} - {each.path for each in guarded()} == set(pages.PUBLIC)
    assert rows_of_all_tables(app.database) == before


@pytest.mark.parametrize("scope", [Scope.RUNS_READ, Scope.ADMIN])
def test_a_session_is_good_for_the_scopes_of_its_token_alone(scope: Scope, signed_in: SignedIn, app: App) -> None:
    everything(app)
    visitor = signed_in(scope)
    for route in guarded():
        if route.path == "/sign-out" or route.path.endswith("live"):
            continue
        answer = visitor.post(path_of(route)) if route.methods == {"POST"} else visitor.get(path_of(route))
        allowed = scope in (scope_of(route), Scope.ADMIN)
        assert (answer.status_code != 403) is allowed, (route.path, answer.text)
        if not allowed:
            assert str(scope_of(route)) in seen(answer).text


def test_looking_changes_nothing(admin: Visitor, app: App) -> None:
    """F35"""
    everything(app)
    app.ledger.do(lambda _: None)
    before = rows_of_all_tables(app.database)
    for route in shown():
        admin.get(path_of(route)).raise_for_status()
    admin.get("/usage.csv").raise_for_status()
    app.ledger.do(lambda _: None)
    assert rows_of_all_tables(app.database) == before


# A tenant


def test_a_tenant_sees_its_own_part_alone(signed_in: SignedIn, app: App, books: Ledger) -> None:
    furnished(app, "acme", "other")
    others, both = worked(books, "other"), worked(books, "acme", "other")
    told_of(app, "acme", "other", run_id="261122-120000")
    tenant = signed_in(Scope.RUNS_READ, Scope.RUNS_START, client_id="acme")
    for route in shown():
        answer = tenant.get(path_of(route, run_id=both, other=both, lead_id="lead of acme"))
        expected = 403 if route.path in OF_ALL or scope_of(route) is Scope.ADMIN else 200
        assert answer.status_code == expected, (route.path, answer.text)
        assert "other" not in seen(answer).text.lower().split(), route.path
    for path in (f"/runs/{others}", f"/runs/{others}/live", f"/runs/{both}/diff/{others}"):
        assert tenant.get(path).status_code == 404
    for path in ("/clients/other", "/clients/other/leads", "/usage?client=other", "/runs?client=other"):
        assert tenant.get(path).status_code == 403
    assert others not in tenant.get("/runs").text
    assert "An error of all" not in tenant.get("/runs/261122-120000").text
    assert tenant.post(f"/runs/{both}/cancel").status_code == 403
    assert tenant.post(f"/runs/{others}/cancel").status_code == 404


def test_whoever_has_no_client_record_sees_that_there_is_none(signed_in: SignedIn, app: App) -> None:
    tenant = signed_in(Scope.RUNS_READ, client_id="nobody")
    assert "There is no client yet" in tenant.get("/clients").text
    assert "There is no client yet" in tenant.get("/budgets").text
    assert tenant.get("/clients/nobody").status_code == 404
    assert tenant.get("/").status_code == 200


# What comes from outside


def test_what_comes_from_outside_is_text(admin: Visitor, app: App) -> None:
    client_id = "a\"b'<i>/c"
    app.clients.put_clients([Client(client_id, ODD)])
    app.clients.put_leads(client_id, [])
    run_id = told_of(app, client_id, run_id=RUN)
    app.tracking().update_client_run(run_id, client_id, error=f"{ODD} `code` `", system_notes=ODD)
    looked_at = 0
    for route in shown():
        answer = admin.get(path_of(route, client_id=client_id, other=RUN, lead_id="x"))
        assert "<script>alert" not in answer.text
        assert "<i>" not in answer.text
        assert "49" not in re.findall(r"gnp\.exe\S* (\w+)", answer.text)
        looked_at += ODD.partition("&")[0] in "".join(seen(answer).words)
    assert looked_at >= 4
    assert admin.get("/clients/a%22b%27%3Ci%3E%2Fc").status_code == 200


def test_an_error_is_a_page_that_says_what_is_wrong(admin: Visitor) -> None:
    """F18"""
    for path, status in (
        ("/runs/261123-120000", 404), ("/runs/nonsense", 422), ("/runs?status=odd", 422), ("/runs?cursor=abc", 422),
        ("/runs?stream=99999999999999999", 422), ("/clients/nobody", 404), ("/clients/nobody/leads/x", 404),
        ("/usage?by=moon", 422), ("/inbox?state=odd", 422),
    ):  # fmt: skip
        answer = admin.get(path)
        assert answer.status_code == status, path
        assert len(seen(answer).all("h1")) == 1
        assert answer.headers["content-security-policy"] == POLICY


def test_books_that_are_away_are_said_to_be(admin: Visitor, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    away = Ledger(Database("postgresql://tallybook:PLANTED-password@127.0.0.1:1/books"))
    monkeypatch.setitem(app.__dict__, "ledger", away)
    answer = admin.get("/runs")
    assert answer.status_code == 503
    assert "cannot be read" in seen(answer).text
    assert "PLANTED-password" not in answer.text
    monkeypatch.undo()
    away.close()


# Files


def test_files_are_kept_by_browsers_for_good(stranger: httpx.Client) -> None:
    for each in (STYLE, SCRIPT):
        answer = stranger.get(f"/static/{each.name}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"] == each.media_type
        assert answer.content == each.body
        assert "://" not in answer.text.replace("http://www.w3.org", "")
    assert stranger.get("/static/other.css").status_code == 404


def test_the_driven_run_and_the_reported_one_are_both_shown(admin: Visitor, app: App) -> None:
    everything(app)
    driven, reported = seen(admin.get(f"/runs/{DRIVEN}")), seen(admin.get(f"/runs/{RUN}"))
    assert "It is under way: of 2 clients 2 queued." in driven.text
    assert "Claims" in reported.text
    assert f"/runs/{DRIVEN}/pause" in list(driven.addresses())
    assert f"/runs/{RUN}/pause" not in list(reported.addresses())
    assert f"/clients/{CLIENT}" in list(driven.addresses())
