"""The API held against its own description by Schemathesis: requests that are made up, right and wrong, every check."""

import json
from base64 import urlsafe_b64decode
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import schemathesis
from schemathesis.engine import events, from_schema
from schemathesis.generation import GenerationMode

from tests.web.conftest import headers_of

PHASES = ("examples", "coverage", "fuzzing", "stateful")
REQUEST_TIMEOUT_S = 20.0


@dataclass
class Tried:
    """*cases* by phase. *failures*: what was wrong, and how to see it again; each kind once per route."""

    cases: Counter[str] = field(default_factory=Counter)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    @property
    def troubles(self) -> list[str]:
        return [*self.failures.values(), *self.errors]


def tried(
    url: str, token: str, *, phases: tuple[str, ...], most: int, seed: int = 1, any_client_id: bool = True
) -> Tried:
    """Ask the server at *url* what its description lets one ask. *most*: cases of each route that are made up.

    *any_client_id* False: those are made of few letters, since to choose from all there are takes seconds.
    """
    config = schemathesis.Config.from_dict(
        {
            "base-url": url,
            "headers": headers_of(token),
            "seed": seed,
            "request-timeout": REQUEST_TIMEOUT_S,
            "continue-on-failure": True,
            "generation": {"max-examples": most, "no-shrink": True, "database": "none"},
            "phases": {name: {"enabled": name in phases} for name in PHASES},
        }
    )
    document = httpx.get(f"{url}/openapi.json", headers=headers_of(token)).raise_for_status().json()
    if not any_client_id:
        document["components"]["schemas"]["ClientId"]["pattern"] = "^[a-z-]+$"
    schema = schemathesis.openapi.from_dict(document, config=config)
    found = Tried()
    for event in from_schema(schema).execute():
        _note(event, found)
    return found


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: Any) -> None:
    """Nobody waits for the end of a run here, and no list gave a cursor that was made up."""
    query: Any = case.query
    if case.path.endswith("/events") and str(query.get("follow", True)).lower() == "true":
        query["follow"] = "false"
    if "cursor" in query and _right(case) and not _given(query["cursor"]):
        del query["cursor"]


def _right(case: schemathesis.Case[Any]) -> bool:
    return case.meta is None or case.meta.generation.mode is GenerationMode.POSITIVE


def _given(cursor: object) -> bool:
    try:
        return isinstance(json.loads(urlsafe_b64decode(f"{cursor}===")), list)
    except ValueError:
        return False


def _note(event: events.EngineEvent, found: Tried) -> None:
    if isinstance(event, events.ScenarioFinished):
        recorder = event.recorder
        found.cases[event.phase.value] += len(recorder.cases)
        for checks in recorder.checks.values():
            for each in checks:
                if each.failure_info is not None:
                    failure = each.failure_info
                    said = (
                        f"{recorder.label}: {failure.failure.title}: {failure.failure.message}\n{failure.code_sample}"
                    )
                    found.failures.setdefault((recorder.label, each.name), said)
    elif isinstance(event, events.NonFatalError | events.FatalError):
        found.errors.append(str(event))
