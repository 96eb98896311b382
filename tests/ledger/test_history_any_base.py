"""Whatever an older system's base holds, the books are in order after it was imported, and twice is as once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings

from tallybook.database import Database
from tallybook.domain.history import What, plan
from tallybook.domain.history_report import Report, report
from tallybook.domain.history_rows import OldRow
from tallybook.ledger.audit import audit
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write.history import import_run
from tests.books import SqliteBooks
from tests.ledger.dumping import dump
from tests.ledger.scenes import Clock
from tests.unit.domain.old_rows import ANY_ROWS, NOW


def imported(books: Ledger, rows: Sequence[OldRow]) -> Report:
    found = plan(rows, NOW)
    return report(found, {run.run_id: books.do(import_run, run, "an old base") for run in found.runs})


def numbers(found: Report) -> list[tuple[int, int, int]]:
    """Of each table: rows, imported in whatever way, and the rest."""
    each = found.counts.values()
    return [(n.rows, n.imported_as_run + n.imported_as_client_run, n.refused + n.already_in_the_books) for n in each]


@settings(max_examples=25)
@given(ANY_ROWS, ANY_ROWS)
def test_any_base_is_imported_once(
    sqlite_books: SqliteBooks, tmp_path_factory: Any, rows: list[OldRow], more: list[OldRow]
) -> None:
    """F03: also where it was imported before when it held less."""
    folder: Path = tmp_path_factory.mktemp("any")
    books = Ledger(Database(sqlite_books.copied_to(folder)), Clock())
    imported(books, rows)
    everything = [*rows, *more]
    imported(books, everything)
    before = dump(books.database)
    again = imported(books, everything)
    assert dump(books.database) == before
    assert [(total, new) for total, new, _ in numbers(again)] == [(total, 0) for total, _, _ in numbers(again)]
    assert [total for total, _, _ in numbers(again)] == [rest for _, _, rest in numbers(again)]
    assert {line.what for line in again.lines} <= {What.REFUSED, What.ALREADY}
    assert audit(books.database).differences == ()
    books.close()
