"""Everything that ever became of one lead, in words and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from shlex import quote
from typing import TYPE_CHECKING, Any

from tallybook.cli import output
from tallybook.domain.errors import BadInput, NotFound
from tallybook.domain.lead import lead_id_of_url, lead_ids_meant_by
from tallybook.domain.outcome import Kind, LeadId
from tallybook.domain.run import OperationName
from tallybook.engine.worklist import MOST_RUNS
from tallybook.ledger import read
from tallybook.ledger.read import Told
from tallybook.report import words
from tallybook.report.facts import told_facts
from tallybook.stores.lead_facts import lead_facts

if TYPE_CHECKING:
    from tallybook.app import App
    from tallybook.stores.rows import StoredLead
    from tallybook.stores.sql import SqlStore

PAGE = 1000


@dataclass(frozen=True, slots=True)
class History:
    """*stored*: None when the lead is gone from the store. *told*: newest first."""

    client_id: str
    lead_id: LeadId
    stored: "StoredLead | None"
    told: Sequence[Told]


def history_of(app: "App", client_id: str, text: str) -> History:
    """Raises NotFound when neither store nor books know the lead."""
    store = app.clients.store(client_id)
    try:
        stored = lead_named(store, client_id, text)
    except NotFound:
        return _gone(app, client_id, text)
    lead_id = stored.lead.lead_id
    return History(client_id, lead_id, stored, read.why(app.ledger.database, client_id, lead_id))


def _gone(app: "App", client_id: str, text: str) -> History:
    for lead_id in lead_ids_meant_by(text):
        with suppress(BadInput):  # of a text that no database keeps there is nothing to tell
            if told := read.why(app.ledger.database, client_id, lead_id):
                return History(client_id, lead_id, None, told)
    raise _nobody(client_id, text)


def lead_named(store: "SqlStore", client_id: str, text: str) -> "StoredLead":
    """The lead with this id or profile URL. Raises NotFound."""
    for lead_id in lead_ids_meant_by(text):
        try:
            return store.lead(lead_id)
        except NotFound:
            continue
    for stored in _every(store) if "/" in text else ():
        if _url_id(stored.lead.profile_url) == _url_id(text):
            return stored
    raise _nobody(client_id, text)


def _nobody(client_id: str, text: str) -> NotFound:
    hint = f"`tallybook lead list {quote(client_id)}` names them all"
    return NotFound(f"client {client_id!r} has no lead {text!r}; {hint}", client_id=client_id)


def _url_id(text: str) -> LeadId | None:
    try:
        return lead_id_of_url(text)
    except BadInput:
        return None


def _every(store: "SqlStore") -> "Iterator[StoredLead]":
    """Ids need not come from URLs (--map id=COLUMN), so a URL may have to be looked for."""
    after: LeadId | None = None
    while leads := store.leads(after, PAGE):
        yield from leads
        after = leads[-1].lead.lead_id


# -- as JSON -----------------------------------------------------------------------------------------------------------


def in_json(history: History) -> Mapping[str, Any]:
    return {
        "client_id": history.client_id,
        "lead_id": history.lead_id,
        "lead": lead_facts(history.stored) if history.stored else None,
        "outcomes": [told_facts(each.outcome, **each.where) for each in history.told],
    }


# -- in words ----------------------------------------------------------------------------------------------------------


def in_words(history: History) -> Iterator[str]:
    yield from _who(history)
    if not history.told:
        yield "No run has worked on this lead yet."
    for told in history.told:
        yield ""
        yield f"{words.instant(told.at)}  run {told.run_id}  {words.plain(told.operation)}: {_what(told)}"
        yield from (f"  {line}" for line in chain(_because(told), _next(history.told, told)))


def _who(history: History) -> Iterator[str]:
    stored = history.stored
    if stored is None:
        yield f"{history.lead_id} is no longer a lead of {history.client_id}"
        return
    yield f"{stored.lead.full_name or 'A lead without a name'}, lead of {history.client_id}"
    yield from filter(None, (stored.lead.headline, stored.lead.profile_url or history.lead_id))
    if stored.excluded_by_hand:
        named = f"{quote(history.client_id)} {quote(history.lead_id)}"
        yield f"Excluded by hand: `tallybook lead exclude {named} --off` takes it back in."


def _what(told: Told) -> str:
    outcome = told.outcome
    if outcome.reason is not None:
        return f"{outcome.kind}, {words.meaning(outcome.reason)} ({outcome.reason})"
    score = f" {outcome.score:.2f} of 100" if outcome.score is not None else ""
    posts = f", {words.count(outcome.posts, 'post')}" if outcome.posts else ""
    return f"{outcome.kind}{score}{posts}"


def _because(told: Told) -> Iterator[str]:
    outcome = told.outcome
    yield from filter(None, (outcome.detail, outcome.assessment))
    if outcome.excluded_by:
        yield f"Excluded by the attribute {outcome.excluded_by}."
    if outcome.flagged:
        yield "Flagged: the scorer gave points out of range; look at the breakdown."
    if outcome.best_post:
        yield f"Best post: {outcome.best_post.get('url')} ({_points(outcome.best_post.get('score'))})"
    if told.operation is OperationName.LEAD_SCORING and outcome.breakdown:
        yield from _breakdown(outcome.breakdown)
    if outcome.versions.model:
        yield f"Judged by {outcome.versions.model}, rubric {outcome.versions.rubric}."
    if told.late:
        yield "Came in after the run had ended."
    if not told.saved:
        yield "Not yet saved in the client's store: the client's next run saves it."


def _breakdown(breakdown: Mapping[str, Any]) -> Iterator[str]:
    rows = [_attribute(name, line) for name, line in breakdown.items() if isinstance(line, Mapping)]
    yield from (f"  {line}" for line in output.lines_of(rows, right=(1,)))


def _attribute(name: str, line: Mapping[str, Any]) -> tuple[str, str, str]:
    bound = f"of {_points(line['max'])}" if "max" in line else f"at worst -{_points(line.get('penalty'))}"
    evidence = f"  {line['evidence']}" if line.get("evidence") else ""
    return name, _points(line.get("points")), f"{bound}{evidence}"


def _points(number: object) -> str:
    return f"{number:g}" if isinstance(number, int | float) else "not judged"


def _next(history: Sequence[Told], told: Told) -> Iterator[str]:
    """What the next run does with a lead whose newest outcome of this operation is a failure."""
    same = [each for each in history if each.operation is told.operation]
    if told is not same[0] or told.outcome.kind is not Kind.FAILED:
        return
    tried = sum(each.outcome.kind is Kind.FAILED and _input(each) == _input(told) for each in same)
    left = MOST_RUNS - tried
    yield f"The next run tries again ({words.count(left, 'try', 'tries')} left)." if left > 0 else _GIVEN_UP


def _input(told: Told) -> tuple[str | None, str | None]:
    return told.outcome.input_hash, told.outcome.versions.rubric


_GIVEN_UP = "No tries are left: the next run gives it up, until its profile or the rubric changes."
