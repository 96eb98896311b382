"""Who is signed in to the pages, by cookie. A session has exactly the rights of the token it was begun with."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tallybook.database import utc_now
from tallybook.domain.access import Access, hash_of
from tallybook.domain.errors import Unauthenticated
from tallybook.ledger.sessions import Session, find_session
from tallybook.ledger.write.sessions import IDLE, LONGEST, begin_session, end_session, keep_session
from tallybook.web.house import House, house_of

COOKIE = "tallybook-session"
KEPT_EVERY = timedelta(minutes=10)
"""How exact the end of an unused session is: one in constant use is not written at every request."""
_LONGEST_SECRET = 100


@dataclass(frozen=True, slots=True)
class Seat:
    """A session, and what every form that is sent in it must say."""

    session: Session
    csrf: str

    @property
    def access(self) -> Access:
        return self.session.access


def is_secure(house: House) -> bool:
    """Do people reach it by TLS?"""
    return (house.app.settings.server.public_url or "").lower().startswith("https:")


def cookie_of(house: House) -> str:
    """With TLS one that no other host, and nobody in between, can set."""
    return f"__Host-{COOKIE}" if is_secure(house) else COOKIE


async def seat_of(request: Request) -> Seat | None:
    """Whose session the request brings; None: nobody's that is good. Looked up once per request."""
    state = request.state
    if not hasattr(state, "seat"):
        state.seat = await look_up(request)
    seat: Seat | None = state.seat
    return seat


async def look_up(request: Request) -> Seat | None:
    """As of now."""
    house = house_of(request)
    secret = request.cookies.get(cookie_of(house), "")
    if not secret or len(secret) > _LONGEST_SECRET:
        return None
    now = utc_now()
    session = await run_in_threadpool(find_session, house.ledger.database, hash_of(secret), now)
    if session is None:
        return None
    if session.expires_at is not None and session.expires_at < now + IDLE - KEPT_EVERY:
        house.ledger.submit(keep_session, session.session_id)
    return Seat(session, _csrf_of(secret))


def _csrf_of(secret: str) -> str:
    """Follows from the session's secret, which only its browser knows, and does not lead back to it."""
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


async def seated(request: Request) -> Access:
    """For `guard`: who asks, by their session. Raises Unauthenticated, LedgerUnavailable."""
    seat = await seat_of(request)
    if seat is None:
        raise Unauthenticated("sign in first")
    return seat.access


async def take_seat(request: Request, response: Response, access: Access) -> None:
    """Begin a session; the one that the browser had ends. Raises Unauthenticated, LedgerUnavailable."""
    house, secret = house_of(request), secrets.token_urlsafe(32)
    await leave_seat(request)
    await house.ledger.wait(begin_session, session_id=secrets.token_hex(8), hash=hash_of(secret), access=access)
    response.set_cookie(
        cookie_of(house),
        secret,
        max_age=int(LONGEST.total_seconds()),
        path="/",
        secure=is_secure(house),
        httponly=True,
        samesite="strict",
    )


async def leave_seat(request: Request) -> None:
    """End the session that the browser has, if any."""
    seat = await seat_of(request)
    if seat is not None:
        await house_of(request).ledger.wait(end_session, seat.session.session_id, seat.access.actor)


def forget_cookie(request: Request, response: Response) -> None:
    house = house_of(request)
    response.delete_cookie(cookie_of(house), path="/", secure=is_secure(house), httponly=True, samesite="strict")
