"""Values as cells, and back."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.airtable.errors import Misconfigured
from tallybook.airtable.resolved import ResolvedTable, WritableField, resolve
from tallybook.airtable.schema import Column, Kind, TableSchema
from tallybook.airtable.seen import OperatorBase, SeenField, SeenTable
from tallybook.airtable.tables import CLIENT_RUN_RESULTS, JOB_TRACKING
from tallybook.airtable.values import CUT_MARK, LONGEST_TEXT, cell_of, clean, cut, row_of, same, value_of
from tallybook.domain.errors import BadInput
from tallybook.domain.run import Status, Trigger
from tallybook.domain.tally import Money

BASE = OperatorBase("appLookAlike00001")
AT = datetime(2026, 11, 23, 1, 30, 0, 123_987, tzinfo=UTC)


def field_of(key: str, kind: str, *options: str) -> WritableField:
    """The column *key* of a run, where it is of type *kind*."""
    name = JOB_TRACKING.by_key[key].name
    seen = SeenTable("tbl1", "Job Tracking", (SeenField("fld1", name, kind, options),))
    return resolve(BASE, [seen]).table(JOB_TRACKING).writable[key]


CELLS = [
    ("stream", "number", 3, 3),
    ("stream", "number", Decimal("3.0"), 3),
    ("success_rate", "percent", 0.875, 0.875),
    ("success_rate", "percent", 1.0, 1),
    ("success_rate", "number", 0.875, 87.5),
    ("estimated_cost_usd", "currency", Money.usd("0.0123"), 0.0123),
    ("estimated_cost_usd", "number", Decimal(2), 2),
    ("duration", "number", timedelta(seconds=90), 1.5),
    ("duration", "duration", timedelta(seconds=90), 90),
    ("started_at", "dateTime", AT, "2026-11-23T01:30:00.123Z"),
    ("started_at", "dateTime", AT.astimezone(timezone(timedelta(hours=9))), "2026-11-23T01:30:00.123Z"),
    ("started_at", "date", AT, "2026-11-23"),
    ("apify_run_id", "singleLineText", "a\r\nb\0", "a b"),
    ("apify_run_id", "multilineText", "a\r\nb", "a\nb"),
    ("apify_run_id", "singleLineText", 17, "17"),
    ("error", "multilineText", "a\rb\x07", "a\nb"),
    ("error", "multilineText", None, None),
]


@pytest.mark.parametrize(("key", "kind", "value", "cell"), CELLS)
def test_a_value_becomes_the_cell_its_field_takes(key: str, kind: str, value: object, cell: object) -> None:
    made = cell_of(field_of(key, kind), value)
    assert made == cell
    assert type(made) is type(cell)


STATUSES = {
    Status.QUEUED: "Running",
    Status.RUNNING: "Running",
    Status.PAUSED: "Running",
    Status.COMPLETED: "Completed",
    Status.COMPLETED_WITH_ERRORS: "Completed_with_errors",
    Status.FAILED: "Failed",
    Status.CANCELED: "Canceled",
    Status.TIMED_OUT: "Timed_out",
}


@pytest.mark.parametrize("status", Status)
def test_statuses_are_spelled_as_the_mirror_shows_them(status: Status) -> None:
    assert cell_of(field_of("status", "singleLineText"), status) == STATUSES[status]
    assert cell_of(field_of("status", "singleSelect", *STATUSES.values()), status) == STATUSES[status]


def test_triggers_are_spelled_as_the_mirror_shows_them() -> None:
    field = field_of("triggered_by", "singleLineText")
    assert [cell_of(field, trigger) for trigger in Trigger] == ["Cron", "Manual", "API"]


def test_an_option_is_spelled_as_the_field_has_it_and_one_it_lacks_is_told_before_it_is_written() -> None:
    field = field_of("status", "singleSelect", "running", "COMPLETED")
    assert cell_of(field, Status.RUNNING) == "running"
    with pytest.raises(Misconfigured, match="Status has no option 'Failed'; add the option"):
        cell_of(field, Status.FAILED)
    with pytest.raises(Misconfigured):
        cell_of(field_of("apify_run_id", "singleSelect", "a"), "b")


def test_one_that_cannot_be_written_keeps_no_other_from_being_written() -> None:
    """F09"""
    fields = (
        SeenField("fld1", "Status", "singleSelect", ("Running",)),
        SeenField("fld2", "Stream", "number"),
        SeenField("fld3", "Duration", "formula"),
    )
    table = resolve(BASE, [SeenTable("tbl1", "Job Tracking", fields)]).table(JOB_TRACKING)
    said: Mapping[str, object] = {
        "status": Status.FAILED,
        "stream": 1,
        "duration": timedelta(minutes=1),
        "job_type": "lead_scoring",
    }
    row = row_of(table, said)
    assert {field.id: cell for field, cell in row.cells.items()} == {"fld2": 1}
    assert list(row.left_out) == ["status", "duration", "job_type"]
    assert row.left_out["job_type"] == "there is no such field"
    with pytest.raises(BadInput, match="'shoe_size' is no column of Job Tracking"):
        row_of(table, {"shoe_size": 1})


WRONG = [
    ("stream", "number", "3"),
    ("stream", "number", True),
    ("stream", "number", float("nan")),
    ("stream", "number", Decimal("Infinity")),
    ("duration", "number", 90),
    ("started_at", "dateTime", "2026-11-23"),
    ("started_at", "dateTime", datetime(2026, 11, 23)),  # noqa: DTZ001  # a time without a zone is what is refused
    ("status", "singleSelect", 5),
    ("error", "multilineText", 1.5),
    ("error", "multilineText", ["a"]),
]


@pytest.mark.parametrize(("key", "kind", "value"), WRONG)
def test_a_value_of_the_wrong_kind_is_a_mistake_of_ours(key: str, kind: str, value: object) -> None:
    with pytest.raises(BadInput):
        cell_of(field_of(key, kind), value)


def test_a_choice_is_text_and_a_flag_is_a_flag() -> None:
    assert cell_of(field_of("job_type", "singleSelect", "Lead_Scoring"), "lead_scoring") == "Lead_Scoring"
    column = Column("flag", "Flag", Kind.FLAG)
    schema = TableSchema("flags", "Flags", (column,))
    table = ResolvedTable(BASE, schema, "tbl1", "Flags", {"flag": SeenField("fld1", "Flag", "checkbox")})
    assert cell_of(table.writable["flag"], True) is True
    with pytest.raises(BadInput, match="takes flag, got a int"):
        cell_of(table.writable["flag"], 1)


def test_links_are_ids() -> None:
    leads_to = SeenTable("tbl1", "Job Tracking", ())
    seen = SeenTable("tbl2", "Client Run Results", (SeenField("fld1", "Job", "multipleRecordLinks", linked_to="tbl1"),))
    link = resolve(BASE, [leads_to, seen]).table(CLIENT_RUN_RESULTS).writable["job"]
    assert cell_of(link, ("rec1",)) == ["rec1"]
    for wrong in ("rec1", 5):
        with pytest.raises(BadInput, match="takes link"):
            cell_of(link, wrong)


@given(st.text())
def test_any_text_can_be_sent_and_cleaning_twice_is_as_once(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert json.loads(json.dumps(cleaned)) == cleaned
    cleaned.encode()
    assert "\n" not in clean(text, line=True)


@given(st.text(st.sampled_from("aß🙂名"), min_size=1), st.integers(-3, 3), st.booleans())
def test_a_long_text_is_cut_to_what_a_cell_holds_with_a_mark(pattern: str, over: int, keep_end: bool) -> None:
    units = len(pattern.encode("utf-16-le")) // 2
    text = pattern * ((LONGEST_TEXT + over) // units + 1)
    made = cut(text, keep_end=keep_end)
    assert len(made.encode("utf-16-le")) // 2 <= LONGEST_TEXT
    assert len(made.encode("utf-16-le")) // 2 > LONGEST_TEXT - 5
    assert CUT_MARK.strip() in made or made == text
    kept = made.removesuffix(CUT_MARK) if not keep_end else made.removeprefix(CUT_MARK.strip() + "\n")
    assert text.endswith(kept) if keep_end else text.startswith(kept)


def test_a_text_that_fits_is_left_as_it_is() -> None:
    for text in ("", "a" * LONGEST_TEXT, "🙂" * (LONGEST_TEXT // 2)):
        assert cut(text) == text
    assert cut("a" * (LONGEST_TEXT + 1)) != "a" * (LONGEST_TEXT + 1)


# -- back --------------------------------------------------------------------------------------------------------------


def read(kind: Kind, airtable_type: str, cell: object) -> object:
    column = replace(JOB_TRACKING.columns[0], kind=kind)
    return value_of(column, SeenField("fld1", "Any", airtable_type), cell)


READ = [
    (Kind.TEXT, "singleLineText", "a", "a"),
    (Kind.TEXT, "number", 17, "17"),
    (Kind.TEXT, "multipleLookupValues", ["a", True, "b"], "a, b"),
    (Kind.TEXT, "multipleLookupValues", [], None),
    (Kind.TEXT, "checkbox", True, None),
    (Kind.LONG_TEXT, "aiText", {"state": "generated"}, None),
    (Kind.CHOICE, "singleSelect", "Paused", "Paused"),
    (Kind.NUMBER, "number", 2.5, 2.5),
    (Kind.NUMBER, "multipleLookupValues", [2], 2),
    (Kind.NUMBER, "formula", {"error": "#ERROR!"}, None),
    (Kind.NUMBER, "formula", {"specialValue": "NaN"}, None),
    (Kind.MONEY, "formula", float("inf"), None),
    (Kind.SHARE, "percent", 0.5, 0.5),
    (Kind.SHARE, "number", 50, 0.5),
    (Kind.SHARE, "formula", "half", None),
    (Kind.MONEY, "currency", 0.0123, Decimal("0.0123")),
    (Kind.MONEY, "currency", "much", None),
    (Kind.MINUTES, "number", 1.5, timedelta(seconds=90)),
    (Kind.MINUTES, "duration", 90, timedelta(seconds=90)),
    (Kind.MINUTES, "number", 1e300, None),
    (Kind.MINUTES, "formula", "?", None),
    (Kind.TIME, "dateTime", "2026-11-23T01:30:00.000Z", datetime(2026, 11, 23, 1, 30, tzinfo=UTC)),
    (Kind.TIME, "date", "2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
    (Kind.TIME, "dateTime", "soon", None),
    (Kind.TIME, "dateTime", 5, None),
    (Kind.LINK, "multipleRecordLinks", ["rec1", "rec2"], ("rec1", "rec2")),
    (Kind.LINK, "multipleRecordLinks", "rec1", None),
    (Kind.FLAG, "checkbox", True, True),
    (Kind.FLAG, "checkbox", None, False),
    (Kind.NUMBER, "number", None, None),
]


@pytest.mark.parametrize(("kind", "airtable_type", "cell", "value"), READ)
def test_a_cell_says_what_it_holds_or_nothing(kind: Kind, airtable_type: str, cell: object, value: object) -> None:
    assert read(kind, airtable_type, cell) == value


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back_to_the_millisecond(at: datetime) -> None:
    field = field_of("started_at", "dateTime")
    again = value_of(field.column, field.seen, cell_of(field, at))
    assert isinstance(again, datetime)
    assert timedelta(0) <= at - again < timedelta(milliseconds=1)


@given(st.fractions(0, 1).map(float), st.sampled_from(["percent", "number"]))
def test_a_share_comes_back(share: float, kind: str) -> None:
    field = field_of("success_rate", kind)
    again = value_of(field.column, field.seen, cell_of(field, share))
    assert again == pytest.approx(share, abs=1e-8)


SAME = [
    (None, None, True),
    ("", None, True),
    (False, None, True),
    ([], None, True),
    (0, None, False),
    (0.1 + 0.2, 0.3, True),
    (1, "1", False),
    ("a\n", "a", True),
    ("a", "b", False),
    (["rec1"], ["rec1"], True),
    (True, True, True),
    (True, None, False),
]


@pytest.mark.parametrize(("ours", "theirs", "is_same"), SAME)
def test_what_stands_there_is_compared_with_what_was_written(ours: object, theirs: object, is_same: bool) -> None:
    assert same(ours, theirs) is is_same  # type: ignore[arg-type]  # cells


def test_every_kind_can_be_written_and_read() -> None:
    column = Column("flag", "Flag", Kind.FLAG)
    for kind in Kind:
        assert value_of(replace(column, kind=kind), SeenField("fld1", "Any", kind.types[0]), None) in (None, False)
