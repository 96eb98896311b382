"""The streams that keep pages true: only what looks different is sent, until there is no more to tell."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tallybook.app import App
from tallybook.domain.access import Scope
from tallybook.domain.run import Stop
from tallybook.ledger.tokens import list_tokens
from tallybook.ledger.write import stops
from tallybook.ledger.write.tokens import revoke_token
from tallybook.web.house import House
from tallybook.web.pages import live, run
from tests.pages.conftest import SignedIn
from tests.pages.visiting import Visitor
from tests.web.calling import DRIVEN
from tests.web.scenes import alerted, everything


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "AT_MOST_EVERY_S", 0.01)
    monkeypatch.setattr(live, "REST", 0)
    monkeypatch.setattr(live, "BEAT_S", 0.01)
    monkeypatch.setattr(live, "LOOK_EVERY_S", 0.05)


@contextmanager
def listening(visitor: Visitor, path: str) -> Iterator[Iterator[tuple[str, Any]]]:
    with visitor.http.stream("GET", path, headers={"Accept": "text/event-stream"}, timeout=20) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _messages(answer.iter_lines())


def _messages(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    kind = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        if name == "data":
            yield kind, json.loads(value)


def _first(stream: Iterator[tuple[str, Any]], count: int) -> dict[str, str]:
    return {data["part"]: data["html"] for _, data in (next(stream) for _ in range(count))}


def test_a_run_is_told_part_by_part_until_it_ends(admin: Visitor, app: App) -> None:
    everything(app)
    with listening(admin, f"/runs/{DRIVEN}/live") as stream:
        parts = _first(stream, len(run.PARTS))
        assert set(parts) == set(run.PARTS)
        page = admin.get(f"/runs/{DRIVEN}").text
        assert parts["clients"] in page, "as the page itself has it"
        app.ledger.do(stops.stop_run, DRIVEN, Stop.CANCEL, "canceled by Ada")
        later = list(stream)
    assert later[-1] == ("end", {})
    assert "Canceled" in {data["part"]: data["html"] for _, data in later[:-1]}["head"]


def test_a_run_that_has_ended_is_told_once(admin: Visitor, app: App) -> None:
    everything(app)
    app.ledger.do(stops.stop_run, DRIVEN, Stop.CANCEL, "canceled by Ada")
    with listening(admin, f"/runs/{DRIVEN}/live") as stream:
        assert [kind for kind, _ in stream] == ["part"] * len(run.PARTS) + ["end"]
    assert "data-live" not in admin.get(f"/runs/{DRIVEN}").text


@pytest.mark.parametrize("path", ["/live", f"/runs/{DRIVEN}/live"])
def test_a_stream_ends_with_its_session(
    path: str, signed_in: SignedIn, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STILL_HERE_S", 0.05)
    everything(app)
    visitor = signed_in(Scope.RUNS_READ)
    with listening(visitor, path) as stream:
        next(stream)
        app.ledger.do(revoke_token, list_tokens(app.database)[0].token_id)
        assert "end" not in [kind for kind, _ in stream]


@pytest.mark.parametrize("path", ["/live", f"/runs/{DRIVEN}/live"])
def test_a_stream_ends_when_the_server_leaves(path: str, admin: Visitor, app: App, web_house: House) -> None:
    everything(app)
    with listening(admin, path) as stream:
        next(stream)
        web_house.leave()
        assert "end" not in [kind for kind, _ in stream]


def test_the_first_page_tells_what_has_changed(admin: Visitor, app: App) -> None:
    everything(app)
    with listening(admin, "/live") as stream:
        assert set(_first(stream, 3)) == {"open", "attention", "ended"}
        alerted(app.ledger, "new", text="The disk is full")
        changed = next(data["html"] for _, data in stream if data["part"] == "attention")
        assert "The disk is full" in changed


def test_who_is_not_signed_in_is_told_nothing(stranger: httpx.Client) -> None:
    assert stranger.get("/live", headers={"Accept": "text/event-stream"}).status_code == 401
