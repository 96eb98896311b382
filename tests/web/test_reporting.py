"""JobTracking over HTTP, as a program in any language sees it: verbs, refusals, batches."""

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from tallybook.app import App
from tallybook.domain.client import Client
from tallybook.ledger.audit import audit
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import starts
from tests.web.scenes import of
from tests.web.told import ACME, HERE, LABEL, RUN, good, notes, outcome, refused, told

# -- a whole run -------------------------------------------------------------------------------------------------------


def test_a_run_is_reported_from_its_id_to_its_end(api: httpx.Client, app: App) -> None:
    run_id = good(api.post(of("run-ids")), 201)["run_id"]
    run, client = of("runs", run_id), of("runs", run_id, "clients", "acme-law")
    said = {"job_type": "post_scoring", "stream": 1, "triggered_by": "cron", "system_notes": "Started"}
    named = {"run_id": run_id, "client_id": "acme-law", "label": f"{run_id}-acme-law"}
    assert good(api.put(run, json=said), 201) == {"run_id": run_id, "created": True}
    assert good(api.put(client, json={"client_name": "Acme Law"}), 201) == {**named, "created": True}
    outcomes = [
        {"lead_id": "a", "kind": "scored", "score": 72.5},
        {"lead_id": "b", "kind": "failed", "reason": "quota"},
    ]
    batch = {"operation": "post_scoring", "items": outcomes}
    assert good(api.post(f"{client}/outcomes", json=batch)) == {"new": ["a", "b"], "known": []}
    call = {"call_id": "c", "operation": "post_scoring", "provider": "openai", "input_tokens": 9, "cost_usd": 0.01}
    assert good(api.post(f"{client}/calls", json={"items": [call]})) == {"new": ["c"], "known": []}
    assert good(api.patch(client, json={"postsProcessed": 42})) == named
    assert good(api.patch(run, json={"progress": "half"})) == {"run_id": run_id}
    assert good(api.post(f"{client}:complete")) == named
    assert good(api.post(f"{run}:complete", json={"status": "completed_with_errors"})) == {"run_id": run_id}

    job = good(api.get(run))
    assert (job["status"], job["stream"], job["triggered_by"]) == ("completed_with_errors", 1, "cron")
    assert notes(job) == ["Started", "half", "Ended completed_with_errors"]
    [found] = job["clients"]
    assert (found["client_name"], found["reported"], found["totals"]["cost_usd"]) == (
        "Acme Law", {"posts_processed": 42}, "0.01",
    )  # fmt: skip
    assert audit(app.database).differences == ()


def test_what_exists_is_answered_with_200_and_stays_as_it_is(api: httpx.Client, app: App) -> None:
    """F03."""
    for path, said in [(HERE, {"stream": 2}), (ACME, {"client_name": "Acme"})]:
        assert good(api.put(path, json=said), 201)["created"]
    before = told(app)
    for path, said in [(HERE, {"stream": 3}), (ACME, {"client_name": "Other"})]:
        assert not good(api.put(path, json=said))["created"]
    assert told(app) == before


def test_a_label_reaches_the_same_rows(api: httpx.Client, app: App) -> None:
    """F05: as the run's id, and in both places where it alone names the client."""
    named = {"run_id": RUN, "client_id": "acme", "label": LABEL}
    assert good(api.put(of("runs", LABEL), json={}), 201) == {"run_id": RUN, "created": True}
    assert good(api.put(of("runs", LABEL, "clients", "acme"), json={}), 201) == {**named, "created": True}
    assert good(api.patch(of("runs", LABEL, "clients", LABEL), json={"posts_scored": 1})) == named
    assert good(api.post(f"{of('runs', LABEL, 'clients', LABEL)}:complete")) == named
    assert good(api.post(f"{of('runs', LABEL)}:complete")) == {"run_id": RUN}
    [client] = told(app)["clients"]
    assert (client["status"], client["reported"]) == ("completed", {"posts_scored": 1})
    refused(api.patch(of("runs", RUN, "clients", RUN), json={}), 422, "BadInput")


