"""HTTP/1.1 on this machine only, as far as a look-alike server needs it: many connections, little work for each."""

import json
import select
import socket
import socketserver
import struct
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl

JSON = "application/json"
HTML = "text/html; charset=utf-8"
LINES = "application/x-ndjson"
HOST = "127.0.0.1"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP response."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def as_json(document: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(status, json.dumps(document).encode(), headers=headers)


def page(status: int) -> Reply:
    """What a proxy says that stands before the provider."""
    return Reply(status, b"<!doctype html>\n<html><head><title>Oops</title></head><body>Oops</body></html>\n", HTML)


def as_lines(records: Iterable[Any]) -> Reply:
    """A line of JSON for each; *records* are dataclasses."""
    return Reply(200, "".join(f"{json.dumps(asdict(each), default=str)}\n" for each in records).encode(), LINES)


class Refused(Exception):
    """A request that is not done: *status*, *kind* and why."""

    def __init__(self, status: int, kind: str, message: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind

    @property
    def reply(self) -> Reply:
        return as_json({"error": {"type": self.kind, "message": str(self)}}, self.status)


class Exchange(BaseHTTPRequestHandler):
    """One request, and the connection to answer it on."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Listener"

    def _begin(self) -> None:
        said = self.said("content-length")
        length = int(said) if said.isdecimal() else 0
        self.body = self.rfile.read(length)
        if len(self.body) < length:
            self.drop()  # it hung up before it had said all
            return
        self.server.serve(self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _begin  # noqa: N815 -- named by what they answer

    @property
    def method(self) -> str:
        return self.command

    @property
    def route(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]

    @property
    def query(self) -> Mapping[str, str]:
        """Of a name that comes twice the last value."""
        return dict(parse_qsl(self.path.partition("?")[2], keep_blank_values=True))

    def said(self, header: str) -> str:
        """Empty when it is not there."""
        return str(self.headers.get(header, ""))

    def wait(self, wait_s: float) -> None:
        """Or until the client hangs up."""
        if wait_s <= 0:
            return
        until = time.monotonic() + wait_s
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        if poll.poll(wait_s * 1_000) and not self.hung_up():
            time.sleep(max(0.0, until - time.monotonic()))  # the next request is there already

    def hung_up(self) -> bool:
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def answer(self, reply: Reply) -> bool:
        """All in one piece: a second one would wait for the client to acknowledge the first. False: it has hung up."""
        lines = [
            f"HTTP/1.1 {reply.status} {responses.get(reply.status, '')}",
            f"Content-Type: {reply.content_type}",
            f"Content-Length: {len(reply.body)}",
            *(f"{name}: {value}" for name, value in reply.headers),
        ]
        try:
            self.connection.sendall("\r\n".join([*lines, "\r\n"]).encode("latin-1") + reply.body)
        except OSError:
            self.drop()
            return False
        return True

    def drop(self) -> None:
        self.close_connection = True

    def reset(self) -> None:
        """Break the connection off, so that the client sees an error and no end."""
        self.drop()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.rfile.close()  # the socket stays open for as long as this is
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the server has a log of its own."""


class Listener(ThreadingHTTPServer):
    """Calls *serve* for each request, in the thread of its connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, serve: Callable[[Exchange], None]) -> None:
        self.serve = serve
        self._open: set[Any] = set()
        self._begun = False
        super().__init__((HOST, port), Exchange)

    def server_bind(self) -> None:
        """Without asking for the name of this machine, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def start(self) -> None:
        self._begun = True
        threading.Thread(target=self.serve_forever, name="look-alike", daemon=True).start()

    def serve_forever(self, poll_interval: float = 0.02) -> None:
        self._begun = True
        super().serve_forever(poll_interval)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close(self) -> None:
        """End listening and every connection. What is being answered is not waited for."""
        if self._begun:  # else there is no loop, and this would wait for its end
            self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with suppress(OSError):  # it has ended by itself
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client may go whenever it likes; all else is told on stderr."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Lookalike(ABC):
    """Serves while the block lasts. Raises OSError when *port* is taken (0: any that is free)."""

    def __init__(self, port: int) -> None:
        self._listener = Listener(port, self._serve)

    @property
    def port(self) -> int:
        return self._listener.server_port

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def close(self) -> None:
        """Ends serving, and every connection with it."""
        self._listener.close()

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @abstractmethod
    def _serve(self, exchange: Exchange) -> None:
        """Answer it."""
