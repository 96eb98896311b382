"""Databases with all tables, made once per test process and lent clean: migrating takes longer than most tests."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from tallybook import migrations
from tallybook.database import SCHEMA, Database
from tests.postgres import Server

ENGINE_SCHEMA = "tallybook_engine"


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
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(ENGINE_SCHEMA)))
            if self._found() == self._tables:
                names = [sql.Identifier(SCHEMA, name) for name in sorted(self._tables - {migrations.VERSION_TABLE})]
                connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(sql.SQL(", ").join(names)))
                return
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA)))
        make_tables(self.url)

    def _found(self) -> frozenset[str]:
        """The tables there are, if they are of the version they should be."""
        database = Database(self.url)
        current = migrations.current(database)
        database.close()
        with psycopg.connect(self.url) as connection:
            rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (SCHEMA,)).fetchall()
        return frozenset(name for (name,) in rows) if current == migrations.head() else frozenset()