@pytest.mark.parametrize("client_id", ["a/b", "x:complete", "100%", "ü", "clients/outcomes", "?", "'; --", "..", "-"])
def test_any_printable_text_is_a_client_id(api: httpx.Client, client_id: str) -> None:
    """F16: percent-encoded, a dot too where it stands alone."""
    path = of("runs", RUN, "clients", client_id).replace("..", "%2E%2E")
    assert good(api.put(path, json={}), 201)["client_id"] == client_id
    assert good(api.post(f"{path}/outcomes", json={"operation": "scoring", "items": [outcome("l")]}))["new"] == ["l"]
    assert good(api.post(f"{path}:complete"))["label"] == f"{RUN}-{client_id}"


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("PATCH", HERE, {"colour": "blue"}, "UnknownField"),
        ("PATCH", HERE, {"success_rate": 1}, "ComputedField"),
        ("PATCH", HERE, {"status": "exploded"}, "UnknownWord"),
        ("PATCH", HERE, {"posts_scored": -1}, "BadInput"),
        ("PATCH", HERE, {"started_at": "0001-01-01"}, "BadInput"),
        ("PATCH", of("runs", "nonsense"), {}, "InvalidRunId"),
        ("PATCH", f"{of('runs')}/%ff", {}, "InvalidRunId"),
        ("PUT", of("runs", RUN, "clients", " "), {}, "BadInput"),
        ("PUT", f"{of('runs', RUN, 'clients')}/%80", {}, "BadInput"),
        ("POST", f"{HERE}:complete", {"status": "running"}, "BadInput"),
        ("POST", of("run-ids"), {"run_id": "nonsense"}, "InvalidRunId"),
        ("POST", of("run-ids"), {"colour": 1}, "UnknownField"),
        ("POST", of("refusals"), {}, "BadInput"),
        ("POST", of("refusals"), {"text": "x", "colour": 1}, "UnknownField"),
    ],
)
def test_what_is_off_is_refused_with_its_kind_and_nothing_is_written(
    api: httpx.Client, app: App, method: str, path: str, *, body: dict[str, object], code: str
) -> None:
    """F11, F34, F39."""
    refused(api.request(method, path, json=body), 422, code)
    assert not app.tracking().exists(RUN)


@pytest.mark.parametrize("sent", [b"{", b"[1]", b"5", b"\xff", b"[" * 100_000])
def test_what_is_no_object_of_json_is_refused(api: httpx.Client, sent: bytes) -> None:
    refused(api.patch(HERE, content=sent, headers={"Content-Type": "application/json"}), 422, "BadInput")


