"""The report as text and as a page: one content, two ways of writing it."""

from tallybook.domain.figures import LeadFigures
from tallybook.domain.run import OperationName, Status
from tallybook.domain.tally import Money, Tally
from tallybook.report.diff import diff, diff_facts
from tallybook.report.html import html_report
from tallybook.report.text import padded, text_report, text_summary
from tests.unit.report.runs import client, operation, run

WIDE = "田中商事株式会社 🦉 Gebäudereinigung Süd"
SPENT = Tally(
    found=60, scored=57, skipped=1, failed=2, calls=12, input_tokens=5_000, output_tokens=1_000,
    cost_pico_usd=Money.usd("0.0123").pico_usd,
)  # fmt: skip
TROUBLED = run(
    client("acme", operation(SPENT, Status.COMPLETED_WITH_ERRORS, reasons={"safety_block": 2, "no_posts": 1})),
    client(
        "other",
        operation(Tally(), name=OperationName.POST_HARVESTING, finish_reason="no_harvester"),
        status=Status.FAILED,
        client_name=WIDE,
        error="a\nvery " + "long " * 30,
    ),
    status=Status.COMPLETED_WITH_ERRORS,
    requested_by="ann on desk (cli)",
    claims={"posts_processed": 42},
    unsettled=1,
)


def test_no_line_is_wider_than_a_terminal() -> None:
    text = text_report(
        TROUBLED, previous=run(client("acme", operation(Tally(found=2, scored=2)))), leads=LeadFigures(1)
    )
    assert max(map(len, text.splitlines())) <= 80
    assert "✗ 田中商事株式会社 🦉…" in text


def test_columns_stay_in_line_whatever_the_name() -> None:
    assert [padded(text, 6) for text in ("ab", "abcdefgh", "田中商事", "e\u0301")] == [
        "ab    ", "abcde…", "田中… ", "e\u0301     "
    ]  # fmt: skip


def test_both_ways_say_the_same() -> None:
    text, page = " ".join(text_report(TROUBLED).split()), html_report(TROUBLED)
    for part in ("$0.0123", "safety_block (the model refused the content)", "posts_processed", "ann on desk (cli)"):
        assert part in text
        assert part in page
    assert "no harvester is set up" in text
    assert "no harvester is set up" in page
    assert "1 call under way, or lost in a crash and maybe billed" in page


def test_a_run_without_clients_has_no_table() -> None:
    assert "found" not in text_summary(run())
    assert "<table>" not in html_report(run())


def test_nothing_different_is_said() -> None:
    assert "no figure is different" in text_report(run(), previous=run())
    assert "no figure is different" in html_report(run(), previous=run())


def test_a_client_that_came_or_went_is_a_difference() -> None:
    found = diff(run(client("old")), run(client("new", operation(SPENT))))
    assert [each.client_id for each in found.clients] == ["new", "old"]
    facts = diff_facts(found)
    assert facts["totals"] == {
        "found": {"a": 0, "b": 60}, "scored": {"a": 0, "b": 57}, "skipped": {"a": 0, "b": 1},
        "failed": {"a": 0, "b": 2}, "calls": {"a": 0, "b": 12}, "total_tokens": {"a": 0, "b": 6_000},
        "cost_usd": {"a": "0", "b": "0.0123"},
    }  # fmt: skip
