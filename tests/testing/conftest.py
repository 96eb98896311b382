"""The look-alikes of a model and of Airtable, and the real clients that ask them."""

import asyncio
from collections.abc import Iterator

import pytest

from tallybook.testing.airtable_fields import (
    checkbox,
    currency,
    date,
    date_time,
    email,
    link,
    long_text,
    number,
    percent,
    select,
    selects,
    text,
    url,
)
from tallybook.testing.airtable_server import AirtableServer
from tallybook.testing.model_server import ModelServer
from tests.testing.airtables import TOKEN, Clock
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


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def airtable(clock: Clock) -> Iterator[AirtableServer]:
    """With the operator's base: Jobs, and Results that are linked to them."""
    with AirtableServer(token=TOKEN, now=clock) as found:
        base = found.add_base("Operator")
        base.add_table(
            "Jobs",
            [
                text("Run ID"),
                select("Status", "Running", "Completed"),
                selects("Tags", "red", "blue"),
                number("Leads"),
                percent("Rate"),
                currency("Cost"),
                checkbox("Seen"),
                date_time("Start"),
                date("Day"),
                url("Page"),
                email("Mail"),
                long_text("Notes"),
            ],
        )
        base.add_table("Results", [text("Label"), link("Job", "Jobs"), number("Scored")])
        yield found
