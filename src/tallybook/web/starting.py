"""Starting, pausing, canceling and resuming. Answered at once: the work itself belongs to the engine (F21)."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi import Request as HttpRequest
from pydantic import BeforeValidator, Field, StrictBool
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tallybook.domain.access import Access
from tallybook.domain.client import LONGEST_ID, ClientId
from tallybook.domain.errors import Busy, Forbidden, NotFound
from tallybook.domain.run import OperationName, Run, Status, Stop, Trigger
from tallybook.engine import trigger
from tallybook.ledger import listing
from tallybook.ledger.write.starts import LONGEST_KEY, Caller, Request, Start, Started
from tallybook.web import models
from tallybook.web.guard import Starter, guards_of
from tallybook.web.house import House, TheHouse
from tallybook.web.paths import CLIENT_ID_FORMAT, RunIdInPath, VerbatimRoute
from tallybook.web.problems import documented
from tallybook.web.reading import Asked, run_named, told, whole
from tallybook.web.runs import LARGEST_STREAM, run_object


class GuardedFirst(VerbatimRoute):
    """Looks at the credential before it reads what was sent: FastAPI does it the other way round."""

    def get_route_handler(self) -> Callable[[HttpRequest], Coroutine[Any, Any, Response]]:
        handle, guards = super().get_route_handler(), guards_of(self)

        async def handle_admitted(request: HttpRequest) -> Response:
            for guard in guards:
                await guard(request)
            return await handle(request)

        return handle_admitted


router = APIRouter(prefix="/api/v1", tags=["runs"], route_class=GuardedFirst)
MOST_LEADS = 10**9
REPLAYED = "Idempotent-Replayed"
BUSY = "another run works on this already; wait for it, or queue behind it"

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=LONGEST_KEY,
        description="Said again with the same request it starts nothing new, for 90 days",
        examples=["nightly-261125"],
        json_schema_extra={"pattern": "^[!-~]([ -~]*[!-~])?$"},
    ),
]


ClientIdInBody = Annotated[
    str, Field(min_length=1, max_length=LONGEST_ID, json_schema_extra={"format": CLIENT_ID_FORMAT})
]


class StartAsked(Asked):
    """What is to be run: by default every operation that applies, for all clients."""

    operations: list[OperationName] | None = Field(default=None, examples=[["lead_scoring"]])
    stream: Annotated[int, Field(ge=-LARGEST_STREAM, le=LARGEST_STREAM), BeforeValidator(whole)] | None = Field(
        default=None, description="Only clients of this stream", examples=[1]
    )
    clients: list[ClientIdInBody] | None = Field(
        default=None, max_length=1000, description="Only these", examples=[["acme-law"]]
    )
    limit: Annotated[int, Field(ge=1, le=MOST_LEADS), BeforeValidator(whole)] | None = Field(
        default=None, description="The most leads of each client and operation"
    )
    queue: StrictBool = Field(default=False, description="Wait for what is in the way instead of being refused")

    def as_request(self) -> Request:
        operations = tuple(self.operations or OperationName)
        return Request(operations, self.stream, tuple(self.clients or ()), self.limit, Trigger.API)


@router.post(
    "/runs",
    summary="Start a run",
    status_code=201,
    response_model=models.Run,
    responses={
        **documented(404, 409),
        200: {"description": f"The key is known: this is the run it started; {REPLAYED}: true", "model": models.Run},
    },
)
async def start_run(access: Starter, house: TheHouse, asked: StartAsked, key: Key = None) -> Response:
    """The run is booked, and the answer comes at once; the engine takes it up. 409 where another run works on a part
    of it: `run_id` names that one.

    A token bound to a client may start what names exactly that client.
    """
    request = asked.as_request()
    refuse_more_than_own(access, request)
    started = await start(house, access, request, key=key, queue_behind=asked.queue)
    run = await run_in_threadpool(run_object, house.ledger.database, access, started.run_id)
    if started.replayed:
        return told(run, headers={REPLAYED: "true"})
    return told(run, 201, {"Location": f"/api/v1/runs/{started.run_id}"})


def refuse_more_than_own(access: Access, request: Request) -> None:
    """Raises Forbidden where a token that is bound to a client asks for anybody else."""
    if access.client_id is not None and set(request.clients) != {access.client_id}:
        raise Forbidden("this token is bound to one client: it may start what names that client in `clients`, alone")


async def start(
    house: House, access: Access, request: Request, *, key: str | None = None, queue_behind: bool = False
) -> Started:
    """Raises BadInput, NotFound, KeyReused, Busy, RunIdsExhausted, LedgerUnavailable."""
    caller = Caller(scope=access.actor, name=access.actor)
    asked = Start(request, caller, key, queue_behind, house.app.run_id_style)
    try:
        started = await run_in_threadpool(trigger.start, house.ledger, house.app.visited, asked, access.actor)
    except Busy as busy:
        raise await run_in_threadpool(_seen_by, access.client_id, busy, house) from None
    house.nudge()
    return started


def _seen_by(tenant: ClientId | None, busy: Busy, house: House) -> Busy:
    """Who else works for whom is nothing to a tenant: it is told of a run only where it has a part in it (F13)."""
    if tenant is None or busy.run_id is None:
        return busy
    try:
        listing.refuse_unconcerned(house.ledger.database, busy.run_id, tenant)
    except NotFound:
        return Busy(BUSY)
    return Busy(BUSY, run_id=busy.run_id)


# -- stopping and going on ---------------------------------------------------------------------------------------------


STOPS: dict[int | str, dict[str, Any]] = {
    **documented(404, 409),
    202: {"description": "Told; its calls in flight are letting go", "model": models.Run},
}


@router.post("/runs/{run_id}:cancel", summary="Cancel a run", response_model=models.Run, responses=STOPS)
async def cancel_run(access: Starter, house: TheHouse, run_id: RunIdInPath) -> Response:
    """Calls in flight are told within a second; what was not attempted stays pending. A run that has ended: 409."""
    return await _stop(house, access, run_id, Stop.CANCEL)


@router.post("/runs/{run_id}:pause", summary="Pause a run", response_model=models.Run, responses=STOPS)
async def pause_run(access: Starter, house: TheHouse, run_id: RunIdInPath) -> Response:
    """It can be resumed within 24 hours. A run that has ended: 409."""
    return await _stop(house, access, run_id, Stop.PAUSE)


@router.post(
    "/runs/{run_id}:resume",
    summary="Go on with a paused run",
    response_model=models.Run,
    responses=documented(404, 409),
)
async def resume_run(access: Starter, house: TheHouse, run_id: RunIdInPath) -> Response:
    """Of a run that is not paused nothing changes. One that has ended, or whose calls are still letting go: 409."""
    found = await run_in_threadpool(_driven, house, access, run_id)
    await run_in_threadpool(trigger.resume, house.ledger, found, access.actor)
    house.nudge()
    return told(await run_in_threadpool(run_object, house.ledger.database, access, found))


async def _stop(house: House, access: Access, text: str, stop: Stop) -> Response:
    done = "paused" if stop is Stop.PAUSE else "canceled"
    run_id = await run_in_threadpool(_driven, house, access, text)
    await run_in_threadpool(trigger.stop, house.ledger, run_id, stop, f"{done} by {access.actor}", access.actor)
    house.nudge()
    run = await run_in_threadpool(run_object, house.ledger.database, access, run_id)
    return told(run, 200 if Status(run["status"]) not in (Status.QUEUED, Status.RUNNING) else 202)


def _driven(house: House, access: Access, text: str) -> str:
    """The id of a run that *access* may stop. Raises InvalidRunId, NotFound, Forbidden."""
    database = house.ledger.database
    run = listing.run_seen_by(database, run_named(database, access, text), access.client_id)
    if access.client_id is not None and not _its_own(run, access.client_id):
        raise Forbidden("this token is bound to one client, and the run is not for that client alone")
    return run.run_id


def _its_own(run: Run, tenant: ClientId) -> bool:
    return Request.of_json(run.request).clients == (tenant,)
