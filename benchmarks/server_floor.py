"""The floor of a server: bare uvicorn that keeps every body in SQLite, durably, one after the other, and knows nothing.

`python -m benchmarks.server_floor FILE`; says `Serving on ADDRESS` on stderr.
"""

import socket
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

Message = dict[str, Any]


class Floor:
    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE said (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self._connection.execute("INSERT INTO said (body) VALUES (?)", (body,))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})


def main(path: str) -> None:
    config = uvicorn.Config(Floor(path), http="httptools", loop="uvloop", lifespan="off", log_config=None)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        print(f"Serving on http://127.0.0.1:{listener.getsockname()[1]} (bare)", file=sys.stderr, flush=True)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
