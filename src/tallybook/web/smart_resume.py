"""The two routes of the server that Tallybook replaces, so that an old cron line keeps working.

Here alone what is not known is passed over: old cron lines say more than is still needed.
"""

import re
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tallybook.database import Database
from tallybook.domain.access import Access
from tallybook.domain.errors import BadInput, Busy
from tallybook.domain.run import OperationName, Trigger
from tallybook.ledger import listing
from tallybook.ledger.write import starts
from tallybook.report.facts import run_head
from tallybook.web import models
from tallybook.web.guard import CronLine
from tallybook.web.house import House, TheHouse
from tallybook.web.paths import CLIENT_ID_FORMAT
from tallybook.web.problems import documented, problem
from tallybook.web.reading import ETAG_SAYS, Asked, answer, told
from tallybook.web.runs import LARGEST_STREAM
from tallybook.web.starting import MOST_LEADS, ClientIdInBody, refuse_more_than_own, start

router = APIRouter(tags=["compatibility"])
STATUS_ROUTE = "/smart-resume-status"


def _as_number(said: object) -> object:
    """Text of digits counts as the number; nothing else that Python might take for one does. Raises ValueError."""
    if isinstance(said, str) and _DIGITS.fullmatch(said):
        return int(said) if said else None
    if isinstance(said, bool | str):
        raise ValueError("a whole number")
    return said


def _as_list(said: object) -> object:
    return [said] if isinstance(said, str) and said else said or None


_DIGITS = re.compile(r"(?:-?[0-9]{1,9})?")
Number = Annotated[int | None, BeforeValidator(_as_number)]
MOST = Field(default=None, ge=1, le=MOST_LEADS, description="The most leads of each client")


class Resume(BaseModel):
    """What an old cron line says. Numbers may be text; what is empty, or has another name, says nothing."""

    stream: Number = Field(default=None, ge=-LARGEST_STREAM, le=LARGEST_STREAM, examples=[1])
    leadScoringLimit: Number = MOST  # noqa: N815 -- the old server's words
    postScoringLimit: Number = MOST  # noqa: N815 -- the old server's words
    clientFilter: Annotated[  # noqa: N815 -- the old server's words
        list[ClientIdInBody] | None, BeforeValidator(_as_list)
    ] = Field(default=None, description="A client id, or a list of them")

    def as_request(self) -> starts.Request:
        limits = {
            OperationName.LEAD_SCORING: self.leadScoringLimit,
            OperationName.POST_SCORING: self.postScoringLimit,
        }
        return starts.Request(
            stream=self.stream,
            clients=tuple(self.clientFilter or ()),
            trigger=Trigger.CRON,
            limits={operation: most for operation, most in limits.items() if most is not None},
        )


_STREAM = [
    {"type": "integer", "minimum": -LARGEST_STREAM, "maximum": LARGEST_STREAM},
    {"type": "string", "pattern": "^(-?[0-9]{1,9})?$"},
    {"type": "null"},
]
_MOST = [
    {"type": "integer", "minimum": 1, "maximum": MOST_LEADS},
    {"type": "string", "pattern": "^([1-9][0-9]{0,8})?$"},
    {"type": "null"},
]
_ID = {"type": "string", "format": CLIENT_ID_FORMAT}
_IDS = [_ID, {"type": "string", "maxLength": 0}, {"type": "array", "items": _ID}, {"type": "null"}]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "stream": {"anyOf": _STREAM, "description": "Without it: all streams"},
        "leadScoringLimit": {"anyOf": _MOST, "description": "The most leads of each client"},
        "postScoringLimit": {"anyOf": _MOST, "description": "The most leads of each client"},
        "clientFilter": {"anyOf": _IDS, "description": "A client id, or a list of them; without it: all of the stream"},
    },
}
CONTENT = {"application/json": {"schema": SCHEMA, "example": {"stream": 1, "leadScoringLimit": 100}}}


@router.post(
    "/smart-resume-client-by-client",
    summary="Start all operations for the clients of a stream",
    status_code=202,
    response_model=models.SmartResumeStarted,
    responses=documented(404, 409),
    openapi_extra={"requestBody": {"required": False, "content": CONTENT}},
)
async def smart_resume(request: Request, access: CronLine, house: TheHouse) -> Response:
    """Answered at once; the engine does the work (F21). 409 while another run works on a part of it: `runId` names that
    one, and `detail` says who started it and when (F13).
    """
    asked = _read(await request.body()).as_request()
    refuse_more_than_own(access, asked)
    try:
        started = await start(house, access, asked)
    except Busy as busy:
        named = busy.run_id
        return problem(HTTPStatus.CONFLICT, str(busy), code=Busy.__name__, run_id=named, runId=named)
    return told(_started(house, started.run_id, asked.stream), HTTPStatus.ACCEPTED)


def _read(body: bytes) -> Resume:
    """Raises BadInput. Old cron lines do not always say that what they send is JSON."""
    try:
        return Resume.model_validate_json(body) if body.strip() else Resume()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["body", *map(str, first["loc"])])
        raise BadInput(f"the request is not understood: {where}: {first['msg']}") from None


def _started(house: House, run_id: str, stream: int | None) -> dict[str, Any]:
    of_stream = "" if stream is None else f"?stream={stream}"
    whose = "all streams" if stream is None else f"stream {stream}"
    return {
        "success": True,
        "runId": run_id,
        "jobId": run_id,
        "stream": stream,
        "status": "started",
        "message": f"Run {run_id} of {whose} was started",
        "statusUrl": f"{house.app.settings.server.public_url or ''}{STATUS_ROUTE}{of_stream}",
    }


class StatusAsked(Asked):
    stream: int | None = Field(default=None, ge=-LARGEST_STREAM, le=LARGEST_STREAM, description="Of this stream alone")


@router.get(
    STATUS_ROUTE,
    summary="The newest run of each stream",
    response_model=models.Streams,
    responses=documented() | ETAG_SAYS,
)
async def smart_resume_status(
    request: Request, access: CronLine, house: TheHouse, asked: Annotated[StatusAsked, Query()]
) -> Response:
    """Of the runs that Tallybook itself drives. A run over all streams stands by itself, with `stream` null."""
    return answer(request, await run_in_threadpool(_streams, house.ledger.database, access, asked.stream))


def _streams(database: Database, access: Access, stream: int | None) -> dict[str, Any]:
    found = listing.newest_of_streams(database, stream=stream, tenant=access.client_id)
    return {"streams": [{**run_head(run), "isRunning": not run.status.terminal} for run in found]}
