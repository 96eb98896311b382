"""Run-bound tokens for the webhooks that providers call back: who made one says which run, client and call it is for.

Such a token is `tbw1.run.client.call.expiry.signature`, each part in url-safe base64, which has no dot, but the expiry,
which is in microseconds since 1970. The signature is an HMAC-SHA256 of all that stands before it, so no part can be
taken from another token. Its key is derived from the secret for this one purpose: what the secret is good for
elsewhere, or what is signed with it elsewhere, can never be taken for such a token.
"""

import hashlib
import hmac
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tallybook.domain.client import ClientId
from tallybook.domain.errors import BadInput

_FORM = "tbw1"
_PURPOSE = b"tallybook: run-bound webhook token, form 1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a good token says. The bearer's tenant is *client_id*, and is taken from nowhere else (F32)."""

    run_id: str
    client_id: ClientId
    call_id: str
    expires_at: datetime


def sign(secret: bytes, run_id: str, client_id: ClientId, call_id: str, expires_at: datetime) -> str:
    """A token for one call of one client's run: printable ASCII without spaces, under 400 characters for ordinary ids.

    Raises BadInput for an empty secret, which anybody could sign with, and for a time without its zone.
    """
    if not secret:
        raise BadInput("a webhook token cannot be signed with an empty secret")
    if expires_at.utcoffset() is None:
        raise BadInput(f"{expires_at} names no instant; a webhook token expires at a time with its zone")
    ids = (_encoded(part) for part in (run_id, client_id, call_id))
    said = ".".join((_FORM, *ids, str((expires_at - _EPOCH) // _MICROSECOND)))
    return f"{said}.{_signature(secret, said)}"


def verify(secrets: Sequence[bytes], text: str, now: datetime) -> Signed | None:
    """What *text* says, if it was signed with one of *secrets* and has not expired; else None, whatever it is.

    Secrets are compared in constant time, and all of them, so that nobody can measure which one is nearly right.
    """
    said, _, signature = text.rpartition(".")
    if not text.isascii() or not said.startswith(f"{_FORM}."):
        return None
    good = [hmac.compare_digest(_signature(each, said), signature) for each in secrets if each]
    signed = _read(said) if any(good) else None
    return signed if signed and now < signed.expires_at else None


def _signature(secret: bytes, said: str) -> str:
    key = hmac.digest(secret, _PURPOSE, hashlib.sha256)
    return _plain(hmac.digest(key, said.encode(), hashlib.sha256))


def _read(said: str) -> Signed | None:
    """Whoever holds a secret can sign what is no token."""
    try:
        _, run_id, client_id, call_id, expiry = said.split(".")
        expires_at = _EPOCH + int(expiry) * _MICROSECOND
        return Signed(_decoded(run_id), _decoded(client_id), _decoded(call_id), expires_at)
    except (ValueError, OverflowError):
        return None


def _encoded(text: str) -> str:
    return _plain(text.encode("utf-8", "surrogatepass"))


def _plain(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(part: str) -> str:
    """Raises ValueError."""
    padded = part + "=" * (-len(part) % 4)
    return b64decode(padded, altchars=b"-_", validate=True).decode("utf-8", "surrogatepass")
