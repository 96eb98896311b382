"""What Prometheus is told: well-formed, bounded, equal to the books, and for whoever may see everything."""

import logging
import shutil
import subprocess
from collections.abc import Mapping

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tallybook.app import App
from tallybook.domain.access import Scope
from tallybook.domain.concern import concerned
from tallybook.ledger import listing
from tallybook.ledger.ledger import Ledger
from tallybook.web import problems
from tallybook.web.counted import Counts, Durations, _Concern
from tests.ledger.scenes import begun as begun_client
from tests.ledger.scenes import called, closed, frozen, recorded, scored
from tests.ledger.scenes import planned as planned_run
from tests.web.conftest import headers_of
from tests.web.scenes import V1, everything, of, problem, worked
from tests.web.serving import MakeToken

Series = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def series(text: str) -> Series:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(api: httpx.Client) -> Series:
    return series(api.get("/metrics").raise_for_status().text)


def value(found: Series, name: str, **labels: str) -> float:
    return found[f"tallybook_{name}", frozenset(labels.items())]


def counted(found: Series, **labels: str) -> float:
    """Requests so far; the server of the tests is asked by others before."""
    return found.get(("tallybook_http_requests_total", frozenset(labels.items())), 0.0)


def test_it_is_what_prometheus_reads(api: httpx.Client, app: App, books: Ledger) -> None:
    worked(books, "acme", "other")
    everything(app)
    answer = api.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(answer.text))
    assert all(family.documentation for family in families)
    assert len({family.name for family in families}) == len(families) > 20
    if (promtool := shutil.which("promtool")) is not None:
        words = [promtool, "check", "metrics"]
        checked = subprocess.run(words, input=answer.text, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr + checked.stdout


def test_totals_are_those_of_the_books(api: httpx.Client, app: App, books: Ledger) -> None:
    worked(books, "acme", "other")
    found = scraped(api)
    scoring = {"operation": "lead_scoring"}
    assert value(found, "leads_found_total", **scoring) == 4
    assert value(found, "outcomes_total", **scoring, kind="scored") == 2
    assert value(found, "outcomes_total", **scoring, kind="failed") == 2
    assert value(found, "outcomes_total", operation="post_scoring", kind="scored") == 0
    assert value(found, "tokens_total", **scoring, kind="input") == 2000
    assert value(found, "tokens_total", **scoring, kind="output") == 200
    assert value(found, "cost_usd_total", **scoring) == pytest.approx(0.0246)
    assert value(found, "calls_total", provider="google", **scoring, result="ok") == 2
    assert value(found, "runs_ended_total", status="completed_with_errors") == 1
    assert value(found, "runs", status="running") == 0
    worked(books, "acme")
    assert value(scraped(api), "leads_found_total", **scoring) == 6


def test_what_is_open_is_told(api: httpx.Client, app: App) -> None:
    everything(app)
    found = scraped(api)
    assert value(found, "client_runs", status="queued") > 0
    assert value(found, "alerts_open", kind="spool") == 1
    assert value(found, "alerts_open", kind="run_failed") == 0
    assert value(found, "oldest_open_run_age_seconds") > 0
    assert value(found, "spooled_calls", state="waiting") == 0
    assert value(found, "schedules_kept_until_timestamp_seconds") == 0


def test_requests_are_counted_by_the_template_of_their_route(api: httpx.Client, app: App) -> None:
    everything(app)
    before = scraped(api)
    api.get(of("runs", "261123-120000"))
    api.get(of("runs", "nonsense"))
    api.get(of("clients", "no such one"))
    api.patch(of("runs", "261123-120000"), json={"system_notes": "quick"})
    api.get("/nothing/here")
    api.request("TRACE", "/healthz")
    found = scraped(api)

    def more(route: str, method: str, status: str) -> float:
        key = "tallybook_http_requests_total", frozenset({"route": route, "method": method, "status": status}.items())
        return found.get(key, 0) - before.get(key, 0)

    assert more(f"{V1}/runs/{{run_id}}", "GET", "2xx") == 1
    assert more(f"{V1}/runs/{{run_id}}", "GET", "4xx") == 1
    assert more(f"{V1}/clients/{{client_id}}", "GET", "4xx") == 1
    assert more(f"{V1}/runs/{{run_id}}", "PATCH", "2xx") == 1
    assert more("none", "GET", "4xx") == 1
    assert more("/healthz", "other", "4xx") == 1
    assert value(found, "http_request_duration_seconds_count", route="/metrics") >= 1


def test_what_was_never_asked_for_has_no_durations() -> None:
    counts, each = Counts(), Durations()
    assert (counts.durations, each.cumulated()[-1]) == ({}, ("+Inf", 0.0))
    each.add(0.3)
    each.add(60)
    assert [count for _, count in each.cumulated()] == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2]


