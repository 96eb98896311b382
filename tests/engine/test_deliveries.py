"""Deliveries that were kept and not applied: an engine applies them, sooner or later, as if they had just come."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from benchmarks.house import House
from tallybook.domain.client import Client, ClientId
from tallybook.domain.delivery import Delivery, News, State
from tallybook.domain.errors import NotFound, StoreUnavailable
from tallybook.domain.external import ExternalState
from tallybook.engine import deliveries, watch
from tallybook.ledger.inbox import Received, list_deliveries
from tallybook.ledger.server_tables import external_runs
from tallybook.ledger.write import inbox
from tallybook.ledger.write.starts import RunIdStyle
from tests.engine.by_hand import LIMITS, OVER, ByHand, harvesting
from tests.stories.acting import TroubledClients, at_work, count, furnished, until

NEWS = Delivery("byhand", "d1", "{}", {}, "ACTOR.RUN.SUCCEEDED", News.OVER, "own", bound_to="acme")


@pytest.fixture
def house(sqlite_house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(deliveries, "APPLIED_WITHIN", timedelta(0))
    furnished(sqlite_house, "acme", leads=1, level=2)
    return sqlite_house


class _Away(TroubledClients):
    def get(self, client_id: ClientId) -> Client:
        self.trouble("get")
        return super().get(client_id)


def _trouble(_what: str) -> None:
    raise StoreUnavailable("the client list is away")


def the_delivery(house: House) -> Received:
    (found,) = list_deliveries(house.database)
    return found


def test_what_a_server_kept_and_died_over_is_applied_by_the_next_engine(house: House) -> None:
    """F31"""
    house.ledger.do(inbox.keep, NEWS, RunIdStyle())
    harvester = ByHand(looks={"own": OVER}, profiles={"own": []})
    with at_work(house, operations=harvesting(harvester), limits=LIMITS):
        until(lambda: count(house, external_runs, external_runs.c.state == ExternalState.ENDED), "its result")
    assert (the_delivery(house).state, the_delivery(house).client_id) == (State.APPLIED, "acme")


def test_one_that_cannot_be_applied_says_why_and_is_tried_again(house: House, caplog: pytest.LogCaptureFixture) -> None:
    clients = _Away(house.clients, _trouble)
    house.ledger.do(inbox.keep, NEWS, RunIdStyle())
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            deliveries.apply_left(house.ledger, clients)
    assert (the_delivery(house).state, the_delivery(house).reason) == (State.RECEIVED, "the client list is away")
    assert caplog.text.count("delivery d1 cannot be applied yet: the client list is away") == 1
    deliveries.apply_left(house.ledger, house.clients)
    assert the_delivery(house).state is State.APPLIED


@pytest.mark.parametrize("client_id", [None, "nobody"])
def test_one_that_is_nobodys_becomes_an_orphan(house: House, client_id: ClientId | None) -> None:
    with pytest.raises(NotFound):
        house.clients.get("nobody")
    house.ledger.do(inbox.keep, replace(NEWS, bound_to=client_id), RunIdStyle())
    deliveries.apply_left(house.ledger, house.clients)
    assert the_delivery(house).state is State.ORPHAN


def test_what_came_long_ago_is_forgotten_by_whoever_keeps_house(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "HOUSEKEEPING_EVERY_S", 0.05)
    monkeypatch.setattr(inbox, "KEPT", timedelta(0))
    house.ledger.do(inbox.keep, NEWS, RunIdStyle())
    with at_work(house):
        until(lambda: list_deliveries(house.database) == [], "the end of what is old")
