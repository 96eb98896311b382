"""The Doctor page: what `tallybook doctor` checks, looked at in the background, since some of it takes its time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tallybook.database import utc_now
from tallybook.web.house import Checks, Finding, House, TheHouse
from tallybook.web.pages.page import Boss, PageRoute, gone_to, page

router = APIRouter(route_class=PageRoute, include_in_schema=False)
GOOD_FOR = timedelta(minutes=5)
"""Whoever comes back sooner is shown what was found then."""
WAITED_S = 1.0
LEVELS = ("wrong", "notice", "ok")


@dataclass(slots=True)
class Visit:
    """What was found, and when; *looking*: somebody is at it."""

    found: Sequence[Finding] = ()
    at: datetime | None = None
    looking: "asyncio.Task[None] | None" = None

    @property
    def busy(self) -> bool:
        return self.looking is not None and not self.looking.done()

    @property
    def fresh(self) -> bool:
        return self.at is not None and utc_now() - self.at < GOOD_FOR

    async def look(self, house: House, checks: Checks) -> None:
        self.found = await run_in_threadpool(lambda: list(checks(house.app)))
        self.at = utc_now()

    async def begin(self, house: House, checks: Checks) -> None:
        """Wait a moment for what is found; longer than that it is looked for without anybody waiting."""
        if not self.busy:
            self.looking = asyncio.create_task(self.look(house, checks), name="doctor")
        assert self.looking is not None
        await asyncio.wait({self.looking}, timeout=WAITED_S)


@router.get("/doctor")
async def doctor_page(request: Request, access: Boss, house: TheHouse) -> Response:
    visit = _visit_of(request, house)
    if house.checks is not None and not visit.fresh:
        await visit.begin(house, house.checks)
    return await page(request, "doctor", lambda: _facts(house, visit))


@router.post("/doctor")
async def look_again(request: Request, access: Boss, house: TheHouse) -> Response:
    visit = _visit_of(request, house)
    if house.checks is not None:
        await visit.begin(house, house.checks)
    return gone_to("/doctor")


def _facts(house: House, visit: Visit) -> dict[str, Any]:
    found = sorted(visit.found, key=lambda each: LEVELS.index(str(each.level)))
    counts = {level: sum(str(each.level) == level for each in found) for level in LEVELS}
    return {"found": found, "counts": counts, "at": visit.at, "busy": visit.busy, "known": house.checks is not None}


def _visit_of(request: Request, house: House) -> Visit:
    """The one of the server's house of now."""
    known: tuple[House, Visit] | None = getattr(request.app.state, "doctor", None)
    if known is None or known[0] is not house:
        known = request.app.state.doctor = (house, Visit())
    return known[1]
