"""A server that has trouble with some of what it is asked: everything else it hands on to one that is well."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

Answer = tuple[int, dict[str, Any]]


class Faulty:
    """*faults*: text in a request -> what is answered in place of the server's answer. *asked*: how often each was."""

    def __init__(self, target: str) -> None:
        self.http = httpx.Client(base_url=target)
        self.faults: dict[str, Answer] = {}
        self.asked: dict[str, int] = {}
        self.address = ""

    def fault_in(self, text: str) -> Answer | None:
        for each, answer in self.faults.items():
            if each in text:
                self.asked[each] = self.asked.get(each, 0) + 1
                return answer
        return None


def _handler_of(faulty: Faulty) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = faulty.fault_in(f"{self.command} {self.path} {body.decode()}")
            if fault is not None:
                status, said = fault
                self._tell(status, "application/problem+json", json.dumps(said).encode())
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _OF_THE_LINE}
            answered = faulty.http.request(self.command, self.path, content=body, headers=headers)
            self._tell(answered.status_code, answered.headers.get("content-type", ""), answered.content)

        do_GET: Callable[..., None] = answer  # noqa: N815 -- as the library asks
        do_PUT = do_POST = do_PATCH = do_GET  # noqa: N815 -- as the library asks

        def _tell(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_said: object) -> None:
            pass

    return Handler


_OF_THE_LINE = ("host", "connection", "content-length", "accept-encoding")


@contextmanager
def faulty_server(target: str) -> Iterator[Faulty]:
    faulty = Faulty(target)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(faulty)) as server:
        server.daemon_threads = True
        faulty.address = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield faulty
        server.shutdown()
        faulty.http.close()
