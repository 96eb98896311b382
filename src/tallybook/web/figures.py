"""Usage, clients, and what became of a lead and why."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tallybook.app import App
from tallybook.domain.access import Access
from tallybook.domain.client import Client, ClientId
from tallybook.domain.errors import NotFound
from tallybook.domain.figures import UsageLine
from tallybook.domain.lead import lead_ids_meant_by
from tallybook.domain.outcome import LeadId
from tallybook.domain.tally import Tally
from tallybook.ledger import figures, read
from tallybook.report.facts import client_facts, told_facts, usage_facts, usage_sums
from tallybook.stores.lead_facts import lead_facts
from tallybook.web import models
from tallybook.web.guard import Reader, refuse_other_tenant
from tallybook.web.house import TheHouse
from tallybook.web.paths import ClientIdInPath, VerbatimRoute
from tallybook.web.problems import documented
from tallybook.web.reading import ETAG_SAYS, PageAsked, Since, answer, cursor_of, key_in, page_of

if TYPE_CHECKING:
    from tallybook.stores.rows import StoredLead
    from tallybook.stores.sql import SqlStore

router = APIRouter(prefix="/api/v1", tags=["figures"], route_class=VerbatimRoute)
LeadIdInPath = Annotated[
    str,
    Path(
        description="A lead's id or profile URL, percent-encoded; a `/` in it as `%2F`",
        examples=["people.test%2Fin%2Fada-example"],
        min_length=1,
    ),
]
_WORD = f"({'|'.join(figures.GROUPS)})"


# -- usage -------------------------------------------------------------------------------------------------------------


class UsageAsked(PageAsked):
    by: str = Field(
        default="client",
        pattern=f"^{_WORD}(,{_WORD})*$",
        description=f"What to group by: some of {', '.join(figures.GROUPS)}, with commas",
        examples=["client,day"],
    )
    since: Since = Field(default=None, description="Calls begun then or later: a day of UTC, or an instant")
    client: str | None = Field(default=None, description="Of this client alone", examples=["acme-law"])

    @property
    def groups(self) -> Sequence[str]:
        return list(dict.fromkeys(self.by.split(",")))


@router.get(
    "/usage", summary="Tokens and money, summed from the calls", response_model=models.Usage,
    responses=documented() | ETAG_SAYS,
)  # fmt: skip
async def usage(request: Request, access: Reader, house: TheHouse, asked: Annotated[UsageAsked, Query()]) -> Response:
    """Of unknown usage or price is counted, never taken for 0. A token bound to a client sees that client's."""
    if asked.client is not None:
        refuse_other_tenant(access, asked.client)
    return answer(request, await run_in_threadpool(_usage, house.app, access, asked))


def _usage(app: App, access: Access, asked: UsageAsked) -> dict[str, Any]:
    groups, client_id = asked.groups, access.client_id or asked.client
    of = f"usage by {','.join(groups)}"
    after = key_in(of, asked.cursor, *[str] * len(groups)) or ()
    lines = figures.usage(
        app.ledger.database, groups, since=asked.since, client_id=client_id, after=after, limit=asked.limit + 1
    )
    (total,) = figures.usage(app.ledger.database, since=asked.since, client_id=client_id) or [UsageLine({}, Tally())]
    page = page_of(lines, asked.limit, usage_facts, lambda line: cursor_of(of, list(line.group.values())))
    return {**page, "total": usage_sums(total.tally)}


# -- clients -----------------------------------------------------------------------------------------------------------


@router.get(
    "/clients", summary="Clients, by their ids", response_model=models.Clients, responses=documented() | ETAG_SAYS
)
async def list_clients(
    request: Request, access: Reader, house: TheHouse, asked: Annotated[PageAsked, Query()]
) -> Response:
    """Paused ones too. A token bound to a client sees that one."""
    return answer(request, await run_in_threadpool(_clients, house.app, access, asked))


def _clients(app: App, access: Access, asked: PageAsked) -> dict[str, Any]:
    (after,) = key_in("clients", asked.cursor, str) or ("",)
    if access.client_id is None:
        found = app.clients.list(after, asked.limit + 1)
    else:
        found = [each for each in _only(app, access.client_id) if each.client_id > after]
    return page_of(found, asked.limit, client_facts, lambda client: cursor_of("clients", [client.client_id]))


def _only(app: App, client_id: ClientId) -> Sequence[Client]:
    try:
        return [app.clients.get(client_id)]
    except NotFound:
        return []


@router.get(
    "/clients/{client_id}", summary="A client", response_model=models.ClientAlone,
    responses=documented(404) | ETAG_SAYS,
)  # fmt: skip
async def show_client(request: Request, access: Reader, house: TheHouse, client_id: ClientIdInPath) -> Response:
    refuse_other_tenant(access, client_id)
    return answer(request, await run_in_threadpool(_client, house.app, client_id))


def _client(app: App, client_id: ClientId) -> dict[str, Any]:
    found = app.clients.get(client_id)
    rubric = app.clients.store(client_id).rubric()
    judged = {"lead_attributes": len(rubric.for_leads), "post_attributes": len(rubric.for_posts)}
    return {**client_facts(found), **judged}


# -- why ---------------------------------------------------------------------------------------------------------------


@router.get(
    "/clients/{client_id}/leads/{lead_id}/why", summary="Every outcome of a lead over all runs",
    response_model=models.Why, responses=documented(404) | ETAG_SAYS,
)  # fmt: skip
async def why(
    request: Request, access: Reader, house: TheHouse, client_id: ClientIdInPath, lead_id: LeadIdInPath
) -> Response:
    """Newest first, with what the client's store holds of the lead now. A profile URL does for the id."""
    refuse_other_tenant(access, client_id)
    return answer(request, await run_in_threadpool(why_facts, house.app, client_id, lead_id))


def why_facts(app: App, client_id: ClientId, text: str) -> dict[str, Any]:
    """Raises NotFound when neither store nor books know the lead."""
    store = app.clients.store(client_id)
    for lead_id in lead_ids_meant_by(text):
        stored = _stored(store, lead_id)
        told = read.why(app.ledger.database, client_id, lead_id)
        if stored or told:
            return {
                "client_id": client_id,
                "lead_id": lead_id,
                "lead": lead_facts(stored) if stored else None,
                "outcomes": [told_facts(each.outcome, **each.where) for each in told],
            }
    raise NotFound(f"client {client_id!r} has no lead {text!r}", client_id=client_id)


def _stored(store: "SqlStore", lead_id: LeadId) -> "StoredLead | None":
    try:
        return store.lead(lead_id)
    except NotFound:
        return None
