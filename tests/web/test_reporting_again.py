"""JobTracking over HTTP: what is said again or later, from where, and by whom."""

from typing import Any

import httpx
import pytest

from tallybook.app import App
from tallybook.database import Database
from tallybook.domain.access import Scope
from tallybook.ledger.ledger import Ledger
from tests.web.conftest import headers_of
from tests.web.scenes import of
from tests.web.serving import MakeToken
from tests.web.told import ACME, HERE, LABEL, RUN, good, notes, outcome, refused, told

RUNS_WRITE = Scope.RUNS_WRITE


# -- keys --------------------------------------------------------------------------------------------------------------


def test_the_same_key_does_nothing_and_is_answered_the_same(api: httpx.Client, app: App) -> None:
    asked: list[tuple[str, str, Any]] = [
        ("POST", of("run-ids"), None),
        ("PUT", HERE, {"system_notes": "Started"}),
        ("PUT", ACME, {"client_name": "Acme"}),
        ("PATCH", HERE, {"progress": "half"}),
        ("PATCH", ACME, {"error": "slow"}),
        (
            "POST",
            f"{ACME}/outcomes",
            {"operation": "lead_scoring", "items": [outcome("a"), outcome("b"), outcome("a")]},
        ),
        ("POST", f"{ACME}/calls", {"items": [{"call_id": "c", "operation": "lead_scoring"}]}),
        ("POST", f"{ACME}:complete", None),
        ("POST", f"{HERE}:complete", {"status": "completed"}),
        ("POST", of("refusals"), {"text": "x"}),
    ]
    first = []
    for number, (method, path, body) in enumerate(asked):
        response = api.request(method, path, json=body, headers={"Idempotency-Key": f"key {number}"})
        assert response.is_success, response.text
        assert "idempotent-replayed" not in response.headers
        first.append(response.json())
        api.patch(HERE, json={"progress": f"after {number}"})
    before = told(app)
    for number, (method, path, body) in enumerate(asked):
        response = api.request(method, path, json=body, headers={"Idempotency-Key": f"key {number}"})
        assert (response.status_code, response.headers["idempotent-replayed"]) == (200, "true")
        assert response.json() == first[number]
    assert told(app) == before


def test_a_key_with_another_request_is_a_conflict_and_of_another_token_another_key(
    api: httpx.Client, make_token: MakeToken, app: App
) -> None:
    key = {"Idempotency-Key": "k"}
    good(api.patch(HERE, json={"progress": "one", "error": None}, headers=key))
    good(api.patch(HERE, json={"error": None, "progress": "one"}, headers=key))
    for path, body in [(HERE, {"progress": "two"}), (ACME, {"progress": "one"}), (HERE, {})]:
        refused(api.patch(path, json=body, headers=key), 409, "KeyReused")
    good(api.patch(HERE, json={"progress": "two"}, headers={**key, **headers_of(make_token(RUNS_WRITE))}))
    assert notes(told(app))[1:] == ["one", "two"]


def test_what_was_refused_leaves_its_key_free(api: httpx.Client) -> None:
    key = {"Idempotency-Key": "k"}
    refused(api.patch(HERE, json={"colour": 1}, headers=key), 422, "UnknownField")
    response = api.patch(HERE, json={"progress": "x"}, headers=key)
    assert good(response) == {"run_id": RUN}
    assert "idempotent-replayed" not in response.headers


@pytest.mark.parametrize("key", ["", "x" * 201, "tab\there"])
def test_what_is_no_key_is_refused(api: httpx.Client, key: str) -> None:
    refused(api.patch(HERE, headers={"Idempotency-Key": key}), 422, "BadInput")


# -- when and where it was said ----------------------------------------------------------------------------------------


def test_what_was_said_earlier_is_booked_as_of_then(api: httpx.Client, app: App) -> None:
    def said_at(when: str) -> dict[str, str]:
        return {"Tallybook-Said-At": when}

    good(api.put(HERE, json={"system_notes": "Started"}, headers=said_at("2026-11-23T02:30:00+01:00")), 201)
    good(api.post(f"{HERE}:complete", headers=said_at("2026-11-23T01:40:00Z")))
    job = told(app)
    assert (job["started_at"], job["ended_at"]) == ("2026-11-23T01:30:00.000000Z", "2026-11-23T01:40:00.000000Z")
    assert job["system_notes"][0] == "2026-11-23 01:30:00 Started"
    good(api.post(of("refusals"), json={"text": "of no run"}, headers=said_at("2026-11-23T01:40:00Z")))
    refused(api.patch(HERE, headers=said_at("soon")), 422, "BadInput")
    refused(api.patch(HERE, headers=said_at("0001-01-01T00:00:00Z")), 422, "BadInput")


def test_what_was_said_in_the_future_was_said_now(api: httpx.Client, app: App) -> None:
    good(api.put(HERE, headers={"Tallybook-Said-At": "2099-01-01T00:00:00Z"}), 201)
    good(api.post(f"{HERE}:complete"))
    assert told(app)["started_at"] < told(app)["ended_at"] < "2099"


def test_a_run_whose_reporter_was_cut_off_for_long_was_heard_of_now(api: httpx.Client, books: Ledger) -> None:
    """F02: replaying what is hours old does not make a run silent."""
    good(api.put(HERE, headers={"Tallybook-Said-At": "2026-11-23T01:30:00Z"}), 201)
    [(seen_at,)] = _rows(books.database, "SELECT seen_at FROM runs")
    assert str(seen_at) > "2026-11-23T01:30:00"


