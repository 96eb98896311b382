"""The first page: what runs, what waits and why, what ended last, what needs somebody."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from tallybook.app import App
from tallybook.domain.access import Access
from tallybook.domain.run import Status
from tallybook.domain.schedule import why_missed
from tallybook.engine.schedule import next_due
from tallybook.ledger import alerting, listing, schedules, showing
from tallybook.ledger.listing import Wanted
from tallybook.web.house import TheHouse
from tallybook.web.pages.charts import shares
from tallybook.web.pages.drawing import Frame, drawn
from tallybook.web.pages.live import Parts, live
from tallybook.web.pages.page import PageRoute, Viewer, frame_of, page
from tallybook.web.pages.recently import MISSED_FOR

router = APIRouter(route_class=PageRoute, include_in_schema=False)
OPEN = [each for each in Status if not each.terminal]
ENDED = [each for each in Status if each.terminal]
MOST_OPEN, MOST_ENDED, MOST_ALERTS, MOST_COUNTED = 20, 8, 5, 1_000
PARTS = ("open", "attention", "ended")


@router.get("/")
async def now_page(request: Request, access: Viewer, house: TheHouse) -> Response:
    frame = await frame_of(request)
    return await page(request, "now", lambda: _now(house.app, access, frame))


@router.get("/live")
async def now_live(request: Request, access: Viewer, house: TheHouse) -> Response:
    """Those parts of the page that have changed."""
    return await live(request, lambda frame: _parts(house.app, access, frame))


def _parts(app: App, access: Access, frame: Frame) -> Parts:
    facts = _now(app, access, frame)
    return {name: drawn(f"now/{name}", frame, facts) for name in PARTS}


def _now(app: App, access: Access, frame: Frame) -> dict[str, Any]:
    database, tenant = app.ledger.database, access.client_id
    under_way = listing.page_of_runs(database, Wanted(statuses=OPEN, tenant=tenant), after=None, limit=MOST_OPEN)
    ended = listing.page_of_runs(database, Wanted(statuses=ENDED, tenant=tenant), after=None, limit=MOST_ENDED)
    clients = showing.clients_of(database, [each.run_id for each in (*under_way, *ended)]) if tenant is None else {}
    return {
        "open": under_way,
        "ended": ended,
        "clients": clients,
        "shares": shares,
        "alerts": alerting.list_alerts(database, alerting.Wanted(tenant=tenant), limit=MOST_ALERTS),
        **(_of_all(app, frame) if tenant is None else _OF_ONE),
    }


_OF_ONE: dict[str, Any] = {"next_runs": [], "schedules": False, "missed": [], "orphans": 0}


def _of_all(app: App, frame: Frame) -> dict[str, Any]:
    """What concerns every client, and so is nothing to one."""
    database = app.ledger.database
    due = [(at, each) for each in app.schedules if (at := next_due(each, frame.now))]
    missed = schedules.missed_since(database, frame.now - MISSED_FOR)
    return {
        "schedules": bool(app.schedules),
        "next_runs": sorted(due, key=lambda each: each[0])[:3],
        "missed": [(each, why_missed(each.reason, each.run_id)) for each in missed[:3]],
        "orphans": showing.orphans(database, MOST_COUNTED),
    }
