"""A call of every route of the API, made from the route table itself: a new route needs its line here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
from fastapi.routing import APIRoute

from tallybook.web.pages.page import PageRoute
from tallybook.web.server import PUBLIC, ROUTERS

RUN, DRIVEN, CLIENT, LEAD = "261123-120000", "261123-130000", "acme", "lead of acme"
ALERT = "a1e5700000"
"""*RUN* is reported by another program, *DRIVEN* one of ours that waits."""


@dataclass(frozen=True)
class Sample:
    """What is sent beside the path, and what is answered where all is well."""

    status: int = 200
    json: Any = None
    params: Mapping[str, str] = field(default_factory=dict)
    run_id: str = RUN


SAMPLES: Mapping[str, Sample] = {
    "reserve_run_id": Sample(201, {}),
    "create_run": Sample(200, {"job_type": "post_scoring"}),
    "update_run": Sample(json={"system_notes": "Batch 2 of 4"}),
    "create_client_run": Sample(200, {"client_name": "Acme"}),
    "update_client_run": Sample(json={"posts_processed": 42}),
    "record_outcomes": Sample(json={"operation": "lead_scoring", "items": [{"lead_id": LEAD, "kind": "scored"}]}),
    "record_calls": Sample(json={"items": [{"call_id": "c1", "operation": "lead_scoring", "provider": "openai"}]}),
    "complete_client_run": Sample(json={}),
    "complete_run": Sample(json={}),
    "note_refusal": Sample(json={"text": "update_job was refused"}),
    "tracking_status": Sample(),
    "list_runs": Sample(params={"limit": "5"}),
    "show_run": Sample(),
    "list_client_runs": Sample(),
    "show_client_run": Sample(),
    "pause_run": Sample(run_id=DRIVEN),
    "resume_run": Sample(run_id=DRIVEN),
    "cancel_run": Sample(run_id=DRIVEN),
    "start_run": Sample(201, {"stream": 7}),
    "events": Sample(params={"follow": "false"}),
    "usage": Sample(params={"by": "day"}),
    "list_clients": Sample(),
    "show_client": Sample(),
    "why": Sample(),
    "list_open_alerts": Sample(),
    "acknowledge_alert": Sample(),
    "smart_resume": Sample(202, {"stream": 8}),
    "smart_resume_status": Sample(),
    "openapi_json": Sample(),
    "docs": Sample(),
    "metrics": Sample(),
    "healthz": Sample(),
    "readyz": Sample(),
    "apify": Sample(json={"eventType": "TEST"}),
}
"""By the name of the route, in an order in which one leads to the next."""


def routes() -> list[APIRoute]:
    """All of the API, in the order of SAMPLES. The pages have tests of their own."""
    found = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    found = [route for route in found if not isinstance(route, PageRoute)]
    return sorted(found, key=lambda route: list(SAMPLES).index(route.name))


def guarded() -> list[APIRoute]:
    return [route for route in routes() if route.path not in PUBLIC]


def reads() -> Iterator[APIRoute]:
    return (route for route in routes() if route.methods == {"GET"})


def method_of(route: APIRoute) -> str:
    (method,) = route.methods or {""}
    return method


def path_of(route: APIRoute, *, run_id: str | None = None, client_id: str = CLIENT) -> str:
    """Its path with the ids of the sample, or with these."""
    named = {"run_id": run_id or SAMPLES[route.name].run_id, "client_id": client_id, "lead_id": LEAD, "alert_id": ALERT}
    return route.path_format.format(**{name: quote(value, safe="") for name, value in named.items()})


def call(api: httpx.Client, route: APIRoute, *, headers: Mapping[str, str] | None = None, **ids: str) -> httpx.Response:
    sample = SAMPLES[route.name]
    return api.request(
        method_of(route), path_of(route, **ids), json=sample.json, params=dict(sample.params), headers=headers
    )


def described(route: APIRoute, answer: httpx.Response) -> str:
    return f"{method_of(route)} {route.path}: {answer.status_code}"
