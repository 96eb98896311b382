"""Places at work: how many, and who is next."""

import asyncio
import random
from collections import Counter

import pytest

from tallybook.engine.permits import Permits, Place


def test_never_more_at_once_than_there_are_places_nor_than_a_client_may_have() -> None:
    async def story() -> tuple[int, dict[str, int]]:
        permits, held = Permits(5, most_each=3), Counter[str]()
        most, most_of = 0, Counter[str]()

        async def chunk(client_id: str) -> None:
            nonlocal most
            async with permits.held(client_id):
                held[client_id] += 1
                most = max(most, held.total())
                most_of[client_id] = max(most_of[client_id], held[client_id])
                await asyncio.sleep(0)
                held[client_id] -= 1

        await asyncio.gather(*(chunk(client_id) for client_id in "aaaaaaaabbbbbbbb"))
        return most, dict(most_of)

    assert asyncio.run(story()) == (5, {"a": 3, "b": 3})


def test_one_chunk_of_a_small_client_waits_for_one_place_and_not_for_a_queue() -> None:
    async def story() -> list[str]:
        permits, served = Permits(2), list[str]()

        async def chunk(client_id: str) -> None:
            async with permits.held(client_id):
                served.append(client_id)
                await asyncio.sleep(0.001)

        big = [asyncio.create_task(chunk("big")) for _ in range(40)]
        await asyncio.sleep(0)
        await chunk("small")
        await asyncio.gather(*big)
        return served

    served = asyncio.run(story())
    assert len(served) == 41
    assert served.index("small") <= 3


def test_clients_that_all_wait_are_served_alike() -> None:
    async def story() -> Counter[str]:
        permits, served = Permits(3), list[str]()

        async def chunk(client_id: str) -> None:
            async with permits.held(client_id):
                served.append(client_id)
                await asyncio.sleep(0)

        chunks = [chunk("a") for _ in range(30)] + [chunk("b") for _ in range(30)] + [chunk("c") for _ in range(30)]
        await asyncio.gather(*chunks)
        return Counter(served[6:30])

    shares = asyncio.run(story())
    assert max(shares.values()) - min(shares.values()) <= 2
    assert shares.keys() == {"a", "b", "c"}


def test_a_place_given_up_for_a_while_is_another_s_meanwhile() -> None:
    async def story() -> list[str]:
        permits, told = Permits(1), list[str]()

        async def waits() -> None:
            async with permits.held("a") as place:
                told.append("a asks")
                place.lend()
                await asyncio.sleep(0.01)
                await place.take()
                told.append("a asks again")

        async def works() -> None:
            async with permits.held("b"):
                told.append("b asks")

        await asyncio.gather(waits(), works())
        return told

    assert asyncio.run(story()) == ["a asks", "b asks", "a asks again"]


@pytest.mark.parametrize("seed", range(20))
def test_whoever_is_canceled_at_whatever_moment_no_place_is_lost(seed: int) -> None:
    async def story() -> int:
        rng, permits = random.Random(seed), Permits(3, most_each=2)

        async def chunk(client_id: str) -> None:
            async with permits.held(client_id) as place:
                await asyncio.sleep(0)
                place.lend()
                await asyncio.sleep(0)
                await place.take()
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(chunk(rng.choice("abc"))) for _ in range(60)]
        for _ in range(60):
            rng.choice(tasks).cancel()
            if rng.random() < 0.7:
                await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)
        places = [Place(permits, client_id) for client_id in "abc"]
        async with asyncio.timeout(1):
            for place in places:
                await place.take()
        return len(places)

    assert asyncio.run(story()) == 3


def test_a_canceled_wait_does_not_keep_the_next_one_out() -> None:
    """The one that was canceled has not left the queue yet when a place comes free and another asks for it."""

    async def story() -> None:
        permits = Permits(1)
        holder = Place(permits, "a")
        await holder.take()
        canceled = asyncio.create_task(Place(permits, "a").take())
        await asyncio.sleep(0)
        canceled.cancel()
        holder.give_up()
        async with asyncio.timeout(1):
            await Place(permits, "a").take()

    asyncio.run(story())


def test_time_in_which_a_client_only_waits_is_told() -> None:
    """It counts for no timeout: the client could do nothing."""
    now = 0.0

    async def story() -> dict[str, float]:
        nonlocal now
        permits = Permits(1, clock=lambda: now)
        async with permits.held("a") as place:
            waits = asyncio.create_task(Place(permits, "b").take())
            await asyncio.sleep(0)
            now += 5
            place.lend()  # b has it now
            await waits
            now += 7
            back = asyncio.create_task(place.take())
            await asyncio.sleep(0)
            told = {each: permits.idle_s(each) for each in "ab"}
            permits.give_back("b")
            await back
            now += 11
            assert {each: permits.idle_s(each) for each in "ab"} == told
        now += 13
        assert {each: permits.idle_s(each) for each in "abc"} == {**told, "c": 0}
        return told

    assert asyncio.run(story()) == {"a": 7, "b": 5}


def test_who_is_canceled_while_its_place_is_lent_waits_for_nothing_any_more() -> None:
    now = 0.0

    async def story() -> float:
        nonlocal now
        permits = Permits(1, clock=lambda: now)

        async def lends() -> None:
            async with permits.held("a") as place:
                place.lend()
                await asyncio.sleep(60)

        task = asyncio.create_task(lends())
        await asyncio.sleep(0)
        now += 5
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        now += 100
        return permits.idle_s("a")

    assert asyncio.run(story()) == 5
