"""Every error of the API is problem+json (RFC 9457), whoever raised it (F18)."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route

from tallybook.domain.errors import (
    BadInput,
    Conflict,
    Forbidden,
    LedgerUnavailable,
    NotFound,
    RunIdsExhausted,
    StoreUnavailable,
    TallybookError,
    TooManyFailures,
    Unauthenticated,
)

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
AGAIN_AFTER_S = 5

STATUS_OF: Sequence[tuple[type[TallybookError], int]] = (
    (Unauthenticated, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (BadInput, 422),
    (TooManyFailures, 429),
    (LedgerUnavailable, 503),
    (StoreUnavailable, 503),
    (RunIdsExhausted, 503),
)


class Trouble(BaseModel):
    """One thing that is wrong with a request."""

    where: str = Field(examples=["body.stream"])
    what: str = Field(examples=["Input should be a valid integer"])


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    model_config = ConfigDict(extra="allow")
    type: str = Field(default="about:blank", examples=["about:blank"])
    title: str = Field(examples=["Conflict"])
    status: int = Field(examples=[409])
    detail: str = Field(examples=["run 261125-020000 (running) works on this already"])
    code: str | None = Field(default=None, description="What kind of trouble it is", examples=["Busy"])
    run_id: str | None = Field(default=None, description="The run in question, where there is one")
    errors: list[Trouble] | None = Field(default=None, description="What is wrong with the request, part by part")


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object) -> JSONResponse:
    said = {name: value for name, value in more.items() if value is not None}
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **said}
    return JSONResponse(body, status, dict(headers or {}), media_type=MEDIA_TYPE)


def status_of(error: TallybookError) -> int:
    return next((status for kind, status in STATUS_OF if isinstance(error, kind)), 500)


class BadItems(BadInput):
    """Items of a batch are off, so nothing of the batch was written. *troubles*: which, and why."""

    def __init__(self, message: str, troubles: Sequence[Trouble]) -> None:
        super().__init__(message)
        self.troubles = troubles


def problem_of(error: TallybookError) -> JSONResponse:
    """*error* as its caller reads it."""
    status = status_of(error)
    facts: dict[str, object] = {"code": type(error).__name__, "run_id": error.run_id, "client_id": error.client_id}
    if isinstance(error, BadItems):
        facts |= {"code": BadInput.__name__, "errors": [each.model_dump() for each in error.troubles]}
    return problem(status, str(error), _headers_of(error, status), **facts)


def _headers_of(error: TallybookError, status: int) -> Mapping[str, str]:
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, TooManyFailures):
        return {"Retry-After": str(error.retry_after_s)}
    return {"Retry-After": str(AGAIN_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: the errors it may answer with, beside those that every guarded route may."""
    every = (401, 403, 422, 429, 503)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content} for status in sorted({*every, *statuses})
    }


# -- handlers ----------------------------------------------------------------------------------------------------------


def install(app: FastAPI) -> None:
    app.add_exception_handler(TallybookError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)


async def _ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TallybookError)
    return problem_of(error)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """What was sent is never repeated: it may hold a secret."""
    assert isinstance(error, RequestValidationError)
    said = [(".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, ")) for each in error.errors()]
    errors = [{"where": where, "what": what} for where, what in said]
    first = f"{errors[0]['where']}: {errors[0]['what']}" if errors else "it cannot be read"
    return problem(422, f"the request is not understood: {first}", code=BadInput.__name__, errors=errors)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(sorted(_methods_at(request)))
        return problem(405, f"{request.method} cannot be done here; what can: {allowed}", {"Allow": allowed})
    if error.status_code == HTTPStatus.BAD_REQUEST:  # said by FastAPI alone, of what is not even text
        return problem(422, "the request is not understood: the body is no JSON", code=BadInput.__name__)
    return problem(error.status_code, str(error.detail), error.headers)


async def _gone(request: Request, _error: Exception) -> JSONResponse:
    log.info("%s %s: the caller went away before all was said", request.method, request.url.path)
    return problem(400, "the rest of the request never came")


def _methods_at(request: Request) -> set[str]:
    """Of every route there; each route knows its own alone."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return found


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s broke", request.method, request.url.path, exc_info=error)
    return problem(500, "this is a mistake of ours; it is in the server's log")
