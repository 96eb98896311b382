"""Lead files full of what no file should hold."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.errors import ImportRefused
from tallybook.domain.lead import Lead
from tallybook.stores.lead_files import read_leads
from tallybook.stores.tabular import BadRow


def only(text: str) -> Lead:
    (lead,) = read_leads(text.encode()).rows
    return lead


def test_control_characters_are_taken_out_and_layout_is_kept_where_it_belongs() -> None:
    row = {
        "url": "x.test/in/a",
        "full_name": "A\x00d\x07a\nQ",
        "about": "one\r\n\ttwo\x00\x1b[31m\ud800",
        "industry": 7.5,
    }
    lead = only(json.dumps([row]))
    assert (lead.full_name, lead.about, lead.industry) == ("Ad a Q", "one\n\ttwo[31m\ufffd", "7.5")


def test_a_cell_of_ten_million_characters_costs_its_row() -> None:
    read = read_leads(b"url,about\nx.test/in/a," + b"y" * 10_000_000 + b"\nx.test/in/b,fine\n")
    assert [lead.lead_id for lead in read.rows] == ["x.test/in/b"]
    assert read.bad == [BadRow(2, "about has 10,000,000 characters; at most 100,000 are taken")]


def test_an_id_that_no_index_could_hold_is_bad() -> None:
    read = read_leads(f"url\nx.test/in/a\nx.test/in/{'ö' * 600}\n".encode())
    assert read.bad == [BadRow(3, "a lead id is longer than 1,000 bytes")]


@pytest.mark.parametrize(
    ("skills", "expected"),
    [
        ("law, tax", ("law", "tax")),
        ("law; tax, and duties", ("law", "tax, and duties")),
        ("law|tax|law", ("law", "tax")),
        ('["law", "tax", ""]', ("law", "tax")),
        (["law", 7], ("law", "7")),
        ("", ()),
        ([], ()),
    ],
)
def test_skills_come_as_lists_or_as_text_with_separators(skills: object, expected: tuple[str, ...]) -> None:
    assert only(json.dumps([{"url": "x.test/in/a", "skills": skills}])).skills == expected


PRINTABLE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=30)


@given(PRINTABLE)
def test_any_printable_text_survives_a_json_file(text: str) -> None:
    lead = only(json.dumps([{"url": "x.test/in/a", "headline": text, "about": text}], ensure_ascii=False))
    assert lead.headline == lead.about == text.strip()


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_never_crashes(data: bytes) -> None:
    for begun in (data, b"url,posts,positions,skills\n" + data, b'[{"url": "' + data, b'{"x.test/a": ' + data):
        try:
            read = read_leads(begun)
        except ImportRefused:
            continue
        assert all(lead.lead_id.isprintable() for lead in read.rows)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("profile_url", "full_name", "headline", "about", "posts", "positions", "skills", "organization_title_1")


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=8), max_size=4))
def test_json_of_any_shape_is_taken_or_refused_and_never_crashes(rows: list[dict[str, object]]) -> None:
    try:
        read = read_leads(json.dumps([{"profile_url": "x.test/in/a"}, *rows]).encode())
    except ImportRefused:
        return
    assert all("\0" not in repr(lead) for lead in read.rows)
