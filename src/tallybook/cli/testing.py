"""`tallybook testing`: look-alike servers of what Tallybook talks to, for trying things out."""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tallybook.cli import output
from tallybook.cli.nouns import noun
from tallybook.cli.opening import Json
from tallybook.domain.errors import BadInput

if TYPE_CHECKING:
    from tallybook.testing.airtable_log import CallLog
    from tallybook.testing.airtable_server import AirtableServer
    from tallybook.testing.apify_server import ApifyServer
    from tallybook.testing.apify_server import Bill as ApifyBill
    from tallybook.testing.model_server import Bill, ModelServer

PORT, APIFY_PORT, AIRTABLE_PORT = 8686, 8687, 8688
KEPT = 10_000
LET_GO_S = 1.0

FaultT = TypeVar("FaultT", bound=StrEnum)
Server = TypeVar("Server", "ModelServer", "ApifyServer", "AirtableServer")
Port = Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="Where to listen; 0: wherever is free")]
Faults = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=SHARE", help="What goes wrong, and how often: rate_limit=0.05", show_default=False),
]
Seed = Annotated[int, typer.Option(metavar="N", help="Which requests go wrong")]


class Tier(StrEnum):
    """A plan of Airtable, whose limits are kept."""

    FREE = "free"
    TEAM = "team"
    BUSINESS = "business"
    NONE = "none"


app = noun("Look-alike servers, for trying things out.")