def test_what_is_too_large_is_refused_though_it_does_not_say_how_large_it_is(api: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    refused(api.patch(HERE, content=(b" " * 2**20 for _ in range(20)), headers=headers), 413, None)


def test_who_hangs_up_in_the_middle_of_a_word_has_said_nothing(
    api: httpx.Client, base_url: str, app: App, caplog: pytest.LogCaptureFixture
) -> None:
    place = urlsplit(base_url)
    with socket.create_connection((place.hostname, place.port)) as connection:
        head = f"PATCH {HERE} HTTP/1.1\r\nHost: x\r\nAuthorization: {api.headers['authorization']}\r\n"
        connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{{".encode())
    good(api.put(ACME), 201)
    assert told(app)["reported"] == {}
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


def test_json_says_that_it_is_json(api: httpx.Client) -> None:
    problem = refused(api.patch(HERE, content=b"{}", headers={"Content-Type": "text/plain"}), 422, "BadInput")
    assert problem["detail"] == "the body must be JSON, with `Content-Type: application/json`"
    for sent in (b"{}", b"null", b""):
        good(api.patch(HERE, content=sent, headers={"Content-Type": "application/json; charset=utf-8"}))


def test_a_refused_verb_is_in_the_books_once_per_text(api: httpx.Client, app: App) -> None:
    """F34: where whoever looks for what is missing finds it."""
    good(api.put(HERE), 201)
    for _ in range(2):
        refused(api.patch(HERE, json={"colour": "blue"}), 422, "UnknownField")
    [line] = notes(told(app))
    assert line.startswith("update_job was refused: 'colour' is no field; known fields: job_type")
    assert good(api.get(of("tracking-status")))["refused"] == {line: 1}
    assert good(api.post(of("refusals"), json={"run_id": RUN, "text": line})) == {"new": False}
    assert good(api.post(of("refusals"), json={"text": "said of no run"})) == {"new": True}


def test_another_completion_is_a_conflict(api: httpx.Client) -> None:
    """F31, F36."""
    good(api.put(ACME), 201)
    for _ in range(2):
        good(api.post(f"{ACME}:complete", json={"status": "completed"}))
    problem = refused(api.post(f"{ACME}:complete", json={"status": "failed", "posts_scored": 3}), 409, "ClaimRefused")
    assert problem["run_id"] == RUN


def test_what_our_engine_drives_is_not_completed_from_outside(api: httpx.Client, books: Ledger) -> None:
    """F36."""
    run_id = books.do(starts.start, starts.Start(starts.Request())).run_id
    books.do(starts.plan, run_id, [Client("acme", "Acme")])
    run, client = of("runs", run_id), of("runs", run_id, "clients", "acme")
    assert good(api.patch(client, json={"posts_scored": 1}))["run_id"] == run_id
    for response in [
        api.post(f"{run}:complete"),
        api.post(f"{client}:complete"),
        api.post(f"{client}/outcomes", json={"operation": "lead_scoring", "items": [outcome("l")]}),
        api.post(f"{client}/calls", json={"items": [{"call_id": "c", "operation": "lead_scoring"}]}),
        api.put(of("runs", run_id, "clients", "beta")),
    ]:
        refused(response, 409, "ClaimRefused")


def test_while_the_books_are_away_it_says_so_and_when_to_come_again(api: httpx.Client, app: App) -> None:
    app.ledger.do(lambda tx: tx.execute("ALTER TABLE runs RENAME TO elsewhere"))
    response = api.patch(HERE, json={"posts_scored": 1})
    refused(response, 503, "LedgerUnavailable")
    assert response.headers["retry-after"] == "5"
    refused(api.patch(HERE, json={"colour": "blue"}), 422, "UnknownField")


# -- batches -----------------------------------------------------------------------------------------------------------


def test_a_batch_tells_what_was_new(api: httpx.Client, app: App) -> None:
    def record(*items: dict[str, object]) -> object:
        return good(api.post(f"{ACME}/outcomes", json={"operation": "lead_scoring", "items": items}))

    assert record(outcome("a"), outcome("b", "skipped", reason="no_content"), outcome("a")) == {
        "new": ["a", "b"],
        "known": ["a"],
    }
    assert record(outcome("b", "failed", reason="timeout"), outcome("c")) == {"new": ["c"], "known": ["b"]}
    items = [
        {"call_id": each, "operation": operation, "input_tokens": 1}
        for each, operation in [("x", "lead_scoring"), ("y", "post_scoring"), ("x", "lead_scoring")]
    ]
    assert good(api.post(f"{ACME}/calls", json={"items": items})) == {"new": ["x", "y"], "known": ["x"]}
    totals = good(api.get(ACME))["totals"]
    assert (totals["found"], totals["scored"], totals["skipped"], totals["calls"]) == (3, 2, 1, 2)
    assert audit(app.database).differences == ()


def test_one_item_that_is_off_refuses_the_batch_and_every_one_is_named(api: httpx.Client, app: App) -> None:
    items = [
        outcome("a"),
        outcome("b", "exploded"),
        outcome("", colour="blue"),
        outcome("c", "failed"),
        outcome("d", score=101),
        5,
        {"kind": "scored"},
    ]
    problem = refused(api.post(f"{ACME}/outcomes", json={"operation": "lead_scoring", "items": items}), 422, "BadInput")
    assert problem["detail"].startswith("6 of 7 items are off, so none was booked; items.1.kind: 'exploded' is no")
    assert [each["where"] for each in problem["errors"]] == [
        "items.1.kind", "items.2", "items.3.kind", "items.4.score", "items.5", "items.6.lead_id",
    ]  # fmt: skip
    calls = [{"call_id": "c", "operation": "lead_scoring"}, {"call_id": "d", "operation": "dancing"}, {"cost_usd": -1}]
    problem = refused(api.post(f"{ACME}/calls", json={"items": calls}), 422, "BadInput")
    assert [each["where"] for each in problem["errors"]] == ["items.1.operation", "items.2"]
    assert not app.tracking().exists(RUN)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"operation": "lead_scoring"},
        {"operation": "lead_scoring", "items": []},
        {"operation": "lead_scoring", "items": {"lead_id": "a"}},
        {"operation": "lead_scoring", "items": [outcome(str(n)) for n in range(1001)]},
        {"operation": "dancing", "items": [outcome("a")]},
        {"items": [outcome("a")]},
        {"operation": "lead_scoring", "items": [outcome("a")], "colour": 1},
    ],
)
def test_what_is_no_batch_is_refused(api: httpx.Client, body: dict[str, object]) -> None:
    assert api.post(f"{ACME}/outcomes", json=body).status_code == 422


def test_a_batch_that_meets_a_conflict_writes_nothing_of_it(api: httpx.Client, books: Ledger) -> None:
    run_id = books.do(starts.start, starts.Start(starts.Request())).run_id
    books.do(starts.plan, run_id, [Client("acme", "Acme")])
    items = [{"call_id": each, "operation": each} for each in ("lead_scoring", "post_scoring")]
    refused(api.post(f"{of('runs', run_id, 'clients', 'acme')}/calls", json={"items": items}), 409, "ClaimRefused")
    assert good(api.get(of("runs", run_id)))["totals"]["calls"] == 0


@pytest.mark.parametrize("path", [HERE, ACME])
def test_the_name_of_a_verb_at_the_end_of_a_path_is_that_verb_whatever_the_method(api: httpx.Client, path: str) -> None:
    for method in ("PUT", "PATCH", "GET", "DELETE"):
        refused(api.request(method, f"{path}:complete"), 405, None)
