"""Runs that are mirrored while they go: what Airtable is asked, and that no run waits for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from benchmarks.house import House, furnish
from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.lanes import LanesInProcess
from tallybook.airtable.pacing import Pace
from tallybook.airtable.seen import OperatorBase
from tallybook.domain.run import Status
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.followers import mirror_care
from tallybook.followers.airtable_mirror import NAME, AirtableMirror
from tallybook.followers.mirror_check import Check
from tallybook.followers.mirror_window import Window
from tallybook.ledger.following import FollowerBook
from tallybook.scorers.scripted import ScriptedScorer
from tallybook.testing.airtable_demo import OPERATOR_ID, add_operator
from tallybook.testing.airtable_faults import AirtableFault
from tallybook.testing.airtable_limits import Limits as Allowed
from tallybook.testing.airtable_server import AirtableServer
from tests.stories.acting import books, started

TOKEN = "patStory.0123456789abcdef"


@contextmanager
def mirrored(house: House) -> Iterator[tuple[AirtableServer, AirtableMirror, FollowerBook]]:
    """A base with Airtable's own limits, and the mirror of this house in it."""
    with AirtableServer(token=TOKEN, limits=Allowed()) as server:
        add_operator(server)
        door = AirtableDoor(TOKEN, server.url, Pace(LanesInProcess(time.monotonic), TOKEN))
        mirror = AirtableMirror(door, OperatorBase(OPERATOR_ID), Window(timedelta(days=365), 50_000))
        yield server, mirror, FollowerBook(house.ledger, NAME)


def run_to_the_end(house: House, engine: Engine) -> str:
    run_id = started(house, engine=engine)
    until = time.monotonic() + 60
    while not books(house, run_id).status.terminal:
        assert time.monotonic() < until
        time.sleep(0.1)
    return run_id


def test_a_hundred_clients_with_ten_updates_each_cost_at_most_22_calls(house: House) -> None:
    """The old way cost 3,204. Never more than five requests in a second, and no 429."""
    furnish(house, clients=100, leads=10)
    plugs = house.operations(ScriptedScorer())
    with mirrored(house) as (server, mirror, book):
        mirror_care.set_up(mirror, book)
        server.log.clear()
        with Engine(house.ledger, house.clients, plugs, Limits(chunk_size=1), followers=[mirror]) as engine:
            run_id = run_to_the_end(house, engine)
            assert engine.tell_rest(20.0)
        calls = server.log.all
        assert [call for call in calls if not call.ok] == []
        assert len(calls) <= 22
        assert server.log.most_in_a_second() <= 5
        assert book.tellings(run_id)[1].version > 10
        found = Check(mirror, book).run()
        assert (found.rows, found.differences) == (101, [])


@pytest.mark.parametrize("fault", [AirtableFault.SERVER_ERROR, AirtableFault.MONTHLY_LIMIT, AirtableFault.SLOW])
def test_no_run_waits_for_a_mirror_that_does_not_answer(sqlite_house: House, fault: AirtableFault) -> None:
    house = sqlite_house
    furnish(house, clients=4, leads=10)
    plugs = house.operations(ScriptedScorer())
    with mirrored(house) as (server, mirror, book):
        mirror_care.set_up(mirror, book)
        server.faults.rule(fault, lambda asked: asked.what in ("upsert", "update"))
        with Engine(house.ledger, house.clients, plugs, Limits(), followers=[mirror]) as engine:
            run_id = run_to_the_end(house, engine)
        run = books(house, run_id)
        assert run.status is Status.COMPLETED
        assert run.started_at
        assert run.ended_at
        assert (run.ended_at - run.started_at).total_seconds() < 4  # of SLOW, one answer alone takes five seconds
