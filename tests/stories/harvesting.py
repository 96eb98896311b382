"""A server that harvests: our own with an engine in it, a look-alike of Apify that calls it back, and clients."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from benchmarks.house import RUBRIC
from tallybook.app import App
from tallybook.domain.client import Client
from tallybook.domain.lead import Lead, lead_id_of_url
from tallybook.domain.run import OperationName, Run
from tallybook.engine import trigger
from tallybook.ledger import read
from tallybook.ledger.audit import audit
from tallybook.testing.apify_server import ApifyServer
from tests.stories.acting import POST_HARVESTING, asked, until
from tests.web.serving import app_on, made_token, served

PROFILE = "https://www.linkedin.test/in/{}/"
Item = Mapping[str, Any]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def settings_for(apify: ApifyServer, port: int, **more: object) -> Mapping[str, object]:
    told: dict[str, object] = {
        "apify__token": "a-token",
        "apify__actor_id": "someone/posts",
        "apify__api_url": apify.url,
        "server__public_url": f"http://127.0.0.1:{port}",
        "server__grace_s": 0,
        "harvesting__look_every_s": 1,
    }
    return {**told, **more}


@dataclass(frozen=True)
class Street:
    """Both servers, and how to speak to ours as an admin."""

    app: App
    apify: ApifyServer
    api: httpx.Client

    def start(self, *clients: str, operations: Sequence[OperationName] = (POST_HARVESTING,)) -> str:
        return trigger.start(self.app.ledger, self.app.clients, asked(*clients, operations=operations)).run_id

    def run(self, run_id: str) -> Run:
        return read.run(self.app.database, run_id)

    def ended(self, run_id: str) -> Run:
        """A start that was cut short by a kill is waited for nearly a minute."""
        until(lambda: self.run(run_id).status.terminal, f"the end of {run_id}", within_s=150)
        return self.checked(run_id)

    def waiting(self, run_id: str, runs: int = 1) -> None:
        until(lambda: len(self.apify.runs) >= runs, "the start at Apify")
        until(lambda: any(each.blocked_reason for each in self.run(run_id).clients), "the wait")

    def checked(self, run_id: str) -> Run:
        differences = audit(self.app.database).differences
        assert not differences, differences
        return self.run(run_id)

    def posts(self, client_id: str) -> Mapping[str, frozenset[str]]:
        """Lead -> the URLs of the posts that its store holds."""
        leads = self.app.clients.leads(client_id)
        return {each.lead.lead_id: frozenset(post.url for post in each.lead.posts) for each in leads}

    def truth(self, client_id: str) -> Mapping[str, frozenset[str]]:
        """Lead -> the URLs of all that runs at Apify found for it."""
        found: dict[str, set[str]] = {each.lead.lead_id: set() for each in self.app.clients.leads(client_id)}
        for run in self.apify.runs:
            for item in run.items:
                lead_id = lead_id_of_url(item["inputUrl"])
                if lead_id in found:
                    found[lead_id].add(item["url"])
        return {lead_id: frozenset(urls) for lead_id, urls in found.items()}


def cost(run: Run) -> Decimal:
    return run.tally.cost.as_decimal


def furnish(app: App, *client_ids: str, leads: int = 3, level: int = 2) -> None:
    app.clients.put_clients([Client(each, each.title(), service_level=level) for each in client_ids])
    for client_id in client_ids:
        app.clients.put_rubric(client_id, RUBRIC)
        named = [PROFILE.format(f"{client_id}-{number}") for number in range(leads)]
        people = [Lead(lead_id_of_url(url), url, full_name="Ada Example", headline="Engineer") for url in named]
        app.clients.put_leads(client_id, people)


@contextmanager
def street(url: str, apify: ApifyServer, **settings: object) -> Iterator[Street]:
    """Our server with an engine, reachable for *apify*."""
    port = free_port()
    app = app_on(url, **settings_for(apify, port, **settings))
    try:
        with served(app, works=True, port=port) as address:
            headers = {"Authorization": f"Bearer {made_token(app).text}"}
            with httpx.Client(base_url=address, headers=headers, timeout=30) as api:
                yield Street(app, apify, api)
    finally:
        app.close()


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder}/tallybook.db"
