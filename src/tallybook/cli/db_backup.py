"""Copying the books while they are written."""

import os
import shlex
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tallybook.database import SCHEMA
from tallybook.domain.errors import BadInput, LedgerUnavailable, NotFound

if TYPE_CHECKING:
    from tallybook.database import Database

PAGES_AT_ONCE = 4096
"""Between two portions others may write."""


def back_up(database: "Database", target: str) -> int:
    """Copy a SQLite database to the file *target*, readable by its owner alone. Gives its size in bytes.

    Raises BadInput when the file is there, cannot be, or the database is PostgreSQL; NotFound, LedgerUnavailable.
    """
    if not database.sqlite:
        raise BadInput(f"PostgreSQL brings its own tool: {_pg_dump(database, target)}")
    if database.path is None or not database.path.exists():
        raise NotFound(f"there are no books at {database.shown}; is this the right folder?")
    path = _made(target)
    try:
        _copy(database, path)
    except sqlite3.Error as error:
        path.unlink(missing_ok=True)
        raise LedgerUnavailable(f"the database {database.shown} cannot be copied to {target}: {error}") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path.stat().st_size


def _pg_dump(database: "Database", target: str) -> str:
    full = database.url  # `set(password=None)` would leave the password in
    url = sa.URL.create("postgresql", full.username, None, full.host, full.port, full.database).render_as_string()
    return f"pg_dump --format=custom --schema={SCHEMA} --file={shlex.quote(target)} {shlex.quote(url)}"


def _made(target: str) -> Path:
    """An empty file that was not there before. Whoever comes second gets the error, not the file."""
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise BadInput(f"{target} is there already and was left as it is; name another file") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{target} cannot be written: {getattr(error, 'strerror', None) or error}") from None
    return Path(target)


def _copy(database: "Database", path: Path) -> None:
    source = database.connect_driver()
    copy = sqlite3.connect(path)
    try:
        source.backup(copy, pages=PAGES_AT_ONCE)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it
        (found,) = copy.execute("PRAGMA integrity_check").fetchone()
        if found != "ok":
            raise LedgerUnavailable(f"the copy of {database.shown} is not sound: {found}; check the disk")
    finally:
        copy.close()
        source.close()
