"""Many who spend at once, in threads and processes: no ceiling is passed where estimates keep it, no room is lost."""

import random
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallybook.database import Database
from tallybook.domain.budget import Budgets, Ceiling, Per
from tallybook.domain.errors import ProviderStop
from tallybook.domain.tally import Estimate, Money, Usage
from tallybook.ledger import spending
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.spending import Used
from tallybook.ledger.write.budgets import Go
from tests.ledger import process
from tests.ledger.scenes import LEAD_SCORING, begun, frozen, planned, told, working
from tests.ledger.spending import settled, wanting
from tests.ledger.test_processes import all_at_once

THREADS = 32
ONLY_ONE_DATABASE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12)
numbers = count()


@dataclass(frozen=True)
class Planned:
    """A call that is to be made. *share*: how much of its estimate it uses, in percent; None: nobody will know."""

    tokens: int
    share: int | None

    @property
    def estimate(self) -> Estimate:
        return Estimate(1, self.tokens // 2, self.tokens - self.tokens // 2, Money(self.tokens * 7))

    @property
    def usage(self) -> Usage:
        if self.share is None:
            return Usage()
        used = self.tokens * self.share // 100
        return Usage(used // 2, 0, used - used // 2, Money(used * 7))


CALLS = st.lists(st.builds(Planned, st.integers(1, 90), st.none() | st.integers(0, 100)), min_size=THREADS, max_size=90)
CEILINGS = st.builds(Ceiling, st.none() | st.integers(0, 900), st.none() | st.integers(0, 6300).map(Money))
HOLDING = st.builds(Budgets, CEILINGS, CEILINGS, CEILINGS)


@pytest.fixture
def writers(ledger: Ledger, database_url: str) -> Iterator[list[Ledger]]:
    """Two on the same books, as two processes have."""
    other = Ledger(Database(database_url))
    yield [ledger, other]
    other.close()


@ONLY_ONE_DATABASE
@given(calls=CALLS, holding=HOLDING, seed=st.integers(0, 99))
def test_no_ceiling_is_passed_by_32_threads_where_estimates_are_upper_bounds(
    writers: list[Ledger], calls: list[Planned], holding: Budgets, seed: int
) -> None:
    key = working(writers[0], ["a"], f"client {next(numbers)}")

    def spend(number: int) -> bool:
        """Was the call made?"""
        ledger, call_id = writers[number % 2], uuid.uuid4().hex
        while (found := wanting(ledger, key, call_id, calls[number].estimate, holding)) is Go.LATER:
            within(ledger, key, holding)
        if isinstance(found, ProviderStop):
            return False
        return settled(ledger, call_id, calls[number].usage)

    order = random.Random(seed).sample(range(len(calls)), len(calls))
    with ThreadPoolExecutor(THREADS) as pool:
        made = list(pool.map(spend, order))
    within(writers[0], key, holding)
    run = told(writers[0], key.run_id)
    assert (run.tally.calls, run.unsettled) == (sum(made), 0)


def within(ledger: Ledger, key: OperationKey, holding: Budgets) -> None:
    """What is spent and set aside, at whatever moment, is within every ceiling."""
    for per, ceiling in ((Per.DAY, holding.day), (Per.RUN, holding.run)):
        used = used_of(ledger, key, per)
        total = used.spent + used.set_aside
        assert ceiling.tokens is None or total.tokens <= ceiling.tokens
        assert ceiling.cost is None or total.pico_usd <= ceiling.cost.pico_usd


def used_of(ledger: Ledger, key: OperationKey, per: Per) -> Used:
    now = ledger.clock()
    if per is Per.RUN:
        return ledger.do(lambda tx: spending.of_run(tx.rows, key.run_id, now))
    since = spending.Held(per, Ceiling()).since(now)
    return ledger.do(lambda tx: spending.of_client(tx.rows, key.client_id, since, now))


@pytest.mark.parametrize("per", ["day", "month"])
def test_two_processes_that_spend_for_one_client_use_its_budget_up_and_no_more(
    ledger: Ledger, database_url: str, per: str
) -> None:
    key = working(ledger, ["a"])
    found = all_at_once(process.spend, database_url, [f"{key.run_id}|acme|{per}"] * 2)
    run = told(ledger, key.run_id)
    assert (sum(found), run.tally.calls, run.tally.total_tokens, run.unsettled) == (100, 100, 1000, 0)


def test_two_processes_that_work_on_two_clients_use_their_runs_budget_up_and_no_more(
    ledger: Ledger, database_url: str
) -> None:
    run_id = planned(ledger, "acme", "bolt")
    for client_id in ("acme", "bolt"):
        frozen(ledger, begun(ledger, run_id, client_id), ["a"], LEAD_SCORING)
    found = all_at_once(process.spend, database_url, [f"{run_id}|{each}|run" for each in ("acme", "bolt")])
    run = told(ledger, run_id)
    assert (sum(found), run.tally.calls, run.tally.total_tokens, run.unsettled) == (100, 100, 1000, 0)
