"""Who started and stopped what over HTTP stands in the audit log."""

import httpx
import pytest

from tallybook.app import App
from tallybook.domain.access import Scope
from tallybook.ledger.audit_log import list_entries
from tallybook.ledger.ledger import Ledger
from tests.ledger.scenes import planned
from tests.web.conftest import headers_of
from tests.web.scenes import V1, problem
from tests.web.serving import SECRET, made_token


def noted(books: Ledger, actor: str) -> list[tuple[str, str | None]]:
    """What *actor* did, in the order in which it was done."""
    return [(each.action, each.subject) for each in reversed(list_entries(books.database)) if each.actor == actor]


@pytest.fixture
def actor(app: App, api: httpx.Client) -> str:
    """Whom `api` speaks for from now on."""
    made = made_token(app, Scope.RUNS_START, Scope.RUNS_READ)
    api.headers.update(headers_of(made.text))
    return f"token {made.token_id}"


def test_a_start_is_noted_once_however_often_it_is_asked_for(api: httpx.Client, books: Ledger, actor: str) -> None:
    first, again = (api.post(f"{V1}/runs", json={"stream": 1}, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    problem(api.post(f"{V1}/runs", json={"stream": 1}), 409)
    assert noted(books, actor) == [("run_started", first.json()["run_id"])]


def test_stops_and_resumes_are_noted_when_something_came_of_them(api: httpx.Client, books: Ledger, actor: str) -> None:
    run_id = planned(books, "acme")
    for verb in ("pause", "resume", "resume", "cancel", "cancel"):
        api.post(f"{V1}/runs/{run_id}:{verb}")
    assert noted(books, actor) == [("run_paused", run_id), ("run_resumed", run_id), ("run_canceled", run_id)]


def test_an_old_cron_line_is_noted_as_the_secret_it_sends(base_url: str, books: Ledger) -> None:
    """F35"""
    answer = httpx.post(f"{base_url}/smart-resume-client-by-client", headers={"x-webhook-secret": SECRET})
    assert noted(books, "webhook secret") == [("run_started", answer.json()["runId"])]
    assert SECRET not in repr(list_entries(books.database))
