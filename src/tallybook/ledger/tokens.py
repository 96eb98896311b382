"""API tokens as they are looked up and listed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from tallybook.database import Database, read_stamp
from tallybook.domain.access import Access, Scope
from tallybook.domain.client import ClientId
from tallybook.domain.errors import BadInput
from tallybook.ledger.server_tables import api_tokens


@dataclass(frozen=True, slots=True)
class Token:
    """What people may see of a token: neither its text nor its hash. *scopes*: as they were written.

    *cursor*: where `list_tokens` goes on after it.
    """

    token_id: str
    scopes: tuple[str, ...]
    client_id: ClientId | None
    created_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None
    cursor: str


def find_by_hash(database: Database, hash: str) -> Access | None:
    """What the token with this hash (`access.hash_of`) is good for; None for one that is revoked or unknown.

    A scope that only a newer Tallybook knows is good for nothing here.
    """
    columns = (api_tokens.c.token_id, api_tokens.c.scopes, api_tokens.c.client_id)
    good = sa.select(*columns).where(api_tokens.c.hash == hash, api_tokens.c.revoked_at.is_(None))
    with database.reading() as connection:
        row = connection.execute(good).first()
    if row is None:
        return None
    written = row.scopes.split()
    return Access.of_token(row.token_id, [scope for scope in Scope if scope in written], row.client_id)


def list_tokens(database: Database, after: str | None = None, limit: int = 50) -> Sequence[Token]:
    """Newest first, revoked ones too. *after*: the cursor of the last one seen. Raises BadInput for what is none."""
    newest_first = sa.select(api_tokens).order_by(api_tokens.c.created_at.desc(), api_tokens.c.token_id.desc())
    if after is not None:
        created_at, bar, token_id = after.partition("|")
        if not bar:
            raise BadInput(f"{after!r} is no cursor; give the next_cursor of the page before")
        seen = sa.tuple_(created_at, token_id)
        newest_first = newest_first.where(sa.tuple_(api_tokens.c.created_at, api_tokens.c.token_id) < seen)
    with database.reading() as connection:
        return [_token(row) for row in connection.execute(newest_first.limit(limit)).mappings()]


def _token(row: sa.RowMapping) -> Token:
    return Token(
        token_id=row["token_id"],
        scopes=tuple(row["scopes"].split()),
        client_id=row["client_id"],
        created_at=read_stamp(row["created_at"]),
        used_at=read_stamp(row["used_at"]),
        revoked_at=read_stamp(row["revoked_at"]),
        cursor=f"{row['created_at']}|{row['token_id']}",
    )
