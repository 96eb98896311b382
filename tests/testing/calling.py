"""Using the look-alike of Apify: by its real client, and with a server that it calls back."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from apify_client import ApifyClient

from tallybook.testing.apify_agenda import Entry
from tallybook.testing.apify_server import ApifyServer, Run
from tallybook.testing.lookalike_http import Exchange, Listener, as_json

TOKEN = "a-token"
ACTOR = "someone/posts"
ALL_EVENTS = tuple(
    f"ACTOR.RUN.{name}" for name in ("CREATED", "SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "RESURRECTED")
)
ADA, BEA = "https://linkedin.test/in/ada-abara", "https://linkedin.test/in/bea-b%C3%BCrger/"
POSTS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    ADA: [{"url": f"https://p.test/{n}", "text": f"Post {n}", "postedAt": None, "isRepost": False} for n in range(4)],
    BEA: [{"url": "https://p.test/b", "text": "Hello", "postedAt": "2025-03-01T08:00:00.000Z", "isRepost": True}],
}
"""Five in all: so many items can be told from half of them."""


@dataclass(frozen=True)
class Call:
    """One delivery as it came in."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def event(self) -> str:
        return str(self.json["eventType"])

    @property
    def dispatch_id(self) -> str:
        return self.headers["x-apify-webhook-dispatch-id"]


@dataclass
class Receiver:
    """Answers 200, but first what stands in *answers*: a status, or None to hang up."""

    url: str
    calls: list[Call] = field(default_factory=list)
    answers: "deque[int | None]" = field(default_factory=deque)

    @property
    def events(self) -> list[str]:
        return [call.event.removeprefix("ACTOR.RUN.") for call in self.calls]


@contextmanager
def receiving() -> Iterator[Receiver]:
    lock = threading.Lock()

    def serve(exchange: Exchange) -> None:
        headers = {name.lower(): value for name, value in exchange.headers.items()}
        with lock:
            found.calls.append(Call(exchange.path, headers, exchange.body))
            status = found.answers.popleft() if found.answers else 200
        if status is None:
            exchange.reset()
        else:
            exchange.answer(as_json({"status": status}, status))

    listener = Listener(0, serve)
    found = Receiver(f"http://127.0.0.1:{listener.server_port}/hook")
    listener.start()
    yield found
    listener.close()


def client(server: ApifyServer, token: str = TOKEN) -> ApifyClient:
    return ApifyClient(token, api_url=server.url, max_retries=0)


def hook(receiver: Receiver, *events: str, **more: object) -> dict[str, Any]:
    """An ad-hoc webhook as a start brings it."""
    return {"event_types": list(events or ALL_EVENTS), "request_url": receiver.url, **more}


def started(server: ApifyServer, *hooks: Mapping[str, Any], profiles: Sequence[str] = (ADA, BEA)) -> Run:
    told: Any = {"targetUrls": list(profiles), "maxPosts": 10}
    webhooks: Any = hooks or None
    run = client(server).actor(ACTOR).start(run_input=told, webhooks=webhooks)
    return server.run(run.id)


def hurried(server: ApifyServer, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that *server* does not take from now on."""
    waits: list[float] = []
    after = server._agenda.after

    def at_once(wait_s: float, do: Callable[[], None]) -> Entry:
        if wait_s:
            waits.append(wait_s)
        return after(0, do)

    monkeypatch.setattr(server._agenda, "after", at_once)
    return waits
