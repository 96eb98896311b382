"""Signing in with a token, and out again; and the style sheet and script, which anybody may have."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from tallybook.domain.access import Scope
from tallybook.domain.errors import NotFound, TooManyFailures, Unauthenticated
from tallybook.web.guard import address_of
from tallybook.web.house import TheHouse
from tallybook.web.pages.assets import ASSETS
from tallybook.web.pages.page import HEADERS, SIGN_IN, PageRoute, Viewer, gone_to, page, safe_place
from tallybook.web.seats import forget_cookie, leave_seat, seat_of, take_seat

router = APIRouter(route_class=PageRoute, include_in_schema=False)
ASSET = "/static/{name}"
PUBLIC = (SIGN_IN, ASSET)
"""What needs no session."""
FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable"}
CANNOT_READ = f"this token cannot read runs, so it cannot show pages: it needs the scope {Scope.RUNS_READ}"


@router.get(SIGN_IN)
async def sign_in_page(request: Request, next_: Annotated[str, Query(alias="next", max_length=4000)] = "/") -> Response:
    if await seat_of(request) is not None:
        return gone_to(safe_place(next_))
    return await page(request, "sign_in", lambda: {"next": safe_place(next_), "trouble": ""})


@router.post(SIGN_IN)
async def sign_in(request: Request, house: TheHouse) -> Response:
    """Wrong tokens are counted as the API counts them."""
    said = request.state.form
    place, text = safe_place(said.get("next", "/")), said.get("token", "").strip()
    try:
        access = await house.doorkeeper.of_bearer(text, address_of(request))
        if not access.may(Scope.RUNS_READ):
            raise Unauthenticated(CANNOT_READ)
        response = gone_to(place)
        await take_seat(request, response, access)
    except (Unauthenticated, TooManyFailures) as error:
        status, trouble = (401 if isinstance(error, Unauthenticated) else 429), str(error)
        return await page(request, "sign_in", lambda: {"next": place, "trouble": trouble}, status)
    return response


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
