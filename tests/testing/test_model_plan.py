"""Which request meets which fault."""

import random
from collections import Counter
from collections.abc import Mapping

import pytest

from tallybook.testing.lookalike_plan import check_chances
from tallybook.testing.model_asking import AskedItem, Question
from tallybook.testing.model_faults import Fault
from tallybook.testing.model_plan import FaultPlan
from tallybook.testing.model_server import ModelServer
from tests.testing.asking import chat, judged, send

HALF = {Fault.MALFORMED: 0.2, Fault.RATE_LIMIT: 0.3}


def about(*ids: str) -> Question:
    return Question(1, "openai", "gpt-5-mini", tuple(AskedItem(each, {"about": each}) for each in ids))


def plan(chances: Mapping[Fault, float] = {}, seed: int = 0) -> FaultPlan:
    return FaultPlan(chances, seed)


def met(chances: Mapping[Fault, float], seed: int, questions: list[Question]) -> list[Fault]:
    found = plan(chances, seed)
    return [found.fault_for(each) for each in questions]


def test_nothing_goes_wrong_by_itself() -> None:
    assert met({}, 0, [about("a")] * 50) == [Fault.OK] * 50


def test_the_queue_goes_in_order_and_then_is_empty() -> None:
    found = plan()
    found.then(Fault.RESET, Fault.OK)
    found.then(Fault.SLOW)
    assert [found.fault_for(about("a")) for _ in range(4)] == [Fault.RESET, Fault.OK, Fault.SLOW, Fault.OK]


def test_a_rule_goes_before_the_queue_and_uses_up_none_of_it() -> None:
    found = plan()
    found.then(Fault.RESET)
    found.rule(Fault.SAFETY, lambda question: "a" in question.item_ids, times=2)
    asked = [about("b", "a"), about("a"), about("a"), about("a")]
    assert [found.fault_for(each) for each in asked] == [Fault.SAFETY, Fault.SAFETY, Fault.RESET, Fault.OK]


def test_the_first_rule_that_applies_counts_and_one_without_a_number_never_ends() -> None:
    found = plan()
    found.rule(Fault.HTML, lambda question: question.model != "gpt-5-mini", None)
    found.rule(Fault.EMPTY, lambda question: question.provider == "openai", None)
    found.rule(Fault.RESET, lambda _: True, None)
    assert {found.fault_for(about("a")) for _ in range(20)} == {Fault.EMPTY}


def test_chances_come_true_about_as_often_as_they_say() -> None:
    found = Counter(met(HALF, 0, [about(f"i{number}") for number in range(2_000)]))
    assert 330 < found[Fault.MALFORMED] < 470
    assert 520 < found[Fault.RATE_LIMIT] < 680
    assert found.total() - found[Fault.MALFORMED] - found[Fault.RATE_LIMIT] == found[Fault.OK]


def test_which_requests_go_wrong_does_not_depend_on_their_order() -> None:
    questions = [about(f"i{number}", f"j{number}") for number in range(200)]
    shuffled = random.Random(3).sample(questions, len(questions))
    one = dict(zip((each.item_ids for each in questions), met(HALF, 0, questions), strict=True))
    other = dict(zip((each.item_ids for each in shuffled), met(HALF, 0, shuffled), strict=True))
    assert one == other
    assert len(set(one.values())) == 3


def test_another_seed_is_another_fate_and_the_same_seed_the_same() -> None:
    questions = [about(f"i{number}") for number in range(100)]
    assert met(HALF, 1, questions) == met(HALF, 1, questions) != met(HALF, 2, questions)


def test_the_same_items_asked_about_again_have_another_chance_in_whatever_order() -> None:
    found = met(HALF, 0, [about("a", "b"), about("b", "a")] * 100)
    assert len(set(found)) == 3
    assert found == met(HALF, 0, [about("a", "b")] * 200)


def test_a_rule_that_was_met_counts_as_asking() -> None:
    ruled = plan(HALF)
    ruled.rule(Fault.SAFETY, lambda _: True, times=5)
    assert [ruled.fault_for(about("a")) for _ in range(100)][5:] == met(HALF, 0, [about("a")] * 100)[5:]


def test_a_certainty_is_certain() -> None:
    assert set(met({Fault.RESET: 1.0}, 0, [about(f"i{number}") for number in range(500)])) == {Fault.RESET}


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="the share of slow must be from 0 to 1"):
        ModelServer(chances={Fault.SLOW: share})


def test_shares_that_come_to_more_than_everything_are_refused() -> None:
    check_chances({Fault.SLOW: 0.1, Fault.RESET: 0.2, Fault.HTML: 0.7})
    with pytest.raises(ValueError, match=r"come to 1\.1"):
        check_chances({Fault.SLOW: 0.6, Fault.RESET: 0.5})


# -- through the server ------------------------------------------------------------------------------------------------


def test_a_marker_finds_its_request_by_the_text_of_any_item(server: ModelServer) -> None:
    server.marker("poison", Fault.UNAVAILABLE, times=1)
    poisoned = chat([{"id": "a", "about": "fine"}, {"id": "b", "posts": [{"text": "some poison"}]}])
    assert send(server, chat([{"id": "a", "about": "fine"}])).status == 200
    assert send(server, poisoned).status == 503
    assert send(server, poisoned).status == 200


def test_a_rule_sees_the_whole_question(server: ModelServer) -> None:
    seen = []
    server.rule(Fault.OK, lambda question: bool(seen.append(question)))  # type: ignore[func-returns-value]  # it says no
    send(server, chat([{"id": "a", "about": "One"}]))
    send(server, chat([{"id": "b", "about": "Two"}]))
    assert [(each.number, each.provider, each.model, each.item_ids, each.texts) for each in seen] == [
        (1, "openai", "gpt-5-mini", ("a",), ("One",)),
        (2, "openai", "gpt-5-mini", ("b",), ("Two",)),
    ]
    assert [(each.id, each.points, each.negative, each.fixed) for each in seen[0].attributes] == [
        ("A", 40, False, False), ("B", 10, False, True), ("N", 5, True, False),
    ]  # fmt: skip


def test_the_server_takes_chances_and_a_queue() -> None:
    with ModelServer(chances={Fault.MISSING: 1.0}) as server:
        server.then(Fault.OK, Fault.NOT_FOUND)
        body = chat([{"id": "a", "about": "One"}])
        assert len(judged(send(server, body))["items"]) == 1
        assert send(server, body).status == 404
        assert judged(send(server, body)) == {"items": []}
        assert [record.fault for record in server.log] == ["", "not_found", "missing"]
