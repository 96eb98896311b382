"""API tokens are made and revoked here. What is written is the hash; the text of a token never comes this far."""

from collections.abc import Collection
from datetime import timedelta

from tallybook.database import Tx, stamp
from tallybook.domain.access import Access, Scope
from tallybook.domain.client import ClientId
from tallybook.domain.errors import BadInput, Conflict, NotFound
from tallybook.domain.fields import storable
from tallybook.ledger.write import audit_log

USE_NOTED_EVERY = timedelta(minutes=1)
"""How exact `used_at` is: a token in constant use is not written at every request."""


def create_token(
    tx: Tx,
    *,
    token_id: str,
    hash: str,
    scopes: Collection[Scope],
    client_id: ClientId | None,
    by: str = audit_log.CLI,
) -> None:
    """Keep a token that was just made, by its *hash* (`access.hash_of`). *by*: the actor, for the audit log.

    Raises BadInput for one without a scope or for an admin bound to a client, Conflict when the id is taken.
    """
    if not scopes:
        raise BadInput(f"a token needs at least one scope: {', '.join(Scope)}")
    access = Access.of_token(token_id, scopes, client_id)
    named = [scope.value for scope in Scope if scope in access.scopes]
    new = tx.execute(
        "INSERT INTO @api_tokens (token_id, hash, scopes, client_id, created_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (token_id, hash, " ".join(named), client_id, tx.stamp),
    )
    if not new:
        raise Conflict(f"there is a token {token_id} already; make another")
    audit_log.note(tx, by, "token_created", access.actor, scopes=named, client_id=client_id)


def revoke_token(tx: Tx, token_id: str, by: str = audit_log.CLI) -> bool:
    """From here on it is good for nothing, and whoever signed in with it is signed out.

    False when it was revoked before. Raises NotFound.
    """
    known = storable(token_id) == token_id and tx.row("SELECT 1 FROM @api_tokens WHERE token_id = ?", (token_id,))
    if not known:
        raise NotFound(f"there is no token {token_id!r}; `tallybook token list` names them all")
    revoked = tx.execute(
        "UPDATE @api_tokens SET revoked_at = ? WHERE token_id = ? AND revoked_at IS NULL", (tx.stamp, token_id)
    )
    if revoked:
        tx.execute("DELETE FROM @sessions WHERE token_id = ?", (token_id,))
        audit_log.note(tx, by, "token_revoked", f"token {token_id}")
    return bool(revoked)


def note_use(tx: Tx, token_id: str) -> None:
    """It was used just now; to the minute."""
    tx.execute(
        "UPDATE @api_tokens SET used_at = ? WHERE token_id = ? AND (used_at IS NULL OR used_at < ?)",
        (tx.stamp, token_id, stamp(tx.now - USE_NOTED_EVERY)),
    )