@app.command()
def model(
    port: Port = PORT,
    latency_ms: Annotated[int, typer.Option(min=0, metavar="N", help="How long each answer takes")] = 0,
    fault: Faults = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Be Gemini, OpenAI and Anthropic, on this machine only, without an account and for nothing.

    Answers until Ctrl-C, then prints what the provider would bill. --fault can be given several times.
    """
    from tallybook.testing.model_server import Fault, ModelServer

    chances = _chances(Fault, _shares(fault or [], Fault))
    make = partial(ModelServer, latency_s=latency_ms / 1_000, chances=chances, seed=seed, keep=KEPT)
    with _stop_signals() as stop, _opened(port, make) as server:
        _introduce(server)
        signal.sigwait(stop)
    server.wait_until_idle(LET_GO_S)  # those cut off are billed too
    _tell(server.bill, as_json)


@app.command()
def apify(
    port: Port = APIFY_PORT,
    latency_ms: Annotated[int, typer.Option(min=0, metavar="N", help="How long each run takes")] = 2_000,
    fault: Faults = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Be Apify and an actor that finds posts, on this machine only, without an account and for nothing.

    Answers and calls back until Ctrl-C, then prints what Apify would bill. --fault can be given several times.
    """
    from tallybook.testing.apify_server import ApiFault, ApifyServer, DeliveryFault, RunFault

    shares = _shares(fault or [], ApiFault, RunFault, DeliveryFault)
    make = partial(
        ApifyServer,
        latency_s=latency_ms / 1_000,
        chances=_chances(ApiFault, shares),
        run_chances=_chances(RunFault, shares),
        delivery_chances=_chances(DeliveryFault, shares),
        seed=seed,
        keep=KEPT,
    )
    with _stop_signals() as stop, _opened(port, make) as server:
        _introduce_apify(server)
        signal.sigwait(stop)
    _tell_apify(server.bill, as_json)


@app.command()
def airtable(
    port: Port = AIRTABLE_PORT,
    plan: Annotated[Tier, typer.Option(help="Whose limits are kept; none: no limits")] = Tier.TEAM,
    fault: Faults = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Be Airtable, on this machine only, without an account, with the demo's clients and leads and a base for runs.

    Answers until Ctrl-C, then prints how often it was asked. --fault can be given several times.
    """
    from tallybook.testing.airtable_demo import add_demo
    from tallybook.testing.airtable_server import BUSINESS, FREE, NO_LIMITS, TEAM, AirtableFault, AirtableServer

    limits = {"free": FREE, "team": TEAM, "business": BUSINESS, "none": NO_LIMITS}[plan]
    chances = _chances(AirtableFault, _shares(fault or [], AirtableFault))
    make = partial(AirtableServer, limits=limits, chances=chances, seed=seed, keep=KEPT)
    with _stop_signals() as stop, _opened(port, make) as server:
        _introduce_airtable(server, add_demo(server).id)
        signal.sigwait(stop)
    _tell_airtable(server.log, as_json)


# -- what was asked for ------------------------------------------------------------------------------------------------


def _shares(words: Sequence[str], *kinds: type[StrEnum]) -> Mapping[str, float]:
    """The share of each fault by its name; each must be of one of the *kinds*."""
    names = [fault.value for kind in kinds for fault in kind if fault.value != "ok"]
    return dict(_share(word, names) for word in words)


def _share(word: str, names: Sequence[str]) -> tuple[str, float]:
    name, _, share = word.partition("=")
    if name not in names:
        raise typer.BadParameter(f"{name!r} is none of the faults {', '.join(names)}", param_hint="--fault")
    try:
        return name, float(share)
    except ValueError:
        raise typer.BadParameter(f"--fault takes NAME=SHARE, like {name}=0.05", param_hint="--fault") from None


def _chances(kind: type[FaultT], shares: Mapping[str, float]) -> Mapping[FaultT, float]:
    """Those of this kind."""
    from tallybook.testing.lookalike_plan import check_chances

    chances = {fault: shares[fault.value] for fault in kind if fault.value in shares}
    try:
        check_chances(chances)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--fault") from None
    return chances


def _opened(port: int, make: Callable[..., Server]) -> Server:
    try:
        return make(port=port)
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


def _introduce_apify(server: "ApifyServer") -> None:
    output.note(f"Apify is imitated at {server.url} until Ctrl-C. In another terminal:")
    output.note()
    output.note(f"export TALLYBOOK_APIFY__API_URL={server.url}")
    output.note("export TALLYBOOK_APIFY__TOKEN=anything")
    output.note("export TALLYBOOK_APIFY__ACTOR_ID=look-alike/posts")
    output.note()
    output.note(f"{server.url}/bill is the bill so far, {server.url}/log the newest {KEPT:,} requests.")


def _tell_apify(bill: "ApifyBill", as_json: bool) -> None:
    if as_json:
        output.emit({**asdict(bill), "usd": str(bill.usd)})
        return
    output.facts(
        {
            "runs": f"{bill.runs:,}",
            "items": f"{bill.items:,}",
            "billed": f"${bill.usd:,.4f}",
            "deliveries": f"{bill.deliveries:,}",
        }
    )


def _introduce_airtable(server: "AirtableServer", operator_id: str) -> None:
    output.note(f"Airtable is imitated at {server.url} until Ctrl-C. In another terminal:")
    output.note()
    output.note(f"export TALLYBOOK_AIRTABLE__ENDPOINT_URL={server.url}")
    output.note("export TALLYBOOK_AIRTABLE__TOKEN=anything")
    output.note(f"export TALLYBOOK_AIRTABLE__MASTER_BASE_ID={operator_id}")
    output.note()
    output.note("The bases, whose data is gone when this ends:")
    for line in output.lines_of([(base.name, base.id, f"{base.records:,} records") for base in server.bases]):
        output.note(f"  {line}")
    output.note()
    output.note(f"{server.url}/log gives the newest {KEPT:,} requests.")


def _tell_airtable(log: "CallLog", as_json: bool) -> None:
    kinds = {kind or "unknown": number for kind, number in sorted(log.by_kind().items())}
    refused = sum(not call.ok for call in log.all)
    facts = {"requests": len(log.all), "refused": refused, "most in a second": log.most_in_a_second()}
    if as_json:
        output.emit({**{name.replace(" ", "_"): fact for name, fact in facts.items()}, "by_kind": kinds})
        return
    output.facts({name: f"{number:,}" for name, number in {**facts, **kinds}.items()})
