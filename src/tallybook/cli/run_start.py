"""Starting a run from the command line: what is asked for, who asks, and what is said about it."""

import getpass
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from tallybook.cli import output
from tallybook.cli.exits import ExitCode
from tallybook.cli.run_work import Interrupts, code_after, handed_back, work
from tallybook.domain.client import Client
from tallybook.domain.errors import BadInput, NotFound, UnknownWord
from tallybook.domain.lead import Lead
from tallybook.domain.ports import Item
from tallybook.domain.run import JobType, OperationName, Run, Status, Trigger
from tallybook.engine import trigger
from tallybook.ledger import budgets, read
from tallybook.ledger.write.starts import Caller, Request, Start, Started
from tallybook.report.facts import run_facts
from tallybook.report.verdict import closing_lines
from tallybook.report.words import BLOCKED_REASONS, instant, listed

if TYPE_CHECKING:
    from tallybook.app import App


MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of `run start`."""

    operations: Sequence[str] = ()
    stream: int | None = None
    clients: Sequence[str] = ()
    limit: int | None = None
    trigger: str = Trigger.MANUAL.value
    key: str | None = None
    queue_behind: bool = False


def start(app: "App", asked: Asked, *, detach: bool, as_json: bool) -> None:
    """Start, or join what the key started before; wait for the end unless *detach*. Raises typer.Exit."""
    request = request_of(app, asked)
    if not detach:
        refuse_unpriced(app, request)
    if asked.key is None:
        refuse_if_nobody(app, request)
    with Interrupts() as interrupts:
        started = trigger.start(app.ledger, app.visited, _start_of(app, asked, request))
        run = read.run(app.database, started.run_id)
        if started.replayed and run.status.terminal:
            _show_finished(run, asked, as_json=as_json)
            raise typer.Exit(ExitCode.CONFLICT)
        _say_started(run, started, asked)
        if detach:
            _show_detached(run, as_json=as_json)
            return
        run = work(app, started.run_id, interrupts)
        show_worked(app, run, as_json=as_json)
        raise typer.Exit(code_after(run, interrupts))


# -- what is asked for -------------------------------------------------------------------------------------------------


def request_of(app: "App", asked: Asked) -> Request:
    """The request in the domain's words, DEBUG_STREAM and DEBUG_CLIENT filled in. Raises typer.BadParameter."""
    debug = app.settings.debug
    stream, clients = asked.stream, tuple(dict.fromkeys(asked.clients))
    if stream is None and debug.stream is not None:
        stream = debug.stream
        output.note(f"DEBUG_STREAM is set: only stream {stream}")
    if not clients and debug.client is not None:
        clients = (debug.client,)
        output.note(f"DEBUG_CLIENT is set: only client {debug.client}")
    return Request(_operations(asked.operations), stream, clients, asked.limit, _trigger(asked.trigger))


def _operations(texts: Sequence[str]) -> tuple[OperationName, ...]:
    """In the order in which they run, each once; all when none is named."""
    try:
        named = {name for text in texts for name in JobType.read(text).operations}
    except UnknownWord:
        unknown = next(text for text in texts if not _is_job_type(text))
        raise typer.BadParameter(f"{unknown!r} is no operation; use one of: {', '.join(JobType)}") from None
    return tuple(name for name in OperationName if name in named or not texts)


def _is_job_type(text: str) -> bool:
    try:
        JobType.read(text)
    except UnknownWord:
        return False
    return True


def _trigger(text: str) -> Trigger:
    try:
        return Trigger.read(text)
    except UnknownWord as error:
        raise typer.BadParameter(str(error)) from None


def refuse_if_nobody(app: "App", request: Request) -> None:
    """A run that would visit nobody is a mistake. Raises NotFound for an unknown client, BadInput when none is left."""
    chosen = app.visited.of_stream(request.stream, request.clients)
    left_out = sorted(set(request.clients) - {client.client_id for client in chosen})
    whys = [_why_left_out(app.clients.get(client_id), request.stream) for client_id in left_out]
    if chosen:
        for why in whys:
            output.note(f"Left out: {why}")
        return
    if whys:
        raise BadInput(f"there is nobody to work for: {'; '.join(whys)}")
    where = f" in stream {request.stream}" if request.stream is not None else ""
    raise NotFound(f"there are no active clients{where}; see `tallybook client list` and `tallybook client import`")


def refuse_unpriced(app: "App", request: Request) -> None:
    """A model without a price cannot be held against a budget of dollars alone. Raises BadInput; BadSetting for a model
    that cannot be asked at all.
    """
    if not app.scorer.estimate((), [Item("any", Lead("any"))]).unpriced:
        return
    ids = [client.client_id for client in app.clients.of_stream(request.stream, request.clients)]
    if bound := budgets.bound_by_money_alone(app.database, ids, app.budgets):
        raise BadInput(
            f"{app.scorer.model} has no known price, and {listed(bound[:MOST_NAMED])} may spend dollars only: give the"
            " model a price under [prices], or set a budget in tokens"
        )


def _why_left_out(client: Client, stream: int | None) -> str:
    if not client.active:
        return f"client {client.client_id} is paused"
    return f"client {client.client_id} is in stream {client.stream}, not {stream}"


def caller() -> Caller:
    """Who sits here, as whoever comes second is told."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        user = "somebody"
    return Caller(scope="cli", name=f"{user} on {socket.gethostname()} (cli)")


def _start_of(app: "App", asked: Asked, request: Request) -> Start:
    return Start(
        request,
        caller(),
        key=asked.key,
        queue_behind=asked.queue_behind,
        style=app.run_id_style,
        issue=app.settings.debug.issue,
    )


# -- what is said about it ---------------------------------------------------------------------------------------------


def _say_started(run: Run, started: Started, asked: Asked) -> None:
    if started.replayed:
        output.note(f"The key {asked.key!r} is known: joining {_origin(run)}.")


def _origin(run: Run) -> str:
    return f"run {run.run_id}, started by {run.requested_by or 'somebody'} at {instant(run.created_at)}"


def _show_finished(run: Run, asked: Asked, *, as_json: bool) -> None:
    output.note(f"The key {asked.key!r} is known, and its run has ended: {_origin(run)}. Nothing was started.")
    _show(run, as_json=as_json)


def _show_detached(run: Run, *, as_json: bool) -> None:
    if as_json:
        output.emit(run_facts(run))
        return
    output.say(run.run_id)
    output.note("A process that works takes it up: `tallybook serve`, or the next `tallybook run start`.")
    output.note(f"Watch it: tallybook run watch {run.run_id}")


def show_worked(app: "App", run: Run, *, as_json: bool) -> None:
    """The end of a command that worked a run; the verdict is the last line."""
    for said in filter(None, (handed_back(run), _stopped_by(app, run))):
        output.note(said)
    _show(run, as_json=as_json)


def _stopped_by(app: "App", run: Run) -> str | None:
    """What the provider said, or the budget, that a paused run stopped for; and what to mend."""
    if run.status is not Status.PAUSED or run.blocked_reason not in BLOCKED_REASONS:
        return None
    event = read.newest_event(app.database, run.run_id, "provider_stop")
    return event.text if event else None


def _show(run: Run, *, as_json: bool) -> None:
    if as_json:
        output.emit(run_facts(run))
        return
    for line in closing_lines(run):
        output.say(line)
