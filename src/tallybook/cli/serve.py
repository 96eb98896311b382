"""`tallybook serve`: the API, the webhooks, the worker and the schedule in one process."""

import sys
from typing import Annotated

import typer

from tallybook.cli import output
from tallybook.cli.opening import opened


def command(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(metavar="HOST", help="Address to listen on", show_default=False)] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, metavar="N", help="Port; 0: whatever is free", show_default=False),
    ] = None,
    *,
    books_only: Annotated[
        bool, typer.Option("--books-only", help="Keep the books; leave the work to other processes")
    ] = False,
) -> None:
    """Answer the API, take webhooks, do what is due and keep the schedule, until Ctrl-C or SIGTERM.

    What is in flight then is handed back, and the next process goes on with it.
    """
    with opened(ctx, **{"server.host": host, "server.port": port}) as app:
        from tallybook.cli.doctor import findings_of
        from tallybook.web.serving import serve

        serve(app, works=not books_only, begun=_say_begun, checks=findings_of)
    output.note("Stopped; what was in flight was handed back.")


def _say_begun(address: str, link: str | None) -> None:
    output.note(f"Serving on {address} (Ctrl-C stops it)")
    if link is not None and sys.stderr.isatty():  # in a log it would lie about until somebody uses it
        output.note(f"Sign in, once: {link}")
