"""The server in the test's own process: the real application on a real socket, in a thread."""

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from tallybook.app import App
from tallybook.domain.access import NewToken, Scope, new_token
from tallybook.domain.client import ClientId
from tallybook.ledger.write.tokens import create_token
from tallybook.settings import load
from tallybook.web.doorkeeper import Doorkeeper
from tallybook.web.house import House
from tallybook.web.server import make_app

SECRET = "the-secret-of-the-webhook"
STARTS_WITHIN_S = 30.0

MakeToken = Callable[..., str]
"""`make_token(Scope.RUNS_READ, …, client_id=None)` gives the text of a new token; without a scope: admin."""


def app_on(url: str, **settings: object) -> App:
    """The app of *url* with the webhook's secret SECRET; *settings*: by key, with `__` for the point."""
    flags = {"database.url": url, "server.webhook_secret": SECRET}
    named = {name.replace("__", "."): value for name, value in settings.items()}
    return App(load({**flags, **named}, environ={}, folder=Path("/nonexistent")))


def made_token(app: App, *scopes: Scope, client_id: ClientId | None = None) -> NewToken:
    made = new_token(secrets.token_bytes)
    app.ledger.do(
        create_token, token_id=made.token_id, hash=made.hash, scopes=scopes or (Scope.ADMIN,), client_id=client_id
    )
    return made


@contextmanager
def served(app: App, *, works: bool = False, port: int = 0) -> Iterator[str]:
    """A server of *app* for as long as this lasts; gives its address. *works*: with an engine."""
    with running(make_app(app, works=works), port=port) as address:
        yield address


@contextmanager
def running(api: FastAPI, *, port: int = 0) -> Iterator[str]:
    server = _Server(uvicorn.Config(api, http="httptools", loop="uvloop", lifespan="on", log_config=None))
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="tests-server", daemon=True)
        thread.start()
        assert server.answers.wait(STARTS_WITHIN_S), "the server did not start; its log says why"
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            api.state.house.leave()
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answers.set()


class Host:
    """One server that answers for one app after the other: starting one takes longer than most tests."""

    def __init__(self, api: FastAPI, address: str) -> None:
        self.api = api
        self.address = address

    def serve(self, app: App) -> House:
        """From here on it answers for *app*, as a server that only keeps books."""
        house = House(app, Doorkeeper(lambda: app.ledger, app.webhook_secrets), ready=True)
        self.api.state.house = house
        return house


@contextmanager
def hosting(app: App) -> Iterator[Host]:
    """*app* is only what it begins with."""
    api = make_app(app, works=False)
    with running(api) as address:
        yield Host(api, address)
