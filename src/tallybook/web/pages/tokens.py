"""For admins: who may come in, and who did what."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from tallybook.database import Database
from tallybook.ledger.audit_log import list_entries
from tallybook.ledger.tokens import list_tokens
from tallybook.ledger.write.tokens import revoke_token
from tallybook.web.house import TheHouse
from tallybook.web.pages.clients import Cursor
from tallybook.web.pages.drawing import query
from tallybook.web.pages.page import Boss, PageRoute, gone_to, page
from tallybook.web.reading import cursor_of, key_in

router = APIRouter(route_class=PageRoute, include_in_schema=False)
PAGE = 50


@router.get("/tokens")
async def tokens_page(request: Request, access: Boss, house: TheHouse, cursor: Cursor = "") -> Response:
    return await page(request, "tokens", lambda: {**_tokens(house.ledger.database, cursor), "own": access.token_id})


@router.post("/tokens/{token_id}/revoke")
async def revoke(access: Boss, house: TheHouse, token_id: str) -> Response:
    """Whoever signed in with it is signed out."""
    await house.ledger.wait(revoke_token, token_id, access.actor)
    return gone_to("/tokens")


@router.get("/audit")
async def audit_page(request: Request, access: Boss, house: TheHouse, cursor: Cursor = "") -> Response:
    return await page(request, "audit", lambda: _audit(house.ledger.database, cursor))


def _tokens(database: Database, cursor: str) -> dict[str, Any]:
    (after,) = key_in("tokens", cursor or None, str) or (None,)
    found = list_tokens(database, after, PAGE + 1)
    older = cursor_of("tokens", [found[PAGE - 1].cursor]) if len(found) > PAGE else None
    return {
        "tokens": found[:PAGE],
        "older": f"/tokens{query(cursor=older)}" if older else None,
        "first": "/tokens" if cursor else None,
    }


def _audit(database: Database, cursor: str) -> dict[str, Any]:
    (after,) = key_in("audit", cursor or None, str) or (None,)
    found = list_entries(database, after, PAGE + 1)
    older = cursor_of("audit", [found[PAGE - 1].cursor]) if len(found) > PAGE else None
    return {
        "entries": found[:PAGE],
        "older": f"/audit{query(cursor=older)}" if older else None,
        "first": "/audit" if cursor else None,
    }
