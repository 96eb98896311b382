"""What becomes of rubric files in JSON, TOML and CSV."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.errors import ImportRefused
from tallybook.domain.rubric import Attribute, Category, Rubric, Scale
from tallybook.stores.rubric_files import read_rubric, rubric_of_rows
from tallybook.stores.tabular import BadRow

DATA = Path(__file__).parent / "data"
SENIORITY = Attribute("seniority", "Seniority", Category.POSITIVE, 20.0)


def rubric_of(data: bytes) -> Rubric:
    return rubric_of_rows(read_rubric(data).rows)


def one(**fields: object) -> Attribute:
    """The attribute of a JSON file that says this, and what is needed beside it."""
    told = {"id": "a", "heading": "A", "category": "positive", "max_points": 10, **fields}
    (attribute,) = rubric_of(json.dumps({"attributes": [told]}).encode()).attributes
    return attribute


def complaint(**fields: object) -> str:
    told = {"id": "a", "heading": "A", "category": "positive", "max_points": 10, **fields}
    good = {"id": "good", "heading": "Good", "category": "positive", "max_points": 1}
    (bad,) = read_rubric(json.dumps({"attributes": [good, told]}).encode()).bad
    return bad.reason


def test_json_is_read_and_its_bad_attributes_are_named() -> None:
    read = read_rubric((DATA / "rubric.json").read_bytes())
    assert rubric_of_rows(read.rows) == Rubric(
        attributes=(
            Attribute(
                "seniority",
                "Seniority",
                Category.POSITIVE,
                20.0,
                min_to_qualify=5.0,
                phrases=("partner", "founder"),
            ),
            Attribute("bonus", "Speaks in public", Category.POSITIVE, 5.0, bonus=True),
            Attribute(
                "recruiter",
                "Recruiter",
                Category.NEGATIVE,
                20.0,
                disqualifying=True,
                phrases=("recruiter", "talent", "headhunter"),
            ),
        ),
        post_attributes=(
            Attribute("seniority", "Writes on AI", Category.POSITIVE, 10.0, scale=Scale.FIXED),
            Attribute("off", "Retired", Category.POSITIVE, 1.0, active=False),
        ),
    )
    assert read.bad == [
        BadRow(6, "max_points must be above 0 and at most 1,000,000, got 0"),
        BadRow(7, "the lead attribute 'seniority' was given in line 3 already"),
        BadRow(12, "not a JSON object"),
    ]


def test_toml_is_read_and_its_bad_attributes_are_named() -> None:
    read = read_rubric((DATA / "rubric.toml").read_bytes())
    rubric = rubric_of_rows(read.rows)
    assert rubric.attributes[0].instructions == "Look at the title.\nThen at the history."
    assert rubric.attributes[0].phrases == ("partner", "founder")
    assert rubric.post_attributes == (Attribute("ai", "Writes on AI", Category.POSITIVE, 10.5),)
    assert read.bad == [BadRow(13, "max_points is empty")]


def test_csv_is_read_and_its_bad_attributes_are_named() -> None:
    read = read_rubric((DATA / "rubric.csv").read_bytes())
    rubric = rubric_of_rows(read.rows)
    assert rubric.attributes[0] == Attribute(
        "seniority",
        "Seniority",
        Category.POSITIVE,
        20.0,
        min_to_qualify=5.0,
        instructions="Look at the title.\nThen at the history.",
        phrases=("partner", "founder"),
    )
    assert rubric.attributes[1].points == 20.0
    assert rubric.post_attributes == (Attribute("ai", "Writes on AI", Category.POSITIVE, 10.0, scale=Scale.FIXED),)
    assert read.bad == [
        BadRow(6, "for must be lead or post, got 'both'"),
        BadRow(7, "max_points must be a number, got 'nan'"),
        BadRow(8, "max_points must be a number, got 'many'"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        'attributes = [{id = "seniority", heading = "Seniority", category = "positive", max_points = 20}]',
        '[{"id": "seniority", "heading": "Seniority", "category": "positive", "max_points": 20}]',
        "id;heading;category;max_points\nseniority;Seniority;POSITIVE;20\n",
        "Attribute ID,Heading,Category,Max Points,Penalty\nseniority,Seniority,Positive,20,0\n",
    ],
)
def test_the_same_rubric_may_be_written_in_many_ways(text: str) -> None:
    assert rubric_of(text.encode()) == Rubric((SENIORITY,))


@pytest.mark.parametrize("penalty", [20, -20, "20", "-20", "20.0"])
@pytest.mark.parametrize("column", ["penalty", "max_points"])
def test_the_sign_of_a_penalty_says_nothing(penalty: object, column: str) -> None:
    """F27"""
    fields = {"max_points": None, column: penalty}
    assert one(category="negative", **fields).points == 20.0


@pytest.mark.parametrize("points", [0, -5, "nan", "inf", "1e9", True, "", None, [], "ten"])
def test_points_are_a_number_above_zero(points: object) -> None:
    assert complaint(max_points=points).startswith("max_points")


def test_a_positive_with_a_penalty_only_is_bad() -> None:
    assert complaint(max_points=None, penalty=5) == "max_points is empty"


@pytest.mark.parametrize("text", [True, "true", "YES", "1", 1, 1.0, "x"])
def test_a_flag_is_true_in_many_words(text: object) -> None:
    assert one(disqualifying=text).disqualifying


@pytest.mark.parametrize("text", [False, "false", "No", "0", 0])
def test_a_flag_is_false_in_many_words(text: object) -> None:
    assert not one(active=text).active


@pytest.mark.parametrize("text", ["", None])
def test_a_blank_flag_is_its_default(text: object) -> None:
    assert one(active=text).active
    assert not one(bonus=text).bonus


@pytest.mark.parametrize("text", ["maybe", 2, [], "truee"])
def test_a_flag_that_is_no_flag_is_bad(text: object) -> None:
    assert complaint(bonus=text).startswith("bonus must be true or false")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"id": ""}, "id is empty"),
        ({"id": "a\u200bb"}, "id must be printable text of at most 200 characters, got 'a\\u200bb'"),
        ({"heading": None}, "heading is empty"),
        ({"category": "neutral"}, "category must be positive or negative, got 'neutral'"),
        ({"scale": "sliding"}, "scale must be scale or fixed, got 'sliding'"),
        ({"min_to_qualify": 11}, "min_to_qualify must be from 0 to the most points, 10, got 11"),
        ({"min_to_qualify": "much"}, "min_to_qualify must be a number, got 'much'"),
        ({"phrases": {"a": 1}}, "phrases must be text, got an object"),
    ],
)
def test_what_is_wrong_with_an_attribute_is_said(fields: dict[str, object], reason: str) -> None:
    assert complaint(**fields) == reason


def test_an_inline_toml_list_has_the_line_of_its_start() -> None:
    good = '{id = "a", heading = "A", category = "positive", max_points = 1}'
    text = f'# mine\nattributes = [\n  {good},\n  {{id = "b", heading = "B"}},\n]\n'
    assert read_rubric(text.encode()).bad == [BadRow(2, "category is empty")]


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Ours", "notes": [],\n"attributes": {"a": 1},\n'
        '"post_attributes": [{"id": "a", "heading": "A", "category": "positive", "max_points": 1}]}',
        'name = "Ours"\nattributes = "none"\nnotes = []\n[[post_attributes]]\nid = "a"\nheading = "A"\n'
        'category = "positive"\nmax_points = 1\n',
    ],
)
def test_what_should_be_a_list_and_is_none_is_bad_and_what_means_nothing_is_passed_over(text: str) -> None:
    read = read_rubric(text.encode())
    assert len(read.rows) == 1
    assert [each.line for each in read.bad] == [2]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"id,heading\na,A\n",
        b"{}",
        b'{"attributes": []}',
        b'{"attributes": {"a": 1}}',
        b'{"attributes": [{"id": "a", "heading": "A", "categ',
        b"[[attributes]]\nid = ",
        b"\x89PNG\r\n",
        b"heading: A\n",
    ],
)
def test_a_file_that_is_no_rubric_is_refused_whole(data: bytes) -> None:
    with pytest.raises(ImportRefused) as caught:
        read_rubric(data)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_never_crashes(data: bytes) -> None:
    starts = (b"", b"id,heading,category,max_points,phrases\n", b"[[attributes]]\n", b'{"attributes": [{"id": ')
    for start in starts:
        try:
            read = read_rubric(start + data)
        except ImportRefused:
            continue
        assert all(row.attribute.points > 0 for row in read.rows)
