"""The whole application: which routes there are, and what stands around them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool

from tallybook import __version__
from tallybook.app import App
from tallybook.web import (
    alerts,
    events,
    figures,
    health,
    metrics,
    openapi,
    pages,
    problems,
    reporting,
    runs,
    smart_resume,
    starting,
    webhooks,
)
from tallybook.web.counted import Counted, Counts
from tallybook.web.doorkeeper import Doorkeeper
from tallybook.web.edge import Edge
from tallybook.web.guard import refuse_unguarded
from tallybook.web.house import Checks, House
from tallybook.web.quick import Shortcut

ROUTERS: Sequence[APIRouter] = (
    reporting.router,
    runs.router,
    starting.router,
    events.router,
    figures.router,
    alerts.router,
    smart_resume.router,
    openapi.router,
    health.router,
    metrics.router,
    webhooks.router,
    pages.router,
)
"""A new part of the API is one file with a router, and its line here."""
PUBLIC = ("/healthz", "/readyz", "/webhooks/apify")
"""Routes without a guard: health, and webhooks, which look at what a delivery brings themselves."""
DESCRIPTION = "Runs multi-tenant AI batch jobs and keeps exact books of them."


def make_app(app: App, *, works: bool = True, checks: Checks | None = None) -> FastAPI:
    """The server for *app*, which stays open until its end. *works*: it also does what is due, not only keeps books.
    *checks*: what the Doctor page looks at.

    Raises RuntimeError for a route without a guard.
    """
    house = House(app, Doorkeeper(lambda: app.ledger, app.webhook_secrets), checks=checks)

    @asynccontextmanager
    async def lifespan(_api: FastAPI) -> AsyncIterator[None]:
        if works:
            house.engine = await run_in_threadpool(app.engine, keeps_schedules=True)
        house.ready = True
        yield
        house.leave()
        if house.engine is not None:
            await run_in_threadpool(house.engine.close, app.settings.server.grace_s)

    api = FastAPI(
        title="Tallybook",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    api.state.house = house
    problems.install(api)
    for router in ROUTERS:
        api.router.routes.extend(router.routes)  # included, they would be searched twice, and not seen by whoever looks
    api.add_middleware(Shortcut, routes=api.router.routes)
    api.add_middleware(Edge)
    api.state.counts = Counts()
    api.add_middleware(Counted, counts=api.state.counts, routes=api.router.routes)
    refuse_unguarded(api, (*PUBLIC, *pages.PUBLIC))
    return api
