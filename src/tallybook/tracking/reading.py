"""Runs and client runs as a reporter reads them back: JSON data, with the claims and the notes."""

from collections.abc import Sequence
from typing import Any

from tallybook.database import Database
from tallybook.domain.errors import NotFound
from tallybook.domain.run import Run
from tallybook.ledger import read
from tallybook.ledger.tables import SCOPE_OF_RUN
from tallybook.report.facts import client_run_facts, note_lines, run_facts
from tallybook.tracking.wording import client_in

PAGE = 1000


def exists(database: Database, text: str, client_id: str | None) -> bool:
    """Raises NotFound when not even the run does."""
    run_id = read.find_run(database, text)
    if client_id is None:
        client_id = None if text == run_id else _client_named(read.run(database, run_id), text)
    return client_id is None or read.label(database, run_id, client_id) is not None


def job(database: Database, text: str) -> dict[str, Any]:
    """Raises NotFound."""
    run = read.run(database, read.find_run(database, text))
    told = _events(database, run.run_id)
    clients = [{**client_run_facts(each), "reported": dict(each.claims)} for each in run.clients]
    extras = {"clients": clients, "reported": dict(run.claims), "system_notes": _lines(told, SCOPE_OF_RUN)}
    return {**run_facts(run), "error": run.error, **extras}


def client_run(database: Database, text: str, client_id: str | None) -> dict[str, Any]:
    """Raises NotFound."""
    run = read.run(database, read.find_run(database, text))
    name = client_id or _client_named(run, text)
    found = next((each for each in run.clients if each.client_id == name), None)
    if found is None:
        raise NotFound(f"run {run.run_id} has no client {name!r}", run_id=run.run_id)
    return {
        "run_id": run.run_id,
        **client_run_facts(found),
        "origin_reason": found.origin_reason,
        "reported": dict(found.claims),
        "system_notes": _lines(_events(database, run.run_id), found.client_id),
    }


def _client_named(run: Run, text: str) -> str | None:
    """The client that *text* means: by its label, else by what an unknown label ends with (F04)."""
    if text in (run.run_id, run.display):
        return None
    return next((each.client_id for each in run.clients if each.label == text), client_in(text))


def _events(database: Database, run_id: str) -> list[read.Event]:
    told: list[read.Event] = []
    while page := read.events_of(database, run_id, after=told[-1].event_id if told else 0, limit=PAGE):
        told += page
    return told


def _lines(told: Sequence[read.Event], client_id: str) -> list[str]:
    return note_lines((each.at, each.kind, each.text) for each in told if each.client_id == client_id)
