"""`tallybook testing`: look-alike servers of what Tallybook talks to, for trying things out."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tallybook.cli import output
from tallybook.cli.nouns import noun
from tallybook.cli.opening import Json
from tallybook.domain.errors import BadInput

if TYPE_CHECKING:
    from tallybook.testing.model_server import Bill, Fault, ModelServer

PORT = 8686
KEPT = 10_000
LET_GO_S = 1.0

app = noun("Look-alike servers, for trying things out.")


@app.command()
def model(
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Where to listen; 0: wherever is free")
    ] = PORT,
    latency_ms: Annotated[int, typer.Option(min=0, metavar="N", help="How long each answer takes")] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SHARE", help="What goes wrong, and how often: rate_limit=0.05", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Which requests go wrong")] = 0,
    as_json: Json = False,
) -> None:
    """Be Gemini, OpenAI and Anthropic, on this machine only, without an account and for nothing.

    Answers until Ctrl-C, then prints what the provider would bill. --fault can be given several times.
    """
    chances = _chances(fault or [])
    with _stop_signals() as stop, _opened(port, latency_ms / 1_000, chances, seed) as server:
        _introduce(server)
        signal.sigwait(stop)
    server.wait_until_idle(LET_GO_S)  # those cut off are billed too
    _tell(server.bill, as_json)


# -- what was asked for ------------------------------------------------------------------------------------------------


def _chances(words: Sequence[str]) -> "Mapping[Fault, float]":
    from tallybook.testing.lookalike_plan import check_chances

    chances = dict(map(_chance, words))
    try:
        check_chances(chances)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--fault") from None
    return chances


def _chance(word: str) -> "tuple[Fault, float]":
    from tallybook.testing.model_faults import Fault

    name, _, share = word.partition("=")
    names = [each.value for each in Fault if each is not Fault.OK]
    if name not in names:
        raise typer.BadParameter(f"{name!r} is none of the faults {', '.join(names)}", param_hint="--fault")
    try:
        return Fault(name), float(share)
    except ValueError:
        raise typer.BadParameter(f"--fault takes NAME=SHARE, like {name}=0.05", param_hint="--fault") from None


def _opened(port: int, latency_s: float, chances: "Mapping[Fault, float]", seed: int) -> "ModelServer":
    from tallybook.testing.model_server import ModelServer

    try:
        return ModelServer(port=port, latency_s=latency_s, chances=chances, seed=seed, keep=KEPT)
    except OSError as error:
        raise BadInput(f"port {port} cannot be had: {error.strerror}; choose another with --port") from None


@contextmanager
def _stop_signals() -> Iterator[set[signal.Signals]]:
    """Held back for `sigwait`, in every thread begun meanwhile: none is interrupted at an odd moment."""
    stop = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    try:
        yield stop
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# -- what is told ------------------------------------------------------------------------------------------------------


def _introduce(server: "ModelServer") -> None:
    output.note(f"Gemini, OpenAI and Anthropic are imitated at {server.url} until Ctrl-C. In another terminal:")
    output.note()
    output.note("export TALLYBOOK_SCORER__MODEL=google:gemini-2.5-flash")
    output.note(f"export TALLYBOOK_SCORER__BASE_URL={server.google_url}")
    output.note("export TALLYBOOK_SCORER__API_KEY=anything")
    output.note()
    output.note("Or, as the model and the base URL:")
    others = [("openai:gpt-5-mini", server.openai_url), ("anthropic:claude-haiku-4-5", server.anthropic_url)]
    for line in output.lines_of(others):
        output.note(f"  {line}")
    output.note()
    output.note(f"{server.url}/bill is the bill so far, {server.url}/log the newest {KEPT:,} requests.")


def _tell(bill: "Bill", as_json: bool) -> None:
    if as_json:
        output.emit(asdict(bill))
        return
    output.facts(
        {
            "requests billed": f"{bill.requests:,}",
            "input tokens": f"{bill.input_tokens:,}",
            "of them cached": f"{bill.cached_tokens:,}",
            "output tokens": f"{bill.output_tokens:,}",
        }
    )
