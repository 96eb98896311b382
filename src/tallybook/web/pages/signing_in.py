"""Signing in with a token, and out again; and the style sheet and script, which anybody may have."""

import hmac
import secrets
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from tallybook.domain.access import Access, Scope, hash_of
from tallybook.domain.errors import NotFound, TooManyFailures, Unauthenticated
from tallybook.ledger.write.tokens import create_token
from tallybook.web.guard import address_of
from tallybook.web.house import House, TheHouse
from tallybook.web.pages.assets import ASSETS
from tallybook.web.pages.page import HEADERS, SIGN_IN, PageRoute, Viewer, gone_to, page, safe_place
from tallybook.web.seats import forget_cookie, leave_seat, seat_of, take_seat

router = APIRouter(route_class=PageRoute, include_in_schema=False)
ASSET = "/static/{name}"
PUBLIC = (SIGN_IN, ASSET)
"""What needs no session."""
FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable"}
LINK = "sign-in link"
CANNOT_READ = f"this token cannot read runs, so it cannot show pages: it needs the scope {Scope.RUNS_READ}"


@router.get(SIGN_IN)
async def sign_in_page(
    request: Request,
    next_: Annotated[str, Query(alias="next", max_length=4000)] = "/",
    once: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    if await seat_of(request) is not None:
        return gone_to(safe_place(next_))
    return await page(request, "sign_in", lambda: {"next": safe_place(next_), "trouble": "", "once": once})


@router.post(SIGN_IN)
async def sign_in(request: Request, house: TheHouse) -> Response:
    """Wrong tokens are counted as the API counts them."""
    said = request.state.form
    place = safe_place(said.get("next", "/"))
    try:
        access = await _admitted(house, said, address_of(request))
        if not access.may(Scope.RUNS_READ):
            raise Unauthenticated(CANNOT_READ)
        response = gone_to(place)
        await take_seat(request, response, access)
    except (Unauthenticated, TooManyFailures) as error:
        status, trouble = (401 if isinstance(error, Unauthenticated) else 429), str(error)
        return await page(request, "sign_in", lambda: {"next": place, "trouble": trouble, "once": ""}, status)
    return response


async def _admitted(house: House, said: Mapping[str, str], address: str) -> Access:
    """By token; or by the link that `serve` has printed, once. Raises Unauthenticated, TooManyFailures."""
    if not said.get("once"):
        return await house.doorkeeper.of_bearer(said.get("token", "").strip(), address)
    known = house.once
    if known is None or not hmac.compare_digest(hash_of(said["once"]), known.hash):
        raise house.doorkeeper.failed(address, "this link was used before, or an earlier server has printed it")
    house.once = None
    unknown = hash_of(secrets.token_urlsafe(32))  # nobody has its text: it is good for this session alone
    scopes = [Scope.ADMIN]
    token_id = known.token_id
    await house.ledger.wait(create_token, token_id=token_id, hash=unknown, scopes=scopes, client_id=None, by=LINK)
    return Access.of_token(token_id, scopes)


@router.post("/sign-out")
async def sign_out(request: Request, access: Viewer) -> Response:
    await leave_seat(request)
    response = gone_to(SIGN_IN)
    forget_cookie(request, response)
    return response


@router.get(ASSET)
async def asset(name: str) -> Response:
    found = ASSETS.get(name)
    if found is None:
        raise NotFound("there is no such file")
    return Response(found.body, media_type=found.media_type, headers={**HEADERS, **FOR_GOOD})
