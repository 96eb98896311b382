"""Clients, what became of them run by run, their leads, and every outcome of one lead."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from tallybook.app import App
from tallybook.database import utc_now
from tallybook.domain.access import Access
from tallybook.domain.client import Client, ClientId
from tallybook.domain.errors import NotFound
from tallybook.domain.run import Run
from tallybook.ledger import budgets, listing, showing
from tallybook.ledger.listing import Wanted
from tallybook.report import words
from tallybook.web.figures import LeadIdInPath, why_facts
from tallybook.web.guard import refuse_other_tenant
from tallybook.web.house import TheHouse
from tallybook.web.pages.charts import Column, columns, shares
from tallybook.web.pages.drawing import part, query
from tallybook.web.pages.page import PageRoute, Viewer, gone_to, page
from tallybook.web.paths import ClientIdInPath
from tallybook.web.reading import cursor_of, key_in

router = APIRouter(route_class=PageRoute, include_in_schema=False)
PAGE, LEADS = 25, 50
SHOWN_IN_TREND = 30
Cursor = Annotated[str, Query(max_length=2000, pattern="^[A-Za-z0-9_-]*$")]


@router.get("/clients")
async def clients_page(request: Request, access: Viewer, house: TheHouse, cursor: Cursor = "") -> Response:
    return await page(request, "clients", lambda: _clients(house.app, access, cursor))


@router.get("/clients/{client_id}")
async def client_page(
    request: Request, access: Viewer, house: TheHouse, client_id: ClientIdInPath, cursor: Cursor = ""
) -> Response:
    refuse_other_tenant(access, client_id)
    return await page(request, "client", lambda: _client(house.app, client_id, cursor))


@router.get("/clients/{client_id}/leads")
async def leads_page(
    *, request: Request, access: Viewer, house: TheHouse, client_id: ClientIdInPath, cursor: Cursor = "", q: str = ""
) -> Response:
    refuse_other_tenant(access, client_id)
    if q.strip():
        return gone_to(f"/clients/{part(client_id)}/leads/{part(q.strip())}")
    return await page(request, "leads", lambda: _leads(house.app, client_id, cursor))


@router.get("/clients/{client_id}/leads/{lead_id}")
async def lead_page(
    request: Request, access: Viewer, house: TheHouse, client_id: ClientIdInPath, lead_id: LeadIdInPath
) -> Response:
    refuse_other_tenant(access, client_id)
    return await page(request, "lead", lambda: {**why_facts(house.app, client_id, lead_id)})


# -- all of them -------------------------------------------------------------------------------------------------------


def _clients(app: App, access: Access, cursor: str) -> dict[str, Any]:
    (after,) = key_in("clients", cursor or None, str) or ("",)
    found = app.clients.list(after, PAGE + 1) if access.client_id is None else _own(app, access.client_id)
    shown = found[:PAGE]
    older = cursor_of("clients", [shown[-1].client_id]) if len(found) > PAGE else None
    return {
        "clients": shown,
        "newest": showing.newest_visits(app.ledger.database, [each.client_id for each in shown]),
        "older": f"/clients{query(cursor=older)}" if older else None,
        "first": "/clients" if cursor else None,
    }


def _own(app: App, client_id: ClientId) -> Sequence[Client]:
    known = known_client(app, client_id)
    return [known] if known else []


def known_client(app: App, client_id: ClientId) -> Client | None:
    """None: it is not among the clients; other programs may report about it all the same."""
    try:
        return app.clients.get(client_id)
    except NotFound:
        return None


# -- one ---------------------------------------------------------------------------------------------------------------


def _client(app: App, client_id: ClientId, cursor: str) -> dict[str, Any]:
    """Raises NotFound for one of whom nobody has ever heard."""
    database, known = app.ledger.database, known_client(app, client_id)
    after = key_in(f"runs of {client_id}", cursor or None, str, str)
    most = max(PAGE + 1, SHOWN_IN_TREND)
    found = listing.page_of_runs(database, Wanted(tenant=client_id), after=after, limit=most)
    if known is None and not found and not cursor:
        raise NotFound(f"there is no client {client_id!r}")
    shown, here = found[:PAGE], f"/clients/{part(client_id)}"
    older = cursor_of(f"runs of {client_id}", listing.key_of(shown[-1])) if len(found) > PAGE else None
    return {
        "client_id": client_id,
        "client": known,
        "runs": shown,
        "visits": showing.visits(database, client_id, [each.run_id for each in shown]),
        "shares": shares,
        "budgets": budgets.of_client(database, client_id, app.budgets, utc_now()),
        **_trends(found[:SHOWN_IN_TREND]),
        "older": f"{here}{query(cursor=older)}" if older else None,
        "first": here if cursor else None,
    }


def _trends(runs: Sequence[Run]) -> dict[str, Sequence[Column] | float]:
    """Of the runs in which something was done, oldest first."""
    worked = [each for each in reversed(runs) if each.tally.done]
    tokens = [(each.run_id, each.tally.total_tokens / each.tally.done) for each in worked if each.tally.calls]
    rates = [
        (each.run_id, each.tally.success_rate, f"{each.run_id}: {words.percent(each.tally.success_rate)}")
        for each in worked
    ]
    most = max((value for _, value in tokens), default=0.0) or 1.0
    told = [(run_id, value, f"{run_id}: {value:,.0f} tokens") for run_id, value in tokens]
    return {"rates": columns(rates, 1.0), "per_lead": columns(told, most), "most_per_lead": most}


# -- leads -------------------------------------------------------------------------------------------------------------


def _leads(app: App, client_id: ClientId, cursor: str) -> dict[str, Any]:
    """Raises NotFound."""
    client = app.clients.get(client_id)
    (after,) = key_in(f"leads of {client_id}", cursor or None, str) or (None,)
    found = app.clients.store(client_id).leads(after, LEADS + 1)
    shown, here = found[:LEADS], f"/clients/{part(client_id)}/leads"
    older = cursor_of(f"leads of {client_id}", [shown[-1].lead.lead_id]) if len(found) > LEADS else None
    return {
        "client": client,
        "leads": shown,
        "older": f"{here}{query(cursor=older)}" if older else None,
        "first": here if cursor else None,
    }
