"""Alerts: what somebody should look at, until it is over or somebody says that they have."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from tallybook.database import Database, Tx
from tallybook.domain.access import Access
from tallybook.ledger import alerting
from tallybook.ledger.alerting import Wanted
from tallybook.ledger.write import alerts as write
from tallybook.ledger.write import audit_log
from tallybook.web.house import TheHouse
from tallybook.web.pages.clients import Cursor
from tallybook.web.pages.drawing import query
from tallybook.web.pages.page import Operator, PageRoute, Viewer, gone_to, page
from tallybook.web.reading import cursor_of, key_in

router = APIRouter(route_class=PageRoute, include_in_schema=False)
PAGE = 50


@router.get("/alerts")
async def alerts_page(
    request: Request, access: Viewer, house: TheHouse, cursor: Cursor = "", everything: bool = False
) -> Response:
    return await page(request, "alerts", lambda: _alerts(house.ledger.database, access, cursor, everything))


@router.post("/alerts/{alert_id}/acknowledge")
async def acknowledge(access: Operator, house: TheHouse, alert_id: str) -> Response:
    await house.ledger.wait(_acknowledge, alert_id, access)
    return gone_to("/alerts")


def _alerts(database: Database, access: Access, cursor: str, everything: bool) -> dict[str, Any]:
    after = key_in("alerts", cursor or None, str, str)
    found = alerting.list_alerts(database, Wanted(everything, access.client_id), after=after, limit=PAGE + 1)
    shown, all_of_them = found[:PAGE], "true" if everything else ""
    older = cursor_of("alerts", alerting.key_of(shown[-1])) if len(found) > PAGE else None
    return {
        "alerts": shown,
        "everything": everything,
        "older": f"/alerts{query(everything=all_of_them, cursor=older)}" if older else None,
        "first": f"/alerts{query(everything=all_of_them)}" if cursor else None,
    }


def _acknowledge(tx: Tx, alert_id: str, access: Access) -> None:
    """Twice is as once. Raises NotFound."""
    if write.acknowledge(tx, alert_id, access.client_id):
        audit_log.note(tx, access.actor, "alert_acknowledged", f"alert {alert_id}")
