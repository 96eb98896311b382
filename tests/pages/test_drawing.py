"""Charts and words as pages draw them: pure, so without a server."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tallybook.domain.run import ClientRun, JobType, OperationName, OperationRun, Run, Status, Trigger
from tallybook.domain.tally import Tally
from tallybook.web.pages.charts import MOST_ROWS, columns, shares, timeline
from tallybook.web.pages.drawing import ENVIRONMENT, Frame, number, query, said

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
RUN = Run("260701-100000", JobType.SMART_RESUME, Status.RUNNING, Trigger.CRON, Tally())


def operation(start: int | None, end: int | None, name: OperationName = OperationName.LEAD_SCORING) -> OperationRun:
    began, ended = (None if each is None else NOW + timedelta(seconds=each) for each in (start, end))
    return OperationRun(name, Status.RUNNING, Tally(), started_at=began, ended_at=ended)


def client(*operations: OperationRun, name: str = "Acme") -> ClientRun:
    return ClientRun(name.lower(), name, f"{name}-label", Status.RUNNING, operations=operations)


def test_shares_fill_the_bar_and_name_what_they_are() -> None:
    found = shares(Tally(found=10, scored=5, skipped=2, failed=1))
    assert [(each.kind, each.start, each.size) for each in found] == [
        ("ok", 0, 50), ("skipped", 50, 20), ("failed", 70, 10), ("pending", 80, 20),
    ]  # fmt: skip
    assert found[0].said == "5 ok"
    assert shares(Tally()) == []


def test_a_timeline_puts_every_operation_where_it_ran() -> None:
    run = replace(RUN, clients=(client(operation(0, 50), operation(50, None), operation(None, None)), client()))
    found = timeline(run, NOW + timedelta(seconds=100))
    assert found is not None
    (lane,) = found.lanes
    assert [(each.start, each.size) for each in lane.pieces] == [(0, 50), (50, 50)]
    assert (lane.took, found.left_out) == ("1 min 40 s", 0)
    assert "lead scoring, running, 50 s" in lane.pieces[0].said


def test_a_timeline_of_nothing_is_none_and_a_long_one_is_cut() -> None:
    assert timeline(replace(RUN, clients=(client(operation(None, None)),)), NOW) is None
    many = replace(RUN, clients=tuple(client(operation(0, 0)) for _ in range(MOST_ROWS + 5)))
    found = timeline(many, NOW)
    assert found is not None
    assert (len(found.lanes), found.left_out) == (MOST_ROWS, 5)


def test_columns_stand_side_by_side_and_what_is_unknown_has_no_height() -> None:
    found = columns([("a", 1.0, "all"), ("b", None, "nobody knows"), ("c", 0.0, "none")], 1.0)
    assert [(each.height, each.none) for each in found] == [(100, False), (0, True), (1.5, False)]
    assert columns([], 1.0) == []


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("run `x` now", "run <code>x</code> now"),
        ("<b>`<i>`", "&lt;b&gt;<code>&lt;i&gt;</code>"),
        ("one ` is left", "one ` is left"),
    ],
)
def test_what_stands_between_backticks_is_code(text: str, html: str) -> None:
    assert said(text) == html


def test_times_are_shown_on_the_operators_clocks() -> None:
    frame = Frame("/runs/x", ZoneInfo("Europe/Berlin"), NOW)
    template = ENVIRONMENT.from_string("{{ at | when }} {{ at | ago }} {{ none | when }} {{ none | ago }}")
    text = template.render(frame=frame, at=NOW - timedelta(hours=2))
    assert text.startswith('<time datetime="2026-07-01T10:00:00Z" title="2026-07-01 10:00:00 UTC">2026-07-01 12:00:00<')
    assert text.endswith("</time> 2 h 00 min – –")


def test_a_query_says_what_is_asked_for_alone() -> None:
    assert query(a="", b=None, c="x y&", d=[]) == "?c=x+y%26"
    assert query() == ""
    assert number(None) == "–"
    assert not Frame("/", ZoneInfo("UTC"), NOW).may("admin")
    assert Frame("/", ZoneInfo("UTC"), NOW).places == []
