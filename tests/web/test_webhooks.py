"""Webhooks over real HTTP: who may deliver, what is kept, and that nothing a delivery says is believed."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tallybook.app import App
from tallybook.domain import signing
from tallybook.domain.access import Scope
from tallybook.domain.client import Client
from tallybook.ledger import external as reads
from tallybook.ledger import read
from tallybook.ledger.inbox import list_deliveries
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.testing.apify_server import ApifyServer
from tallybook.web import webhooks
from tallybook.web.doorkeeper import MOST_FAILURES
from tests.books import PostgresBooks
from tests.ledger.outside import harvesting, started
from tests.ledger.scenes import Clock
from tests.web.conftest import headers_of
from tests.web.serving import SECRET, Host, MakeToken, app_on

PATH = "/webhooks/apify"


def body(external_id: str = "x1", event: str = "SUCCEEDED", **more: object) -> Mapping[str, Any]:
    data = {"actorId": "a", "actorRunId": external_id, **more}
    return {"eventType": f"ACTOR.RUN.{event}", "eventData": data, "resource": {"id": external_id, "status": event}}


@pytest.fixture
def anyone(base_url: str) -> httpx.Client:
    """Somebody without a token."""
    return httpx.Client(base_url=base_url, timeout=30)


@pytest.fixture
def key(app: App, books: Ledger) -> OperationKey:
    """A client run that waits for the external run x1."""
    app.clients.put_clients([Client("acme", "Acme", service_level=2), Client("other", "Other", service_level=2)])
    found = harvesting(books)
    started(books, found, Clock(books.clock()))
    return found


def token_of(app: App, key: OperationKey, client_id: str | None = None, secret: bytes | None = None) -> str:
    expires_at = app.ledger.clock() + timedelta(hours=1)
    return signing.sign(
        secret or app.signing_secrets[0], key.run_id, client_id or key.client_id, "call of x1", expires_at
    )


def delivered(client: httpx.Client, headers: Mapping[str, str], dispatch_id: str = "d1", **more: Any) -> httpx.Response:
    return client.post(PATH, json=body(**more), headers={"X-Apify-Webhook-Dispatch-Id": dispatch_id, **headers})


def due(books: Ledger) -> bool:
    return reads.any_due(books.database, books.clock())


def test_news_of_a_run_that_brings_its_token_has_the_provider_asked(
    app: App, books: Ledger, key: OperationKey, anyone: httpx.Client
) -> None:
    answer = delivered(anyone, {"x-tallybook-token": token_of(app, key)})
    assert (answer.status_code, answer.json()) == (200, {"state": "applied", "reason": None, "duplicate": False})
    assert due(books)
    again = delivered(anyone, {"x-tallybook-token": token_of(app, key)})
    assert again.json()["duplicate"] is True


@pytest.mark.parametrize("what", ["none", "wrong token", "another secret's", "wrong secret", "unknown bearer", "empty"])
def test_a_forged_delivery_is_refused_and_not_kept(
    app: App, books: Ledger, key: OperationKey, anyone: httpx.Client, what: str
) -> None:
    """F32"""
    headers = {
        "none": {},
        "wrong token": {"x-tallybook-token": token_of(app, key)[:-2]},
        "another secret's": {"x-tallybook-token": token_of(app, key, secret=b"another secret of somebody else")},
        "wrong secret": {"x-webhook-secret": "guess"},
        "unknown bearer": headers_of("tb_guess"),
        "empty": {"x-tallybook-token": ""},
    }[what]
    answer = delivered(anyone, headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert not due(books)
    assert list_deliveries(books.database) == []


def test_the_client_of_a_known_run_is_the_one_in_the_books(
    app: App, books: Ledger, key: OperationKey, anyone: httpx.Client, make_token: MakeToken
) -> None:
    """F32"""
    for number, headers in enumerate(
        (
            {"x-tallybook-token": token_of(app, key, "other")},
            headers_of(make_token(Scope.RUNS_WRITE, client_id="other")),
        )
    ):
        assert delivered(anyone, headers, f"d{number}").json()["state"] == "refused"
    lying = {**body(), "client": "other", "client_id": "other"}
    anyone.post(PATH, json=lying, headers={"x-tallybook-token": token_of(app, key)})
    assert list_deliveries(books.database, limit=1)[0].client_id == "acme"


def test_late_and_doubled_deliveries_do_not_open_what_has_ended(
    app: App, books: Ledger, key: OperationKey, anyone: httpx.Client
) -> None:
    """F31"""
    books.do(lambda tx: tx.execute("UPDATE @runs SET status = 'completed', ended_at = ?", (tx.stamp,)))
    for event in ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"):
        delivered(anyone, {"x-tallybook-token": token_of(app, key)}, event, event=event)
    assert read.run(books.database, key.run_id).status == "completed"


def test_a_token_bound_to_a_client_makes_a_run_of_its_own(
    app: App, books: Ledger, key: OperationKey, anyone: httpx.Client, make_token: MakeToken
) -> None:
    headers = headers_of(make_token(Scope.RUNS_WRITE, client_id="other"))
    assert delivered(anyone, headers, external_id="x7").json()["reason"] == "a run of its own"
    (kept,) = list_deliveries(books.database)
    run = read.run(books.database, str(kept.run_id))
    assert (run.trigger, run.job_type, [each.client_id for each in run.clients]) == (
        "api",
        "post_harvesting",
        ["other"],
    )
    for scopes in ((Scope.RUNS_READ,), (Scope.RUNS_WRITE,)):
        bound = {"client_id": "other"} if scopes == (Scope.RUNS_READ,) else {}
        answer = delivered(anyone, headers_of(make_token(*scopes, **bound)), "d9", external_id="x8")
        assert answer.status_code == 403


def test_the_secret_alone_knows_no_client_and_a_mapped_task_does(
    app: App, books: Ledger, key: OperationKey, anyone: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(App, "apify_tasks", property(lambda self: {"t1": "other", "t2": "gone"}))
    secret = {"x-webhook-secret": SECRET}
    assert delivered(anyone, secret, "d1", external_id="x7").json()["state"] == "orphan"
    assert delivered(anyone, secret, "d2", external_id="x8", actorTaskId="t1").json()["state"] == "applied"
    assert delivered(anyone, secret, "d3", external_id="x9", actorTaskId="t2").json()["state"] == "orphan"
    assert delivered(anyone, secret, "d4", event="CREATED", external_id="x6").json()["state"] == "noted"


def test_what_is_no_delivery_is_refused(anyone: httpx.Client, books: Ledger) -> None:
    headers = {"x-webhook-secret": SECRET}
    for raw in (b"", b"[]", b"{", b"\xff", b"[" * 100_000, b"null"):
        answer = anyone.post(PATH, content=raw, headers=headers)
        assert (answer.status_code, "JSON object" in answer.json()["detail"]) == (422, True)
    assert anyone.post(PATH, content=b" " * 2_000_000, headers=headers).status_code == 413
    odd = {"eventType": 7, "eventData": [], "resource": {"id": "\0" * 9}}
    assert anyone.post(PATH, json=odd, headers=headers).json()["state"] == "noted"
    assert len(list_deliveries(books.database)) == 1


def test_a_delivery_without_an_id_is_known_by_its_content(anyone: httpx.Client, books: Ledger) -> None:
    """F31"""
    for _ in range(2):
        answer = anyone.post(PATH, json=body(), headers={"x-webhook-secret": SECRET})
        assert answer.status_code == 200
    assert len(list_deliveries(books.database)) == 1


def test_what_is_kept_holds_no_secret(app: App, books: Ledger, key: OperationKey, anyone: httpx.Client) -> None:
    """F35"""
    token = token_of(app, key)
    delivered(anyone, {"x-tallybook-token": token}, "d1")
    delivered(anyone, {"x-webhook-secret": SECRET}, "d2")
    with books.database.reading() as connection:
        kept = str(connection.exec_driver_sql("SELECT * FROM inbox").all())
    assert token not in kept
    assert SECRET not in kept


def test_a_run_that_is_not_the_one_a_token_was_made_for_stays_outside(
    app: App, books: Ledger, key: OperationKey, anyone: httpx.Client
) -> None:
    """F32"""
    answer = delivered(anyone, {"x-tallybook-token": token_of(app, key)}, external_id="stranger")
    assert (answer.status_code, answer.json()["state"]) == (200, "refused")
    assert not due(books)


@pytest.mark.parametrize("external_id", ["../users/me?x=", "http://elsewhere.test", "x1/abort", "x1#", "x" * 65])
def test_what_is_no_id_of_a_run_is_refused_and_nobody_is_asked_about_it(
    app: App, books: Ledger, anyone: httpx.Client, make_token: MakeToken, external_id: str
) -> None:
    """F32"""
    app.clients.put_clients([Client("acme", "Acme", service_level=2)])
    headers = headers_of(make_token(Scope.RUNS_WRITE, client_id="acme"))
    answer = delivered(anyone, headers, external_id=external_id)
    assert (answer.status_code, answer.json()["state"]) == (200, "refused")
    assert not due(books)


def test_a_task_in_the_body_is_a_claim_that_is_kept_with_the_run(
    books: Ledger, key: OperationKey, anyone: httpx.Client, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F32"""
    monkeypatch.setattr(App, "apify_tasks", property(lambda self: {"t1": "other"}))
    delivered(anyone, {"x-webhook-secret": SECRET}, "d1", external_id="x7", actorTaskId="t1")
    proved = headers_of(make_token(Scope.RUNS_WRITE, client_id="other"))
    delivered(anyone, proved, "d2", external_id="x8", actorTaskId="t1")
    tasks = "SELECT external_id, task FROM @external_runs WHERE client_id = 'other' ORDER BY external_id"
    assert books.do(lambda tx: tx.rows(tasks)) == [("x7", "t1"), ("x8", None)]


