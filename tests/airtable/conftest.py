"""The look-alike of Airtable, and the door to it. Both go by one clock that nobody waits for."""

from collections.abc import Iterator

import pytest

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.lanes import LanesInProcess
from tallybook.airtable.pacing import Pace
from tallybook.airtable.seen import OperatorBase
from tallybook.testing.airtable_owner import OpenBase
from tallybook.testing.airtable_server import AirtableServer
from tests.airtable.premises import TOKEN, Clock, Found, older_tables


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[AirtableServer]:
    with AirtableServer(token=TOKEN, now=clock.today, slow_s=0.2) as found:
        yield found


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(LanesInProcess(clock.now), TOKEN, sleep=clock.sleep, today=clock.today, drawn=lambda: 0.5)


@pytest.fixture
def door(server: AirtableServer, pace: Pace, clock: Clock) -> AirtableDoor:
    return AirtableDoor(TOKEN, server.url, pace, sleep=clock.sleep)


@pytest.fixture
def base(server: AirtableServer) -> OpenBase:
    """An operator's base of older days, as its owner has it open."""
    return server.add_base("Operations", older_tables())


@pytest.fixture
def found(base: OpenBase, door: AirtableDoor) -> Found:
    return Found.of(door, OperatorBase(base.id))
