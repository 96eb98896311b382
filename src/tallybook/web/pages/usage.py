"""Tokens and money: by day, client, operation and model, as a table and as CSV; and the budgets."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tallybook.app import App
from tallybook.database import utc_now
from tallybook.domain.access import Access
from tallybook.domain.figures import UsageLine
from tallybook.domain.tally import Tally
from tallybook.ledger import budgets, figures
from tallybook.web.guard import refuse_other_tenant
from tallybook.web.house import TheHouse
from tallybook.web.pages.charts import columns
from tallybook.web.pages.clients import PAGE, Cursor, known_client
from tallybook.web.pages.drawing import query
from tallybook.web.pages.page import HEADERS, PageRoute, Viewer, page
from tallybook.web.reading import cursor_of, key_in

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MOST_LINES = 400
DAYS = (7, 30, 90, 365)
COLUMNS = (
    "calls", "unmeasured_calls", "unpriced_calls", "input_tokens", "cached_tokens", "output_tokens", "total_tokens",
    "cost_usd",
)  # fmt: skip
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


class Asked(BaseModel):
    by: str = Field(default="day", pattern=f"^({'|'.join(figures.GROUPS)})$")
    days: int = Field(default=7, ge=1, le=3660)
    client: str = Field(default="", max_length=400)

    @property
    def since(self) -> datetime:
        """The beginning of a day of UTC, as many days are looked at."""
        return (utc_now() - timedelta(days=self.days - 1)).replace(hour=0, minute=0, second=0, microsecond=0)


@router.get("/usage")
async def usage_page(request: Request, access: Viewer, house: TheHouse, asked: Annotated[Asked, Query()]) -> Response:
    if asked.client:
        refuse_other_tenant(access, asked.client)
    return await page(request, "usage", lambda: _usage(house.app, access, asked))


@router.get("/usage.csv")
async def usage_csv(access: Viewer, house: TheHouse, asked: Annotated[Asked, Query()]) -> Response:
    if asked.client:
        refuse_other_tenant(access, asked.client)
    lines = await run_in_threadpool(_lines, house.app, access, asked, None)
    named = {"Content-Disposition": f'attachment; filename="usage-by-{asked.by}.csv"'}
    return Response("".join(_csv(asked.by, lines)), media_type="text/csv; charset=utf-8", headers={**HEADERS, **named})


def _usage(app: App, access: Access, asked: Asked) -> dict[str, Any]:
    lines = _lines(app, access, asked, MOST_LINES + 1)
    shown = lines[:MOST_LINES]
    total = sum((each.tally for each in lines), Tally())
    most = max((each.tally.total_tokens for each in shown), default=0) or 1
    told = [
        (each.group[asked.by], float(each.tally.total_tokens), f"{each.group[asked.by]}: {each.tally.total_tokens:,}")
        for each in shown
    ]
    return {
        "asked": asked,
        "since": asked.since,
        "lines": list(reversed(shown)) if asked.by == "day" else sorted(shown, key=_dearest),
        "more": len(lines) > MOST_LINES,
        "total": total,
        "columns": columns(told, most) if asked.by == "day" else [],
        "most": most,
        "groups": list(figures.GROUPS),
        "days": DAYS,
        "download": f"/usage.csv{query(by=asked.by, days=asked.days, client=asked.client)}",
    }


def _dearest(line: UsageLine) -> tuple[int, int, str]:
    return -line.tally.cost_pico_usd, -line.tally.total_tokens, next(iter(line.group.values()))


def _lines(app: App, access: Access, asked: Asked, limit: int | None) -> Sequence[UsageLine]:
    client_id = access.client_id or asked.client or None
    return figures.usage(app.ledger.database, [asked.by], since=asked.since, client_id=client_id, limit=limit)


def _csv(by: str, lines: Sequence[UsageLine]) -> Iterator[str]:
    """Text that a spreadsheet would take for a formula is marked as text."""
    text = io.StringIO()
    write = csv.writer(text)
    write.writerow((by, *COLUMNS))
    for each in lines:
        name, tally = each.group[by], each.tally
        tokens = (tally.input_tokens, tally.cached_tokens, tally.output_tokens, tally.total_tokens)
        shown = f"'{name}" if name.startswith(FORMULA_SIGNS) else name
        write.writerow((shown, tally.calls, tally.unmeasured, tally.unpriced, *tokens, tally.cost))
    yield text.getvalue()


# -- budgets -----------------------------------------------------------------------------------------------------------


@router.get("/budgets")
async def budgets_page(request: Request, access: Viewer, house: TheHouse, cursor: Cursor = "") -> Response:
    return await page(request, "budgets", lambda: _budgets(house.app, access, cursor))


def _budgets(app: App, access: Access, cursor: str) -> dict[str, Any]:
    (after,) = key_in("budgets", cursor or None, str) or ("",)
    if access.client_id is None:
        found = app.clients.list(after, PAGE + 1)
    else:
        found = [each for each in (known_client(app, access.client_id),) if each is not None]
    shown, now = found[:PAGE], utc_now()
    older = cursor_of("budgets", [shown[-1].client_id]) if len(found) > PAGE else None
    stand = ((each, budgets.of_client(app.ledger.database, each.client_id, app.budgets, now)) for each in shown)
    return {
        "clients": list(stand),
        "run": app.budgets.run,
        "older": f"/budgets{query(cursor=older)}" if older else None,
        "first": "/budgets" if cursor else None,
    }
