"""What each verb says, read and checked: one reading for the verbs in Python and over HTTP. Raises BadInput."""

from collections.abc import Callable, Mapping

from tallybook.domain.errors import BadInput
from tallybook.domain.outcome import Outcome
from tallybook.tracking import wording
from tallybook.tracking.saying import Plain, Saying

OUTCOME, CALL = "record_outcome", "record_call"
_NEITHER_SAID: Mapping[str, object] = {"provider": "", "model": "", "result": "ok", "attempt": 1}
_USED = ("input_tokens", "cached_tokens", "output_tokens", "cost_usd")
_OF_CALL = ("call_id", "operation", "provider", "model", "result", *_USED, "attempt", "chunk")


def say(verb: str, run_id: object, client_id: object, fields: Mapping[str, object], site: str = "") -> Saying:
    """A verb that creates, updates or completes."""
    text, client = wording.read_names(verb, run_id, client_id)
    said, facts = wording.read_said(fields)
    return Saying(verb, text, client, said, facts, site)


def of_client(verb: str, run_id: object, client_id: object, site: str = "", **facts: Plain) -> Saying:
    """Of which client run rows are, without a row."""
    text, client = wording.read_names(verb, run_id, client_id)
    return Saying(verb, text, client, facts=facts, site=site)


def of_operation(verb: str, run_id: object, client_id: object, operation: object, site: str = "") -> Saying:
    """Of which operation run rows are, without a row."""
    return of_client(verb, run_id, client_id, site, operation=wording.read_operation(operation).value)


# -- outcomes ----------------------------------------------------------------------------------------------------------


def record_outcome(
    run_id: object, client_id: object, operation: object, item: Mapping[str, object], site: str = ""
) -> Saying:
    """*item*: as `read_outcome` takes it."""
    text, client = wording.read_names(OUTCOME, run_id, client_id)
    outcome, more = _read_outcome(item)
    facts: dict[str, Plain] = {"lead_id": outcome.lead_id, "kind": outcome.kind.value, "more": more}
    said = {**facts, "operation": wording.read_operation(operation).value, "reason": outcome.reason}
    return Saying(OUTCOME, text, client, facts=_without_none(said), site=site)


def read_outcome(item: Mapping[str, object]) -> Outcome:
    """*item*: lead_id, kind, reason, and what else an outcome holds, in any spelling."""
    return _read_outcome(item)[0]


def _read_outcome(item: Mapping[str, object]) -> tuple[Outcome, dict[str, Plain]]:
    more = wording.read_outcome_facts({name: fact for name, fact in item.items() if name not in wording.ROW_OF_OUTCOME})
    return wording.read_outcome(item.get("lead_id"), item.get("kind"), item.get("reason"), more), more


# -- calls -------------------------------------------------------------------------------------------------------------


def record_call(run_id: object, client_id: object, item: Mapping[str, object], site: str = "") -> Saying:
    """*item*: as `read_call` takes it."""
    text, client = wording.read_names(CALL, run_id, client_id)
    return Saying(CALL, text, client, facts=read_call(item), site=site)


def read_call(item: Mapping[str, object]) -> dict[str, Plain]:
    """*item*: call_id, operation, provider, model, result, tokens, cost_usd, attempt, chunk; None says nothing."""
    wording.refuse_unknown({name: fact for name, fact in item.items() if name not in _OF_CALL})
    said = {**_NEITHER_SAID, **{name: fact for name, fact in item.items() if fact is not None}}
    usage = wording.read_usage(*(said.get(name) for name in _USED))
    facts: dict[str, Plain] = {
        "call_id": wording.read_key("call_id", said.get("call_id")),
        "operation": wording.read_operation(said.get("operation")).value,
        **wording.read_texts(**{name: said.get(name) for name in ("provider", "model", "result", "chunk")}),
        "attempt": wording.read_whole("attempt", said["attempt"]),
        "input_tokens": usage.input_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": str(usage.cost) if usage.cost is not None else None,
    }
    return _without_none(facts)


def _without_none(facts: Mapping[str, Plain]) -> dict[str, Plain]:
    return {name: fact for name, fact in facts.items() if fact is not None}


# -- what is wrong with a row ------------------------------------------------------------------------------------------

Row = Mapping[str, object]
_GOOD_OUTCOME: Row = {"lead_id": "lead", "kind": "scored"}
_GOOD_CALL: Row = {"call_id": "call", "operation": "lead_scoring"}


def fault_in_outcome(item: Row) -> str | None:
    """The one field because of which *item* cannot be read; None when there are several."""
    return _fault_in(item, read_outcome, _GOOD_OUTCOME)


def fault_in_call(item: Row) -> str | None:
    """The one field because of which *item* cannot be read; None when there are several."""
    return _fault_in(item, read_call, _GOOD_CALL)


def _fault_in(item: Row, read: Callable[[Row], object], good: Row) -> str | None:
    for name in {**item, **good}:
        rest = {each: fact for each, fact in item.items() if each != name}
        try:
            read({**rest, name: good[name]} if name in good else rest)
        except BadInput:
            continue
        return name
    return None
