"""Reading a model's answer: every form that models give, and nothing that they did not say."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.lead import Lead
from tallybook.domain.ports import Item, Judgement
from tallybook.domain.rubric import Attribute, Category, Scale, grade
from tallybook.scorers.prompt import Question, question
from tallybook.scorers.reading import Reading, Unreadable, read_answer

ATTRIBUTES = (
    Attribute("wants", "Decides", Category.POSITIVE, 40),
    Attribute("fits", "Fits", Category.POSITIVE, 60, scale=Scale.FIXED),
    Attribute("sells", "Sells the same", Category.NEGATIVE, 30),
)
LEADS = {
    "ada": Lead("ada", headline="Head of “Logistics” – Acme", about="Moves   things.\nHires people."),
    "bob": Lead("bob", headline="Owner of a clinic"),
}
QUESTION: Question = question(ATTRIBUTES, [Item(key, lead) for key, lead in LEADS.items()])
ID = {item.key: short_id for short_id, item in QUESTION.items.items()}


def entry(key: str, wants: object = 20, fits: object = 60, sells: object = 0, quote: str = "") -> dict[str, object]:
    said = {"wants": wants, "fits": fits, "sells": sells}
    attributes = [{"id": name, "points": points, "evidence": quote} for name, points in said.items()]
    return {"id": ID.get(key, key), "attributes": attributes, "assessment": f" On {key}. "}


def read(data: object) -> Reading:
    return read_answer(data if isinstance(data, str) else json.dumps(data), QUESTION, ATTRIBUTES)


def points(judgement: Judgement) -> dict[str, float | None]:
    return {name: verdict.points for name, verdict in judgement.verdicts.items()}


BOTH = [entry("ada"), entry("bob", wants=1)]
GOOD = json.dumps({"items": BOTH})


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"Here you are [as asked], {{really}}:\n\n{GOOD}\n\nAnything else?",
        json.dumps(BOTH),
        json.dumps({"posts": BOTH}),
        json.dumps({"data": {"results": BOTH}}),
        json.dumps({"answer": [{"items": BOTH}]}),
        json.dumps({ID[key]: entry(key, wants=wants) for key, wants in (("ada", 20), ("bob", 1))}),
        json.dumps(
            {
                ID["ada"]: {"wants": 20, "fits": "Yes", "sells": "No"},
                ID["bob"]: {"wants": {"score": 1}, "fits": {"value": True}, "sells": {"points": False}},
            }
        ),
        json.dumps({"items": [{**each, "id": f" {each['id']} "} for each in reversed(BOTH)]}),
    ],
)
def test_whatever_an_answer_is_wrapped_in_it_says_the_same(text: str) -> None:
    found = read(text)
    assert {key: points(each) for key, each in found.judged.items()} == {
        "ada": {"wants": 20, "fits": 60, "sells": 0},
        "bob": {"wants": 1, "fits": 60, "sells": 0},
    }
    assert (found.missing, found.out_of_range, found.remarks) == ({}, {}, [])


@pytest.mark.parametrize(
    ("said", "is_"),
    [
        (12, 12.0), ("12", 12.0), (" 12.5 ", 12.5), ("+3", 3.0), ("Yes", 40.0), ("TRUE", 40.0), (True, 40.0),
        ("no", 0.0), (False, 0.0), (None, None), ("n/a", None), ("", None), ("unscored", None),
    ],
)  # fmt: skip
def test_points_come_in_many_forms(said: object, is_: float | None) -> None:
    assert points(read([entry("ada", wants=said)]).judged["ada"])["wants"] == is_


@pytest.mark.parametrize("said", [-5, "-5", 5, "5"])
def test_a_penalty_counts_whatever_its_sign(said: object) -> None:
    """F27"""
    found = read([entry("ada", sells=said)])
    assert found.out_of_range == {}
    assert grade(ATTRIBUTES, found.judged["ada"].verdicts).breakdown["sells"]["points"] == -5


def test_yes_to_a_penalty_is_all_of_it() -> None:
    assert points(read([entry("ada", sells="yes")]).judged["ada"])["sells"] == -30


@pytest.mark.parametrize("said", ["a lot", "12 of 40", [], {}, 1e30, 10**400, "1e3", "Infinity"])
def test_points_that_cannot_be_read_make_the_entry_as_good_as_missing(said: object) -> None:
    """Left out of the sum they would change the total."""
    found = read([entry("ada", wants=said), entry("bob")])
    assert found.missing == {"ada": "the answer has no usable points for wants"}
    assert found.judged.keys() == {"bob"}


def test_an_attribute_that_is_left_out_makes_the_entry_as_good_as_missing() -> None:
    short = {**entry("ada"), "attributes": [{"id": "fits", "points": 60}, {"id": "sells"}, "nonsense"]}
    found = read([short, {"id": ID["bob"], "attributes": {"wants": 1, "fits": None, "sells": 0, "other": 3}}])
    assert found.missing == {"ada": "the answer has no usable points for sells, wants"}
    assert points(found.judged["bob"]) == {"wants": 1, "fits": None, "sells": 0}


def test_attributes_that_are_no_list_make_the_entry_unreadable() -> None:
    for shape in ({"items": [{"id": ID["ada"], "attributes": "twelve"}]}, {"id": ID["ada"], "attributes": "twelve"}):
        with pytest.raises(Unreadable):
            read(shape)
    assert read({ID["ada"]: "twelve"}).missing.keys() == {"ada", "bob"}


@pytest.mark.parametrize(("wants", "sells", "who"), [(41, 0, "wants"), (-1, 0, "wants"), (0, -31, "sells")])
def test_points_out_of_range_are_told_and_kept_as_said(wants: float, sells: float, who: str) -> None:
    found = read([entry("ada", wants=wants, sells=sells)])
    assert found.out_of_range == {"ada": f"points out of range for {who}"}
    assert points(found.judged["ada"]) == {"wants": wants, "fits": 60, "sells": sells}


def test_an_entry_for_nobody_is_dropped_and_one_too_many_too() -> None:
    """F26: answers are matched by id, never by place."""
    found = read([entry("nobody"), entry("bob", wants=7), entry("bob", wants=9)])
    assert points(found.judged["bob"])["wants"] == 7
    assert found.missing == {"ada": "the answer left it out"}
    assert [kind for kind, _ in found.remarks] == ["answer_unknown_id", "answer_duplicate_id"]


def test_an_empty_list_leaves_everybody_out() -> None:
    assert read({"items": []}).missing.keys() == {"ada", "bob"}


@pytest.mark.parametrize(
    "text",
    [
        "I cannot do that.",
        GOOD[: len(GOOD) // 2],
        '{"score": 8',
        '{"score": 80}',
        '{"items": [1, 2]}',
        '{"items": {"a": "b"}}',
        '[[[[[[{"id": "x", "attributes": []}]]]]]]',
        "12",
        "[" * 5000,
    ],
)
def test_what_is_no_answer_is_refused_whole(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)


@given(st.integers(1, len(GOOD) - 1))
def test_a_cut_answer_is_never_read_as_a_whole_one(length: int) -> None:
    """A cut `"points": 2` of a 20 is not 2."""
    try:
        found = read(GOOD[:length])
    except Unreadable:
        return
    for judgement in found.judged.values():
        assert points(judgement) in ({"wants": 20, "fits": 60, "sells": 0}, {"wants": 1, "fits": 60, "sells": 0})


@pytest.mark.parametrize(
    ("quote", "kept"),
    [
        ("Head of “Logistics” – Acme", True),
        ('head of "logistics" - ACME', True),
        ("Moves things. Hires people", True),
        ("'Hires people.'", True),
        ("", True),
        ("Runs a bakery", False),
        ("Head of Logistics at Acme since 2020", False),
    ],
)
def test_evidence_must_be_in_the_text(quote: str, kept: bool) -> None:
    found = read([entry("ada", quote=quote)])
    judgement = found.judged["ada"]
    assert {verdict.evidence for verdict in judgement.verdicts.values()} == {quote.strip() if kept else ""}
    assert judgement.flagged is not kept
    assert [kind for kind, _ in found.remarks] == ([] if kept else ["evidence_not_found"])


def test_an_assessment_is_text_or_nothing() -> None:
    assert read([entry("ada")]).judged["ada"].assessment == "On ada."
    assert read([{**entry("ada"), "assessment": 7}]).judged["ada"].assessment == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.sampled_from([*ID.values(), "id"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "attributes", "items", "points", "evidence", "wants", *ID.values()]) | st.text(),
            inner,
            max_size=4,
        )
    ),
)


@given(JSON.map(json.dumps) | st.text())
def test_any_answer_is_either_refused_or_accounts_for_everybody(text: str) -> None:
    try:
        found = read(text)
    except Unreadable:
        return
    assert found.judged.keys() | found.missing.keys() == {"ada", "bob"}
    assert not found.judged.keys() & found.missing.keys()
    for judgement in found.judged.values():
        assert judgement.verdicts.keys() == {each.id for each in ATTRIBUTES}
        assert 0 <= grade(ATTRIBUTES, judgement.verdicts).total <= 100


@pytest.mark.parametrize("shape", [list, lambda each: {"items": each}], ids=["bare", "wrapped"])
def test_a_long_answer_is_read_in_no_time_that_grows_with_its_square(shape: Callable[[object], object]) -> None:
    prose = "[{" * 400
    assert read(f"{prose} {json.dumps(shape(BOTH))}").judged.keys() == {"ada", "bob"}
