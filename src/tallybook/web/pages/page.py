"""A page: whom it lets in, what stands around it, and what becomes of an error. A GET changes nothing (F35)."""

import hmac
import re
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, urlsplit

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tallybook.database import utc_now
from tallybook.domain.access import Access, Scope
from tallybook.domain.errors import BadInput, Forbidden, LedgerUnavailable, TallybookError, Unauthenticated
from tallybook.web.guard import guard, guards_of
from tallybook.web.house import house_of
from tallybook.web.pages.drawing import Frame, drawn
from tallybook.web.paths import VerbatimRoute
from tallybook.web.problems import status_of
from tallybook.web.seats import seat_of, seated

Facts = Mapping[str, Any]
Viewer = Annotated[Access, Depends(guard(Scope.RUNS_READ, seated))]
Operator = Annotated[Access, Depends(guard(Scope.RUNS_START, seated))]
Boss = Annotated[Access, Depends(guard(Scope.ADMIN, seated))]

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:;"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # without any, a browser does not say either that a form is ours
}
SIGN_IN = "/sign-in"
LONGEST_FORM = 64 * 1024
ELSEWHERE = ("cross-site", "same-site")
"""What a browser says of a request that a page of somebody else has led to."""


class PageRoute(VerbatimRoute):
    """Looks at the session first, then at the form, then at everything else. Errors are pages, too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle, guards = super().get_route_handler(), guards_of(self)

        async def handle_page(request: Request) -> Response:
            try:
                for each in guards:
                    await each(request)
                if request.method == "POST":
                    request.state.form = await _form_of(request, signed_in=bool(guards))
                return await handle(request)
            except Unauthenticated as error:
                return await _sent_to_sign_in(request) if guards else await error_page(request, 401, str(error))
            except TallybookError as error:
                return await error_page(request, status_of(error), str(error))
            except RequestValidationError as error:
                return await error_page(request, 422, _first_trouble(error))
            except HTTPException as error:
                return await error_page(request, error.status_code, str(error.detail))

        return handle_page


def _first_trouble(error: RequestValidationError) -> str:
    """What was sent is never repeated."""
    said = [f"{each['loc'][-1]}: {each['msg'].removeprefix('Value error, ')}" for each in error.errors()]
    return next(iter(said), "it cannot be read")


# -- answers -----------------------------------------------------------------------------------------------------------


async def page(request: Request, template: str, facts: Callable[[], Facts], status: int = 200) -> HTMLResponse:
    """*facts* are read, and *template* is drawn with them, in a thread. Raises what *facts* raises."""
    frame = await frame_of(request)
    text = await run_in_threadpool(lambda: drawn(template, frame, facts()))
    return HTMLResponse(text, status, HEADERS)


async def frame_of(request: Request) -> Frame:
    seat, zone = await seat_of(request), house_of(request).app.settings.run_id.timezone
    path = request.url.path
    return Frame(path, zone, utc_now(), seat.access, seat.csrf) if seat else Frame(path, zone, utc_now())


async def error_page(request: Request, status: int, said: str) -> HTMLResponse:
    try:
        frame = await frame_of(request)
    except LedgerUnavailable:
        frame = Frame(request.url.path, house_of(request).app.settings.run_id.timezone, utc_now())
    facts = {"status": status, "phrase": HTTPStatus(status).phrase, "said": said}
    return HTMLResponse(drawn("error", frame, facts), status, HEADERS)


def gone_to(address: str) -> Response:
    """After a POST: the browser asks for that page, and asking anew does nothing twice."""
    return RedirectResponse(address, 303, HEADERS)


async def _sent_to_sign_in(request: Request) -> Response:
    """A browser that was led here by somebody else's page keeps a strict cookie back: it is asked once more."""
    if request.method != "GET" or "text/event-stream" in request.headers.get("accept", ""):
        return await error_page(request, 401, "You are not signed in (any more).")
    here = request.url.path if not request.url.query else f"{request.url.path}?{request.url.query}"
    if request.headers.get("sec-fetch-site") in ELSEWHERE:
        return HTMLResponse(drawn("bounce", await frame_of(request), {"here": safe_place(here)}), 200, HEADERS)
    place = safe_place(here)
    return gone_to(SIGN_IN if place == "/" else f"{SIGN_IN}?next={quote(place, safe='')}")


def safe_place(said: str) -> str:
    """A path of ours to go on to; whatever else was said: the first page."""
    local = re.fullmatch(r"/(?![/\\])[!-~]*", said) is not None and "\\" not in said
    return said if local and not said.startswith(SIGN_IN) else "/"


# -- forms -------------------------------------------------------------------------------------------------------------


async def _form_of(request: Request, *, signed_in: bool) -> Mapping[str, str]:
    """What a form of ours says. Raises Forbidden for one that is not ours, BadInput for what is no form."""
    _refuse_elsewhere(request)
    sent = await request.body()
    if len(sent) > LONGEST_FORM:
        raise BadInput("a form has at most 64 kB")
    try:
        said = dict(parse_qsl(sent.decode(), keep_blank_values=True, errors="strict", max_num_fields=100))
    except ValueError:
        raise BadInput("this is no form of ours") from None
    seat = await seat_of(request)
    if signed_in and (seat is None or not hmac.compare_digest(said.get("csrf", "").encode(), seat.csrf.encode())):
        raise Forbidden("this form was not made for you, or is too old: go back, load the page again, send it again")
    return said


def _refuse_elsewhere(request: Request) -> None:
    """Raises Forbidden where a browser says that a page of somebody else sent this."""
    public = house_of(request).app.settings.server.public_url or ""
    ours = {request.headers.get("host", ""), urlsplit(public).netloc} - {""}
    origin = request.headers.get("origin")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("this was sent by a page of another site")
    if origin is not None and urlsplit(origin).netloc not in ours:
        raise Forbidden("this was sent by a page of another site; behind a proxy, set server.public_url")
