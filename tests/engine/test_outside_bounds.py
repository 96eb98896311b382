"""Whose posts are harvested, how many, how often; and what follows on a harvest."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from benchmarks.house import House
from tallybook.database import utc_now
from tallybook.domain.client import Client
from tallybook.domain.errors import ProviderError
from tallybook.domain.external import Found
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import FailReason, Kind, LeadId, Outcome, SkipReason, Versions
from tallybook.domain.ports import Candidate
from tallybook.domain.run import Run
from tallybook.engine import worklist
from tallybook.engine.bounds import midnight_before
from tallybook.engine.engine import Engine
from tallybook.ledger import read
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.tables import worklist as worklist_table
from tallybook.ledger.write import progress, starts
from tallybook.scorers.scripted import ScriptedScorer
from tallybook.stores.sql import SqlClients
from tests.engine.by_hand import LIMITS, OVER, ByHand, asked_to_harvest, harvest, harvesting, waiting
from tests.stories.acting import (
    POST_HARVESTING,
    POST_SCORING,
    asked,
    at_work,
    ended,
    furnished,
    kinds,
    started,
    until,
)


@pytest.fixture
def house(sqlite_house: House) -> House:
    furnished(sqlite_house, "acme", leads=3, level=2)
    return sqlite_house


@dataclass
class Later:
    """The time of day, and so much later."""

    by: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.by


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def house_of_days(house: House, later: Later) -> Iterator[House]:
    """The same, when it is *later*."""
    ledger = Ledger(house.database, later)
    clients = SqlClients(house.database, later)
    yield House(ledger, clients)
    clients.close()
    ledger.close()


def number_of(lead_id: LeadId) -> int:
    return int(lead_id.rpartition("-")[2])


def a_run(house: House, harvester: ByHand, engine: Engine) -> Run:
    """One whose external runs all end at once."""
    run_id = started(house, asked_to_harvest(), engine)

    def over() -> bool:
        harvester.looks = dict.fromkeys(harvester.looks, OVER)
        return read.run(house.database, run_id).status.terminal

    until(over, "the end")
    return ended(house, run_id)


@contextmanager
def at_harvest(house: House, harvester: ByHand, **pace: object) -> Iterator[Callable[[], Run]]:
    """Gives what has a run done."""
    with at_work(house, operations=harvesting(harvester, **pace), limits=LIMITS) as engine:
        yield lambda: a_run(house, harvester, engine)


# -- whom, and how many ------------------------------------------------------------------------------------------------


def test_leads_are_looked_at_again_after_so_many_days_and_not_before(house: House) -> None:
    harvester = ByHand()

    def end(_engine: Engine, _run_id: str) -> None:
        for external_id, _ in harvester.started:
            harvester.looks[external_id] = OVER

    assert harvest(house, harvester, end).tally.found == 3
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        again = ended(house, started(house, asked_to_harvest(), engine))
    assert (again.status, again.finish_reason, again.tally.found) == ("completed", "no_work", 0)


def test_a_clients_daily_target_bounds_what_all_runs_of_a_day_take(house: House) -> None:
    house.clients.put_clients([Client("acme", "Acme", service_level=2, daily_target=2, timezone="Europe/Lisbon")])
    harvester = ByHand()

    def end(_engine: Engine, _run_id: str) -> None:
        harvester.looks["x1"] = OVER

    assert harvest(house, harvester, end).tally.found == 2
    with at_work(house, operations=harvesting(harvester), limits=LIMITS) as engine:
        again = ended(house, started(house, asked_to_harvest(), engine))
    (operation,) = again.clients[0].operations
    assert (operation.status, operation.finish_reason, again.tally.found) == ("completed", "daily_target_reached", 0)


def test_with_a_daily_target_each_lead_has_its_turn(house_of_days: House, later: Later) -> None:
    furnished(house_of_days, "acme", leads=5, level=2)
    turns = []
    with at_harvest(house_of_days, ByHand(), daily_target=2, recheck_after=timedelta(days=1)) as run:
        for _ in range(5):
            turns.append(sorted(map(number_of, kinds(house_of_days, run().run_id))))
            later.by += timedelta(days=1, minutes=1)
    assert turns == [[0, 1], [2, 3], [0, 4], [1, 2], [0, 3]]


class Elsewhere(ByHand):
    """The first two leads have other addresses where it looks."""

    async def found(self, external_id: str) -> AsyncIterator[Found]:
        async for each in super().found(external_id):
            moved = number_of(each.profile_url) < 2
            yield replace(each, profile_url=each.profile_url.replace("people", "elsewhere")) if moved else each


def test_leads_that_come_to_nothing_do_not_keep_others_from_their_turn(house_of_days: House, later: Later) -> None:
    """F29"""
    furnished(house_of_days, "acme", leads=4, level=2)
    turns = []
    with at_harvest(house_of_days, Elsewhere(), daily_target=2, recheck_after=timedelta(days=1)) as run:
        for _ in range(4):
            turns.append({number_of(lead): kind for lead, kind in kinds(house_of_days, run().run_id).items()})
            later.by += timedelta(days=1, minutes=1)
    missing, there = "failed(missing_from_answer)", "harvested"
    assert turns == [{0: missing, 1: missing}, {2: there, 3: there}] * 2


def test_a_start_that_was_refused_leaves_the_day_as_it_was(house: House) -> None:
    harvester = ByHand(refuses=ProviderError("slow down", reason=FailReason.QUOTA, refused=True))
    with at_harvest(house, harvester, daily_target=3, recheck_after=timedelta(0)) as run:
        assert run().tally.failed == 3
        harvester.refuses = None
        assert run().tally.harvested == 3
        assert run().tally.found == 0


class Private(ByHand):
    """Of each profile it only says that it may not be looked at."""

    async def found(self, external_id: str) -> AsyncIterator[Found]:
        for url in self.profiles[external_id]:
            yield Found(url, error="this profile is private")


def test_a_profile_that_nobody_can_look_at_is_given_up_after_three_runs(house: House) -> None:
    """F28, F30: it is paid for in each."""
    harvester = Private()
    with at_harvest(house, harvester) as run:
        runs = [run() for _ in range(5)]
    assert [(each.tally.failed, each.tally.skipped) for each in runs] == [(3, 0)] * 3 + [(0, 3), (0, 0)]
    assert set(kinds(house, runs[3].run_id).values()) == {"skipped(gave_up)"}
    assert len(harvester.started) == 3


def test_leads_with_the_same_profile_share_what_is_found(house: House) -> None:
    """F30"""
    house.clients.put_leads("acme", [Lead(f"crm-{n}", "https://people.test/in/same", headline="Judge") for n in "12"])
    with at_harvest(house, ByHand()) as run:
        tally = run().tally
    assert (tally.found, tally.harvested) == (5, 5)
    assert [len(each.lead.posts) for each in house.clients.leads("acme")] == [2] * 5


# -- freezing ----------------------------------------------------------------------------------------------------------


def rank(each: Candidate) -> datetime:
    """The lead with the highest number comes first."""
    return datetime(2026, 1, 31, tzinfo=UTC) - timedelta(days=number_of(each.lead_id))


def opened(house: House, leads: int) -> OperationKey:
    furnished(house, "acme", leads=leads)
    run_id = started(house, asked(queue_behind=True))
    house.ledger.do(starts.plan, run_id, house.clients.of_stream(None, ()))
    key = OperationKey(run_id, "acme", POST_HARVESTING)
    house.ledger.do(progress.open_operation, key)
    return key


def frozen_numbers(house: House) -> Sequence[int]:
    with house.database.reading() as connection:
        return sorted(map(number_of, connection.execute(worklist_table.select()).scalars("lead_id")))


@pytest.mark.parametrize("at_once", [2, 100])
@pytest.mark.parametrize(("limit", "numbers"), [(0, []), (3, [7, 8, 9]), (40, list(range(10)))])
def test_those_of_the_lowest_rank_are_frozen(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch, limit: int, numbers: list[int], at_once: int
) -> None:
    monkeypatch.setattr(worklist, "FREEZE_AT_ONCE", at_once)
    key = opened(sqlite_house, 10)
    worklist.freeze(sqlite_house.ledger, sqlite_house.clients.store("acme"), key, "v1", limit, rank=rank)
    assert frozen_numbers(sqlite_house) == numbers
    assert read.run(sqlite_house.database, key.run_id).clients[0].operations[0].status == "running"


def test_freezing_goes_on_with_those_of_the_lowest_rank_that_are_left(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F14: whoever takes over, and whatever has come meanwhile."""
    monkeypatch.setattr(worklist, "FREEZE_AT_ONCE", 2)
    key = opened(sqlite_house, 8)
    store = sqlite_house.clients.store("acme")

    def freeze(told: Callable[[], bool]) -> Sequence[int]:
        worklist.freeze(sqlite_house.ledger, store, key, "v1", 4, rank=rank, told=told)
        return frozen_numbers(sqlite_house)

    assert freeze(lambda: True) == []
    assert freeze(lambda: bool(frozen_numbers(sqlite_house))) == [4, 5]
    sqlite_house.clients.put_leads("acme", [Lead("person-9", "https://people.test/in/9")])
    assert freeze(lambda: False) == freeze(lambda: False) == [4, 5, 7, 9]


