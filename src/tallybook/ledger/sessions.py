"""Who is signed in to the pages: a session has the rights of the token it was begun with, as long as that is good."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from tallybook.database import Database, read_stamp, stamp
from tallybook.domain.access import Access, Scope
from tallybook.ledger.server_tables import api_tokens, sessions


@dataclass(frozen=True, slots=True)
class Session:
    """*expires_at*: when it ends unless it is used before."""

    session_id: str
    access: Access
    expires_at: datetime | None


def find_session(database: Database, hash: str, now: datetime) -> Session | None:
    """The session whose secret has this hash (`access.hash_of`); None where it has ended, by whatever reason."""
    columns = (sessions.c.session_id, sessions.c.expires_at, *(api_tokens.c[name] for name in _OF_TOKEN))
    good = (
        sa.select(*columns)
        .select_from(sessions.join(api_tokens, sessions.c.token_id == api_tokens.c.token_id))
        .where(sessions.c.hash == hash, sessions.c.expires_at > stamp(now), api_tokens.c.revoked_at.is_(None))
    )
    with database.reading() as connection:
        row = connection.execute(good).first()
    if row is None:
        return None
    session_id, expires_at, token_id, scopes, client_id = tuple(row)
    written = scopes.split()
    access = Access.of_token(token_id, [scope for scope in Scope if scope in written], client_id)
    return Session(session_id, access, read_stamp(expires_at))


_OF_TOKEN = ("token_id", "scopes", "client_id")
