"""Pages that stay as true as when they were loaded: what looks different is sent anew, as HTML, part by part."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from tallybook.database import utc_now
from tallybook.domain.access import Access
from tallybook.domain.errors import TallybookError
from tallybook.web.events import MEDIA_TYPE, EventStream, watches_of
from tallybook.web.house import House, house_of
from tallybook.web.pages.drawing import Frame
from tallybook.web.pages.page import HEADERS, frame_of
from tallybook.web.seats import look_up
from tallybook.web.watching import Listener

Parts = Mapping[str, str]
"""Name -> HTML: what stands in the element of that name."""
Draw = Callable[[Frame], Parts]
AT_MOST_EVERY_S = 1.0
REST = 10
"""So many times as long as drawing takes is waited before the next."""
STILL_HERE_S = 15.0
LOOK_EVERY_S = 2.0
BEAT_S = 0.25


async def live_run(request: Request, access: Access, run_id: str, draw: Draw) -> StreamingResponse:
    """Of a run that is watched: drawn when something has happened. Raises NotFound, LedgerUnavailable."""
    watch, listener = watches_of(request).of(run_id), Listener(access.client_id)
    await watch.join(listener)
    return EventStream(_of_run(request, draw, listener), watch, listener)


async def live(request: Request, draw: Draw) -> StreamingResponse:
    """Drawn every few seconds."""
    return StreamingResponse(
        _always(request, draw), media_type=MEDIA_TYPE, headers={**HEADERS, "X-Accel-Buffering": "no"}
    )


async def _of_run(request: Request, draw: Draw, listener: Listener) -> AsyncIterator[bytes]:
    house, last = house_of(request), False
    told: Parts = {}
    while True:
        began = time.monotonic()
        drawn = await _drawn(request, draw)
        if drawn is None:
            return
        yield _told(told, drawn)
        told = drawn
        if last:
            yield b"event: end\ndata: {}\n\n"
            return
        if not await _rested(house, max(AT_MOST_EVERY_S, REST * (time.monotonic() - began))):
            return
        happened = await _next(listener)
        while happened is _NOTHING:
            yield b": still here\n\n"
            if await look_up(request) is None:
                return
            happened = await _next(listener)
        if happened is None:
            return
        last = bool(happened)


_NOTHING = object()


async def _next(listener: Listener) -> object:
    """Whether what has happened was the last. None: there is no more to hear; _NOTHING: nothing for a while."""
    try:
        message = await asyncio.wait_for(listener.queue.get(), STILL_HERE_S)
    except TimeoutError:
        return _NOTHING
    while message is not None and not message[1] and not listener.queue.empty():
        message = listener.queue.get_nowait()
    return None if message is None else message[1]


async def _always(request: Request, draw: Draw) -> AsyncIterator[bytes]:
    house = house_of(request)
    told: Parts = {}
    while (drawn := await _drawn(request, draw)) is not None:
        yield _told(told, drawn)
        told = drawn
        if not await _rested(house, LOOK_EVERY_S):
            return


async def _rested(house: House, seconds: float) -> bool:
    """False: the server leaves."""
    for _ in range(max(1, round(seconds / BEAT_S))):
        if house.leaving:
            break
        await asyncio.sleep(BEAT_S)
    return not house.leaving


async def _drawn(request: Request, draw: Draw) -> Parts | None:
    """None: the session has ended, or the books cannot be read just now; the browser comes back."""
    try:
        if await look_up(request) is None:
            return None
        frame = replace(await frame_of(request), now=utc_now())
        return await run_in_threadpool(draw, frame)
    except TallybookError:
        return None


def _told(before: Parts, now: Parts) -> bytes:
    """What is different, or a comment."""
    changed = [(name, html) for name, html in now.items() if before.get(name) != html]
    frames = [
        b"event: part\ndata: " + json.dumps({"part": name, "html": html}).encode() + b"\n\n" for name, html in changed
    ]
    return b"".join(frames) or b": still here\n\n"
