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
    run_id: str | None = Field(default=None, description="The run in question, where there is one")
    errors: list[Trouble] | None = Field(default=None, description="What is wrong with the request, part by part")


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object) -> JSONResponse:
    said = {name: value for name, value in more.items() if value is not None}
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **said}
    return JSONResponse(body, status, dict(headers or {}), media_type=MEDIA_TYPE)


def status_of(error: TallybookError) -> int:
    return next((status for kind, status in STATUS_OF if isinstance(error, kind)), 500)


def problem_of(error: TallybookError) -> JSONResponse:
    """*error* as its caller reads it."""
    status = status_of(error)
    return problem(status, str(error), _headers_of(error, status), run_id=error.run_id, client_id=error.client_id)


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
    app.add_exception_handler(Exception, _unexpected)


async def _ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TallybookError)
    return problem_of(error)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """What was sent is never repeated: it may hold a secret."""
    assert isinstance(error, RequestValidationError)
    errors = [{"where": ".".join(map(str, each["loc"])), "what": each["msg"]} for each in error.errors()]
    first = f"{errors[0]['where']}: {errors[0]['what']}" if errors else "it cannot be read"
    return problem(422, f"the request is not understood: {first}", errors=errors)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), error.headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s broke", request.method, request.url.path, exc_info=error)
    return problem(500, "this is a mistake of ours; it is in the server's log")