def test_where_it_was_said_is_told_of_what_had_to_be_created(api: httpx.Client, make_token: MakeToken) -> None:
    good(api.patch(ACME, headers={b"Tallybook-Site": "jobs/nächtlich.py:42".encode()}))
    good(api.patch(of("runs", "261123-013001"), headers=headers_of(make_token(RUNS_WRITE))))
    first, second = good(api.get(of("tracking-status")))["auto_created"].items()
    assert first == ("update_client_run at jobs/nächtlich.py:42", 2)
    assert second[0].startswith("update_job at token ")
    for site in ("", "x" * 201, "tab\there"):
        refused(api.patch(HERE, headers={"Tallybook-Site": site}), 422, "BadInput")


def _rows(database: Database, statement: str) -> list[tuple[object, ...]]:
    with database.reading() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


# -- run ids -----------------------------------------------------------------------------------------------------------


def test_run_ids_are_reserved_and_one_made_elsewhere_can_be_kept(api: httpx.Client, books: Ledger) -> None:
    """F06."""
    long_ago = {"Tallybook-Said-At": "2020-01-01T00:00:00Z"}
    minted = [good(api.post(of("run-ids"), json={}, headers=long_ago), 201)["run_id"] for _ in range(3)]
    assert len(set(minted)) == 3
    assert min(minted) > "26", "they are of the moment, whenever it was said that one is wanted"
    made = {"run_id": "261123-013000"}
    assert good(api.post(of("run-ids"), json=made), 201) == made
    assert good(api.post(of("run-ids"), json=made)) == made
    assert len(_rows(books.database, "SELECT 1 FROM run_ids")) == 4


# -- who may -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tenant(base_url: str, make_token: MakeToken) -> httpx.Client:
    """Bound to acme."""
    token = make_token(RUNS_WRITE, Scope.RUNS_READ, client_id="acme")
    return httpx.Client(base_url=base_url, headers=headers_of(token), timeout=30)


def test_a_tenant_reports_its_own_client_and_no_run_as_a_whole(tenant: httpx.Client, app: App) -> None:
    with tenant:
        for method, path in [
            ("POST", of("run-ids")),
            ("PUT", HERE),
            ("PATCH", HERE),
            ("POST", f"{HERE}:complete"),
            ("PUT", of("runs", RUN, "clients", "beta")),
            ("POST", f"{of('runs', RUN, 'clients', 'beta')}/outcomes"),
            ("PATCH", of("runs", f"{RUN}-beta", "clients", f"{RUN}-beta")),
            ("GET", of("tracking-status")),
        ]:
            refused(tenant.request(method, path, json={}), 403, "Forbidden")
        assert not app.tracking().exists(RUN)
        assert good(tenant.put(ACME), 201)["created"]
        assert good(tenant.patch(of("runs", LABEL, "clients", LABEL), json={"posts_scored": 1}))["client_id"] == "acme"
        batch = {"operation": "lead_scoring", "items": [outcome("l")]}
        assert good(tenant.post(f"{ACME}/outcomes", json=batch))["new"] == ["l"]
        assert good(tenant.get(ACME))["reported"] == {"posts_scored": 1}


def test_what_a_tenant_got_wrong_is_noted_where_nobody_else_reads_it(
    tenant: httpx.Client, api: httpx.Client, app: App
) -> None:
    good(api.put(of("runs", RUN, "clients", "beta")), 201)
    with tenant:
        refused(tenant.patch(ACME, json={"colour": 1}), 422, "UnknownField")
        assert not any("refused" in line for line in told(app)["system_notes"])
        good(tenant.put(ACME), 201)
        refused(tenant.patch(ACME, json={"shape": 1}), 422, "UnknownField")
        assert not any("refused" in line for line in told(app)["system_notes"])
        assert "'shape' is no field" in good(tenant.get(ACME))["system_notes"][-1]
        good(tenant.post(of("refusals"), json={"run_id": RUN, "text": "of the tenant"}))
        assert good(tenant.get(ACME))["system_notes"][-1].endswith("of the tenant")
    assert len(good(api.get(of("tracking-status")))["refused"]) == 3


def test_reading_is_not_writing(base_url: str, make_token: MakeToken) -> None:
    reader = headers_of(make_token(Scope.RUNS_READ, Scope.RUNS_START))
    writer = headers_of(make_token(RUNS_WRITE))
    refused(httpx.patch(f"{base_url}{HERE}", headers=reader), 403, "Forbidden")
    refused(httpx.get(f"{base_url}{of('tracking-status')}", headers=writer), 403, "Forbidden")
    refused(httpx.patch(f"{base_url}{HERE}"), 401, "Unauthenticated")


def test_over_http_or_in_process_it_is_the_same_book(api: httpx.Client, app: App) -> None:
    book = app.tracking(strict=True)
    assert book.create_client_run(RUN, "acme") == LABEL
    assert good(api.put(ACME))["created"] is False
    assert book.record_outcome(RUN, "acme", "lead_scoring", "a", "scored")
    batch = {"operation": "lead_scoring", "items": [outcome("a"), outcome("b")]}
    assert good(api.post(f"{ACME}/outcomes", json=batch)) == {"new": ["b"], "known": ["a"]}
    assert good(api.get(ACME)) == book.get_client_run(RUN, "acme")
    assert good(api.get(HERE)) == book.get_job(RUN)
