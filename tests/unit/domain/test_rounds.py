"""Rounds: who is asked about with whom."""

import random

import pytest

from tallybook.domain.lead import Lead
from tallybook.domain.rounds import Round, plan


def leads(count: int) -> list[Lead]:
    return [Lead(f"people.test/in/{number:03}", headline="Owner") for number in range(count)]


def planned(count: int = 10, chunk_size: int = 5, rounds: int = 4, seed: int = 0) -> list[Round]:
    return plan(leads(count), chunk_size=chunk_size, rounds=rounds, draw=random.Random(seed))


def keys(each: Round) -> list[str]:
    return [item.key for chunk in each.chunks for item in chunk]


def test_each_lead_is_alone_first_then_among_its_neighbours_then_among_others() -> None:
    alone, in_order, *shuffled = planned(count=12, rounds=7)
    assert [len(chunk) for chunk in alone.chunks] == [1] * 12
    assert [len(chunk) for chunk in in_order.chunks] == [5, 5, 2]
    assert keys(alone) == keys(in_order) == [each.lead_id for each in leads(12)]
    assert [each.size for each in shuffled] == [5, 10, 2, 5, 10]
    assert [each.shuffled for each in (alone, in_order, *shuffled)] == [False, False, True, True, True, True, True]


@pytest.mark.parametrize("chunk_size", [1, 2, 3, 7, 50])
def test_every_round_asks_about_every_lead_once(chunk_size: int) -> None:
    for each in planned(count=7, chunk_size=chunk_size, rounds=6):
        assert sorted(keys(each)) == [lead.lead_id for lead in leads(7)]
        assert all(len(chunk) <= each.size for chunk in each.chunks)
        assert not each.shuffled or each.size > 1, "who is alone has no mates"


def test_the_seed_decides_who_is_asked_about_with_whom() -> None:
    assert planned(seed=3) == planned(seed=3)
    assert planned(seed=3)[2:] != planned(seed=4)[2:]
    assert planned(rounds=2, seed=3) == planned(rounds=2, seed=4)
