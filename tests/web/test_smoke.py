"""Every route answers, every error is one that programs can read, and none was forgotten."""

import importlib
import logging
import pkgutil
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import APIRouter

from tallybook import web
from tallybook.app import App
from tallybook.ledger import listing
from tallybook.web import edge
from tallybook.web.guard import routes_of
from tallybook.web.pages.page import PageRoute
from tallybook.web.server import PUBLIC, ROUTERS, make_app
from tests.stories.acting import until
from tests.web.calling import SAMPLES, call, described, path_of, routes
from tests.web.scenes import V1, everything, problem
from tests.web.serving import SECRET


def test_every_router_is_mounted(app: App) -> None:
    """F18"""
    modules = [importlib.import_module(f"{web.__name__}.{each.name}") for each in pkgutil.iter_modules(web.__path__)]
    routers = [each.router for each in modules if isinstance(getattr(each, "router", None), APIRouter)]
    assert {id(each) for each in routers} == {id(each) for each in ROUTERS}
    served = [each for each in routes_of(make_app(app, works=False)) if not isinstance(each, PageRoute)]
    assert {(each.name, each.path) for each in served} == {(each.name, each.path) for each in routes()}
    assert len(served) == len(SAMPLES)


def test_every_route_answers(api: httpx.Client, app: App) -> None:
    """F19"""
    everything(app)
    headers = {"x-webhook-secret": SECRET}
    answers = [(route, call(api, route, headers=headers if route.path in PUBLIC else None)) for route in routes()]
    assert [described(route, answer) for route, answer in answers] == [
        described(route, httpx.Response(SAMPLES[route.name].status)) for route, _ in answers
    ]
    for _, answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_is_not_there_and_what_is_not_done_is_a_problem(api: httpx.Client, app: App) -> None:
    """F18"""
    everything(app)
    for route in routes():
        problem(api.get(f"{path_of(route)}/odd/and/more"), 404)
        answer = api.request("OPTIONS", path_of(route))
        problem(answer, 405)
        there = {method for each in routes() if path_of(each) == path_of(route) for method in each.methods or ()}
        assert there <= set(answer.headers["allow"].split(", "))
    problem(api.get("/nowhere"), 404)
    problem(api.delete(f"{V1}/runs"), 405)


def test_a_body_that_cannot_be_read_is_a_problem(api: httpx.Client) -> None:
    """F18"""
    for body in (b"{", b"\xff\xfe", b'{"a": ' * 2000, b"1e999", b'{"stream": NaN}'):
        problem(api.post(f"{V1}/runs", content=body, headers={"Content-Type": "application/json"}), 422)
    problem(api.post(f"{V1}/runs", content=b"<run/>", headers={"Content-Type": "text/xml"}), 422)
    problem(api.post(f"{V1}/runs", files={"run": b"x"}), 422)


def test_who_hangs_up_in_the_middle_is_no_mistake_of_ours(base_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    place = urlsplit(base_url)
    said = f"POST /smart-resume-client-by-client HTTP/1.1\r\nHost: x\r\nx-webhook-secret: {SECRET}\r\n"
    with socket.create_connection((place.hostname or "", place.port or 0)) as connection:
        connection.sendall(f"{said}Content-Length: 100\r\n\r\n{{".encode())
    until(lambda: "the caller went away" in caplog.text, "a line in the log")
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


def test_too_large_a_body_is_a_problem(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """F18"""
    monkeypatch.setattr(edge, "MOST_BYTES", 1000)

    def in_pieces() -> Iterator[bytes]:
        yield from (b" " * 500 for _ in range(3))

    problem(api.post(f"{V1}/runs", content=b" " * 1001), 413)
    problem(api.post(f"{V1}/runs", content=in_pieces()), 413)


def test_a_mistake_of_ours_is_a_problem_that_says_nothing_of_it(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """F18"""

    def broken(*_: object, **_more: object) -> None:
        raise ZeroDivisionError("what only the log may say")

    monkeypatch.setattr(listing, "page_of_runs", broken)
    with caplog.at_level(logging.ERROR):
        answer = api.get(f"{V1}/runs")
    assert "mistake of ours" in problem(answer, 500)["detail"]
    assert "what only" not in answer.text
    assert "what only the log may say" in caplog.text