def test_the_task_that_apify_says_and_the_one_of_its_payload_are_the_same(
    app: App, base_url: str, key: OperationKey, books: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(App, "apify_tasks", property(lambda self: {"t1": "other"}))
    with ApifyServer(latency_s=None) as apify:
        run = apify.start_outside(["https://people.test/in/ada"], task_id="t1")
        headers = {"x-webhook-secret": SECRET}
        answer = apify.deliver(run.id, "ACTOR.RUN.SUCCEEDED", headers=headers, to=f"{base_url}{PATH}")
        asked = httpx.get(f"{apify.url}/v2/actor-runs/{run.id}", headers=headers_of("any")).json()
    assert answer.status == 200, answer
    claimed = books.do(lambda tx: tx.row("SELECT task FROM @external_runs WHERE external_id = ?", (run.id,)))
    assert claimed == (asked["data"]["actorTaskId"],) == ("t1",)


@pytest.mark.parametrize("dispatch_id", ["d" * 201, "d\xe91", "\x9b31m"])
def test_an_id_that_nobody_can_show_is_passed_over(anyone: httpx.Client, books: Ledger, dispatch_id: str) -> None:
    headers = [(b"X-Apify-Webhook-Dispatch-Id", dispatch_id.encode("latin-1")), (b"X-Webhook-Secret", SECRET.encode())]
    assert anyone.post(PATH, json=body(), headers=headers).status_code == 200
    (kept,) = list_deliveries(books.database)
    assert kept.delivery_id.startswith("body ")


# -- kept, and applied later -------------------------------------------------------------------------------------------


def test_what_cannot_be_applied_now_is_kept_and_answered_all_the_same(
    host: Host, app: App, books: Ledger, make_token: MakeToken
) -> None:
    """The provider need not come again."""
    app.clients.put_clients([Client("acme", "Acme", service_level=2)])
    structured = app_on(str(app.database.url), run_id__format="structured")
    host.serve(structured)
    today = f"{structured.ledger.clock():%y%m%d}"
    taken = "INSERT INTO @run_ids (run_id, reserved_at, day, number) VALUES (?, ?, ?, 999)"
    books.do(lambda tx: tx.execute(taken, (f"SR-{today}-999", tx.stamp, today)))
    headers = headers_of(make_token(Scope.RUNS_WRITE, client_id="acme"))
    with httpx.Client(base_url=host.address, timeout=30) as anyone:
        for _ in range(2):
            answer = delivered(anyone, headers, external_id="x7")
            assert (answer.status_code, answer.json()["state"]) == (200, "received")
        structured.ledger.do(lambda _: None)
        (kept,) = list_deliveries(books.database)
        assert (kept.state, "all 999" in str(kept.reason)) == ("received", True)
        books.do(lambda tx: tx.execute("DELETE FROM @run_ids"))
        assert delivered(anyone, headers, external_id="x7").json()["state"] == "applied"
    structured.close()


def test_what_takes_long_to_apply_is_answered_within_a_second(
    host: Host, postgres_books: PostgresBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "APPLIED_WITHIN_S", 0.05)
    app = app_on(postgres_books.url)
    host.serve(app)
    with httpx.Client(base_url=host.address, timeout=30) as anyone:
        with app.database.writing() as tx:
            tx.serialize("external run apify x1")
            told = delivered(anyone, {"x-webhook-secret": SECRET}).json()
            assert (told["state"], told["duplicate"]) == ("received", False)
        again = delivered(anyone, {"x-webhook-secret": SECRET}).json()
        assert (again["state"] in ("orphan", "received"), list_deliveries(app.database)[0].external_id) == (True, "x1")
    app.close()
    postgres_books.clean()


# -- guessing ----------------------------------------------------------------------------------------------------------


def test_who_guesses_is_sent_away_and_who_comes_from_the_same_address_is_not(
    app: App, key: OperationKey, anyone: httpx.Client, make_token: MakeToken
) -> None:
    """Many runs at one provider share its addresses."""
    forged = {"x-tallybook-token": token_of(app, key)[:-2]}
    for number in range(MOST_FAILURES):
        assert delivered(anyone, forged, f"f{number}").status_code == 401
    for guess in (forged, {"x-webhook-secret": "guess"}, headers_of("tb_guess")):
        answer = delivered(anyone, guess, "g")
        assert (answer.status_code, answer.headers["retry-after"].isdecimal()) == (429, True)
    good = {
        "token": {"x-tallybook-token": token_of(app, key)},
        "secret": {"x-webhook-secret": SECRET},
        "bearer": headers_of(make_token(Scope.RUNS_WRITE, client_id="acme")),
    }
    for name, headers in good.items():
        assert delivered(anyone, headers, name).status_code == 200, name
