"""`tallybook run`: start runs, look at them, stop them, go on with them."""

from typing import Annotated

import typer

from tallybook.cli.nouns import noun
from tallybook.cli.opening import Cursor, Json, Limit, opened

app = noun("Runs: start, follow, stop and compare them")

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run id, or the label of a client run")]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait; another process does the work")]
Stream = Annotated[int | None, typer.Option(min=0, metavar="N", help="Only this stream", show_default=False)]


@app.command("start")
def start(
    ctx: typer.Context,
    operations: Annotated[
        list[str] | None,
        typer.Argument(metavar="OPERATION", help="lead_scoring, post_harvesting, post_scoring; all if none"),
    ] = None,
    *,
    stream: Stream = None,
    client: Annotated[
        list[str] | None, typer.Option("--client", metavar="ID", help="Only this client; may be repeated")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="At most N leads per client and operation", show_default=False),
    ] = None,
    trigger: Annotated[str, typer.Option(metavar="WORD", help="What starts it: cron, manual or api")] = "manual",
    key: Annotated[
        str | None, typer.Option(metavar="K", help="The same key is the same run, for 90 days", show_default=False)
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="If its clients are being worked on: wait, not refuse")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is due and may cost; start nothing")] = False,
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Start a run and follow it to its end. Ctrl-C pauses it.

    Exit codes: 0 completed, 3 with errors, 4 busy or known key, 6 failed, 7 canceled or timed out, 8 paused.
    """
    from tallybook.cli import run_dry, run_start

    asked = run_start.Asked(operations or (), stream, client or (), limit, trigger, key, new)
    with opened(ctx) as opened_app:
        if dry_run:
            run_dry.dry_run(opened_app, asked, as_json=as_json)
            return
        run_start.start(opened_app, asked, detach=detach, as_json=as_json)


@app.command("list")
def list_(
    ctx: typer.Context, limit: Limit = 50, cursor: Cursor = None, stream: Stream = None, as_json: Json = False
) -> None:
    """The runs, newest first."""
    from tallybook.cli import run_verbs

    with opened(ctx) as opened_app:
        run_verbs.show_list(opened_app, limit=limit, cursor=cursor, stream=stream, as_json=as_json)


@app.command("show")
def show(ctx: typer.Context, run: RunArgument, as_json: Json = False) -> None:
    """A run, client by client."""
    from tallybook.cli import run_verbs

    with opened(ctx) as opened_app:
        run_verbs.show(opened_app, run, as_json=as_json)


@app.command("watch")
def watch(ctx: typer.Context, run: RunArgument, as_json: Json = False) -> None:
    """Follow a run that another process works on. Ctrl-C ends the watching, not the run."""
    from tallybook.cli import run_verbs

    with opened(ctx) as opened_app:
        run_verbs.watch(opened_app, run, as_json=as_json)


@app.command("pause")
def pause(ctx: typer.Context, run: RunArgument, as_json: Json = False) -> None:
    """Stop a run so that it can be resumed."""
    from tallybook.cli import run_verbs
    from tallybook.domain.run import Stop

    with opened(ctx) as opened_app:
        run_verbs.stop(opened_app, run, Stop.PAUSE, as_json=as_json)


@app.command("cancel")
def cancel(ctx: typer.Context, run: RunArgument, as_json: Json = False) -> None:
    """Stop a run for good."""
    from tallybook.cli import run_verbs
    from tallybook.domain.run import Stop

    with opened(ctx) as opened_app:
        run_verbs.stop(opened_app, run, Stop.CANCEL, as_json=as_json)


@app.command("resume")
def resume(ctx: typer.Context, run: RunArgument, detach: Detach = False, as_json: Json = False) -> None:
    """Go on with a paused run, or with one whose process died."""
    from tallybook.cli import run_verbs

    with opened(ctx) as opened_app:
        run_verbs.resume(opened_app, run, detach=detach, as_json=as_json)


@app.command("diff")
def diff(
    ctx: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="The run to compare with")],
    b: Annotated[str, typer.Argument(metavar="B", help="The run that is compared")],
    as_json: Json = False,
) -> None:
    """What is different from run A to run B."""
    from tallybook.cli import run_verbs

    with opened(ctx) as opened_app:
        run_verbs.show_diff(opened_app, a, b, as_json=as_json)


@app.command("explain")
def explain(ctx: typer.Context, run: RunArgument, as_json: Json = False) -> None:
    """What happened in a run, why, and what to do."""
    from tallybook.cli import run_verbs

    with opened(ctx) as opened_app:
        run_verbs.show_explanation(opened_app, run, as_json=as_json)
