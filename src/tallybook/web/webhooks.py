"""POST /webhooks/apify: authenticated first, then kept, then applied; what it says is never believed (F31, F32).

A delivery proves who it is by one of: the token that we gave to a run we started, a token bound to a client, or the
webhook's secret together with an actor task that the settings map to a client. That task is a claim: it stands in the
body, and whoever asks the provider about the run compares.
"""

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from tallybook.domain import signing
from tallybook.domain.access import Scope
from tallybook.domain.client import ClientId
from tallybook.domain.delivery import Delivery, News, State
from tallybook.domain.errors import BadInput, Forbidden, Unauthenticated
from tallybook.engine import deliveries
from tallybook.harvesters.apify import SOURCE, TOKEN_HEADER
from tallybook.ledger.write import inbox
from tallybook.ledger.write.inbox import Applied
from tallybook.web.guard import address_of, admitted
from tallybook.web.house import House, TheHouse
from tallybook.web.problems import documented, problem

log = logging.getLogger(__name__)
router = APIRouter(tags=["webhooks"])
MOST_BYTES = 1024 * 1024
DISPATCH = "x-apify-webhook-dispatch-id"
KEPT_HEADERS = (DISPATCH, "user-agent", "content-type")
NEWS: Mapping[str, News] = {
    **dict.fromkeys(("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"), News.OVER),
    "RESURRECTED": News.RESURRECTED,
}
LONGEST_ID = 200
DISPATCH_ID = re.compile(rf"[ -~]{{1,{LONGEST_ID}}}")
APPLIED_WITHIN_S = 0.7
"""The answer waits so long for what becomes of a delivery: a provider is to have it within a second."""
LATER = "it is kept, and is applied in a moment"


class Answer(BaseModel):
    """What became of a delivery."""

    state: str = Field(examples=["applied"], description="applied, noted, orphan, refused, or received: to be applied")
    reason: str | None = Field(default=None, examples=["a run of its own"])
    duplicate: bool = Field(default=False, description="It had come before; nothing was done")


@dataclass(frozen=True)
class _Proved:
    ours: tuple[str, ClientId, str] | None = None
    bound_to: ClientId | None = None
    by_secret: bool = False


EXAMPLE = {
    "eventType": "ACTOR.RUN.SUCCEEDED",
    "eventData": {"actorId": "aBcDeFgHiJkLmNoPq", "actorRunId": "qRsTuVwXyZ0123456"},
    "resource": {"id": "qRsTuVwXyZ0123456", "status": "SUCCEEDED"},
}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}, "example": EXAMPLE}},
    },
    "parameters": [
        {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": what}
        for name, what in (
            (TOKEN_HEADER, "The token of a run that we started"),
            ("x-webhook-secret", "The secret of stand-alone actors"),
            (DISPATCH, "Names the delivery"),
        )
    ],
}


@router.post(
    "/webhooks/apify",
    summary="What Apify says of its runs",
    responses=documented(413),
    openapi_extra=BODY,
)
async def apify(request: Request, house: TheHouse) -> Answer:
    """Kept, then applied: at once, or else in a moment. A delivery that came before does nothing; one of a run that
    nobody knows is kept as an orphan and can be replayed.
    """
    raw = await request.body()
    if len(raw) > MOST_BYTES:
        return problem(413, f"a delivery may have {MOST_BYTES // 1024} kB")  # type: ignore[return-value]  # a response
    proved = await _proved(request, house)
    delivery = _delivery(request, raw, proved, house.app.apify_tasks)
    await house.ledger.wait(inbox.keep, delivery, house.app.run_id_style)
    applied = await _applied_soon(house, delivery)
    return Answer(state=applied.state, reason=applied.reason, duplicate=not applied.new)


async def _applied_soon(house: House, delivery: Delivery) -> Applied:
    """What became of it, where that is known soon. It is kept: what is not applied here, an engine applies later."""
    applying = asyncio.create_task(_applied(house, delivery))
    await asyncio.wait({applying}, timeout=APPLIED_WITHIN_S)
    if not applying.done():
        return Applied(State.RECEIVED, LATER)
    trouble = applying.exception()
    if trouble is None:
        return applying.result()
    log.error("delivery %s cannot be applied yet", delivery.delivery_id, exc_info=trouble)
    house.ledger.submit(inbox.put_off, delivery.source, delivery.delivery_id, str(trouble))
    return Applied(State.RECEIVED, LATER)


async def _applied(house: House, delivery: Delivery) -> Applied:
    client = await run_in_threadpool(deliveries.client_of, house.app.clients, delivery.bound_to)
    applied = await house.ledger.wait(inbox.apply, delivery.source, delivery.delivery_id, client)
    house.nudge()
    return applied


async def _proved(request: Request, house: House) -> _Proved:
    """Raises Unauthenticated, Forbidden, TooManyFailures."""
    token = request.headers.get(TOKEN_HEADER)
    if token is not None:
        return await _signed(token, request, house)
    secret = request.headers.get("x-webhook-secret")
    if secret is not None:
        house.doorkeeper.of_secret(secret, address_of(request))
        return _Proved(by_secret=True)
    if "authorization" not in request.headers:
        raise Unauthenticated("a delivery needs the token of its run, a token bound to a client, or the webhook secret")
    access = await admitted(request)
    if not access.may(Scope.RUNS_WRITE):
        raise Forbidden(f"a delivery needs the scope {Scope.RUNS_WRITE}")
    if access.client_id is None:
        raise Forbidden("a token that delivers must be bound to a client: `tallybook token create --client C`")
    return _Proved(bound_to=access.client_id)


async def _signed(token: str, request: Request, house: House) -> _Proved:
    secrets = await run_in_threadpool(lambda: house.app.signing_secrets)
    signed = signing.verify(secrets, token, house.ledger.clock())
    if signed is None:
        raise house.doorkeeper.failed(address_of(request), "the run's token is wrong or too old")
    return _Proved(ours=(signed.run_id, signed.client_id, signed.call_id))


def _delivery(request: Request, raw: bytes, proved: _Proved, tasks: Mapping[str, ClientId]) -> Delivery:
    """Raises BadInput for what is no delivery of Apify's."""
    body = _json(raw)
    event = _text(body.get("eventType"))
    data, resource = _part(body, "eventData"), _part(body, "resource")
    task = _text(data.get("actorTaskId")) or _text(resource.get("actorTaskId"))
    by_task = tasks.get(task) if proved.by_secret else None
    return Delivery(
        source=SOURCE,
        delivery_id=_delivery_id(request.headers.get(DISPATCH, ""), raw),
        body=raw.decode("utf-8", "replace"),
        headers={name: request.headers[name] for name in KEPT_HEADERS if name in request.headers},
        event=event,
        news=NEWS.get(event.removeprefix("ACTOR.RUN."), News.OTHER),
        external_id=_text(data.get("actorRunId")) or _text(resource.get("id")) or None,
        ours=proved.ours,
        bound_to=by_task or proved.bound_to,
        task=task if by_task else None,
    )


def _delivery_id(said: str, raw: bytes) -> str:
    """What comes without an id of its own, or with one that nobody can show, is known by its content."""
    return said if DISPATCH_ID.fullmatch(said) else f"body {hashlib.sha256(raw).hexdigest()}"


def _json(raw: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise BadInput("a delivery is a JSON object with eventType, eventData and resource, as Apify sends it")
    return body


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = body.get(name)
    return part if isinstance(part, dict) else {}


def _text(value: object) -> str:
    return value[:LONGEST_ID] if isinstance(value, str) and value.isprintable() else ""
