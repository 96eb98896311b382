"""The API's own description: OpenAPI with who is let in, what every error looks like, and what leads where."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from tallybook.web.docs_page import POLICY, docs_page
from tallybook.web.guard import Reader, routes_of, scope_of, takes_secret
from tallybook.web.models import MESSAGES
from tallybook.web.paths import CLIENT_ID_FORMAT, client_id_schema
from tallybook.web.problems import Problem, documented
from tallybook.web.reading import ETAG_SAYS, answer

router = APIRouter(tags=["description"])
BEARER, SECRET = "token", "webhookSecret"
SCHEMES = {
    BEARER: {"type": "http", "scheme": "bearer", "description": "Made with `tallybook token create --scope SCOPE`"},
    SECRET: {
        "type": "apiKey",
        "in": "header",
        "name": "x-webhook-secret",
        "description": "What the setting `server.webhook_secret` says",
    },
}
MODEL = "#/components/schemas/{model}"
Document = dict[str, Any]

_RUN = {"run_id": "$response.body#/run_id"}
_FIRST = {"run_id": "$response.body#/items/0/run_id"}
_GO_ON = {"query.cursor": "$response.body#/next_cursor"}
_CLIENT = {"run_id": "$request.path.run_id", "client_id": "$request.path.client_id"}
LINKS: Sequence[tuple[str, str, str, Mapping[str, str]]] = (
    ("start_run", "201", "show_run", _RUN),
    ("start_run", "201", "list_client_runs", _RUN),
    ("start_run", "201", "events", _RUN),
    ("start_run", "201", "pause_run", _RUN),
    ("start_run", "201", "cancel_run", _RUN),
    ("pause_run", "200", "resume_run", _RUN),
    ("reserve_run_id", "201", "create_run", _RUN),
    ("create_run", "201", "show_run", _RUN),
    ("create_run", "201", "update_run", _RUN),
    ("create_run", "201", "complete_run", _RUN),
    ("complete_run", "200", "show_run", _RUN),
    ("complete_run", "200", "events", _RUN),
    ("create_client_run", "201", "show_client_run", _CLIENT),
    ("create_client_run", "201", "update_client_run", _CLIENT),
    ("create_client_run", "201", "complete_client_run", _CLIENT),
    ("list_runs", "200", "show_run", _FIRST),
    ("list_runs", "200", "list_runs", _GO_ON),
    ("list_clients", "200", "show_client", {"client_id": "$response.body#/items/0/client_id"}),
    ("list_clients", "200", "list_clients", _GO_ON),
)
"""What an answer leads to: (operation, status, next operation, its parameters)."""


@router.get(
    "/openapi.json",
    summary="This description, for programs",
    response_model=dict[str, Any],
    responses=documented() | ETAG_SAYS,
)
async def openapi_json(request: Request, access: Reader) -> Response:
    """OpenAPI 3.1."""
    return answer(request, await run_in_threadpool(document_of, request.app))


@router.get("/docs", summary="This description, for people", response_class=HTMLResponse, responses=documented())
async def docs(request: Request, access: Reader) -> HTMLResponse:
    """One page, without a script and with nothing from elsewhere."""
    page = await run_in_threadpool(lambda: docs_page(document_of(request.app)))
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})


def document_of(app: FastAPI) -> Document:
    """The OpenAPI document, made once."""
    made: Document | None = getattr(app.state, "document", None)
    if made is None:
        made = app.state.document = _made(app)
    return made


def _made(app: FastAPI) -> Document:
    document = app.openapi()
    components = document.setdefault("components", {})
    components["securitySchemes"] = SCHEMES
    for model in (Problem, *MESSAGES):
        schema = model.model_json_schema(ref_template=MODEL)
        components.setdefault("schemas", {}).update({**schema.pop("$defs", {}), model.__name__: schema})
    components["schemas"]["ClientId"] = client_id_schema()
    document["paths"] = _with_client_ids(document["paths"])
    components["schemas"] = _with_client_ids(components["schemas"])
    operations = {}
    for route, operation in _described(app, document):
        _name(route, operation)
        for part in (*operation.get("parameters", ()), *operation.get("requestBody", {}).get("content", {}).values()):
            _or_left_out(part)
        operations[route.name] = operation
    for source, status, target, parameters in LINKS:
        links = operations[source]["responses"][status].setdefault("links", {})
        links[target] = {"operationId": target, "parameters": dict(parameters)}
    return document


def _described(app: FastAPI, document: Document) -> Iterator[tuple[APIRoute, dict[str, Any]]]:
    for route in routes_of(app):
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                yield route, operation


def _with_client_ids(part: Any) -> Any:
    """CLIENT_ID_FORMAT replaced by what it stands for."""
    if isinstance(part, list):
        return [_with_client_ids(each) for each in part]
    if not isinstance(part, dict):
        return part
    if part.get("format") == CLIENT_ID_FORMAT:
        return {"$ref": MODEL.format(model="ClientId")}
    return {name: _with_client_ids(each) for name, each in part.items()}


def _or_left_out(part: dict[str, Any]) -> None:
    """What need not be sent is left out; nobody sends null for it, though Python says so."""
    schema = part.get("schema", {})
    some = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(some) == 1:
        part["schema"] = {**{name: each for name, each in schema.items() if name != "anyOf"}, **some[0]}


def _name(route: APIRoute, operation: dict[str, Any]) -> None:
    """What programs call it, and who is let in."""
    operation["operationId"] = route.name
    scope = scope_of(route)
    if scope is None:
        return
    operation["security"] = [{BEARER: []}, *([{SECRET: []}] if takes_secret(route) else [])]
    said = operation.get("description")
    operation["description"] = "\n\n".join(filter(None, (said, f"Needs the scope `{scope}`.")))
