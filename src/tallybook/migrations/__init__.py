"""How the tables come to be: Alembic migrations, up and down, on both databases. Sees all tables."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from tallybook.database import SCHEMA, Database, metadata
from tallybook.domain.errors import LedgerUnavailable, SchemaMismatch

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "schema_version"


def head() -> str:
    """The version this code was written for."""
    return max(path.name[:4] for path in _versions().iterdir() if path.name[:4].isdigit())


def _versions() -> Path:
    return Path(str(resources.files(__name__))) / "versions"


def current(database: Database) -> str | None:
    """The version the database has; None when it has none of our tables. Raises LedgerUnavailable."""
    with database.reading() as connection:
        if not sa.inspect(connection).has_table(VERSION_TABLE, schema=database.schema):
            return None
        table = sa.Table(VERSION_TABLE, metadata(), sa.Column("version_num", sa.Text))
        found = connection.execute(sa.select(table.c.version_num)).scalar()
        return str(found) if found else None


def ensure(database: Database) -> None:
    """Make the tables of a new database; accept one that is up to date. Raises SchemaMismatch for any other."""
    version = current(database)
    if version == head():
        return
    if version is None:
        upgrade(database)
        return
    if version < head():
        raise SchemaMismatch(
            f"the database {database.shown} has version {version} and this Tallybook needs {head()};"
            " back it up, then run `tallybook db upgrade`"
        )
    raise SchemaMismatch(
        f"the database {database.shown} has version {version}, newer than this Tallybook ({head()});"
        " install the newer one"
    )


def upgrade(database: Database, to: str = "head") -> None:
    """Bring the tables to version *to*, each migration in a transaction. Several processes may do so at once."""
    from alembic import command

    _run(database, lambda config: command.upgrade(config, to))


def downgrade(database: Database, to: str) -> None:
    """Take the tables back to version *to*; `base` removes them all, with what is in them."""
    from alembic import command

    _run(database, lambda config: command.downgrade(config, to))


def _run(database: Database, command: "Callable[[Config], None]") -> None:
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_versions().parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    try:
        with database.engine.connect().execution_options(immediate=True) as connection:
            if not database.sqlite:
                connection.detach()  # from the pool: the lock is let go when the connection is closed
                _begin_alone(connection)
            config.attributes["connection"] = connection
            command(config)
            connection.commit()
    except CommandError as error:
        raise SchemaMismatch(f"the database {database.shown} cannot be changed: {error}") from error
    except SQLAlchemyError as error:
        text = str(error).partition("\n")[0]
        raise LedgerUnavailable(f"the database {database.shown} cannot be changed: {text}") from error


def _begin_alone(connection: sa.Connection) -> None:
    """One at a time over all processes; the lock goes with the connection."""
    connection.execute(sa.text("SELECT pg_advisory_lock(hashtext('tallybook.migrations'))"))
    connection.execute(sa.schema.CreateSchema(SCHEMA, if_not_exists=True))
    connection.commit()
