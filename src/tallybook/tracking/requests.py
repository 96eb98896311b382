"""Every saying as the request that says it to a server, and what the verb gives of the answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tallybook.domain.run import FINISH_REASON_OF_SPELLING
from tallybook.tracking.saying import Answer, Saying

LONGEST_SITE = 200
LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """*path*: below /api/v1, percent-encoded. *answers*: what an answer of ours has."""

    method: str
    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    answers: Sequence[str] = ()


def request_of(saying: Saying) -> Asked:
    """Raises KeyError for a verb that no server knows."""
    method, path_of, body_of, gives = _VERBS[saying.verb]
    return Asked(method, path_of(saying), body_of(saying), _headers_of(saying), (gives,))


def answer_of(saying: Saying, answer: Mapping[str, Any]) -> Answer:
    """What the verb gives: an id or a label where it creates, else whether it did something."""
    given = answer[_VERBS[saying.verb][3]]
    if saying.verb in ("create_job", "create_client_run"):
        return str(given)
    return bool(given)


def run_path(run: str) -> str:
    return f"/runs/{_segment(run)}"


def client_path(run: str, client: str | None) -> str:
    """*client* None: the label stands in both places."""
    return f"{run_path(run)}/clients/{_segment(run if client is None else client)}"


def _segment(text: str) -> str:
    encoded = quote(text, safe="")
    return encoded.replace(".", "%2E") if text in (".", "..") else encoded


def _headers_of(saying: Saying) -> Mapping[bytes, bytes]:
    site = "".join(each if each.isprintable() else "?" for each in saying.site[:LONGEST_SITE]).strip()
    said = {b"Tallybook-Said-At": saying.at, b"Tallybook-Site": site}
    if saying.at or saying.verb not in _HAVE_KEYS_OF_THEIR_OWN:
        said[b"Idempotency-Key"] = saying.key
    return {name: text.encode("utf-8", "replace") for name, text in said.items() if text}


# -- bodies ------------------------------------------------------------------------------------------------------------


def _fields(saying: Saying) -> Mapping[str, Any]:
    if "status" not in saying.facts:
        return saying.fields
    said = saying.facts.get("finish_reason", saying.facts["status"])
    return {**saying.fields, "status": _SPELLED.get(str(said), said)}


_SPELLED = {reason: spelling for spelling, reason in FINISH_REASON_OF_SPELLING.items()}
"""A status is sent in the one word that says why as well."""


def _outcome(saying: Saying) -> Mapping[str, Any]:
    facts = dict(saying.facts)
    operation, more = facts.pop("operation"), facts.pop("more", None)
    return {"operation": operation, "items": [{**facts, **(more if isinstance(more, Mapping) else {})}]}


def _call(saying: Saying) -> Mapping[str, Any]:
    return {"items": [saying.facts]}


def _run_id(saying: Saying) -> Mapping[str, Any]:
    return {"run_id": saying.run}


def _refusal(saying: Saying) -> Mapping[str, Any]:
    return {"run_id": saying.run, "text": str(saying.facts["text"])[:LONGEST_TEXT]}


# -- the verbs ---------------------------------------------------------------------------------------------------------


def _run(saying: Saying) -> str:
    return run_path(saying.run)


def _client(saying: Saying) -> str:
    return client_path(saying.run, saying.client)


def _below(path_of: Callable[[Saying], str], ending: str) -> Callable[[Saying], str]:
    return lambda saying: path_of(saying) + ending


_VERBS: Mapping[str, tuple[str, Callable[[Saying], str], Callable[[Saying], Mapping[str, Any]], str]] = {
    "create_job": ("PUT", _run, _fields, "run_id"),
    "update_job": ("PATCH", _run, _fields, "run_id"),
    "complete_job": ("POST", _below(_run, ":complete"), _fields, "run_id"),
    "create_client_run": ("PUT", _client, _fields, "label"),
    "update_client_run": ("PATCH", _client, _fields, "label"),
    "complete_client_run": ("POST", _below(_client, ":complete"), _fields, "label"),
    "record_outcome": ("POST", _below(_client, "/outcomes"), _outcome, "new"),
    "record_call": ("POST", _below(_client, "/calls"), _call, "new"),
    "reserve_run_id": ("POST", lambda _saying: "/run-ids", _run_id, "run_id"),
    "note_refusal": ("POST", lambda _saying: "/refusals", _refusal, "new"),
}
"""Method, path, body, and what of the answer the verb gives."""
_HAVE_KEYS_OF_THEIR_OWN = ("record_outcome", "record_call", "reserve_run_id", "note_refusal")