def test_a_thousand_clients_and_fifty_runs_have_no_more_series_than_one(api: httpx.Client, books: Ledger) -> None:
    worked(books, "acme")
    scraped(api)
    before = set(scraped(api))
    clients = [f"client-{number}" for number in range(1000)]
    planned_run(books, *clients)
    for number in range(50):
        key = frozen(books, begun_client(books, planned_run(books, f"single {number}"), f"single {number}"), ["a"])
        recorded(books, key, *scored("a"))
        called(books, key, f"call {number}")
        closed(books, key)
    after = scraped(api)
    assert set(after) == before
    of_the_books = [name for name, _ in after if not name.startswith("tallybook_http_")]
    assert len(of_the_books) < 500  # the others go by what has been asked of this server, by whatever test


def test_what_reporters_call_their_providers_and_results_is_other(api: httpx.Client, app: App) -> None:
    everything(app)
    calls = [
        {"call_id": f"c{number}", "operation": "lead_scoring", "provider": f"mine {number}", "result": f"odd {number}"}
        for number in range(3)
    ]
    api.post(of("runs", "261123-120000", "clients", "acme", "calls"), json={"items": calls}).raise_for_status()
    assert value(scraped(api), "calls_total", provider="other", operation="lead_scoring", result="other") == 3


def test_only_who_may_see_everything_is_told(api: httpx.Client, base_url: str, make_token: MakeToken) -> None:
    assert httpx.get(f"{base_url}/metrics").status_code == 401
    bound = make_token(Scope.RUNS_READ, client_id="acme")
    assert "concerns every client" in problem(api.get("/metrics", headers=headers_of(bound)), 403)["detail"]
    assert api.get("/metrics", headers=headers_of(make_token(Scope.RUNS_READ))).status_code == 200
    assert problem(api.get("/metrics", headers=headers_of(make_token(Scope.RUNS_START))), 403)


def test_a_mistake_of_ours_is_counted_and_its_line_says_what_it_concerns(
    api: httpx.Client, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(app)
    lines: list[Mapping[str, str]] = []

    def broken(*_: object, **_more: object) -> None:
        raise ZeroDivisionError

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == problems.log.name:
                lines.append(concerned())

    monkeypatch.setattr(listing, "client_run", broken)
    kept = Kept()
    logging.getLogger().addHandler(kept)
    last = {"Connection": "close"}  # a server that made a mistake closes it anyway
    asked = {"route": f"{V1}/runs/{{run_id}}/clients/{{client_id}}", "method": "GET", "status": "5xx"}
    before = scraped(api)
    problem(api.get(of("runs", "261123-120000", "clients", "acme"), headers=last), 500)
    logging.getLogger().removeHandler(kept)
    assert counted(scraped(api), **asked) == counted(before, **asked) + 1
    assert lines == [{"run": "261123-120000", "client": "acme"}]


def test_what_a_request_concerns_is_known_once_its_route_is() -> None:
    scope: dict[str, object] = {"type": "http"}
    names = _Concern(scope)
    assert (dict(names), len(names)) == ({}, 0)
    scope["path_params"] = {"run_id": "r", "lead_id": "l"}
    assert (dict(names), len(names), names["run"]) == ({"run": "r"}, 1, "r")
