"""Serving until told to stop: the socket, the signals, the way out."""

import ipaddress
import secrets
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from tallybook.app import App
from tallybook.domain.access import new_token
from tallybook.domain.errors import BadSetting
from tallybook.ledger.tokens import list_tokens
from tallybook.web.house import Checks, House
from tallybook.web.pages.page import SIGN_IN
from tallybook.web.server import make_app

Begun = Callable[[str, str | None], None]
BACKLOG = 2048
MOST = 1_000
PROXIES = "127.0.0.1"
"""Whose word counts for where a request comes from: a proxy on this machine."""


def serve(app: App, *, works: bool, begun: Begun, checks: Checks | None = None) -> None:
    """Answer until SIGINT or SIGTERM; then take nothing more, hand back what is in flight, and return.

    *begun*: told the address once requests are answered, and where whoever sits at this machine may sign in, once.
    *checks*: what the Doctor page looks at. Raises BadSetting when it cannot listen there, or should not.
    """
    _refuse_open_door(app)
    listener = _listen(app.settings.server.host, app.settings.server.port)
    host, port = listener.getsockname()[:2]
    api = make_app(app, works=works, checks=checks)
    config = uvicorn.Config(
        api,
        http="httptools",
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=PROXIES,
        timeout_graceful_shutdown=app.settings.server.grace_s,
        timeout_keep_alive=75,
    )
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    link = _link(api.state.house, address) if _is_loopback(host) else None
    with listener:
        _Server(config, api.state.house.leave, lambda: begun(address, link)).run(sockets=[listener])


def _link(house: House, address: str) -> str:
    """Whoever reads what this process prints may do everything on this machine anyway."""
    house.once = new_token(secrets.token_bytes)
    return f"{address}{SIGN_IN}?once={house.once.text}"


def _refuse_open_door(app: App) -> None:
    """Whoever listens for the whole network first makes a token: without one only guessing could let anybody in."""
    host = app.settings.server.host
    if not _is_loopback(host) and not any(token.revoked_at is None for token in list_tokens(app.database, limit=MOST)):
        raise BadSetting(
            f"server.host {host} is reached from elsewhere, and there is no token yet: make one with"
            " `tallybook token create`, or listen on 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        raise BadSetting(f"server.host, server.port: cannot listen on {host}:{port}: {error.strerror}") from None
    return listener


class _Server(uvicorn.Server):
    """Tells the house at once when it is to leave, so that no event stream keeps it; and says when it has begun."""

    def __init__(self, config: uvicorn.Config, leave: Callable[[], None], begun: Callable[[], None]) -> None:
        super().__init__(config)
        self._leave = leave
        self._begun = begun

    def handle_exit(self, _sig: int, _frame: FrameType | None) -> None:
        """The first signal ends it in good order, a second one at once. It is not raised again: this was no crash."""
        self._leave()
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._begun()
