"""Tables come and go by migrations, on both databases; a database of another version is refused with the cure."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from tallybook import migrations
from tallybook.database import Database
from tallybook.domain.errors import LedgerUnavailable, SchemaMismatch
from tallybook.ledger import server_tables  # noqa: F401  # declares its tables
from tallybook.ledger.columns import METADATA
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.tables import operation_runs
from tests.ledger.scenes import Clock, closed, told, working
from tests.ledger.spending import day_of, spent


def tables(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(sa.inspect(connection).get_table_names(schema=database.schema))


def test_tables_go_up_down_and_up_again_and_work(database: Database) -> None:
    ours = {each.name for each in METADATA.sorted_tables}
    assert ours < tables(database)
    migrations.downgrade(database, "base")
    assert tables(database) == {migrations.VERSION_TABLE}
    assert migrations.current(database) is None
    migrations.ensure(database)
    assert migrations.current(database) == migrations.head()
    ledger = Ledger(database)
    assert told(ledger, working(ledger, ["a"]).run_id).tally.found == 1
    ledger.close()


def test_calls_that_came_late_before_budgets_were_kept_count_on_their_day(books: Ledger, clock: Clock) -> None:
    key = working(books, ["a"])
    spent(books, key, "in time", 3)
    closed(books, key)
    clock.pass_by(days=1)
    spent(books, key, "late", 7)
    quiet = working(books, ["a"])
    spent(books, quiet, "today", 9)
    closed(books, quiet)
    for version in ("0003", "head"):
        books.do(lambda tx: None)
        (migrations.downgrade if version == "0003" else migrations.upgrade)(books.database, version)
    assert day_of(books).spent.tokens == 16
    with books.database.reading() as connection:
        late = connection.execute(sa.select(operation_runs.c.run_id).where(operation_runs.c.late_call_at.is_not(None)))
        assert [run_id for (run_id,) in late] == [key.run_id]


def test_the_tables_are_what_the_code_says(database: Database) -> None:
    """F09"""
    with database.reading() as connection:
        seen = sa.inspect(connection)
        for table in METADATA.sorted_tables:
            columns = {each["name"] for each in seen.get_columns(table.name, schema=database.schema)}
            assert columns == set(table.c.keys())


def test_upgrading_what_is_up_to_date_changes_nothing(database: Database) -> None:
    before = tables(database)
    migrations.upgrade(database)
    migrations.ensure(database)
    assert tables(database) == before


@pytest.mark.parametrize(
    ("version", "cure"), [("0000", "back it up, then run `tallybook db upgrade`"), ("9999", "install the newer one")]
)
def test_a_database_of_another_version_is_refused_with_the_cure(database: Database, version: str, cure: str) -> None:
    with database.writing() as tx:
        tx.execute(f"UPDATE @{migrations.VERSION_TABLE} SET version_num = ?", (version,))
    with pytest.raises(SchemaMismatch, match=cure):
        migrations.ensure(database)
    assert not SchemaMismatch.retryable


def test_a_version_that_nobody_knows_cannot_be_gone_to(database: Database) -> None:
    with pytest.raises(SchemaMismatch, match="cannot be changed"):
        migrations.downgrade(database, "7777")


def test_the_lock_of_a_migration_ends_with_it(postgres_url: str) -> None:
    """Another process must not wait until the first one ends."""
    first, second = Database(postgres_url), Database(postgres_url)
    migrations.ensure(first)
    migrations.upgrade(second)
    first.close()
    second.close()


def test_a_database_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_text("this is no database, though it is long enough to be looked at as if it were one" * 20)
    with pytest.raises(LedgerUnavailable, match="cannot be changed"):
        migrations.upgrade(Database(f"sqlite:///{text}"))
