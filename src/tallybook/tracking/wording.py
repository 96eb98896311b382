"""Reading what a caller says: every spelling in, one wording out. Raises BadInput; nothing is written before that."""

import math
from collections.abc import Callable, Mapping
from typing import cast

from tallybook.domain import fields as known
from tallybook.domain import runid
from tallybook.domain.client import read_client_id
from tallybook.domain.errors import BadInput, UnknownField, UnknownWord
from tallybook.domain.fields import LARGEST, Field, Sort, Value, storable
from tallybook.domain.lead import read_lead_id
from tallybook.domain.outcome import Kind, Outcome, Versions, read_reason
from tallybook.domain.run import JobType, OperationName, Status, Trigger, finish_reason_of
from tallybook.domain.tally import Money, Usage
from tallybook.tracking.saying import Plain, Saying

LONGEST_KEY = 200


def read_run(text: object) -> str:
    """A run id or a label, unchanged. Raises InvalidRunId for any other text, and for what is no text (F39)."""
    return runid.RunId.parse(text).text


def read_names(verb: str, run_id: object, client_id: object) -> tuple[str, str | None]:
    """(run id or label, client id) of a verb. Raises BadInput where a client verb names no client."""
    text, client = read_run(run_id), read_client(client_id)
    if client is None and is_of_client(verb) and client_in(text) is None:
        raise BadInput(f"{text!r} names a run but no client; give client_id")
    return text, client


def name_of(saying: Saying) -> str:
    """What a verb that creates gives, as far as the words themselves tell."""
    run_id = runid.RunId.parse(saying.run).key
    return runid.label(run_id, saying.client or client_in(saying.run) or "") if is_of_client(saying.verb) else run_id


def is_of_client(verb: str) -> bool:
    """Does it speak of one client's part of a run?"""
    return verb in _OF_CLIENTS


def client_in(text: str) -> str | None:
    """The client that an unknown label speaks of. For creating it only: known labels are found by equality (F04)."""
    named = runid.RunId.parse(text)
    return named.client or named.client_or_issue


def read_client(value: object) -> str | None:
    """None says: the run is given by the client run's label."""
    return None if value is None else read_client_id(value)


def read_said(said: Mapping[str, object]) -> tuple[dict[str, Value], dict[str, Plain]]:
    """(fields, facts): sums, notes and names under our names; statuses and other words as what they mean."""
    values = {field.name: value for field, value in _read_fields(said).items()}
    facts: dict[str, Plain] = {}
    if "status" in values:
        text = str(values.pop("status"))
        facts = {"status": Status.read(text).value, "finish_reason": finish_reason_of(text)}
    return {**values, **_read_words(values)}, {name: fact for name, fact in facts.items() if fact}


def _read_fields(said: Mapping[str, object]) -> dict[Field, Value]:
    """Like `fields.read_fields`; two spellings of a note are two lines (F38)."""
    found: dict[Field, Value] = {}
    for name, given in said.items():
        field = known.read_field(name)
        if given is None:
            continue
        value = _read_value(field, given)
        if field in found and field.sort in (Sort.NOTE, Sort.ERROR):
            value = f"{found[field]}\n{value}"
        found[field] = value
    return found


def _read_value(field: Field, given: object) -> Value:
    if field.name == "stream":
        return read_whole(field.name, given)
    return read_time(field.name, given) if field.sort is Sort.TIME else known.read_value(field, given)


def read_time(name: str, value: object) -> str:
    """UTC text of fixed width. Raises BadInput, also for years that have fewer than four digits."""
    text = str(known.read_value(Field(name, Sort.TIME), value))
    if len(text) != len("2026-11-23T01:30:00.000000Z"):
        raise BadInput(f"{name} must be a time after the year 999, got {value!r}")
    return text


def _read_words(values: Mapping[str, Value]) -> dict[str, Value]:
    words: dict[str, Value] = {}
    if "job_type" in values:
        words["job_type"] = JobType.read(values["job_type"]).value
    if "triggered_by" in values:
        words["triggered_by"] = Trigger.read(values["triggered_by"]).value
    return words


def read_outcome_facts(facts: Mapping[str, object]) -> dict[str, Plain]:
    """What an outcome holds beside kind and reason, in any spelling; None says nothing."""
    named = {_named(name): value for name, value in facts.items() if value is not None}
    return {name: _OUTCOME_FACTS[name](name, value) for name, value in named.items()}


