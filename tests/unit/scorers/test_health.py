"""What is known of a provider: when it may be asked, and when asking on is pointless."""

from tallybook.scorers.health import MOST_GIVEN_UP, UNDER_WAY_S, Health


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def test_a_pause_it_asked_for_holds_for_all_and_passes() -> None:
    clock = Clock()
    health = Health(clock)
    assert health.wait_s == 0
    health.hold(10)
    health.hold(3)
    assert health.wait_s == 10
    clock.now += 10
    assert health.wait_s == 0


def test_questions_given_up_in_a_row_break_it_and_one_answer_mends_it() -> None:
    health = Health(Clock())
    assert [health.give_up() for _ in range(MOST_GIVEN_UP)] == [False] * (MOST_GIVEN_UP - 1) + [True]
    assert health.give_up()
    health.answered()
    assert not health.give_up()


def test_only_the_first_to_find_that_something_must_be_mended_fails_by_it() -> None:
    clock = Clock()
    health = Health(clock)
    assert [health.first_to_mend() for _ in range(3)] == [True, False, False]
    clock.now += UNDER_WAY_S + 1
    assert [health.first_to_mend() for _ in range(2)] == [True, False]
    health.answered()
    assert health.first_to_mend()


def test_no_pause_is_longer_than_a_day_whatever_is_asked_for() -> None:
    health = Health(Clock())
    health.hold(1e13)
    assert health.wait_s == 86_400
