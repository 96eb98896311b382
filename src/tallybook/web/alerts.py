"""Alerts over HTTP: what is wrong just now, and taking notice of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tallybook.database import Database
from tallybook.domain.access import Access
from tallybook.ledger.alerting import Wanted, key_of, list_alerts
from tallybook.ledger.write import alerts
from tallybook.report.alert_facts import alert_facts
from tallybook.web import models
from tallybook.web.guard import Reader, Starter
from tallybook.web.house import TheHouse
from tallybook.web.paths import VerbatimRoute
from tallybook.web.problems import documented
from tallybook.web.reading import ETAG_SAYS, PageAsked, answer, cursor_of, key_in, page_of, told

router = APIRouter(prefix="/api/v1", tags=["alerts"], route_class=VerbatimRoute)
OF = "alerts"


class AlertFacts(BaseModel):
    """Something that somebody should know of at once."""

    alert_id: str = Field(examples=["3f9a1c0b7e"])
    kind: str = Field(examples=["run_failed"], description="docs/alerts.md names them all")
    run_id: str | None = Field(examples=["261125-020000"])
    client_id: str | None = Field(examples=["acme-law"])
    text: str = Field(description="What happened, what it means, what to do")
    raised_at: str = models.MOMENT
    told_at: str | None = Field(description="When the first channel took it", examples=[None])
    acknowledged_at: str | None = Field(description="When somebody took notice of it", examples=[None])
    cleared_at: str | None = Field(description="When it was over", examples=[None])


class Alerts(BaseModel):
    items: list[AlertFacts]
    next_cursor: str | None = models.NEXT


class Acknowledged(BaseModel):
    alert_id: str
    acknowledged: bool
    acknowledged_before: bool = Field(description="Somebody had before")


class AlertsAsked(PageAsked):
    all: bool = Field(default=False, description="Those too that are over or acknowledged")


@router.get(
    "/alerts", summary="Alerts, newest first", response_model=Alerts, responses=documented() | ETAG_SAYS
)  # fmt: skip
async def list_open_alerts(
    request: Request, access: Reader, house: TheHouse, asked: Annotated[AlertsAsked, Query()]
) -> Response:
    """Those that are open. A token bound to a client sees that client's own."""
    return answer(request, await run_in_threadpool(_page, house.ledger.database, access, asked))


def _page(database: Database, access: Access, asked: AlertsAsked) -> dict[str, Any]:
    after = key_in(OF, asked.cursor, str, str)
    found = list_alerts(database, Wanted(asked.all, access.client_id), after=after, limit=asked.limit + 1)
    return page_of(found, asked.limit, alert_facts, lambda alert: cursor_of(OF, key_of(alert)))


@router.post(
    "/alerts/{alert_id}:acknowledge", summary="Take notice of an alert", response_model=Acknowledged,
    responses=documented(404),
)  # fmt: skip
async def acknowledge_alert(
    access: Starter,
    house: TheHouse,
    alert_id: Annotated[str, Path(description="As the list has it", examples=["3f9a1c0b7e"], pattern="^[0-9a-f]{10}$")],
) -> Response:
    """It is listed no more, and told to nobody any more. Doing it again changes nothing."""
    new = await house.ledger.wait(alerts.acknowledge, alert_id, access.client_id)
    return told({"alert_id": alert_id, "acknowledged": True, "acknowledged_before": not new})
