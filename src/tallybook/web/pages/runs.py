"""The Runs page: all of them, newest first, filtered, and found by any form of an id."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tallybook.database import Database
from tallybook.domain.access import Access
from tallybook.domain.errors import BadInput, NotFound
from tallybook.domain.run import JobType, Status
from tallybook.ledger import listing, showing
from tallybook.ledger.listing import Wanted
from tallybook.report import words
from tallybook.web.guard import refuse_other_tenant
from tallybook.web.house import TheHouse
from tallybook.web.pages.charts import shares
from tallybook.web.pages.drawing import part, query
from tallybook.web.pages.page import PageRoute, Viewer, gone_to, page
from tallybook.web.reading import cursor_of, key_in, run_named
from tallybook.web.runs import LARGEST_STREAM

router = APIRouter(route_class=PageRoute, include_in_schema=False)
PAGE = 50
STREAMS_OF = 500
"""So many of the newest runs say which streams there are to choose from."""
GROUPS: Mapping[str, Sequence[Status]] = {
    "open": [each for each in Status if not each.terminal],
    "not_well": [Status.COMPLETED_WITH_ERRORS, Status.FAILED, Status.TIMED_OUT],
    **{each.value: [each] for each in Status},
}
GROUP_NAMES = {"open": "running or waiting", "not_well": "ended not well"}


class Asked(BaseModel):
    """As a form says it: what is empty is not asked for."""

    q: str = Field(default="", max_length=400)
    stream: str = Field(default="", max_length=20, pattern=r"^\s*(-?[0-9]+)?\s*$")
    status: str = Field(default="", pattern=f"^({'|'.join(GROUPS)})?$")
    client: str = Field(default="", max_length=400)
    job_type: str = Field(default="", pattern=f"^({'|'.join(JobType)})?$")
    cursor: str = Field(default="", max_length=2000, pattern="^[A-Za-z0-9_-]*$")

    def wanted(self, access: Access) -> Wanted:
        """Raises BadInput, Forbidden."""
        stream, client = int(self.stream) if self.stream.strip() else None, self.client.strip() or None
        if stream is not None and abs(stream) > LARGEST_STREAM:
            raise BadInput("there is no such stream")
        if client is not None:
            refuse_other_tenant(access, client)
        job_type = JobType(self.job_type) if self.job_type else None
        return Wanted(stream, GROUPS.get(self.status, ()), None, client, access.client_id, job_type)

    @property
    def filters(self) -> dict[str, str]:
        said = {"stream": self.stream, "status": self.status, "client": self.client, "job_type": self.job_type}
        return {name: value for name, value in said.items() if value.strip()}


@router.get("/runs")
async def runs_page(request: Request, access: Viewer, house: TheHouse, asked: Annotated[Asked, Query()]) -> Response:
    database = house.ledger.database
    found = await run_in_threadpool(_found, database, access, asked.q.strip())
    if found is not None:
        return gone_to(f"/runs/{part(found)}")
    return await page(request, "runs", lambda: _runs(database, access, asked))


def _found(database: Database, access: Access, text: str) -> str | None:
    """The run that *text* means."""
    try:
        return run_named(database, access, text) if text else None
    except (BadInput, NotFound):
        return None


def _runs(database: Database, access: Access, asked: Asked) -> dict[str, Any]:
    after = key_in("runs", asked.cursor or None, str, str)
    found = listing.page_of_runs(database, asked.wanted(access), after=after, limit=PAGE + 1)
    shown, more = found[:PAGE], len(found) > PAGE
    older = cursor_of("runs", listing.key_of(shown[-1])) if more else None
    whole = access.client_id is None
    return {
        "runs": shown,
        "asked": asked,
        "older": f"/runs{query(**asked.filters, cursor=older)}" if older else None,
        "first": f"/runs{query(**asked.filters)}" if asked.cursor else None,
        "streams": showing.streams(database, STREAMS_OF) if whole else [],
        "groups": [(each, GROUP_NAMES.get(each, words.plain(each))) for each in GROUPS],
        "job_types": list(JobType),
        "clients": showing.clients_of(database, [each.run_id for each in shown]) if whole else {},
        "shares": shares,
    }
