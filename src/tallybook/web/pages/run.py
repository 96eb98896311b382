"""The Run page: is it going well, what does it wait for, who failed and why, what did it cost, what has changed?"""

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tallybook.database import Database
from tallybook.domain.access import Access
from tallybook.domain.errors import NotFound
from tallybook.domain.figures import LeadFigures
from tallybook.domain.run import Run
from tallybook.engine.worklist import MOST_RUNS
from tallybook.ledger import figures, listing, showing, telling
from tallybook.report.content import content, note_on_client
from tallybook.report.diff import diff
from tallybook.report.explain import explain
from tallybook.web import starting
from tallybook.web.house import TheHouse
from tallybook.web.pages.charts import shares, timeline
from tallybook.web.pages.drawing import Frame, drawn, part
from tallybook.web.pages.live import Parts, live_run
from tallybook.web.pages.page import Operator, PageRoute, Viewer, frame_of, gone_to, page
from tallybook.web.paths import RunIdInPath
from tallybook.web.reading import run_named

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MOST_EVENTS = 100
PARTS = ("head", "figures", "clients", "timeline", "why", "events")
"""What changes while a run goes on. Each is a template of its own, and sent anew when it looks different."""


@router.get("/runs/{run_id}")
async def run_page(request: Request, access: Viewer, house: TheHouse, run_id: RunIdInPath) -> Response:
    frame = await frame_of(request)
    return await page(request, "run", lambda: {**whole(house.ledger.database, access, run_id, frame), "parts": PARTS})


@router.get("/runs/{run_id}/live")
async def run_live(request: Request, access: Viewer, house: TheHouse, run_id: RunIdInPath) -> Response:
    """Those parts of the page that have changed, until the run has ended."""
    database = house.ledger.database
    found = await run_in_threadpool(run_named, database, access, run_id)
    return await live_run(request, access, found, lambda frame: parts(database, access, found, frame))


@router.get("/runs/{run_id}/diff/{other}")
async def diff_page(request: Request, access: Viewer, house: TheHouse, run_id: RunIdInPath, other: str) -> Response:
    return await page(request, "diff", lambda: _diff(house.ledger.database, access, run_id, other))


@router.post("/runs/{run_id}/pause")
async def pause(access: Operator, house: TheHouse, run_id: RunIdInPath) -> Response:
    await starting.pause_run(access, house, run_id)
    return gone_to(f"/runs/{part(run_id)}")


@router.post("/runs/{run_id}/cancel")
async def cancel(access: Operator, house: TheHouse, run_id: RunIdInPath) -> Response:
    await starting.cancel_run(access, house, run_id)
    return gone_to(f"/runs/{part(run_id)}")


@router.post("/runs/{run_id}/resume")
async def resume(access: Operator, house: TheHouse, run_id: RunIdInPath) -> Response:
    await starting.resume_run(access, house, run_id)
    return gone_to(f"/runs/{part(run_id)}")


# -- what is read ------------------------------------------------------------------------------------------------------


def parts(database: Database, access: Access, run_id: str, frame: Frame) -> Parts:
    facts = now(database, access, run_id, frame)
    return {name: drawn(f"run/{name}", frame, facts) for name in PARTS}


def whole(database: Database, access: Access, text: str, frame: Frame) -> dict[str, Any]:
    """Raises InvalidRunId, NotFound."""
    facts = now(database, access, run_named(database, access, text), frame)
    run: Run = facts["run"]
    people = telling.notes_of_people(database, run.run_id) if access.client_id is None else {}
    names = {each.client_id: each.client_name for each in run.clients}
    return {**facts, "people": [(names.get(client_id, ""), text) for client_id, text in people.items()]}


def now(database: Database, access: Access, run_id: str, frame: Frame) -> dict[str, Any]:
    """What every part is drawn from, as of one look at the books."""
    tenant = access.client_id
    run = listing.run_seen_by(database, run_id, tenant)
    leads = figures.lead_figures(database, run_id)
    failures = [each for each in figures.failures(database, run_id, MOST_RUNS) if access.reaches(each.client_id)]
    before = previous(database, access, run)
    counted = sum((each for client_id, each in leads.items() if access.reaches(client_id)), LeadFigures())
    return {
        "run": run,
        "content": content(run, previous=before, leads=counted),
        "previous": before,
        "diff": diff(before, run) if before else None,
        "said": explain(run, failures)[1:],
        "shares": shares,
        "notes": note_on_client,
        "timeline": timeline(run, frame.now),
        "events": showing.newest_events(database, run_id, tenant, MOST_EVENTS),
        "most_events": MOST_EVENTS,
        "may_stop": tenant is None or run.request.get("clients") == [tenant],
    }


def previous(database: Database, access: Access, run: Run) -> Run | None:
    found = figures.previous_run(database, run)
    try:
        return listing.run_seen_by(database, found, access.client_id) if found else None
    except NotFound:
        return None


def _diff(database: Database, access: Access, text: str, other: str) -> dict[str, Any]:
    after, before = (
        listing.run_seen_by(database, run_named(database, access, each), access.client_id) for each in (text, other)
    )
    return {"diff": diff(before, after)}
