"""What doctor checks about clients, leads and figures."""

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tallybook.cli.finding import Findings, notice, ok, wrong
from tallybook.domain.client import Client
from tallybook.domain.run import OperationName, Status
from tallybook.ledger import misreports
from tallybook.ledger.tables import calls, client_runs, outcomes
from tallybook.report import words
from tallybook.stores.tables import leads

if TYPE_CHECKING:
    from tallybook.app import App

MOST_NAMED = 5
_ENDED = [status.value for status in Status if status.terminal]


def clients(app: "App") -> Findings:
    """Clients nobody can be worked for."""
    everybody = app.clients.of_stream(None, ())
    if not everybody:
        yield notice("clients", "There is no active client", "tallybook client import FILE adds some.")
        return
    rubrics = {client.client_id: app.clients.store(client.client_id).rubric() for client in everybody}
    for client in everybody:
        if not rubrics[client.client_id].for_leads:
            mend = f"tallybook rubric import {quote(client.client_id)} FILE"
            yield wrong("rubric", f"{client.client_id} has no rubric: none of its leads can be scored", mend)
        elif client.service_level >= 2 and not rubrics[client.client_id].for_posts:
            said = (
                f"{client.client_id} pays for post scoring (level {client.service_level}), but has no post attributes"
            )
            yield notice("post_rubric", said, f"tallybook rubric import {quote(client.client_id)} FILE")
    if all(rubric.for_leads for rubric in rubrics.values()):
        yield ok("rubric", f"{words.count(len(everybody), 'active client')}, each with a rubric")


def never_worked_on(app: "App") -> Findings:
    """Leads that are due and that no run has ever touched (F15)."""
    done = sa.exists().where(
        outcomes.c.client_id == leads.c.client_id,
        outcomes.c.operation == OperationName.LEAD_SCORING,
        outcomes.c.lead_id == leads.c.lead_id,
    )
    statement = (
        sa.select(leads.c.client_id, sa.func.count())
        .where(leads.c.scored_at.is_(None), sa.not_(leads.c.excluded_by_hand), sa.not_(done))
        .group_by(leads.c.client_id)
        .order_by(leads.c.client_id)
    )
    with app.bare_database.reading() as connection:
        found = {client_id: int(count) for client_id, count in connection.execute(statement)}
    active = {client.client_id: client for client in app.clients.of_stream(None, ())}
    yield from _of_active(found, active)
    idle = sum(count for client_id, count in found.items() if client_id not in active)
    if idle:
        said = f"{words.count(idle, 'lead')} of paused clients never worked on"
        yield notice("leads_of_paused", said, "tallybook client list shows who is paused.")
    if not found:
        yield ok("leads", "Every lead that is due has been worked on at least once")


def _of_active(found: Mapping[str, int], active: Mapping[str, Client]) -> Findings:
    for client_id, count in found.items():
        if client_id in active:
            said = f"{words.count(count, 'lead')} of {client_id} never worked on"
            yield notice("leads", said, f"tallybook run start --client {quote(client_id)} takes them up.")


def unsaved(app: "App") -> Findings:
    """Outcomes that are in the books and not in the client's store, though its run has ended."""
    same = sa.and_(client_runs.c.run_id == outcomes.c.run_id, client_runs.c.client_id == outcomes.c.client_id)
    statement = (
        sa.select(outcomes.c.client_id, sa.func.count())
        .select_from(outcomes.join(client_runs, same))
        .where(outcomes.c.saved_at.is_(None), client_runs.c.status.in_(_ENDED))
        .group_by(outcomes.c.client_id)
        .order_by(outcomes.c.client_id)
    )
    with app.bare_database.reading() as connection:
        found = connection.execute(statement).all()
    for client_id, count in found:
        said = f"{words.count(count, 'outcome')} of {client_id} could not be saved in its store"
        yield wrong(
            "unsaved", said, f"Mend the store; tallybook run start --client {quote(client_id)} then saves them first."
        )
    if not found:
        yield ok("unsaved", "Every outcome is saved")


# -- calls -------------------------------------------------------------------------------------------------------------


