"""The door to SQL: one `Database` for SQLite and PostgreSQL. Knows no table.

Statements of the write path are written once, in house SQL: `@name` is a table of our schema, `?` a parameter,
`@lock` locks the selected rows where the database needs it (PostgreSQL; SQLite has one writer anyway). It leaves rows
that point at them free to be inserted: whoever ends a run does not wait for whoever records an outcome of it.
"""

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from tallybook.domain.errors import BadInput, BadSetting, LedgerUnavailable, TallybookError

SCHEMA = "tallybook"
"""Tables are declared in this schema; on SQLite it is mapped away."""
BUSY_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 10

Row = tuple[Any, ...]
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


def stamp(instant: datetime) -> str:
    """UTC text of fixed width, as every time is kept: text order is time order."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_stamp(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def metadata() -> sa.MetaData:
    """A MetaData whose constraint names are the same on every database, so that migrations can name them."""
    return sa.MetaData(
        schema=SCHEMA,
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        },
    )


@lru_cache(maxsize=512)
def _native(statement: str, sqlite: bool) -> str:
    statement = statement.replace("@lock", "" if sqlite else "FOR NO KEY UPDATE")
    statement = re.sub(r"@([a-z_]+)", r"\1" if sqlite else rf"{SCHEMA}.\1", statement)
    return statement if sqlite else statement.replace("%", "%%").replace("?", "%s")


def rows_of(connection: sa.Connection, statement: str, parameters: Sequence[object]) -> list[Row]:
    """Ask in house SQL on a connection that reads, so that what the write path asks as well is written once."""
    native = _native(statement, connection.dialect.name == "sqlite")
    return [tuple(row) for row in connection.exec_driver_sql(native, tuple(parameters))]


class Tx:
    """One open write transaction, on the driver's own cursor. *now*: the instant of everything written in it.

    *written_at*: the same, but where something is written as of an earlier time.
    """

    def __init__(self, connection: Any, *, sqlite: bool, now: datetime) -> None:
        self._cursor = connection.cursor()
        self.sqlite = sqlite
        self.now = now
        self.stamp = self.written_at = stamp(now)

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> int:
        """Run one statement of house SQL; gives the number of rows it touched."""
        self._cursor.execute(_native(statement, self.sqlite), parameters)
        return int(self._cursor.rowcount)

    def many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            self._cursor.executemany(_native(statement, self.sqlite), rows)

    def serialize(self, name: str) -> None:
        """From here to the end of the transaction, one at a time over all processes. SQLite has one writer anyway."""
        if not self.sqlite:
            self.execute("SELECT pg_advisory_xact_lock(hashtext(?))", (f"{SCHEMA}.{name}",))

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        self._cursor.execute(_native(statement, self.sqlite), parameters)
        return list(self._cursor.fetchall())

    def row(self, statement: str, parameters: Sequence[object] = ()) -> Row | None:
        self._cursor.execute(_native(statement, self.sqlite), parameters)
        row: Row | None = self._cursor.fetchone()
        return row


class Writer:
    """One connection that writes. Not for two threads at once."""

    def __init__(self, database: "Database", clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock
        self._connection: Any = None

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """Commits at the end, rolls back on any exception; a connection that broke is replaced next time."""
        sqlite = self._database.sqlite
        with self._database.turn:
            connection = self._open()
            try:
                if sqlite:
                    connection.execute("BEGIN IMMEDIATE")
                yield Tx(connection, sqlite=sqlite, now=self._clock())
                connection.commit()
            except BaseException as error:
                self._roll_back(connection, broken=isinstance(error, driver_errors()))
                raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Any:
        if self._connection is None:
            self._connection = self._database.connect_driver()
        return self._connection

    def _roll_back(self, connection: Any, *, broken: bool) -> None:
        try:
            connection.rollback()
        except driver_errors():
            broken = True
        if broken:
            self.close()


@lru_cache(maxsize=1)
def driver_errors() -> tuple[type[Exception], ...]:
    """What the drivers raise. psycopg is imported only when PostgreSQL is used."""
    import psycopg  # half of start-up time on SQLite otherwise

    return (sqlite3.Error, psycopg.Error)


class Trouble(Enum):
    """What an error of a driver means for whoever tries again."""

    INPUT = "the statement's own values: it fails again"
    MISTAKE = "a statement this database does not understand: it fails again"
    CONTENTION = "another transaction was in the way: alone, and again, it succeeds"
    LOST = "the connection is gone: on a new one it may succeed"
    UNAVAILABLE = "nothing can be written now"


def trouble_of(error: BaseException) -> Trouble:
    """What it means that a driver raised *error*."""
    if isinstance(error, sqlite3.Error):
        return _trouble_of_sqlite(error)
    import psycopg  # an error of psycopg: it is imported already

    state = getattr(error, "sqlstate", None)
    if state in _CONTENTION:
        return Trouble.CONTENTION
    if isinstance(error, psycopg.IntegrityError | psycopg.DataError) or state in _TOO_MUCH:
        return Trouble.INPUT
    if isinstance(error, psycopg.ProgrammingError):  # without a state: psycopg itself refuses a value's type
        return Trouble.INPUT if state is None else Trouble.MISTAKE
    lost = state is None or state in _SHUT_DOWN
    return Trouble.LOST if isinstance(error, psycopg.OperationalError) and lost else Trouble.UNAVAILABLE


def _trouble_of_sqlite(error: sqlite3.Error) -> Trouble:
    if isinstance(error, _SQLITE_INPUT):
        return Trouble.INPUT
    mistaken = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return Trouble.MISTAKE if mistaken else Trouble.UNAVAILABLE


_SQLITE_INPUT = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
_CONTENTION = ("40001", "40P01", "55P03")  # serialization failure, deadlock, lock not available
_TOO_MUCH = ("54000", "54001", "54023")  # of a value: too large for its index, too deep, too many
_SHUT_DOWN = ("57P01", "57P02", "57P03")  # by the administrator, by a crash, not up yet


ODD_VALUES = (UnicodeEncodeError, OverflowError)
"""What drivers raise, beside errors of their own, for a value that no database keeps."""


def told_as_ours(error: Exception, where: str) -> TallybookError:
    """What a driver, or the way to it, raised while writing, as the error our callers know."""
    ours: TallybookError
    if isinstance(error, driver_errors()) and trouble_of(error) is not Trouble.INPUT:
        ours = LedgerUnavailable(f"the database {where} cannot be written: {_first_line(error)}")
    else:
        ours = BadInput(f"the database {where} cannot keep this: {_first_line(error)}")
    ours.__cause__ = error
    return ours


class Database:
    """A place for tables: a SQLite file or a PostgreSQL database, by URL.

    *url*: `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://user:password@host/name`.
    Raises BadSetting for any other.
    """

    def __init__(self, url: str) -> None:
        self.url = _read_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        # On SQLite a second writer would poll for the file's lock; waiting for its turn here is quicker.
        self.turn: AbstractContextManager[object] = threading.Lock() if self.sqlite else nullcontext()
        self._engine: sa.Engine | None = None
        self._lock = threading.Lock()

    @property
    def path(self) -> Path | None:
        """The SQLite file; None on PostgreSQL."""
        return Path(self.url.database or "") if self.sqlite else None

    @property
    def schema(self) -> str | None:
        return None if self.sqlite else SCHEMA

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return self.url.render_as_string(hide_password=True)

    @property
    def engine(self) -> sa.Engine:
        with self._lock:
            if self._engine is None:
                self._engine = self._make_engine()
            return self._engine

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection with one consistent view. Raises LedgerUnavailable when the database does not answer, and
        BadInput when what it is asked for holds text that no database keeps.
        """
        try:
            with self.engine.connect() as connection:
                # PostgreSQL would look anew for every statement, and sums would differ from what they sum.
                yield connection if self.sqlite else connection.execution_options(isolation_level="REPEATABLE READ")
        except (sa.exc.DataError, UnicodeEncodeError) as error:
            raise BadInput(f"the database {self.shown} holds nothing of that kind: {_first_line(error)}") from error
        except SQLAlchemyError as error:
            raise LedgerUnavailable(f"the database {self.shown} cannot be read: {_first_line(error)}") from error

    @contextmanager
    def writing(self, clock: Clock = utc_now) -> Iterator[Tx]:
        """A transaction on a connection of its own, for the rare write that joins no group commit.

        Raises LedgerUnavailable, and BadInput for what no database keeps.
        """
        writer = Writer(self, clock)
        try:
            with writer.transaction() as tx:
                yield tx
        except ODD_VALUES + driver_errors() as error:
            raise told_as_ours(error, self.shown) from error
        finally:
            writer.close()

    def connect_driver(self, **options: Any) -> Any:
        """A raw driver connection, SQLite in autocommit so that BEGIN IMMEDIATE is ours to say.

        *options* are psycopg's.
        """
        if self.sqlite:
            return _connect_sqlite(str(self.path))
        import psycopg  # only when PostgreSQL is used

        url = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(url, **self._patience(), **options)

    def _patience(self) -> dict[str, Any]:
        """Without a limit a server behind a dead network is waited for until the system gives up, minutes later."""
        return {} if "connect_timeout" in self.url.query else {"connect_timeout": CONNECT_TIMEOUT_S}

    def close(self) -> None:
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def _make_engine(self) -> sa.Engine:
        translate: Mapping[str, str | None] = {SCHEMA: self.schema}
        options: dict[str, Any] = {"execution_options": {"schema_translate_map": translate}}
        if not self.sqlite:
            options["connect_args"] = self._patience()
            return sa.create_engine(self.url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, **options)
        engine = sa.create_engine(self.url, creator=lambda: _connect_sqlite(str(self.path)), **options)
        sa.event.listen(engine, "begin", _begin)
        return engine


def _begin(connection: sa.Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _connect_sqlite(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA cache_size=-16000")
    return connection


def _read_url(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except SQLAlchemyError:
        raise BadSetting("database.url must be sqlite:///FILE or postgresql://…") from None
    if parsed.get_backend_name() == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise BadSetting("database.url must name a file (sqlite:///tallybook.db): the books outlive the process")
        return parsed
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        return parsed
    raise BadSetting(f"database.url must be sqlite:///FILE or postgresql://…, got {parsed.drivername}")


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
