"""The Mirror page and the Schedules page: how Airtable stands against the books, and what starts by itself."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from tallybook.app import App
from tallybook.database import utc_now
from tallybook.domain.errors import BadSetting
from tallybook.domain.run import OperationName
from tallybook.domain.schedule import Schedule, why_missed
from tallybook.engine.schedule import is_kept, next_due
from tallybook.ledger import schedules as ledger_schedules
from tallybook.ledger.following import FollowerBook
from tallybook.report import words
from tallybook.web.guard import refuse_bound
from tallybook.web.house import TheHouse
from tallybook.web.pages.page import PageRoute, Viewer, page
from tallybook.web.pages.recently import MISSED_FOR

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MOST_MISSED = 100


@router.get("/mirror")
async def mirror_page(request: Request, access: Viewer, house: TheHouse) -> Response:
    refuse_bound(access, "the mirror")
    return await page(request, "mirror", lambda: _mirror(house.app))


def _mirror(app: App) -> dict[str, Any]:
    """From the books alone: Airtable is not asked."""
    try:
        mirror = app.mirror
    except BadSetting as error:
        return {"how": None, "base": "", "trouble": str(error)}
    if mirror is None:
        return {"how": None, "base": "", "trouble": ""}
    from tallybook.followers.mirror_care import how_it_is

    return {"how": how_it_is(mirror, FollowerBook(app.ledger, mirror.name)), "base": mirror.base.id, "trouble": ""}


@router.get("/schedules")
async def schedules_page(request: Request, access: Viewer, house: TheHouse) -> Response:
    refuse_bound(access, "the timetable")
    return await page(request, "schedules", lambda: _schedules(house.app))


def _schedules(app: App) -> dict[str, Any]:
    database, now = app.ledger.database, utc_now()
    stand = ledger_schedules.standings(database, [each.schedule_id for each in app.schedules])
    missed = ledger_schedules.missed_since(database, now - MISSED_FOR)[:MOST_MISSED]
    lines = [_line(each, stand[each.schedule_id]) for each in app.schedules]
    names = {each.schedule_id: each.line for each in app.schedules}
    return {
        "lines": lines,
        "missed": [(each, names.get(each.schedule_id, ""), why_missed(each.reason, each.run_id)) for each in missed],
        "days": MISSED_FOR.days,
    }


def _line(schedule: Schedule, standing: ledger_schedules.Standing) -> dict[str, Any]:
    now = utc_now()
    due = next_due(schedule, now)
    newest = standing.newest_missed
    return {
        "schedule": schedule,
        "does": _does(schedule),
        "due": due,
        "local": f"{due.astimezone(schedule.timezone):%a %Y-%m-%d %H:%M}" if due else "never",
        "standing": standing,
        "kept": is_kept(schedule, standing.checked_at, now),
        "why": why_missed(newest.reason, newest.run_id) if newest else "",
    }


def _does(schedule: Schedule) -> str:
    if set(schedule.operations) == set(OperationName):
        return "all that apply"
    return ", ".join(map(words.plain, schedule.operations))