def read_outcome(lead_id: object, kind: object, reason: object, facts: Mapping[str, Plain]) -> Outcome:
    """One lead's outcome. *facts*: as `read_outcome_facts` gives them."""
    what = _read_kind(kind)
    versions = {name: facts.get(spelled) for name, spelled in _VERSIONS.items()}
    return Outcome(
        read_lead_id(lead_id),
        what,
        read_reason(what, None if reason is None else str(reason).strip().lower()),
        versions=Versions(**versions),  # type: ignore[arg-type]  # read by the table below
        **{name: fact for name, fact in facts.items() if name not in _VERSIONS.values()},  # type: ignore[arg-type]  # read too
    )


def _read_kind(kind: object) -> Kind:
    try:
        return Kind(str(kind).strip().lower())
    except ValueError:
        raise UnknownWord(f"{kind!r} is no outcome; use one of: {', '.join(Kind)}") from None


def read_operation(name: object) -> OperationName:
    return OperationName.read(name)


def read_usage(input_tokens: object, cached_tokens: object, output_tokens: object, cost_usd: object) -> Usage:
    """None is unknown, which is not 0. Money: a decimal string, a Decimal, an int, or a float as it prints."""
    return Usage(
        _tokens("input_tokens", input_tokens),
        _tokens("cached_tokens", cached_tokens),
        _tokens("output_tokens", output_tokens),
        None if cost_usd is None else Money.usd(str(known.read_value(known.BY_NAME["estimated_cost_usd"], cost_usd))),
    )


def _tokens(name: str, value: object) -> int | None:
    return None if value is None else read_whole(name, value)


def read_key(name: str, value: object) -> str:
    """A caller's own key, such as a call id. Raises BadInput."""
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_KEY or not value.isprintable():
        raise BadInput(f"{name} is 1 to {LONGEST_KEY} printable characters, got {value!r}")
    return value


def _named(name: str) -> str:
    found = _FOLDED_FACTS.get(name.lower().replace("_", ""))
    if found is None:
        known_names = ", ".join((*ROW_OF_OUTCOME, *_OUTCOME_FACTS))
        raise UnknownField(f"{name!r} is no field of an outcome; known fields: {known_names}")
    return found


_OF_CALLS = (
    "operation, call_id, provider, model, result, input_tokens, cached_tokens, output_tokens, cost_usd, attempt, chunk"
)


def refuse_unknown(said: Mapping[str, object]) -> None:
    """Raises UnknownField for what is no field of a call."""
    for name in said:
        raise UnknownField(f"{name!r} is no field of a call; known fields: {_OF_CALLS}")


def read_texts(**said: object) -> dict[str, str]:
    """Free words; None says nothing."""
    return {name: storable(str(value)) for name, value in said.items() if value is not None}


def _text(_name: str, value: object) -> str:
    return storable(str(value))


def read_whole(name: str, value: object) -> int:
    """Also 3.0 and "3". Raises BadInput."""
    plain = int(value) if isinstance(value, float) and value.is_integer() else value
    try:
        number = int(str(plain).strip()) if not isinstance(plain, bool) else -1
    except ValueError:
        number = -1
    if not 0 <= number <= LARGEST:
        raise BadInput(f"{name} must be a whole number from 0 to {LARGEST}, got {value!r}")
    return number


def _score(name: str, value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise BadInput(f"{name} must be a number from 0 to 100, got {value!r}") from None


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise BadInput(f"{name} must be True or False, got {value!r}")
    return value


def _data(name: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict) or not _is_plain(value):
        raise BadInput(f"{name} must be a dict of plain JSON data, got {value!r}")
    return cast("Mapping[str, object]", value)


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(each) for name, each in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


ROW_OF_OUTCOME = ("lead_id", "kind", "reason")
_OF_CLIENTS = ("create_client_run", "update_client_run", "complete_client_run", "record_outcome", "record_call")
_VERSIONS = {"rubric": "rubric_version", "prompt": "prompt_version", "formula": "formula", "model": "model"}
_OUTCOME_FACTS: Mapping[str, Callable[[str, object], Plain]] = {
    "detail": _text,
    "score": _score,
    "breakdown": _data,
    "assessment": _text,
    "best_post": _data,
    "posts": read_whole,
    "excluded_by": _text,
    "flagged": _flag,
    "rubric_version": _text,
    "prompt_version": _text,
    "formula": read_whole,
    "model": _text,
    "input_hash": _text,
}
_FOLDED_FACTS = {each.replace("_", ""): each for each in _OUTCOME_FACTS}
