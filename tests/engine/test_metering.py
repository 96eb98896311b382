"""The gate of paid calls: so many a minute, in all and for each client."""

import asyncio
from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.house import House
from tallybook.domain.budget import Budgets, Ceiling
from tallybook.domain.errors import ProviderStop
from tallybook.domain.tally import Estimate, Usage
from tallybook.engine.metering import MINUTE_S, ChunkMeter, RateLimiter, Turn
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


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 30), st.floats(0, 90)), max_size=60),
    st.integers(1, 9),
    st.integers(1, 5),
)
def test_in_no_minute_are_more_calls_let_through_than_allowed(
    asks: list[tuple[str, float, float]], per_minute: int, per_client: int
) -> None:
    """However long it takes from the promise of a turn to the call: for its row, its budget, its permit."""
    clock = Clock()
    limiter = RateLimiter(per_minute, per_client, clock)
    promised: list[tuple[float, str, Turn]] = []
    made: list[tuple[float, str]] = []
    for client_id, later_s, takes_s in asks:
        clock.now += later_s
        for each in sorted((one for one in promised if one[0] <= clock.now), key=lambda one: one[0]):
            promised.remove(each)
            each[2].settle(let_through=True)
            made.append((clock.now, each[1]))
        turn = limiter.turn("google", client_id)
        if isinstance(turn, Turn):
            promised.append((clock.now + takes_s, client_id, turn))
        else:
            assert 0 < turn <= MINUTE_S + 1e-6
    for who, most in ((None, per_minute), *((each, per_client) for each in "abc")):
        instants = sorted(at for at, client_id in made if who in (None, client_id))
        for number, at in enumerate(instants):
            assert bisect_right(instants, at + MINUTE_S - 1e-6) - number <= most


def taken(limiter: RateLimiter, provider: str, client_id: str) -> float:
    """0 for a call that is made; else after how long to ask again."""
    turn = limiter.turn(provider, client_id)
    if isinstance(turn, Turn):
        turn.settle(let_through=True)
        return 0
    return turn


def test_another_provider_has_its_own_minute() -> None:
    limiter = RateLimiter(1, None, Clock())
    assert [taken(limiter, name, "a") for name in ("google", "apify", "google")] == [0, 0, MINUTE_S]


def test_without_a_limit_nobody_waits() -> None:
    limiter = RateLimiter(None, None, Clock())
    assert {taken(limiter, "google", "a") for _ in range(1000)} == {0.0}


def test_a_client_limit_holds_up_that_client_and_no_other() -> None:
    limiter = RateLimiter(4, 2, Clock())
    assert [taken(limiter, "google", each) for each in "aaaaaab"] == [0, 0, *[MINUTE_S] * 4, 0]


def test_a_turn_that_was_not_needed_is_another_s() -> None:
    limiter = RateLimiter(1, None, Clock())
    turn = limiter.turn("google", "a")
    assert isinstance(turn, Turn)
    assert taken(limiter, "google", "b") == MINUTE_S
    turn.settle(let_through=False)
    assert taken(limiter, "google", "b") == 0


def test_a_minute_later_there_is_room_again() -> None:
    clock = Clock()
    limiter = RateLimiter(1, None, clock)
    assert taken(limiter, "google", "a") == 0
    clock.now += MINUTE_S
    assert taken(limiter, "google", "a") == 0


def _operation(house: House) -> OperationKey:
    key = OperationKey(*planned(house), LEAD_SCORING)
    house.ledger.do(progress.open_operation, key)
    return key


def test_waiting_for_a_turn_takes_up_no_place(house: House) -> None:
    key = _operation(house)

    class Slow(RateLimiter):
        asked = 0

        def turn(self, provider: str, client_id: str) -> Turn | float:
            self.asked += 1
            return 0.05 if self.asked == 1 else super().turn(provider, client_id)

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
                meter = ChunkMeter(CallMeter(house.ledger, key, name, budgets), place, RateLimiter(None, None), calls)
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
            return ChunkMeter(book, place, RateLimiter(None, None), calls, lambda: stopped[0] if stopped else None)

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
    assert sorted(results(house, key.run_id), key=str) == ["auth", "not_made", "not_made"]
    assert read.run(house.database, key.run_id).tally.unmeasured == 1
    assert count(house, reservations) == 0


def test_who_waits_for_a_turn_learns_at_once_that_asking_is_over(house: House) -> None:
    key = _operation(house)
    stop = ProviderStop("mend the key", reason="auth", blocked_reason="auth")
    limiter = RateLimiter(1, None)
    assert taken(limiter, "p", "acme") == 0

    async def story() -> None:
        permits, told = Permits(1), list[ProviderStop]()
        async with permits.held("acme") as place:
            book = CallMeter(house.ledger, key, "c", Budgets())
            meter = ChunkMeter(book, place, limiter, asyncio.Semaphore(1), lambda: told[0] if told else None)
            waits = asyncio.create_task(meter.start(provider="p", model="m"))
            await asyncio.sleep(0.05)
            told.append(stop)
            async with asyncio.timeout(2):
                with pytest.raises(ProviderStop):
                    await waits

    asyncio.run(story())
    assert results(house, key.run_id) == []


def test_a_permit_comes_back_though_a_plug_forgot_to_settle(house: House) -> None:
    key = _operation(house)

    async def story() -> bool:
        permits, calls = Permits(1), asyncio.Semaphore(1)
        async with permits.held("acme") as place:
            meter = ChunkMeter(CallMeter(house.ledger, key, "c", Budgets()), place, RateLimiter(None, None), calls)
            call_id = await meter.start(provider="p", model="m")
            assert calls.locked()
            meter.close()
            assert not calls.locked()
            meter.settle(call_id, result="ok", usage=Usage(1, 0, 1))  # and is not given back twice
        return calls.locked()

    assert not asyncio.run(story())
