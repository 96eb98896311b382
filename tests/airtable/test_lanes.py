"""Who may ask when: never too fast, in the order of their coming, nobody woken in vain, and nobody kept for nothing."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.airtable.lanes import BASE, TOKEN, Gait, Lane, LanesInProcess, wait_for_turn
from tallybook.airtable.pacing import SHORTEST_SLEEP_S


@dataclass
class Waiter:
    base: int
    came_at: float
    places: list[float] = field(default_factory=list)
    asked: int = 0
    went_at: float = -1.0


@dataclass(frozen=True)
class Rest:
    base: int
    at: float
    lasts_s: float


INSTANTS = st.floats(0, 30).map(lambda at: round(at, 3))
WAITERS = st.lists(st.builds(Waiter, st.integers(0, 12), INSTANTS), max_size=150)
RESTS = st.lists(st.builds(Rest, st.integers(0, 12), INSTANTS, st.floats(1, 33)), max_size=3)


def played(waiters: Sequence[Waiter], rests: Sequence[Rest], late_s: Sequence[float] = (0.0,)) -> list[Waiter]:
    """In the order in which they went. *late_s*: by how much, in turn, sleepers wake too late."""
    bases = [Lane(BASE) for _ in range(13)]
    token = Lane(TOKEN)
    agenda: list[tuple[float, int, Waiter | Rest]] = []
    comers: list[Waiter | Rest] = [*rests, *waiters]
    for order, comer in enumerate(comers):
        heapq.heappush(agenda, (comer.at if isinstance(comer, Rest) else comer.came_at, order, comer))
    went: list[Waiter] = []
    while agenda:
        now, number, each = heapq.heappop(agenda)
        if isinstance(each, Rest):
            bases[each.base].rest(now, now + each.lasts_s)
            continue
        each.asked += 1
        wait_s = wait_for_turn([bases[each.base], token], each.places, now, 10_000)
        if wait_s:
            wake_at = now + max(wait_s, SHORTEST_SLEEP_S) + late_s[(number + each.asked) % len(late_s)]
            heapq.heappush(agenda, (wake_at, number, each))
        else:
            each.went_at = now
            went.append(each)
    return went


def most_in_a_second(times: Sequence[float]) -> int:
    return max((sum(begin <= at < begin + 1 for at in times) for begin in times), default=0)


@given(WAITERS, RESTS, st.lists(st.floats(0, 2), min_size=1, max_size=5))
def test_no_second_sees_more_than_airtable_allows_even_when_sleepers_wake_late(
    waiters: list[Waiter], rests: list[Rest], late_s: list[float]
) -> None:
    went = played(waiters, rests, late_s)
    assert len(went) == len(waiters)
    assert most_in_a_second([each.went_at for each in went]) <= 50
    for base in range(13):
        assert most_in_a_second([each.went_at for each in went if each.base == base]) <= 5


@given(WAITERS, RESTS)
def test_who_came_first_to_a_base_goes_first_and_none_goes_while_it_rests(
    waiters: list[Waiter], rests: list[Rest]
) -> None:
    went = played(waiters, rests)
    for base in range(13):
        came = [each.came_at for each in went if each.base == base]
        assert came == sorted(came)
    for rest in rests:
        assert not any(
            each.base == rest.base and rest.at < each.went_at < rest.at + rest.lasts_s - 1e-6 for each in went
        )


@given(WAITERS)
def test_nobody_is_woken_more_often_than_something_has_put_them_off(waiters: list[Waiter]) -> None:
    """There is no crowd that wakes to find that only one may go."""
    went = played([each for each in waiters if each.base < 9], [])  # nine bases are less than the token allows
    assert all(each.asked <= 4 for each in went)
    went = played([Waiter(0, 0.0) for _ in range(40)], [Rest(0, 2.0, 30.0)])
    assert all(each.asked <= 3 for each in went)


def test_forty_who_come_at_once_take_nine_seconds_and_a_rest_only_its_own_time() -> None:
    crowd = [Waiter(0, 0.0) for _ in range(40)]
    assert played(crowd, [])[-1].went_at == pytest.approx(39 / 4.5)
    assert played([Waiter(0, 0.0) for _ in range(40)], [Rest(0, 2.0, 30.0)])[-1].went_at == pytest.approx(39 / 4.5 + 30)


def test_a_second_refusal_during_a_rest_lengthens_it_only_by_what_is_more() -> None:
    lane = Lane(BASE)
    lane.rest(10.0, 40.0)
    lane.rest(12.0, 41.0)
    lane.rest(13.0, 20.0)
    assert lane.next_at(14.0) == 41.0


def test_a_busy_base_keeps_no_other_waiting() -> None:
    crowd = [Waiter(0, 0.0) for _ in range(40)]
    other = Waiter(1, 0.1)
    played([*crowd, other], [])
    assert other.went_at == pytest.approx(0.1, abs=0.05)


def test_bases_share_the_token_evenly() -> None:
    went = played([Waiter(base, 0.0) for base in range(13) for _ in range(20)], [])
    last = {base: max(each.went_at for each in went if each.base == base) for base in range(13)}
    assert max(last.values()) - min(last.values()) < 1.0
    assert max(last.values()) == pytest.approx(260 / 45, rel=0.15)


def test_who_has_no_time_takes_no_place() -> None:
    lanes = [Lane(BASE), Lane(TOKEN)]
    lanes[0].rest(0.0, 30.0)
    places: list[float] = []
    assert wait_for_turn(lanes, places, 0.0, 5.0) == 30.0
    assert not places
    assert lanes[0].next_at(0.0) == 30.0


def test_a_clock_that_has_gone_back_keeps_nobody_waiting_for_as_long() -> None:
    lane = Lane(BASE)
    place = lane.take_place(5_000.0)
    lane.go(5_000.0)
    behind = lane.take_place(5_000.0)
    lane.rest(5_000.0, 5_030.0)
    lane.set_clock(1_400.0)
    assert lane.wait_s(place, 1_400.0) == pytest.approx(30)
    assert lane.wait_s(behind, 1_400.0) == pytest.approx(30 + 1 / 4.5)
    lane.set_clock(1_399.5)
    assert lane.passed_at == 1_400.0


def test_the_lanes_of_a_process_are_kept_by_name() -> None:
    lanes = LanesInProcess(lambda: 7.0)
    with lanes.open(["base:a", "token:b"]) as ((base, token), now):
        base.go(now)
        assert token.gait == TOKEN
    with lanes.open(["base:a"]) as ((base,), _):
        assert (base.passed_at, base.gait) == (7.0, BASE)


@pytest.mark.parametrize(("gait", "most"), [(BASE, 5), (TOKEN, 50)])
def test_some_may_be_held_up_on_their_way_and_still_nobody_is_one_too_many(gait: Gait, most: int) -> None:
    held_up_s = most * gait.closest_s - 1
    assert held_up_s == pytest.approx(0.1)
    assert gait.closest_s < gait.every_s
