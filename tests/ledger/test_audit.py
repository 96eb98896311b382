"""The audit finds nothing in books that were kept by the ledger, and names every figure that was not."""

import pytest

from tallybook.ledger.audit import Difference, audit
from tallybook.ledger.ledger import Ledger
from tests.ledger.scenes import called, client_of, closed, failed, planned, recorded, reported, scored, skipped, working


def forge(ledger: Ledger, statement: str) -> None:
    ledger.do(lambda tx: tx.execute(statement))


@pytest.fixture
def where(ledger: Ledger) -> str:
    """A run that has seen everything, and is in order."""
    reported(ledger, "acme", run_id="261123-110000")
    planned(ledger, "another")
    key = working(ledger, "abc")
    recorded(ledger, key, *scored("a", posts=2), *failed("b"), *skipped("c"))
    called(ledger, key, "c1")
    called(ledger, key, "c2", usage=None)
    closed(ledger, key)
    checked = audit(ledger.database)
    assert (checked.checked, checked.differences) == (1, ())
    return "/".join(key)


@pytest.mark.parametrize(
    ("column", "counted"),
    [
        ("found", 3), ("scored", 1), ("harvested", 0), ("skipped", 1), ("failed", 1), ("posts", 2), ("calls", 2),
        ("unmeasured", 1), ("unpriced", 0), ("input_tokens", 1000), ("cached_tokens", 200), ("output_tokens", 100),
        ("cost_pico_usd", 12_300_000_000),
    ],
)  # fmt: skip
def test_every_figure_of_a_tally_is_recomputed(ledger: Ledger, where: str, column: str, counted: int) -> None:
    forge(ledger, f"UPDATE @operation_runs SET {column} = {column} + 7")
    expected = Difference(where, column, counted + 7, counted)
    assert expected in audit(ledger.database).differences
    assert expected in audit(ledger.database, where.split("/", maxsplit=1)[0]).differences
    assert audit(ledger.database, "261123-110000").differences == ()


def test_rows_that_disappear_are_noticed(ledger: Ledger, where: str) -> None:
    """F09"""
    forge(ledger, "DELETE FROM @calls")
    forge(ledger, "DELETE FROM @outcomes")
    fields = {each.field for each in audit(ledger.database).differences}
    assert {"scored", "failed", "calls", "input_tokens", "cost_pico_usd"} <= fields


@pytest.mark.parametrize("table", ["operation_runs", "client_runs"])
def test_a_parent_that_ended_before_its_child_is_noticed(ledger: Ledger, where: str, table: str) -> None:
    """F01"""
    forge(ledger, f"UPDATE @{table} SET status = 'running'")
    of_parent = where.rpartition("/")[0] if table == "operation_runs" else where.split("/", maxsplit=1)[0]
    for run_id in (None, where.split("/", maxsplit=1)[0]):
        found = audit(ledger.database, run_id).differences
        assert Difference(of_parent, "status", "completed_with_errors", "has a child that is running") in found


def test_more_outcomes_than_leads_are_noticed(ledger: Ledger, where: str) -> None:
    """F15"""
    forge(ledger, "UPDATE @operation_runs SET found = 2")
    for run_id in (None, where.split("/", maxsplit=1)[0]):
        assert Difference(where, "found", 2, "3 outcomes") in audit(ledger.database, run_id).differences


def test_a_run_that_completed_with_outcomes_unsaved_is_noticed(ledger: Ledger) -> None:
    key = working(ledger, ["a"])
    recorded(ledger, key, *scored("a"))
    closed(ledger, key)
    forge(ledger, "UPDATE @outcomes SET saved_at = NULL")
    expected = (Difference("/".join(key), "saved", "completed", "1 outcomes are not saved"),)
    assert audit(ledger.database).differences == expected == audit(ledger.database, key.run_id).differences
    forge(ledger, "UPDATE @outcomes SET late = 1")
    assert audit(ledger.database).differences == ()
    assert client_of(key).client_id == "acme"
