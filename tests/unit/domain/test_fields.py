"""One table of fields, read in every spelling; what is derived cannot be written."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.errors import BadInput, ComputedField, UnknownField
from tallybook.domain.fields import BY_NAME, FIELDS, LARGEST, Sort, Value, read_field, read_fields, read_value, storable

WRITTEN = [each for each in FIELDS if each.sort is not Sort.COMPUTED]
COUNT, MONEY, TIME, TEXT = (
    BY_NAME[name] for name in ("total_leads", "estimated_cost_usd", "started_at", "apify_run_id")
)


@pytest.mark.parametrize("field", WRITTEN, ids=lambda each: each.name)
def test_a_field_is_read_by_its_name_its_columns_and_in_camel_case(field: object) -> None:
    found = BY_NAME[field.name]  # type: ignore[attr-defined]  # a Field
    head, *rest = found.name.split("_")
    spellings = {found.name, head + "".join(map(str.title, rest)), found.job_column, found.client_column, *found.also}
    assert {read_field(each) for each in spellings if each} == {found}


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("jobType", "job_type"), ("startTime", "started_at"), ("endTime", "ended_at"), ("Start Time", "started_at"),
        ("notes", "system_notes"), ("Notes", "system_notes"), ("Source", "system_notes"),
        ("System Notes", "system_notes"), ("initialData", "system_notes"), ("Error", "error"),
        ("Error Details", "error"), ("itemsProcessed", "items_processed"), ("leadsProcessed", "leads_processed"),
        ("postsProcessed", "posts_processed"), ("tokenUsage", "total_tokens"), ("promptTokens", "prompt_tokens"),
        ("AI Tokens Used", "total_tokens"), ("Token Usage", "total_tokens"), ("apifyRunId", "apify_run_id"),
    ],
)  # fmt: skip
def test_the_spellings_of_older_programs_are_read(spelling: str, name: str) -> None:
    assert read_field(spelling).name == name


def test_no_two_fields_share_a_name_or_a_column_of_one_table() -> None:
    names = [each.name for each in FIELDS]
    for column in ("job_column", "client_column"):
        columns = [getattr(each, column) for each in FIELDS if getattr(each, column)]
        assert len(set(columns)) == len(columns)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["success_rate", "Success Rate", "Lead Success Rate", "duration", "tokensPerLead"])
def test_a_computed_field_cannot_be_written(name: str) -> None:
    """F11"""
    with pytest.raises(ComputedField, match="cannot be written"):
        read_field(name)


@given(st.text())
def test_any_name_is_a_field_or_refused_with_the_known_ones(name: str) -> None:
    """F09"""
    try:
        said = read_field(name).name
    except (UnknownField, ComputedField) as error:
        said = str(error)
    assert said in BY_NAME or "posts_processed" in said or "cannot be written" in said


def test_none_says_nothing() -> None:
    assert read_fields({"posts_processed": None, "profilesScored": 3}) == {BY_NAME["profiles_scored"]: 3}


@given(st.integers(0, LARGEST))
def test_a_count_is_read_from_numbers_and_their_texts(count: int) -> None:
    assert [read_value(COUNT, each) for each in (count, f" {count} ", Decimal(count), f"{count}.0")] == [count] * 4


@pytest.mark.parametrize("value", [-1, 1.5, "many", True, float("nan"), "inf", LARGEST + 1, [], {}, ""])
def test_what_is_no_count_is_refused(value: object) -> None:
    with pytest.raises(BadInput, match="total_leads must be"):
        read_value(COUNT, value)


@pytest.mark.parametrize(("value", "text"), [(1, "1"), ("0.10", "0.10"), (1e-7, "0.0000001"), (Decimal("3"), "3")])
def test_money_is_kept_as_a_decimal_string(value: object, text: str) -> None:
    assert read_value(MONEY, value) == text


def test_negative_money_is_refused() -> None:
    with pytest.raises(BadInput, match="estimated_cost_usd"):
        read_value(MONEY, "-0.01")


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-23T01:30:00Z", "2026-11-23 01:30:00", " 2026-11-23T02:30:00+01:00 ",
        datetime(2026, 11, 23, 1, 30, tzinfo=UTC), datetime(2026, 11, 23, 1, 30),  # noqa: DTZ001 -- read as UTC
        datetime(2026, 11, 23, 3, 30, tzinfo=timezone(timedelta(hours=2))),
    ],
)  # fmt: skip
def test_a_time_is_kept_as_utc_text_of_fixed_width(value: object) -> None:
    assert read_value(TIME, value) == "2026-11-23T01:30:00.000000Z"


@pytest.mark.parametrize("value", ["yesterday", 5, "", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(BadInput, match="must be a time such as"):
        read_value(TIME, value)


@given(st.text() | st.text(st.sampled_from("\0\ud800\udc00aé🦊")))
def test_any_text_becomes_one_that_every_database_keeps(text: str) -> None:
    kept = storable(text)
    assert "\0" not in kept
    assert kept.encode() and storable(kept) == kept if kept else True


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_text_that_can_be_kept_is_kept_as_it_is(text: str) -> None:
    assert read_value(TEXT, text) == text


@given(
    st.sampled_from(WRITTEN), st.none() | st.text() | st.integers() | st.floats() | st.binary() | st.lists(st.none())
)
def test_any_value_is_read_or_refused(field: object, value: object) -> None:
    """F39"""
    found = BY_NAME[field.name]  # type: ignore[attr-defined]  # a Field
    try:
        kept: Value = read_value(found, value)
    except BadInput as error:
        kept = str(error)
    assert isinstance(kept, int) or found.sort is not Sort.COUNT or kept.startswith(found.name)
