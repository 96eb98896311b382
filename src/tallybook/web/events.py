"""GET /runs/{run_id}/events: what happens in a run, as server-sent events."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Send

from tallybook.database import Database
from tallybook.domain.client import ClientId
from tallybook.domain.errors import Forbidden, LedgerUnavailable, TooManyFailures, Unauthenticated
from tallybook.ledger import read
from tallybook.web import frames
from tallybook.web.guard import Reader, admitted
from tallybook.web.house import TheHouse, house_of
from tallybook.web.models import MESSAGES
from tallybook.web.paths import RunIdInPath, VerbatimRoute
from tallybook.web.problems import documented
from tallybook.web.reading import Asked, run_named
from tallybook.web.watching import Joined, Listener, Watch, Watches

router = APIRouter(prefix="/api/v1", tags=["runs"], route_class=VerbatimRoute)
HEARTBEAT_S = 15.0
MEDIA_TYPE = "text/event-stream"
LARGEST_ID = 2**53
EXAMPLE = (
    'id: 7\nevent: started\ndata: {"id":7,"at":"2026-11-25T02:00:00.000000Z","kind":"started",'
    '"text":"Started by token 1a2b3c4d (api)","client_id":null}\n\n'
    'event: end\ndata: {"run_id":"261125-020000","status":"completed"}\n\n'
)
MESSAGE = {
    "type": "object",
    "description": "One message of the stream",
    "properties": {
        "id": {"type": "string", "description": "Of events alone"},
        "event": {"type": "string", "description": "The kind of the event; or `status`, or `end`"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"anyOf": [{"$ref": f"#/components/schemas/{each.__name__}"} for each in MESSAGES]},
        },
    },
    "required": ["event", "data"],
}
STREAM = {
    "description": "A stream of messages",
    "content": {MEDIA_TYPE: {"schema": MESSAGE, "example": EXAMPLE}},
}

LastEventId = Annotated[
    int | None,
    Header(alias="Last-Event-ID", ge=0, le=LARGEST_ID, description="The `id` last received; browsers send it"),
]


class EventsAsked(Asked):
    after: int = Field(default=0, ge=0, le=LARGEST_ID, description="As Last-Event-ID, which counts where both are sent")
    follow: bool = Field(default=True, description="false: what is there, then the end, though the run goes on")


@router.get(
    "/runs/{run_id}/events",
    summary="What happens in a run, live",
    response_class=StreamingResponse,
    responses={**documented(404), 200: STREAM},
)
async def events(
    *,
    request: Request,
    access: Reader,
    house: TheHouse,
    run_id: RunIdInPath,
    asked: Annotated[EventsAsked, Query()],
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    """Server-sent events: what is there at once, then what happens. `event` is the kind, `data` JSON with id, at, kind,
    text and client_id (null: the run as a whole).

    Between them, at most twice a second, `status` tells how far the run is: status, totals, and those clients that
    moved on since the last one. When the run has ended and everything was sent, `end` comes and the stream ends; where
    it ends without that, come back with the last id. An id may be smaller than the one before it.
    """
    found = await run_in_threadpool(run_named, house.ledger.database, access, run_id)
    watch, listener = watches_of(request).of(found), Listener(access.client_id)
    joined = await watch.join(listener)
    after = asked.after if last_event_id is None else last_event_id
    sent = _told(house.ledger.database, joined, listener, after, _still_admitted(request) if asked.follow else None)
    return EventStream(sent, watch, listener)


def watches_of(request: Request) -> Watches:
    """Of the server's house of now."""
    house, state = house_of(request), request.app.state
    known: Watches | None = getattr(state, "watches", None)
    if known is None or known.database is not house.ledger.database:
        known = state.watches = Watches(house.ledger.database, lambda: house.leaving)
    return known


class EventStream(StreamingResponse):
    """Leaves the watch however it ends."""

    def __init__(self, sent: AsyncIterator[bytes], watch: Watch, listener: Listener) -> None:
        super().__init__(sent, media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})
        self._watch = watch
        self._listener = listener

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        finally:
            self._watch.leave(self._listener)


async def _told(
    database: Database,
    joined: Joined,
    listener: Listener,
    after: int,
    still_admitted: "Callable[[], Awaitable[bool]] | None",
) -> AsyncIterator[bytes]:
    """*still_admitted* None: nothing is waited for."""
    async for frame in _past(database, joined, listener.tenant, after):
        yield frame
    yield frames.of_status(joined.glance, listener.tenant) or b""
    if still_admitted is None:
        yield frames.of_end(joined.glance)
        return
    looked_at = time.monotonic()
    while True:
        if time.monotonic() - looked_at >= HEARTBEAT_S:
            looked_at = time.monotonic()
            if not await still_admitted():
                return
        message = await _next(listener)
        if message is None:
            return
        frame, last = message
        yield frame
        if last:
            return


async def _past(database: Database, joined: Joined, tenant: ClientId | None, after: int) -> AsyncIterator[bytes]:
    run_id, seen = joined.glance.run_id, after
    while seen < joined.settled:
        page = await run_in_threadpool(read.events_of, database, run_id, after=seen, until=joined.settled)
        for event in page:
            if frame := frames.of_event(event, tenant):
                yield frame
        seen = page[-1].event_id if page else joined.settled
    for event in joined.recent_after(after):
        if frame := frames.of_event(event, tenant):
            yield frame


async def _next(listener: Listener) -> tuple[bytes, bool] | None:
    try:
        return await asyncio.wait_for(listener.queue.get(), HEARTBEAT_S)
    except TimeoutError:
        return frames.HEARTBEAT, False


def _still_admitted(request: Request) -> Callable[[], Awaitable[bool]]:
    """A token may be revoked while a stream is open."""

    async def look() -> bool:
        try:
            await admitted(request)
        except (Unauthenticated, Forbidden, TooManyFailures):
            return False
        except LedgerUnavailable:
            return True
        return True

    return look