def paid_calls(app: "App") -> Findings:
    """Calls whose figures cannot be right, or that nobody knows the figures of."""
    tokens = sa.func.coalesce(calls.c.input_tokens, 0) + sa.func.coalesce(calls.c.output_tokens, 0)
    known = sa.and_(calls.c.input_tokens.is_not(None), calls.c.output_tokens.is_not(None))
    settled = calls.c.ended_at.is_not(None)
    free = calls.c.cost_pico_usd.is_(None)
    statement = sa.select(
        _count_if(sa.and_(settled, known, tokens == 0, calls.c.result == "ok")),
        _count_if(sa.and_(settled, tokens > 0, calls.c.cost_pico_usd == 0)),
        _count_if(sa.and_(settled, free, sa.not_(known))),
        _count_if(sa.and_(settled, free, known)),
        sa.func.count(),
    )
    with app.bare_database.reading() as connection:
        no_tokens, no_cost, unmeasured, unpriced, total = map(int, connection.execute(statement).one())
    yield from _alarms(no_tokens, no_cost)
    yield from _unknown(unmeasured, unpriced)
    if not (no_tokens or no_cost or unmeasured or unpriced):
        yield ok("calls", f"{words.count(total, 'paid call')}, all measured and priced" if total else "No paid calls")


def _count_if(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def _alarms(no_tokens: int, no_cost: int) -> Findings:
    if no_tokens:
        said = f"{words.count(no_tokens, 'paid call')} succeeded with 0 tokens: what they used was not told"
        yield wrong("zero_tokens", said, "Compare with the provider's bill; tallybook usage shows whose they are.")
    if no_cost:
        said = f"{words.count(no_cost, 'call')} used tokens and cost 0"
        yield wrong("zero_cost", said, "Look at [prices] in tallybook.toml: a price of 0 is most likely a mistake.")


def _unknown(unmeasured: int, unpriced: int) -> Findings:
    if unmeasured:
        said = f"Nobody knows what {words.count(unmeasured, 'call')} used; maybe billed"
        yield notice("unmeasured", said, "Compare with the provider's bill.")
    if unpriced:
        said = f"{words.count(unpriced, 'call has', 'calls have')} tokens and no price: money is counted too low"
        yield notice("unpriced", said, "Give their models a price in [prices] of tallybook.toml.")


def unsettled(app: "App") -> Findings:
    """Calls that were begun and never answered for, though their client run has ended."""
    same = sa.and_(client_runs.c.run_id == calls.c.run_id, client_runs.c.client_id == calls.c.client_id)
    statement = (
        sa.select(sa.func.count())
        .select_from(calls.join(client_runs, same))
        .where(calls.c.ended_at.is_(None), client_runs.c.status.in_(_ENDED))
    )
    with app.bare_database.reading() as connection:
        count = connection.execute(statement).scalar_one()
    if count:
        of = words.count(count, "call of an ended run was", "calls of ended runs were")
        said = f"{of} never answered for; maybe billed"
        yield notice("unsettled", said, "They count as unmeasured once their process is known to be dead.")
        return
    yield ok("unsettled", "Every call of an ended run is settled")


# -- what other programs report ----------------------------------------------------------------------------------------


def reporters(app: "App") -> Findings:
    """Runs nobody had created, and verbs that were refused, by reason (F34)."""
    made, refused = misreports.auto_created(app.bare_database), misreports.refusals(app.bare_database)
    for reason, count in made.items():
        said = f"{words.count(count, 'run or client run', 'runs or client runs')} made on an update: {reason}"
        yield notice("auto_created", said, "Have that program call create_job and create_client_run first.")
    for text, count in _first(refused):
        yield notice("refused", f"{words.count(count, 'time')}: {text}", "Mend the program that reports this.")
    if not made and not refused:
        yield ok("reporters", "Every report was understood")


def _first(found: Mapping[str, int]) -> Sequence[tuple[str, int]]:
    return sorted(found.items(), key=lambda pair: -pair[1])[:MOST_NAMED]


CHECKS = (clients, never_worked_on, unsaved, paid_calls, unsettled, reporters)
