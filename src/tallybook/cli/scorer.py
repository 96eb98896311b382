"""`tallybook scorer`: how far a scorer's word can be trusted."""

import random
from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from tallybook.cli import output
from tallybook.cli.exits import ExitCode
from tallybook.cli.nouns import noun
from tallybook.cli.opening import Json, opened
from tallybook.domain.errors import BadInput
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.app import App
    from tallybook.domain.lead import Lead
    from tallybook.domain.tally import Estimate
    from tallybook.engine.stability import Studied, Study
    from tallybook.report.stability import Stability
    from tallybook.stores.sql import SqlStore

app = noun("Scorers: how far their word can be trusted.")

ClientArgument = Annotated[str, typer.Argument(metavar="CLIENT", help="The client's id", show_default=False)]
PAGE = 200


@app.command()
def stability(
    ctx: typer.Context,
    client: ClientArgument,
    *,
    leads: Annotated[int, typer.Option(min=2, max=1000, metavar="N", help="The client's first N leads")] = 10,
    rounds: Annotated[int, typer.Option(min=2, max=100, metavar="R", help="How often each is asked about")] = 4,
    seed: Annotated[int, typer.Option(metavar="S", help="Another seed draws other chunk mates")] = 0,
    as_json: Json = False,
) -> None:
    """Does a lead's score depend on who it is asked about with?

    The same leads are judged alone, in chunks as a run makes them, and in shuffled chunks of other sizes. No score is
    changed. A model is paid for it: the calls are booked in a run of their own.
    """
    with opened(ctx) as opened_app:
        study = _study(opened_app, client, leads, rounds, random.Random(seed))
        output.note(_announced(study.estimate(opened_app.scorer)))
        studied = _carry_out(opened_app, study)
        if studied.run_id is not None:
            output.note(_spent(opened_app, studied.run_id))
        _show(opened_app, study, studied, as_json=as_json)


# -- what is asked -----------------------------------------------------------------------------------------------------


def _study(app: "App", client_id: str, most: int, rounds: int, draw: random.Random) -> "Study":
    """Raises NotFound, and BadInput where there is nothing to compare."""
    from tallybook.domain.rounds import plan
    from tallybook.engine.stability import Study

    client = app.clients.get(client_id)
    if not client.active:
        raise BadInput(f"client {client_id} is paused, so nobody is asked about its leads")
    store = app.clients.store(client_id)
    attributes = store.rubric().for_leads
    if not attributes:
        raise BadInput(
            f"{client_id} has no rubric for leads: `tallybook rubric import {quote(client_id)} FILE` gives one"
        )
    leads = _first_leads(store, most)
    if len(leads) < 2:
        raise BadInput(f"{client_id} has {words.count(len(leads), 'lead')} with a headline or a history; it takes two")
    chunk_size = app.settings.engine.chunk_size
    return Study(client, attributes, plan(leads, chunk_size=chunk_size, rounds=rounds, draw=draw))


def _first_leads(store: "SqlStore", most: int) -> "Sequence[Lead]":
    """Those a run would ask about, scored or not, in id order."""
    found: list[Lead] = []
    after = None
    while len(found) < most and (page := store.leads(after, PAGE)):
        found += [each.lead for each in page if not (each.lead.thin or each.excluded_by_hand)]
        after = page[-1].lead.lead_id
    return found[:most]


def _announced(estimate: "Estimate") -> str:
    if not estimate.calls:
        return "This makes no paid call, and books nothing."
    price = "of unknown price" if estimate.unpriced else words.usd(estimate.cost)
    questions = words.count(estimate.calls, "question")
    return f"This asks about {questions}: about {estimate.total_tokens:,} tokens, {price}."


# -- asking ------------------------------------------------------------------------------------------------------------


def _carry_out(app: "App", study: "Study") -> "Studied":
    from tallybook.cli.run_start import caller
    from tallybook.engine.stability import carry_out

    return carry_out(app.ledger, app.scorer, study, app.limits, by=caller().name, style=app.run_id_style)


def _spent(app: "App", run_id: str) -> str:
    from tallybook.ledger import read

    tally = read.run(app.database, run_id).tally
    calls = words.count(tally.calls, "call")
    return f"It took {calls}, {tally.total_tokens:,} tokens, {words.cost(tally)}; booked as run {run_id}."


# -- what came of it ---------------------------------------------------------------------------------------------------


def _show(app: "App", study: "Study", studied: "Studied", *, as_json: bool) -> None:
    """Raises typer.Exit when nothing could be compared."""
    from tallybook.report import stability as report

    found = report.stability(study.attributes, study.rounds, studied.heard)
    meaning = report.meaning(found, app.settings.engine.chunk_size)
    if as_json:
        known = {"client_id": study.client.client_id, "model": app.scorer.model, "run_id": studied.run_id}
        output.emit({**known, **report.stability_facts(found), "meaning": meaning})
    else:
        asked = f"{words.count(found.leads, 'lead')} of {study.client.client_id}"
        output.say(f"{asked}, judged in {len(found.rounds)} rounds by {app.scorer.model}")
        _tell(found, meaning)
    if not found.total.leads:
        raise typer.Exit(ExitCode.ERROR)


def _tell(found: "Stability", meaning: str) -> None:
    from tallybook.report import stability as report

    output.say()
    output.table(report.round_rows(found), report.ROUND_HEADINGS, right=(0, 2, 3))
    output.say()
    output.table(report.spread_rows(found), report.SPREAD_HEADINGS, right=(1, 2, 3, 4, 5))
    output.say()
    for remark in report.remarks(found):
        output.say(remark)
    output.say(meaning)
