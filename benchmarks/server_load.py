"""Programs that report to a server at the same time, each over a connection of its own: raw HTTP/1.1 on asyncio.

`python -m benchmarks.server_load KIND ADDRESS TOKEN CLIENTS NUMBER`; prints a `Load` as JSON. Kinds: `lifecycles` of
seven requests, the same `keyed`, `bare` requests to the floor, `outcomes` in batches of 100.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import uvloop

from tallybook.domain.runid import timestamp_id

BATCH = 100
REQUESTS = 7
"""Of one lifecycle."""

Request = tuple[str, str, object]
"""Method, path, body."""


@dataclass
class Load:
    """*wall_s*: from the first request to the last answer. *p99_ms*: of single requests. *errors*: must be empty."""

    wall_s: float = 0.0
    requests: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    errors: list[str] = field(default_factory=list)


def run_ids(number: int) -> list[str]:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    return [timestamp_id(first + timedelta(seconds=n)) for n in range(number)]


def lifecycle(run_id: str) -> Iterator[Request]:
    run = f"/api/v1/runs/{run_id}"
    client = f"{run}/clients/acme-law"
    yield "PUT", run, {"job_type": "lead_scoring", "stream": 1, "triggered_by": "cron", "system_notes": "Started"}
    yield "PUT", client, {"client_name": "Acme Law"}
    yield "POST", f"{client}/outcomes", outcomes(run_id, 0, 5)
    call = {"call_id": run_id, "operation": "lead_scoring", "provider": "openai", "model": "small", "result": "ok"}
    yield "POST", f"{client}/calls", {"items": [{**call, "input_tokens": 1000, "output_tokens": 100}]}
    yield "PATCH", client, {"leads_processed": 5, "total_tokens": 1100}
    yield "POST", f"{client}:complete", {"status": "completed"}
    yield "POST", f"{run}:complete", {}


def outcomes(run_id: str, first: int, number: int) -> object:
    leads = [f"people.test/in/person-{run_id}-{first + n}" for n in range(number)]
    items = [{"lead_id": lead, "kind": "scored", "score": 72.5, "assessment": "Decides on purchases"} for lead in leads]
    return {"operation": "lead_scoring", "items": items}


def bare(run_id: str) -> Iterator[Request]:
    for _, path, body in lifecycle(run_id):
        yield "POST", path, body


def batches(run_id: str) -> Iterator[Request]:
    """1,000 outcomes."""
    for first in range(0, 1000, BATCH):
        yield "POST", f"/api/v1/runs/{run_id}/clients/acme-law/outcomes", outcomes(run_id, first, BATCH)


KINDS: dict[str, Callable[[str], Iterator[Request]]] = {
    "lifecycles": lifecycle, "keyed": lifecycle, "bare": bare, "outcomes": batches,
}  # fmt: skip


class Client:
    """One connection. Its requests come one after the other, as those of one program do."""

    def __init__(self, address: str, token: str, *, keyed: bool) -> None:
        self._place = urlsplit(address)
        self._head = (
            f"Host: {self._place.netloc}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        )
        self._keyed = keyed
        self.took_s: list[float] = []
        self.errors: list[str] = []

    async def report(self, run_ids: Iterator[str], requests_of: Callable[[str], Iterator[Request]]) -> None:
        reader, writer = await asyncio.open_connection(self._place.hostname, self._place.port)
        for run_id in run_ids:
            for number, request in enumerate(requests_of(run_id)):
                key = f"Idempotency-Key: {run_id} {number}\r\n" if self._keyed else ""
                began = time.perf_counter()
                writer.write(self._bytes_of(request, key))
                await self._read(reader)
                self.took_s.append(time.perf_counter() - began)
        writer.close()

    def _bytes_of(self, request: Request, key: str) -> bytes:
        method, path, body = request
        content = json.dumps(body).encode()
        return f"{method} {path} HTTP/1.1\r\n{self._head}{key}Content-Length: {len(content)}\r\n\r\n".encode() + content

    async def _read(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        body = await reader.readexactly(int(length))
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
            self.errors.append((head.partition(b"\r\n")[0] + b" " + body[:200]).decode())


async def load(kind: str, address: str, token: str, clients: int, number: int) -> Load:
    crowd = [Client(address, token, keyed=kind == "keyed") for _ in range(clients)]
    left = iter(run_ids(number))
    began = time.perf_counter()
    await asyncio.gather(*(each.report(left, KINDS[kind]) for each in crowd))
    wall_s = time.perf_counter() - began
    took_ms = sorted(took * 1000 for each in crowd for took in each.took_s)
    errors = [error for each in crowd for error in each.errors]
    return Load(wall_s, len(took_ms), took_ms[len(took_ms) // 2], took_ms[len(took_ms) * 99 // 100], errors[:5])


def main(kind: str, address: str, token: str, clients: str, number: str) -> None:
    told = uvloop.run(load(kind, address, token, int(clients), int(number)))
    print(json.dumps(asdict(told)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
