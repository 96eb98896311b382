"""What is made of answers of Apify, odd ones too, by the real client library."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tallybook.domain.errors import NoRoom, ProviderError, ProviderStop
from tallybook.domain.external import Found, Look
from tallybook.domain.outcome import FailReason
from tallybook.domain.tally import Money
from tallybook.harvesters.apify import Actor, ApifyHarvester
from tallybook.testing.apify_server import ApifyServer

ADA = "https://people.test/in/ada"


@pytest.fixture(scope="module")
def run() -> Mapping[str, Any]:
    """A run of a task, as Apify tells of it."""
    with ApifyServer(latency_s=0.01) as apify:
        external_id = apify.start_outside([ADA], task_id="a-task").id
        assert apify.wait_until_idle()
        answer = httpx.get(f"{apify.url}/v2/actor-runs/{external_id}", headers={"authorization": "Bearer any"})
        told: Mapping[str, Any] = answer.json()["data"]
        return told


@contextmanager
def answering(status: int, body: object, headers: Mapping[str, str] | None = None) -> Iterator[ApifyHarvester]:
    """A harvester whose Apify says the same to whatever it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", "content-length": str(len(text))}.items():
                self.send_header(name, value)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield ApifyHarvester("token", f"http://127.0.0.1:{server.server_port}", Actor("someone/posts"), None)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def looked(run: Mapping[str, Any], **more: object) -> Look:
    with answering(200, {"data": {**run, **more}}) as harvester:
        return asyncio.run(harvester.look("x1"))


async def all_found(harvester: ApifyHarvester) -> list[Found]:
    return [each async for each in harvester.found("x1")]


def test_a_look_says_how_a_run_ended_what_it_was_billed_and_which_task_it_runs(run: Mapping[str, Any]) -> None:
    look = looked(run, usageTotalUsd=0.25, statusMessage="done \0well")
    assert (look.over, look.result, look.cost, look.task) == (True, "succeeded", Money.usd("0.25"), "a-task")
    assert look.detail == "done well"


@pytest.mark.parametrize("usd", [None, float("nan"), float("inf"), float("-inf")])
def test_a_bill_that_is_no_number_is_none(run: Mapping[str, Any], usd: float | None) -> None:
    assert looked(run, usageTotalUsd=usd).cost is None


@pytest.mark.parametrize("body", [{"data": {"id": 5}}, {}, [], "well", {"data": {"startedAt": "some day"}}])
def test_an_answer_of_another_kind_is_no_answer(body: object) -> None:
    """F29"""
    with answering(200, body) as harvester:
        for ask in (lambda: harvester.look("x1"), lambda: all_found(harvester)):
            with pytest.raises(ProviderError) as caught:
                asyncio.run(ask())
            assert (caught.value.reason, isinstance(caught.value, ProviderStop)) == (FailReason.UNAVAILABLE, False)


def test_a_dataset_of_another_kind_is_no_answer(run: Mapping[str, Any]) -> None:
    """F29"""
    with answering(200, {"data": run}) as harvester, pytest.raises(ProviderError, match="reading the dataset"):
        asyncio.run(all_found(harvester))


def test_what_was_found_by_a_run_that_is_gone_is_not_nothing() -> None:
    """F29"""
    with answering(404, {"error": {"type": "record-not-found", "message": "gone"}}) as harvester:
        with pytest.raises(ProviderError, match="does not know the run"):
            asyncio.run(harvester.look("x1"))
        with pytest.raises(ProviderError, match="does not know the run"):
            asyncio.run(all_found(harvester))


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (402, "actor-memory-limit-exceeded", NoRoom),
        (402, "not-enough-usage-to-run-paid-actor", ProviderStop),
        (401, "user-or-token-not-found", ProviderStop),
    ],
)
def test_a_refusal_that_ends_by_itself_is_no_reason_to_stop(status: int, kind: str, expected: type[Exception]) -> None:
    with answering(status, {"error": {"type": kind, "message": "no"}}) as harvester:
        with pytest.raises(ProviderError) as caught:
            asyncio.run(harvester.look("x1"))
        assert type(caught.value) is expected
