"""The door to SQL: URLs, transactions, and what a driver's error means."""

import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest

from tallybook.database import Database, Trouble, Tx, Writer, read_stamp, stamp, trouble_of
from tallybook.domain.errors import BadInput, BadSetting, LedgerUnavailable


@pytest.mark.parametrize(
    "url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://x/y", "postgresql", "sqlite:///", "://"]
)
def test_a_url_that_names_no_place_for_books_is_refused(url: str) -> None:
    with pytest.raises(BadSetting, match=r"database\.url must"):
        Database(url)


def test_a_password_is_never_shown() -> None:
    """F35"""
    database = Database("postgresql://ada:secret@127.0.0.1:1/books")
    assert "secret" not in database.shown
    with pytest.raises(LedgerUnavailable) as caught, database.reading():
        pass
    assert "secret" not in str(caught.value)
    with pytest.raises(LedgerUnavailable) as caught, database.writing():
        pass
    assert "secret" not in str(caught.value)


def test_a_sqlite_database_has_a_file_and_a_postgresql_database_a_schema() -> None:
    assert (Database("sqlite:///a.db").path, Database("sqlite:///a.db").schema) == (Path("a.db"), None)
    assert (Database("postgresql://h/d").path, Database("postgresql://h/d").schema) == (None, "tallybook")


def test_a_connection_waits_no_longer_than_its_url_says() -> None:
    assert Database("postgresql://h/d?connect_timeout=3")._patience() == {}
    assert Database("postgresql://h/d")._patience() == {"connect_timeout": 10}


def test_a_time_is_kept_as_utc_text_in_whose_order_times_sort() -> None:
    at = datetime(2026, 11, 23, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=1)))
    assert stamp(at) == "2026-11-23T00:02:03.000004Z"
    assert read_stamp(stamp(at)) == at
    assert read_stamp(None) is None
    assert stamp(datetime(2026, 1, 1, tzinfo=UTC)) < stamp(datetime(2026, 1, 1, microsecond=1, tzinfo=UTC))


def test_house_sql_is_each_databases_own(database: Database) -> None:
    with database.writing() as tx:
        tx.execute("INSERT INTO @run_ids (run_id, reserved_at) VALUES (?, ?)", ("100 % ?", tx.stamp))
        tx.many("INSERT INTO @run_ids (run_id, reserved_at) VALUES (?, ?)", [("a", tx.stamp), ("b", tx.stamp)])
        tx.many("INSERT INTO @run_ids (run_id, reserved_at) VALUES (?, ?)", [])
        assert tx.row("SELECT run_id FROM @run_ids WHERE run_id LIKE '100 %' @lock") == ("100 % ?",)
        assert len(tx.rows("SELECT * FROM @run_ids")) == 3


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def insert_twice(tx: Tx) -> None:
        for _time in range(2):
            tx.execute("INSERT INTO @run_ids (run_id, reserved_at) VALUES (?, ?)", ("a", tx.stamp))

    with pytest.raises(BadInput, match="cannot keep this"), database.writing() as tx:
        insert_twice(tx)
    with pytest.raises(BadInput, match="cannot keep this"), database.writing() as tx:
        tx.execute("INSERT INTO @run_ids (run_id, reserved_at) VALUES (?, ?)", ("\ud800", tx.stamp))
    with database.writing() as tx:
        assert tx.rows("SELECT * FROM @run_ids") == []


def test_a_writer_whose_connection_broke_opens_another(database: Database) -> None:
    writer = Writer(database)
    with writer.transaction() as tx:
        tx.rows("SELECT 1")
    writer._connection.close()
    with pytest.raises((sqlite3.Error, psycopg.Error)), writer.transaction() as tx:
        tx.rows("SELECT 1")
    with writer.transaction() as tx:
        assert tx.rows("SELECT 1") == [(1,)]
    writer.close()
    writer.close()


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (sqlite3.IntegrityError("x"), Trouble.INPUT),
        (sqlite3.OperationalError("database is locked"), Trouble.UNAVAILABLE),
        (psycopg.errors.DeadlockDetected("x"), Trouble.CONTENTION),
        (psycopg.errors.SerializationFailure("x"), Trouble.CONTENTION),
        (psycopg.errors.LockNotAvailable("x"), Trouble.CONTENTION),
        (psycopg.errors.ForeignKeyViolation("x"), Trouble.INPUT),
        (psycopg.errors.NumericValueOutOfRange("x"), Trouble.INPUT),
        (psycopg.errors.ProgramLimitExceeded("x"), Trouble.INPUT),
        (psycopg.ProgrammingError("cannot adapt"), Trouble.INPUT),
        (psycopg.errors.UndefinedTable("x"), Trouble.MISTAKE),
        (psycopg.OperationalError("server closed the connection"), Trouble.LOST),
        (psycopg.errors.AdminShutdown("x"), Trouble.LOST),
        (psycopg.errors.DiskFull("x"), Trouble.UNAVAILABLE),
        (psycopg.InternalError("x"), Trouble.UNAVAILABLE),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_an_error_of_a_driver_means(error: Exception, trouble: Trouble) -> None:
    assert trouble_of(error) is trouble


def test_an_error_without_words_is_named(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.db")
    with pytest.raises(LedgerUnavailable, match="OperationalError"), database.writing():
        raise sqlite3.OperationalError
