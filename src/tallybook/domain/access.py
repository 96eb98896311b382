"""Who may do what: scopes, the tenant a token is bound to, and how a token is made."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from tallybook.domain.client import ClientId
from tallybook.domain.errors import BadInput
from tallybook.domain.run import Word

TOKEN_PREFIX = "tb_"
_TOKEN_BYTES = 32
_ID_BYTES = 4


class Scope(Word):
    """What a token may be good for. None of them includes another, but ADMIN includes all."""

    RUNS_READ = "runs:read"
    RUNS_WRITE = "runs:write"
    RUNS_START = "runs:start"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Access:
    """Who asks, and what they may do.

    *actor*: as people read it, as the audit log keeps it, and the scope of its idempotency keys. *client_id*: the one
    tenant it reaches; None: all of them. Raises BadInput for an admin who is bound to a tenant.
    """

    actor: str
    token_id: str
    scopes: frozenset[Scope]
    client_id: ClientId | None = None

    def __post_init__(self) -> None:
        if self.client_id is not None and Scope.ADMIN in self.scopes:
            raise BadInput("admin reaches every client, so it cannot be bound to one; leave out one of the two")

    @classmethod
    def of_token(cls, token_id: str, scopes: Collection[Scope], client_id: ClientId | None = None) -> "Access":
        """The access that a token gives."""
        return cls(f"token {token_id}", token_id, frozenset(scopes), client_id)

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def reaches(self, client_id: ClientId) -> bool:
        return self.client_id is None or self.client_id == client_id


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made. *text* is told once, to whoever asked for it; only *hash* is kept."""

    token_id: str
    text: str = field(repr=False)

    @property
    def hash(self) -> str:
        return hash_of(self.text)


def new_token(random_bytes: Callable[[int], bytes]) -> NewToken:
    """A token of 256 random bits: `tb_` and 43 url-safe characters; its id is 8 hex digits that say nothing of it.

    *random_bytes*: gives so many, from a source fit for secrets (`secrets.token_bytes`).
    """
    text = urlsafe_b64encode(random_bytes(_TOKEN_BYTES)).decode().rstrip("=")
    return NewToken(random_bytes(_ID_BYTES).hex(), f"{TOKEN_PREFIX}{text}")


def hash_of(text: str) -> str:
    """SHA-256 in hex, as tokens are kept and looked up.

    A quick hash without salt suffices: the text has 256 random bits, so nobody can try them all, and whoever measures
    how long a look-up takes learns about a hash whose text cannot be chosen.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
