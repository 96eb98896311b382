"""Every route says whom it lets in. What says nothing is not served: see `refuse_unguarded`."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from tallybook.domain.access import Access, Scope
from tallybook.domain.client import ClientId
from tallybook.domain.errors import Forbidden, Unauthenticated
from tallybook.web.house import house_of

Guard = Callable[[Request], Awaitable[Access]]
NO_CREDENTIAL = "this needs a token: send `Authorization: Bearer TOKEN`, made with `tallybook token create`"


def address_of(request: Request) -> str:
    """Whose failures are counted together."""
    return request.client.host if request.client else ""


async def admitted(request: Request) -> Access:
    """Who asks, by their token. Raises Unauthenticated, TooManyFailures."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise Unauthenticated(NO_CREDENTIAL)
    return await house_of(request).doorkeeper.of_bearer(text.strip(), address_of(request))


async def admitted_by_secret(request: Request) -> Access:
    """Who asks, by x-webhook-secret or by their token. Raises Unauthenticated, TooManyFailures."""
    secret = request.headers.get("x-webhook-secret")
    if secret is None:
        return await admitted(request)
    return house_of(request).doorkeeper.of_secret(secret, address_of(request))


def guard(scope: Scope, admit: Guard = admitted) -> Guard:
    """A dependency that lets in whoever may *scope*, and gives their Access. Raises Forbidden."""

    async def let_in(request: Request) -> Access:
        access = await admit(request)
        if not access.may(scope):
            raise Forbidden(f"this needs the scope {scope}; {access.actor} has {', '.join(sorted(access.scopes))}")
        return access

    let_in.guards = scope  # type: ignore[attr-defined]  # found by `scope_of`
    let_in.by_secret = admit is admitted_by_secret  # type: ignore[attr-defined]  # found by `takes_secret`
    return let_in


Reader = Annotated[Access, Depends(guard(Scope.RUNS_READ))]
Reporter = Annotated[Access, Depends(guard(Scope.RUNS_WRITE))]
Starter = Annotated[Access, Depends(guard(Scope.RUNS_START))]
Admin = Annotated[Access, Depends(guard(Scope.ADMIN))]
CronLine = Annotated[Access, Depends(guard(Scope.RUNS_START, admitted_by_secret))]


def refuse_other_tenant(access: Access, client_id: ClientId) -> None:
    """Raises Forbidden where the token is bound to another client."""
    if not access.reaches(client_id):
        raise Forbidden("this token is bound to another client")


def refuse_bound(access: Access, what: str) -> None:
    """Raises Forbidden where the token is bound to one client, and *what* concerns several."""
    if access.client_id is not None:
        raise Forbidden(f"{what} concerns every client, and this token is bound to one")


# -- default deny ------------------------------------------------------------------------------------------------------


def scope_of(route: APIRoute) -> Scope | None:
    """Whom it lets in; None: it has no guard."""
    return next(filter(None, map(_guards, _calls_of(route.dependant))), None)


def guards_of(route: APIRoute) -> list[Guard]:
    """Those that it calls."""
    return [call for call in _calls_of(route.dependant) if callable(call) and _guards(call)]


def _guards(call: object) -> Scope | None:
    return getattr(call, "guards", None)


def takes_secret(route: APIRoute) -> bool:
    """Does x-webhook-secret open it, too?"""
    return any(getattr(call, "by_secret", False) for call in _calls_of(route.dependant))


def _calls_of(dependant: Dependant) -> Iterable[object]:
    for each in dependant.dependencies:
        yield each.call
        yield from _calls_of(each)


def routes_of(app: FastAPI) -> list[APIRoute]:
    return [route for route in app.routes if isinstance(route, APIRoute)]


def refuse_unguarded(app: FastAPI, public: Iterable[str]) -> None:
    """Raises RuntimeError for a route that neither has a guard nor is one of *public*: default deny (F35).

    What is no route of ours, such as a mounted application, has no guard that anybody could see.
    """
    known = set(public)
    unguarded = [each for each in app.routes if not isinstance(each, APIRoute) or scope_of(each) is None]
    open_routes = [path for path in (str(getattr(each, "path", each)) for each in unguarded) if path not in known]
    if open_routes:
        raise RuntimeError(f"routes without a guard: {', '.join(open_routes)}")
