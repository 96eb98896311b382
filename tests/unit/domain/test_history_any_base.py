"""Whatever an older system's base holds, every row of it is accounted for."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.history import Plan, What, plan, to_write
from tallybook.domain.history_report import Report, Written, belonging, report
from tallybook.domain.history_rows import OldRow
from tests.unit.domain.old_rows import ANY_ROWS, NOW


def subsets(of: frozenset[str]) -> st.SearchStrategy[set[str]]:
    return st.sets(st.sampled_from(sorted(of))) if of else st.just(set())


def everything(found: Plan) -> dict[str, Written]:
    return {run.run_id: Written(to_write(run, None)) for run in found.runs}


def reconciles(found: Report, rows: Sequence[OldRow]) -> bool:
    return all(
        each.rows
        == sum(row.table is table for row in rows)
        == each.imported_as_run + each.imported_as_client_run + each.merged + each.refused + each.already_in_the_books
        for table, each in found.counts.items()
    )


@given(ANY_ROWS, st.data())
def test_the_counts_of_any_base_reconcile_to_the_row(rows: list[OldRow], data: st.DataObject) -> None:
    """F03: imported + merged + refused + already in the books = rows read, in each table."""
    found = plan(rows, NOW)
    whole = everything(found)
    some = {run_id: Written(frozenset(data.draw(subsets(each.parts)))) for run_id, each in whole.items()}
    none = dict.fromkeys(whole, Written(frozenset(), ours=True))
    for written in (whole, some, none):
        assert reconciles(report(found, written), rows)
    places = Counter(record for _, records in belonging(found, whole) for record in records)
    places.update(record for line in report(found, whole).of(What.REFUSED) for record in line.records)
    assert places == {row.record: 1 for row in rows}


@given(ANY_ROWS, st.randoms(use_true_random=False))
def test_the_order_in_which_rows_are_read_does_not_matter(rows: list[OldRow], random: Any) -> None:
    shuffled = rows.copy()
    random.shuffle(shuffled)
    assert plan(rows, NOW).runs == plan(shuffled, NOW).runs
    assert set(plan(rows, NOW).refused) == set(plan(shuffled, NOW).refused)


@given(ANY_ROWS)
def test_no_run_goes_on_and_none_ends_before_it_begins(rows: list[OldRow]) -> None:
    for run in plan(rows, NOW).runs:
        for past in run.parts:
            assert past.ending.status.terminal
            assert past.started_at <= past.ended_at