def test_without_a_rank_freezing_goes_on_after_the_last(sqlite_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """F14"""
    monkeypatch.setattr(worklist, "FREEZE_AT_ONCE", 2)
    key = opened(sqlite_house, 5)
    store = sqlite_house.clients.store("acme")

    def freeze(told: Callable[[], bool]) -> Sequence[int]:
        worklist.freeze(sqlite_house.ledger, store, key, "v1", 2, told=told)
        return frozen_numbers(sqlite_house)

    assert freeze(lambda: True) == []
    assert freeze(lambda: False) == [0, 1]
    assert freeze(lambda: False) == [0, 1], "whole is whole"


def test_those_given_up_are_told_so_among_those_of_the_lowest_rank(sqlite_house: House) -> None:
    """F28"""
    key = opened(sqlite_house, 3)
    store = sqlite_house.clients.store("acme")
    last = store.candidates(POST_HARVESTING, None, 3)[-1]
    for _ in range(worklist.MOST_RUNS):
        before = opened(sqlite_house, 3)
        sqlite_house.ledger.do(progress.freeze, before, [last], [], whole=True)
        tried = Outcome.failed(
            last.lead_id, FailReason.UNKNOWN, input_hash=last.input_hash, versions=Versions(rubric="v1")
        )
        sqlite_house.ledger.do(progress.record, before, [tried])
    (part,) = worklist.due(sqlite_house.ledger, store, key[1:], "v1", limit=3, rank=rank)
    assert [number_of(each.lead_id) for each in part.candidates] == [0, 1, 2]
    assert [(each.lead_id, each.kind, each.reason) for each in part.given_up] == [
        (last.lead_id, Kind.SKIPPED, SkipReason.GAVE_UP)
    ]


# -- the day -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "now", "midnight"),
    [
        ("Europe/Berlin", "2026-11-25T12:00", "2026-11-24T23:00"),
        ("Europe/Berlin", "2026-10-25T01:30", "2026-10-24T22:00"),  # 02:30 for the second time
        ("America/Havana", "2026-11-01T05:30", "2026-11-01T04:00"),  # 00:30 for the second time
        ("America/Havana", "2026-11-01T04:30", "2026-11-01T04:00"),
        ("Africa/Cairo", "2026-04-23T23:00", "2026-04-23T22:00"),  # the day began at one o'clock
    ],
)
def test_a_day_begins_when_its_date_does(zone: str, now: str, midnight: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert midnight_before(at, ZoneInfo(zone)).astimezone(UTC).isoformat()[:16] == midnight


# -- what follows ------------------------------------------------------------------------------------------------------


def test_post_scoring_waits_for_the_harvest_and_finds_its_posts(house: House) -> None:
    harvester = ByHand()
    operations = {**house.operations(ScriptedScorer()), **harvesting(harvester)}
    with at_work(house, operations=operations, limits=LIMITS) as engine:
        run_id = started(house, asked(operations=(POST_HARVESTING, POST_SCORING)), engine)
        waiting(house, run_id, harvester)
        assert [each.operation for each in read.run(house.database, run_id).clients[0].operations] == [POST_HARVESTING]
        harvester.looks["x1"] = OVER
        run = ended(house, run_id)
    harvest_run, scoring = run.clients[0].operations
    assert (harvest_run.tally.harvested, scoring.tally.found) == (3, 3)


def test_leads_that_are_gone_when_the_result_comes_are_skipped(house: House) -> None:
    harvester = ByHand()

    def end(_engine: Engine, _run_id: str) -> None:
        first = house.clients.leads("acme")[0].lead
        assert isinstance(first, Lead)
        with house.database.writing() as tx:
            tx.execute("DELETE FROM @posts WHERE lead_id = ?", (first.lead_id,))
            tx.execute("DELETE FROM @leads WHERE lead_id = ?", (first.lead_id,))
        harvester.looks["x1"] = OVER

    run = harvest(house, harvester, end)
    assert sorted(kinds(house, run.run_id).values()) == ["harvested", "harvested", "skipped(lead_gone)"]
