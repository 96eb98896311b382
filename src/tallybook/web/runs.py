"""Reading runs: lists, one run, its client runs."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tallybook.database import Database
from tallybook.domain.access import Access
from tallybook.domain.client import ClientId
from tallybook.domain.errors import NotFound
from tallybook.domain.run import ClientRun, Run, Status
from tallybook.ledger import listing
from tallybook.ledger.listing import Wanted
from tallybook.report.facts import client_run_facts, note_lines, run_facts, run_head
from tallybook.web import models
from tallybook.web.guard import Reader, refuse_other_tenant
from tallybook.web.house import TheHouse
from tallybook.web.paths import ClientIdInPath, RunIdInPath, VerbatimRoute
from tallybook.web.problems import documented
from tallybook.web.reading import (
    ETAG_SAYS,
    PageAsked,
    Since,
    answer,
    cursor_of,
    key_in,
    page_of,
    run_named,
)

router = APIRouter(prefix="/api/v1", tags=["runs"], route_class=VerbatimRoute)
LARGEST_STREAM = 2**53


class RunsAsked(PageAsked):
    stream: int | None = Field(default=None, ge=-LARGEST_STREAM, le=LARGEST_STREAM, description="Of this stream")
    status: list[Status] = Field(default=[], description="In one of these statuses")
    client: str | None = Field(default=None, description="Those that visit this client", examples=["acme-law"])
    since: Since = Field(default=None, description="Made then or later: a day of UTC, or an instant")


@router.get("/runs", summary="Runs, newest first", response_model=models.Runs, responses=documented() | ETAG_SAYS)
async def list_runs(
    request: Request, access: Reader, house: TheHouse, asked: Annotated[RunsAsked, Query()]
) -> Response:
    """A page of runs, without their clients. A token bound to a client sees the runs that visit it, with its totals."""
    if asked.client is not None:
        refuse_other_tenant(access, asked.client)
    return answer(request, await run_in_threadpool(_runs, house.ledger.database, access, asked))


def _runs(database: Database, access: Access, asked: RunsAsked) -> dict[str, Any]:
    wanted = Wanted(asked.stream, asked.status, asked.since, asked.client, access.client_id)
    after = key_in("runs", asked.cursor, str, str)
    found = listing.page_of_runs(database, wanted, after=after, limit=asked.limit + 1)
    return page_of(found, asked.limit, run_head, lambda run: cursor_of("runs", listing.key_of(run)))


@router.get(
    "/runs/{run_id}",
    summary="A run with its clients and their operations",
    response_model=models.Run,
    responses=documented(404) | ETAG_SAYS,
)
async def show_run(request: Request, access: Reader, house: TheHouse, run_id: RunIdInPath) -> Response:
    """With what reporting programs claim of it, and the notes on the run as a whole."""
    return answer(request, await run_in_threadpool(run_object, house.ledger.database, access, run_id))


def run_object(database: Database, access: Access, text: str) -> dict[str, Any]:
    """The run that *text* means, as far as *access* reaches. Raises InvalidRunId, NotFound."""
    run_id = run_named(database, access, text)
    return facts_of(database, listing.run_seen_by(database, run_id, access.client_id), access.client_id)


def facts_of(database: Database, run: Run, tenant: ClientId | None) -> dict[str, Any]:
    """*run* as *tenant* may see it, with the notes."""
    told = [listing.told_to(each, tenant) for each in listing.notes(database, run.run_id)]
    return {
        **run_facts(run),
        "clients": [client_facts(each) for each in run.clients],
        "error": run.error,
        "reported": dict(run.claims),
        "system_notes": note_lines((each.at, each.kind, each.text) for each in told if each is not None),
    }


def client_facts(client: ClientRun) -> dict[str, Any]:
    return {**client_run_facts(client), "reported": dict(client.claims)}


# -- client runs -------------------------------------------------------------------------------------------------------


@router.get(
    "/runs/{run_id}/clients",
    summary="The client runs of a run, in the order in which they are visited",
    response_model=models.ClientRuns,
    responses=documented(404) | ETAG_SAYS,
)
async def list_client_runs(
    request: Request, access: Reader, house: TheHouse, run_id: RunIdInPath, asked: Annotated[PageAsked, Query()]
) -> Response:
    return answer(request, await run_in_threadpool(_client_runs, house.ledger.database, access, run_id, asked))


def _client_runs(database: Database, access: Access, text: str, asked: PageAsked) -> dict[str, Any]:
    run_id = run_named(database, access, text)
    of = f"clients of {run_id}"
    found = listing.page_of_client_runs(
        database,
        run_id,
        tenant=access.client_id,
        after=key_in(of, asked.cursor, int, str),
        limit=asked.limit + 1,
    )
    return page_of(found, asked.limit, lambda each: client_facts(each[1]), lambda each: cursor_of(of, each[0]))


@router.get(
    "/runs/{run_id}/clients/{client_id}",
    summary="One client's part of a run",
    response_model=models.ClientRunAlone,
    responses=documented(404) | ETAG_SAYS,
)
async def show_client_run(
    request: Request, access: Reader, house: TheHouse, run_id: RunIdInPath, client_id: ClientIdInPath
) -> Response:
    """With what a reporting program claims of it, and the notes on it."""
    refuse_other_tenant(access, client_id)
    return answer(request, await run_in_threadpool(client_run_object, house.ledger.database, access, run_id, client_id))


def client_run_object(database: Database, access: Access, text: str, client_id: ClientId) -> dict[str, Any]:
    """Raises InvalidRunId, NotFound."""
    run_id = run_named(database, access, text)
    found = listing.client_run(database, run_id, client_id)
    if found is None:
        raise NotFound(f"run {run_id} has no client {client_id!r}", run_id=run_id, client_id=client_id)
    told = listing.notes(database, run_id, client_id)
    return {
        "run_id": run_id,
        **client_facts(found),
        "origin_reason": found.origin_reason,
        "system_notes": note_lines((each.at, each.kind, each.text) for each in told),
    }
