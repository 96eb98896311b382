"""Routes for what comes a thousand times a second, and checks what it is sent itself."""

import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from tallybook.domain.errors import BadInput, TallybookError
from tallybook.web.paths import VerbatimRoute, raw_path
from tallybook.web.problems import problem, problem_of

JSON = "application/json"


Handle = Callable[[Request], Coroutine[Any, Any, Response]]


class QuickRoute(VerbatimRoute):
    """Its endpoint is called with `request`, `access` (what its guard gives), the path's parameters and, if it takes
    one, the `body`: an object of JSON, empty where none was sent. It answers with a Response.

    FastAPI reads its signature to describe it, and reads nothing of a request: that takes longer than all we do.
    """

    def get_route_handler(self) -> Handle:
        endpoint: Any = self.endpoint
        (guard,) = (each.call for each in self.dependant.dependencies)
        assert guard is not None, "there is a guard, or it is not served"
        takes_body = bool(self.dependant.body_params)

        async def handle(request: Request) -> Response:
            access = await guard(request)
            said = {"body": await _object_of(request)} if takes_body else {}
            response: Response = await endpoint(request=request, access=access, **request.path_params, **said)
            return response

        return handle


class Shortcut:
    """Takes requests straight to the quick routes among *routes*. All others go the long way, which costs as much again
    as what most quick routes do.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes: dict[str, list[tuple[QuickRoute, Handle]]] = {}
        for route in routes:
            if isinstance(route, QuickRoute):
                for method in route.methods or ():
                    self._routes.setdefault(method, []).append((route, route.get_route_handler()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handle = self._find(scope) if scope["type"] == "http" else None
        if handle is None:
            await self._app(scope, receive, send)
            return
        try:
            response = await handle(Request(scope, receive))
        except TallybookError as error:
            response = problem_of(error)
        except HTTPException as error:
            response = problem(error.status_code, str(error.detail), error.headers)
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> Handle | None:
        path = raw_path(scope)
        for route, handle in self._routes.get(scope["method"], ()):
            params = route.params_in(path)
            if params is not None:
                scope["path_params"] = params
                return handle
        return None


async def _object_of(request: Request) -> dict[str, Any]:
    """Raises BadInput."""
    try:
        sent = await request.body()
    except ClientDisconnect:
        raise BadInput("the connection ended before the body did") from None
    if not sent:
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON:
        raise BadInput(f"the body must be JSON, with `Content-Type: {JSON}`")
    try:
        read = json.loads(sent)
    except (ValueError, RecursionError):
        raise BadInput("the body is no JSON") from None
    if read is None:
        return {}
    if not isinstance(read, dict):
        raise BadInput("the body must be a JSON object")
    return read
