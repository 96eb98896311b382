"""`tallybook webhook`: what providers have told us, and what became of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tallybook.cli import output
from tallybook.cli.exits import ExitCode
from tallybook.cli.nouns import noun
from tallybook.cli.opening import Cursor, Json, Limit, opened
from tallybook.cli.paging import Listing
from tallybook.report import words
from tallybook.report.facts import moment

if TYPE_CHECKING:
    from tallybook.app import App
    from tallybook.domain.delivery import State
    from tallybook.ledger.inbox import Received

app = noun("Webhooks: what providers have told us, and what became of it.")

HEADINGS = ("RECEIVED", "ID", "EVENT", "STATE", "RUN", "CLIENT", "WHY")
SOURCE = "apify"
TIMEOUT_S = 10.0


@app.command("list")
def list_(
    ctx: typer.Context,
    limit: Limit = 50,
    cursor: Cursor = None,
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help="Only: received, applied, noted, orphan, refused", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the deliveries, newest first."""
    from functools import partial

    from tallybook.ledger.inbox import list_deliveries

    wanted = _state(state)
    nothing = "No deliveries. Providers call back at POST /webhooks/apify of `tallybook serve`."
    listing = Listing(HEADINGS, _row, _in_json, lambda each: each.cursor, nothing)
    command = "tallybook webhook list" + (f" --state {wanted}" if wanted else "")
    with opened(ctx) as opened_app:
        read = partial(list_deliveries, opened_app.database, state=wanted)
        listing.show(read, command, cursor=cursor, limit=limit, as_json=as_json)


@app.command()
def replay(
    ctx: typer.Context,
    delivery: Annotated[str, typer.Argument(metavar="ID", help="Of the delivery, as `webhook list` shows it")],
    client: Annotated[
        str | None, typer.Option(metavar="CLIENT", help="Whose it is, if nobody knows", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Apply a delivery again that could not be applied. One that was is left alone."""
    from tallybook.ledger.write import inbox

    with opened(ctx) as opened_app:
        whose = opened_app.clients.get(client) if client is not None else None
        applied = opened_app.ledger.do(inbox.replay, SOURCE, delivery, whose)
    if as_json:
        told = {"state": applied.state, "reason": applied.reason, "run_id": applied.run_id}
        output.emit({"delivery_id": delivery, **told, "client_id": applied.client_id})
        return
    why = f": {applied.reason}" if applied.reason else ""
    of_run = f" to run {applied.run_id}" if applied.run_id else ""
    output.say(f"{delivery}: {applied.state}{of_run}{why}")


@app.command("test")
def send_one(
    ctx: typer.Context,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where to; else as the settings say", show_default=False)
    ] = None,
) -> None:
    """Send a harmless delivery to the server, the way a provider would, and say what came back."""
    with opened(ctx) as opened_app:
        where = f"{(url or _address(opened_app)).rstrip('/')}/webhooks/apify"
        secret = next(iter(opened_app.webhook_secrets), None)
    if secret is None:
        raise typer.BadParameter("set TALLYBOOK_SERVER__WEBHOOK_SECRET first: the test sends it")
    status, said = _send(where, secret)
    if status == 200:
        output.say(f"{where} answers: {said}")
        return
    output.complain(f"tallybook: {where} answers {status}: {said}")
    raise typer.Exit(ExitCode.ERROR)


def _address(opened_app: "App") -> str:
    server = opened_app.settings.server
    return server.public_url or f"http://{server.host}:{server.port}"


def _send(where: str, secret: str) -> tuple[int, str]:
    """(status, what was said); status 0: nobody answered."""
    import uuid

    import httpx

    body = {"eventType": "TEST", "eventData": {}, "resource": {}}
    headers = {"x-webhook-secret": secret, "x-apify-webhook-dispatch-id": f"test {uuid.uuid4().hex}"}
    try:
        answer = httpx.post(where, json=body, headers=headers, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        return 0, f"{type(error).__name__}; is `tallybook serve` running, and does the address lead to it?"
    return answer.status_code, answer.text[:200]


def _state(told: str | None) -> "State | None":
    from tallybook.domain.delivery import State

    try:
        return State(told) if told is not None else None
    except ValueError:
        raise typer.BadParameter(f"{told!r} is no state; use one of: {', '.join(State)}") from None


def _in_json(received: "Received") -> Mapping[str, Any]:
    return {
        "delivery_id": received.delivery_id,
        "source": received.source,
        "received_at": moment(received.received_at),
        "event": received.event,
        "state": received.state.value,
        "reason": received.reason,
        "external_id": received.external_id,
        "run_id": received.run_id,
        "client_id": received.client_id,
    }


def _row(received: "Received") -> tuple[object, ...]:
    what = (words.instant(received.received_at), received.delivery_id, received.event, received.state.value)
    return (*what, received.run_id or "", received.client_id or "", received.reason or "")
