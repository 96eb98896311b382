"""Databases with all tables, made once per test process and lent clean: migrating takes longer than most tests."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tallybook import migrations
from tallybook.database import SCHEMA, Database
from tests.postgres import Server

ENGINE_SCHEMA = "tallybook_engine"
ENGINE_VERSION_TABLE = "dbos_migrations"


def make_tables(url: str) -> None:
    database = Database(url)
    migrations.ensure(database)
    database.close()


class SqliteBooks:
    """A file that is copied."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "tallybook.db"
        make_tables(f"sqlite:///{self._path}")

    def copied_to(self, folder: Path) -> str:
        shutil.copy(self._path, folder / "tallybook.db")
        return f"sqlite:///{folder}/tallybook.db"


class PostgresBooks:
    """A database that is emptied: creating and dropping one for every test takes ten times as long."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._url: str | None = None
        self._tables: frozenset[str] = frozenset()

    @contextmanager
    def opened(self) -> Iterator["PostgresBooks"]:
        """For as long as the test process lives."""
        with self._server.fresh_database() as url:
            make_tables(url)
            self._url = url
            self._tables = self._found()
            yield self

    @property
    def url(self) -> str:
        assert self._url is not None, "not opened"
        return self._url

    def clean(self) -> None:
        """Throw out whoever is still connected, and undo what was changed."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            if self._found() == self._tables:
                self._empty(connection)
                return
            for schema in (SCHEMA, ENGINE_SCHEMA):
                connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
        make_tables(self.url)

    def _empty(self, connection: psycopg.Connection[Any]) -> None:
        """Deleting a few rows is quicker than TRUNCATE, which makes new files. The engine's tables stay."""
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN (%s, %s) AND tablename NOT IN (%s, %s)",
            (SCHEMA, ENGINE_SCHEMA, migrations.VERSION_TABLE, ENGINE_VERSION_TABLE),
        ).fetchall()
        sequences = connection.execute(
            "SELECT schemaname, sequencename FROM pg_sequences WHERE schemaname IN (%s, %s) AND last_value IS NOT NULL",
            (SCHEMA, ENGINE_SCHEMA),
        ).fetchall()
        forget = [sql.SQL("DELETE FROM {}").format(sql.Identifier(*each)) for each in tables]
        begin_again = [sql.SQL("ALTER SEQUENCE {} RESTART").format(sql.Identifier(*each)) for each in sequences]
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")  # references are not looked at
            connection.execute(sql.SQL("; ").join([*forget, *begin_again]))

    def _found(self) -> frozenset[str]:
        """The tables there are, if they are of the version they should be."""
        database = Database(self.url)
        current = migrations.current(database)
        database.close()
        with psycopg.connect(self.url) as connection:
            rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (SCHEMA,)).fetchall()
        return frozenset(name for (name,) in rows) if current == migrations.head() else frozenset()
