"""What doctor checks about the machine: versions, settings, files, disk, the database as such."""

import os
import shutil
import sqlite3
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
import typer

from tallybook.cli.finding import Findings, notice, ok, wrong
from tallybook.cli.opening import loaded_settings
from tallybook.domain.errors import BadSetting
from tallybook.report import words
from tallybook.settings import Loaded, Source

if TYPE_CHECKING:
    from tallybook.app import App

LEAST_FREE_MB = 200
SQLITE_OF_NEW_PYTHON = (3, 42, 0)
ENGINE = "-engine.db"


def versions() -> Findings:
    """On Python 3.12 and newer the engine does not launch with an old SQLite (engine.md, trap 9)."""
    python = ".".join(map(str, sys.version_info[:3]))
    said = f"Python {python}, SQLite {sqlite3.sqlite_version}"
    if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < SQLITE_OF_NEW_PYTHON:
        mend = "On Python 3.12 or newer SQLite must be 3.42 or newer: update it, use Python 3.11, or use PostgreSQL."
        yield wrong("versions", f"{said}: the engine does not start with these", mend)
        return
    yield ok("versions", said)


def settings(ctx: typer.Context) -> Findings:
    """Raises BadSetting."""
    loaded = loaded_settings(ctx)
    said = (
        f"Settings from {loaded.file.name} and the environment" if loaded.file else "Settings: no tallybook.toml here"
    )
    yield ok("settings", said)
    yield from _secrets(loaded)


def _secrets(loaded: Loaded) -> Findings:
    """A file with secrets that everybody may read."""
    from tallybook.settings.sections import SETTINGS

    in_file = [
        key
        for key, origin in loaded.origins.items()
        if origin.source is Source.FILE and key in SETTINGS and SETTINGS[key].spec.secret and key != "database.url"
    ]
    if loaded.file and in_file and loaded.file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        said = f"{loaded.file.name} holds secrets ({', '.join(in_file)}), and others on this machine may read it"
        yield wrong("secrets", said, f"chmod 600 {loaded.file}")


def scorer(app: "App") -> Findings:
    try:
        operations = app.operations
    except BadSetting as error:
        yield wrong("scorer", str(error), "Change scorer.model; keywords needs no key.")
        return
    yield ok("scorer", f"Scorer {app.settings.scorer.model}, for {words.listed(map(words.plain, operations))}")


# -- the database ------------------------------------------------------------------------------------------------------


def has_books(app: "App") -> bool:
    path = app.bare_database.path
    return (path is None or path.exists()) and app.schema.current is not None


def database(app: "App") -> Findings:
    """Reachable, and with the right tables. A SQLite file that is not there is not made. Raises LedgerUnavailable."""
    path, shown = app.bare_database.path, app.bare_database.shown
    if path is not None and not path.exists():
        yield from _no_file(path, shown)
        return
    schema = app.schema
    if schema.current is None:
        yield notice("database", f"{shown} has no books yet", "tallybook init, or any command that works on them")
    elif schema.current < schema.needed:
        said = f"{shown} has version {schema.current}, this Tallybook needs {schema.needed}"
        yield wrong("schema", said, "Back up, then: tallybook db upgrade")
    elif schema.current > schema.needed:
        said = f"{shown} has version {schema.current}, newer than this Tallybook ({schema.needed})"
        yield wrong("schema", said, "Install the newer Tallybook.")
    else:
        yield ok("database", f"{shown} answers, tables of version {schema.current}")


def _no_file(path: Path, shown: str) -> Findings:
    if not path.parent.is_dir():
        yield wrong("database", f"{shown}: the folder {path.parent} is not there", f"mkdir -p {path.parent}")
    elif not os.access(path.parent, os.W_OK):
        yield wrong("database", f"{shown}: you must not write to the folder {path.parent}", "Change its permissions.")
    else:
        yield notice("database", f"There are no books at {shown} yet", "tallybook init makes them.")


def files(app: "App") -> Findings:
    """What only SQLite needs: WAL, room, and the right to write."""
    path = app.bare_database.path
    if path is None:
        return
    yield from _wal(app)
    yield from _room(path)
    yield from _permissions(path)


def _wal(app: "App") -> Findings:
    with app.bare_database.reading() as connection:
        mode = str(connection.execute(sa.text("PRAGMA journal_mode")).scalar())
    if mode == "wal":
        yield ok("wal", "SQLite writes ahead (WAL)")
        return
    mend = "WAL needs a local disk, no network share: move the file, or use PostgreSQL."
    yield wrong("wal", f"SQLite keeps its journal as {mode!r}, not as WAL", mend)


def _room(path: Path) -> Findings:
    free_mb = shutil.disk_usage(path.absolute().parent).free / 1_000_000
    if free_mb < LEAST_FREE_MB:
        yield wrong(
            "disk", f"{free_mb:,.0f} MB are free on the disk of {path}", "Make room: a full disk stops all work."
        )
        return
    yield ok("disk", f"{free_mb / 1000:,.1f} GB are free on the disk of the books")


def _permissions(path: Path) -> Findings:
    ours = [path, path.with_name(f"{path.stem}{ENGINE}"), *path.parent.glob(f"{path.name}-*")]
    barred = [each for each in ours if each.exists() and not os.access(each, os.R_OK | os.W_OK)]
    if not os.access(path.absolute().parent, os.W_OK):
        barred.append(path.absolute().parent)
    if barred:
        names = words.listed(map(str, barred))
        yield wrong(
            "permissions", f"You must not write to {names}", f"chown or chmod {names} for the user who runs this."
        )
        return
    yield ok("permissions", "All files of the books can be read and written")
