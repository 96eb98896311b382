"""Columns and tables as the ledger declares them. Times are UTC text of fixed width (`2026-11-23T01:02:03.000004Z`), so
that text order is time order in every database; money is a whole number of pico-dollars; JSON is text.
"""

import sqlalchemy as sa

from tallybook.database import metadata

METADATA = metadata()

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Sorts by code point on every database."""


def key(name: str, *extra: object, null: bool = False, **more: object) -> sa.Column[str]:
    return sa.Column(name, ID, *extra, nullable=null, **more)  # type: ignore[arg-type]  # passed through


def text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=True)


def time(name: str, *, null: bool = True) -> sa.Column[str]:
    return sa.Column(name, ID, nullable=null)


def count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def flag(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.SmallInteger, nullable=False, server_default="0")


def numbered() -> sa.Column[int]:
    """An id that the database gives, in the order of writing."""
    kind = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    return sa.Column("id", kind, primary_key=True, autoincrement=True)


def table(name: str, *parts: sa.schema.SchemaItem, rowid: bool = True) -> sa.Table:
    return sa.Table(name, METADATA, *parts, sqlite_with_rowid=rowid)
