"""The Webhooks page: what providers have told us, what became of it; and what nobody could place, applied by hand."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tallybook.database import Database
from tallybook.domain.delivery import State
from tallybook.ledger.inbox import list_deliveries
from tallybook.ledger.write.inbox import replay
from tallybook.web.guard import refuse_bound
from tallybook.web.house import TheHouse
from tallybook.web.pages.clients import Cursor
from tallybook.web.pages.drawing import query
from tallybook.web.pages.page import Boss, PageRoute, Viewer, gone_to, page
from tallybook.web.reading import cursor_of, key_in

router = APIRouter(route_class=PageRoute, include_in_schema=False)
PAGE = 50
AGAIN = (State.ORPHAN, State.RECEIVED, State.REFUSED)
"""What may come to something when it is applied again."""
StateAsked = Annotated[str, Query(pattern=f"^({'|'.join(State)})?$")]


@router.get("/inbox")
async def inbox_page(
    request: Request, access: Viewer, house: TheHouse, state: StateAsked = "", cursor: Cursor = ""
) -> Response:
    refuse_bound(access, "the inbox")
    return await page(request, "inbox", lambda: _inbox(house.ledger.database, state, cursor))


def _inbox(database: Database, state: str, cursor: str) -> dict[str, Any]:
    (after,) = key_in("inbox", cursor or None, str) or (None,)
    found = list_deliveries(database, after, PAGE + 1, state=State(state) if state else None)
    shown = found[:PAGE]
    older = cursor_of("inbox", [shown[-1].cursor]) if len(found) > PAGE else None
    return {
        "deliveries": shown,
        "state": state,
        "states": list(State),
        "again": AGAIN,
        "older": f"/inbox{query(state=state, cursor=older)}" if older else None,
        "first": f"/inbox{query(state=state)}" if cursor else None,
    }


@router.post("/inbox/{source}/{delivery_id}/replay")
async def replay_delivery(request: Request, access: Boss, house: TheHouse, source: str, delivery_id: str) -> Response:
    """*client* in the form: whose it is, where nobody knows."""
    client_id = request.state.form.get("client", "").strip()
    whose = await run_in_threadpool(house.app.clients.get, client_id) if client_id else None
    await house.ledger.wait(replay, source, delivery_id, whose, access.actor)
    house.nudge()
    return gone_to("/inbox")
