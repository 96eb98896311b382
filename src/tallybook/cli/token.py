"""`tallybook token`: who may use the HTTP API, and for what."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tallybook.cli import output
from tallybook.cli.nouns import noun
from tallybook.cli.opening import Cursor, Json, Limit, opened
from tallybook.cli.paging import Listing
from tallybook.report import words
from tallybook.report.facts import moment

if TYPE_CHECKING:
    from tallybook.domain.access import Scope
    from tallybook.ledger.tokens import Token

app = noun("Tokens: who may use the HTTP API, and for what.")

HEADINGS = ("TOKEN", "SCOPES", "CLIENT", "CREATED", "LAST USED", "REVOKED")


@app.command()
def create(
    ctx: typer.Context,
    *,
    scope: Annotated[
        list[str],
        typer.Option(metavar="S", help="runs:read, runs:write, runs:start or admin; may be repeated"),
    ],
    client: Annotated[
        str | None, typer.Option(metavar="CLIENT", help="The only client it reaches; all if none", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a token and print it as JSON, this once: only its hash is kept.

    runs:read looks, runs:write reports runs of other programs, runs:start starts and stops runs; admin may all of it.
    """
    import secrets

    from tallybook.domain.access import new_token
    from tallybook.ledger.write.tokens import create_token

    scopes = _scopes(scope, client)
    made = new_token(secrets.token_bytes)
    with opened(ctx) as opened_app:
        if client is not None:
            opened_app.clients.get(client)
        opened_app.ledger.do(create_token, token_id=made.token_id, hash=made.hash, scopes=scopes, client_id=client)
    output.emit({"id": made.token_id, "token": made.text, "scopes": scopes, "client_id": client})
    if not as_json:
        output.note("Keep the token in a safe place: it is not shown again.")


def _scopes(told: Sequence[str], client_id: str | None) -> "Sequence[Scope]":
    """Raises typer.BadParameter."""
    from tallybook.domain.access import Access, Scope
    from tallybook.domain.errors import BadInput

    try:
        scopes = {Scope.read(each) for each in told}
        Access("", "", frozenset(scopes), client_id)  # refuses what must not go together
    except BadInput as error:
        raise typer.BadParameter(str(error), param_hint="--scope") from None
    return [each for each in Scope if each in scopes]


@app.command("list")
def list_(ctx: typer.Context, limit: Limit = 50, cursor: Cursor = None, as_json: Json = False) -> None:
    """List the tokens, newest first, revoked ones too; never their text."""
    from functools import partial

    from tallybook.ledger.tokens import list_tokens

    nothing = "There are no tokens yet: `tallybook token create --scope runs:read` makes one."
    listing = Listing(HEADINGS, _row, _in_json, lambda each: each.cursor, nothing)
    with opened(ctx) as opened_app:
        read = partial(list_tokens, opened_app.database)
        listing.show(read, "tallybook token list", cursor=cursor, limit=limit, as_json=as_json)


@app.command()
def revoke(
    ctx: typer.Context,
    token: Annotated[str, typer.Argument(metavar="ID", help="The token's id", show_default=False)],
    as_json: Json = False,
) -> None:
    """Make a token good for nothing, from now on and for good."""
    from tallybook.ledger.write.tokens import revoke_token

    with opened(ctx) as opened_app:
        new = opened_app.ledger.do(revoke_token, token)
    if as_json:
        output.emit({"id": token, "revoked": True, "revoked_before": not new})
        return
    output.say(f"{token} is revoked" if new else f"{token} was revoked before")


def _in_json(token: "Token") -> Mapping[str, Any]:
    return {
        "id": token.token_id,
        "scopes": token.scopes,
        "client_id": token.client_id,
        "created_at": moment(token.created_at),
        "used_at": moment(token.used_at),
        "revoked_at": moment(token.revoked_at),
    }


def _row(token: "Token") -> Sequence[object]:
    times = (token.created_at, token.used_at, token.revoked_at)
    return (token.token_id, " ".join(token.scopes), token.client_id or "all", *map(words.instant, times))
