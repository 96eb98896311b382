"""The look-alike of a model, and the real clients that ask it."""

import asyncio
from collections.abc import Iterator

import pytest

from tallybook.testing.model_server import ModelServer
from tests.testing.asking import Asker, asker


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """One loop for all: the clients' connections live in it."""
    with asyncio.Runner() as found:
        yield found


@pytest.fixture(scope="session")
def ask(runner: asyncio.Runner) -> Iterator[Asker]:
    """Clients take long to make, so all tests share them, and a server. Each asks about items of its own."""
    with ModelServer(slow_s=0.3, retry_after_s=1.5, thinking_tokens=7) as server:
        yield asker(server, runner)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as found:
        yield found
