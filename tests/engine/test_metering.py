"""The gate of paid calls: so many a minute, in all and for each client."""

import asyncio
from bisect import bisect_right

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.house import House
from tallybook.domain.budget import Budgets, Ceiling
from tallybook.domain.errors import ProviderStop
from tallybook.domain.tally import Estimate, Usage
from tallybook.engine.metering import MINUTE_S, ChunkMeter, Pace
from tallybook.engine.permits import Permits, Place
from tallybook.ledger import read
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.meter import CallMeter
from tallybook.ledger.tables import reservations
from tallybook.ledger.write import progress
from tests.stories.acting import LEAD_SCORING, count, planned
from tests.stories.asking import results


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 30)), max_size=60), st.integers(1, 9), st.integers(1, 5))
def test_in_no_minute_are_there_more_calls_than_allowed(
    asks: list[tuple[str, float]], per_minute: int, per_client: int
) -> None:
    clock = Clock()
    pace = Pace(per_minute, per_client, clock)
    given_out: list[tuple[float, str]] = []
    for client_id, later_s in asks:
        clock.now += later_s
        turn_in_s = pace.turn_in_s("google", client_id)
        assert turn_in_s >= 0
        given_out.append((clock.now + turn_in_s, client_id))
    for who, most in ((None, per_minute), *((each, per_client) for each in "abc")):
        instants = sorted(at for at, client_id in given_out if who in (None, client_id))
        for number, at in enumerate(instants):
            assert bisect_right(instants, at + MINUTE_S - 1e-6) - number <= most


def test_another_provider_has_its_own_minute() -> None:
    pace = Pace(1, None, Clock())
    assert [pace.turn_in_s(name, "a") for name in ("google", "apify", "google")] == [0, 0, MINUTE_S]


def test_without_a_limit_nobody_waits() -> None:
    pace = Pace(None, None, Clock())
    assert {pace.turn_in_s("google", "a") for _ in range(1000)} == {0.0}


def test_a_client_limit_holds_up_that_client_and_no_other() -> None:
    pace = Pace(None, 2, Clock())
    assert [pace.turn_in_s("google", each) for each in "aaab"] == [0, 0, MINUTE_S, 0]


def _operation(house: House) -> OperationKey:
    key = OperationKey(*planned(house), LEAD_SCORING)
    house.ledger.do(progress.open_operation, key)
    return key


def test_waiting_for_a_turn_takes_up_no_place(house: House) -> None:
    key = _operation(house)

    class Slow(Pace):
        def turn_in_s(self, provider: str, client_id: str) -> float:
            return 0.05

    async def story() -> list[str]:
        permits, told = Permits(1), list[str]()

        async def asks() -> None:
            async with permits.held("acme") as place:
                meter = ChunkMeter(
                    CallMeter(house.ledger, key, "c", Budgets()), place, Slow(None, None), asyncio.Semaphore(1)
                )
                call_id = await meter.start(provider="google", model="m")
                told.append("asks")
                meter.settle(call_id, result="ok", usage=Usage(1, 0, 1))

        async def other() -> None:
            async with permits.held("bolt"):
                told.append("other")

        await asyncio.gather(asks(), other())
        return told

    assert asyncio.run(story()) == ["other", "asks"]
    house.ledger.do(lambda tx: None)
    assert read.run(house.database, key.run_id).tally.calls == 1


def test_a_call_that_fits_only_when_those_in_flight_are_settled_waits_for_them(house: House) -> None:
    """What is set aside is an estimate: nothing is exhausted before the calls in flight have said what they took."""
    key = _operation(house)
    budgets = Budgets(run=Ceiling(tokens=150))
    estimate = Estimate(1, 80, 20)

    async def story() -> list[str]:
        permits, calls, told = Permits(2), asyncio.Semaphore(2), list[str]()

        async def call(name: str, wait_s: float) -> None:
            async with permits.held("acme") as place:
                meter = ChunkMeter(CallMeter(house.ledger, key, name, budgets), place, Pace(None, None), calls)
                await asyncio.sleep(wait_s)
                call_id = await meter.start(provider="google", model="m", estimate=estimate)
                told.append(f"{name} begins")
                await asyncio.sleep(0.1)
                told.append(f"{name} ends")
                meter.settle(call_id, result="ok", usage=Usage(30, 0, 10))
                meter.note("kind", "something happened")

        await asyncio.gather(call("first", 0), call("second", 0.02))
        return told

    assert asyncio.run(story()) == ["first begins", "first ends", "second begins", "second ends"]
    house.ledger.do(lambda tx: None)
    assert read.run(house.database, key.run_id).tally.total_tokens == 80
    assert [each.kind for each in read.events_of(house.database, key.run_id)].count("kind") == 1


def test_a_call_that_waits_for_a_permit_is_booked_and_never_made_when_it_is_canceled_or_asking_ends(
    house: House,
) -> None:
    """F40: and what was set aside for it is free again."""
    key = _operation(house)
    budgets = Budgets(run=Ceiling(tokens=100))
    stop = ProviderStop("mend the key", reason="auth", blocked_reason="auth")

    async def story() -> None:
        permits, calls = Permits(3), asyncio.Semaphore(1)
        stopped: list[ProviderStop] = []

        def meter(place: Place, name: str) -> ChunkMeter:
            book = CallMeter(house.ledger, key, name, budgets)
            return ChunkMeter(book, place, Pace(None, None), calls, lambda: stopped[0] if stopped else None)

        async def waits(name: str) -> str:
            async with permits.held("acme") as place:
                return await meter(place, name).start(provider="p", model="m", estimate=Estimate(1, 20, 10))

        async with permits.held("acme") as place:
            first = meter(place, "first")
            call_id = await first.start(provider="p", model="m", estimate=Estimate(1, 20, 10))
            canceled, told = asyncio.create_task(waits("canceled")), asyncio.create_task(waits("told"))
            await asyncio.sleep(0.1)
            canceled.cancel()
            stopped.append(stop)
            first.settle(call_id, result="auth", usage=Usage(), refused=True)
            ends = await asyncio.gather(canceled, told, return_exceptions=True)
        assert isinstance(ends[0], asyncio.CancelledError)
        assert ends[1] is stop
        assert not calls.locked()

    asyncio.run(story())
    house.ledger.do(lambda tx: None)
    assert sorted(results(house, key.run_id), key=str) == ["auth", "canceled", "canceled"]
    assert count(house, reservations) == 0


def test_a_permit_comes_back_though_a_plug_forgot_to_settle(house: House) -> None:
    key = _operation(house)

    async def story() -> bool:
        permits, calls = Permits(1), asyncio.Semaphore(1)
        async with permits.held("acme") as place:
            meter = ChunkMeter(CallMeter(house.ledger, key, "c", Budgets()), place, Pace(None, None), calls)
            await meter.start(provider="p", model="m")
            assert calls.locked()
            meter.close()
        return calls.locked()

    assert not asyncio.run(story())
