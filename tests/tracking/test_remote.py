"""A book that a server keeps: what is particular to the way there (F34)."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import tallybook
from tallybook.database import Database, utc_now
from tallybook.domain.access import Scope
from tallybook.domain.errors import BadInput, BadSetting, Conflict, RunIdsExhausted
from tallybook.ledger.audit import audit
from tallybook.tracking import JobTracking
from tallybook.tracking.door import Denied
from tallybook.tracking.remote import ServerDoor
from tests.books import SqliteBooks
from tests.tracking.conftest import HTTP, RUN, Far, OpenBook
from tests.tracking.crowding import Crowd
from tests.web.process import ServerProcess, server_process
from tests.web.serving import app_on, made_token

OTHER_RUN = "261123-013001"


@pytest.fixture
def door() -> str:
    return HTTP


@pytest.fixture
def way(far: Far | None) -> Far:
    assert far is not None
    return far


# -- lost, and away ----------------------------------------------------------------------------------------------------


def test_what_the_server_wrote_is_written_once_though_every_answer_was_lost(
    open_book: OpenBook, way: Far, database: Database
) -> None:
    """F34: the program never hears of it, asks again, and the server knows the key."""
    book = open_book()
    lost = _tell(book, RUN, way)
    assert way.proxy.lost == lost > 10
    assert _tell(book, OTHER_RUN) == lost
    assert _told(book, RUN) == _told(book, OTHER_RUN)
    assert audit(database).differences == ()
    assert book.status().well


def _tell(book: JobTracking, run: str, losing: Far | None = None) -> int:
    """One lifecycle, in which notes and errors count; each verb's answer is lost. Gives how many verbs that were."""
    acts: list[Callable[[], object]] = [
        lambda: book.create_job(run, "lead_scoring", 1, "cron", "Started", started_at="2026-11-23T01:30:00Z"),
        lambda: book.create_client_run(run, "acme", client_name="Acme", started_at="2026-11-23T01:30:00Z"),
        lambda: book.update_client_run(run, "acme", system_notes="same", error="slow", posts_scored=1),
        lambda: book.update_client_run(run, "acme", system_notes="other"),
        lambda: book.update_client_run(run, "acme", system_notes="same", error="slow", posts_scored=2),
        lambda: book.record_outcome(run, "acme", "lead_scoring", "l1", "scored", score=5),
        lambda: book.record_outcome(run, "acme", "lead_scoring", "l2", "failed", "timeout"),
        lambda: book.record_call(run, "acme", "lead_scoring", f"{run} c1", input_tokens=5, cost_usd="0.01"),
        lambda: book.update_client_run(f"{run}-acme", progress="by its label"),
        lambda: book.complete_client_run(run, "acme", system_notes="done"),
        lambda: book.complete_job(run, status="CLIENT_TIMEOUT_KILLED", error="slow"),
    ]
    for act in acts:
        if losing:
            losing.proxy.loses = 1
        assert act()
        _wait_until_written(book)
    return len(acts)


def _told(book: JobTracking, run: str) -> str:
    """All there is of it but the times at which it was said."""
    job, client = book.get_job(run), book.get_client_run(run, "acme")
    assert job is not None
    assert client is not None
    for each in (job, client):
        each["system_notes"] = [line[20:] for line in each["system_notes"]]
        each.pop("ended_at", None)
        each.pop("duration_s", None)
    return json.dumps([job, client], sort_keys=True).replace(run, "RUN")


def test_threads_whose_answers_get_lost_lose_and_double_nothing(book: JobTracking, way: Far) -> None:
    """F34, F38."""
    way.proxy.loses = 30

    def report(thread: int) -> None:
        for n in range(10):
            assert book.update_client_run(RUN, "acme", system_notes=f"{thread} {n}", error=f"{thread} {n}")

    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(report, thread) for thread in range(8)]:
            each.result()
    _wait_until_written(book)
    client = book.get_client_run(RUN, "acme")
    assert client is not None
    said = [line[20:] for line in client["system_notes"] if "not in the books" not in line]
    for thread in range(8):
        of_thread = [line for line in said if line.startswith(f"{thread} ")]
        assert of_thread == [f"{thread} {n // 2}" for n in range(20)]
    assert way.proxy.lost == 30


def test_what_waited_keeps_the_time_at_which_it_was_said(book: JobTracking, way: Far) -> None:
    with way.proxy.away():
        before = utc_now()
        assert book.create_job(RUN, system_notes="Started")
        after = utc_now()
        assert book.complete_job(RUN)
        assert book.get_job(RUN) is None
    _wait_until_written(book)
    job = book.get_job(RUN)
    assert job is not None
    assert before <= datetime.fromisoformat(job["started_at"]) <= after < datetime.fromisoformat(job["ended_at"])


def test_a_server_killed_in_the_middle_of_a_crowd_has_equal_books_once_it_is_back(
    tmp_path: Path, spool_folder: Path, sqlite_books: SqliteBooks
) -> None:
    """F34, F02, F37, F38: nobody is raised into, nothing is lost, nothing doubled."""
    folder = tmp_path / "server"
    folder.mkdir()
    app = app_on(sqlite_books.copied_to(folder))
    token = made_token(app).text
    server = ServerProcess(folder)
    crowd = Crowd(2, 16, spool_folder, (server.address, token))
    _wait_for(lambda: _rows(app.database) > 10)
    server.kill()
    with server_process(folder, server.port) as again:
        assert crowd.said() == ["", ""]
        book = JobTracking(ServerDoor(again.address, token), spool_folder=spool_folder)
        crowd.is_in_the_books(book, app.database)
        book.close()
    app.close()


def _rows(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.exec_driver_sql("SELECT COUNT(*) FROM outcomes").scalar_one())


# -- not let in --------------------------------------------------------------------------------------------------------


def test_what_is_said_with_a_bad_token_waits_for_a_good_one(
    way: Far, open_book: OpenBook, spool_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """F34: a refusal of the token is none of the words. It is not tried again and again either."""
    bad = "tb_nobody-ever-made-this-one"
    book = JobTracking(ServerDoor(way.proxy.address, bad), strict=True, spool_folder=spool_folder)
    assert book.create_job(RUN) == RUN
    for n in range(30):
        assert book.update_job(RUN, progress=str(n))
    status = book.status()
    assert (status.spooled, status.refused, status.lost) == (31, {}, 0)
    assert 0 < status.denied < 5
    assert "does not let this token in (401): the token is unknown or was revoked" in str(status.last_error)
    assert (status.refused_ever, status.well) == (None, False)
    with pytest.raises(Denied):
        book.get_job(RUN)
    book.close()
    assert bad not in caplog.text + repr(status) + repr(book._door)

    good = open_book()
    job = good.get_job(RUN)
    assert job is not None
    assert [line[20:] for line in job["system_notes"]] == [str(n) for n in range(30)]
    assert good.status().well


def test_a_token_without_the_scope_or_for_another_tenant_keeps_what_was_said(
    way: Far, database_url: str, tmp_path: Path
) -> None:
    app = app_on(database_url)
    for number, token in enumerate(
        [made_token(app, Scope.RUNS_READ), made_token(app, Scope.RUNS_READ, Scope.RUNS_WRITE, client_id="beta")]
    ):
        book = JobTracking(ServerDoor(way.proxy.address, token.text), spool_folder=tmp_path / str(number))
        assert book.update_client_run(RUN, "acme", posts_scored=1)
        assert (book.status().spooled, book.status().denied) == (1, 1)
        assert "(403)" in str(book.status().last_error)
    app.close()


def test_a_tenant_reports_its_own_client_and_does_not_see_what_others_got_wrong(
    way: Far, database_url: str, spool_folder: Path
) -> None:
    app = app_on(database_url)
    token = made_token(app, Scope.RUNS_READ, Scope.RUNS_WRITE, client_id="acme").text
    book = JobTracking(ServerDoor(way.proxy.address, token), spool_folder=spool_folder)
    assert book.update_client_run(f"{RUN}-acme", posts_scored=1)
    assert book.record_outcome(RUN, "acme", "lead_scoring", "l", "scored")
    client = book.get_client_run(f"{RUN}-acme")
    assert client is not None
    assert client["reported"] == {"posts_scored": 1}
    assert (book.status().refused_ever, book.status().well, book.status().last_error) == (None, True, None)
    app.close()


# -- other answers -----------------------------------------------------------------------------------------------------


@contextmanager
def stranger(status: int, body: str = "", kind: str = "application/problem+json", **headers: str) -> Iterator[str]:
    """Something that answers everything alike."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body.encode())), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_PUT = do_POST = do_PATCH = answer  # noqa: N815 -- as the library asks

        def log_message(self, *_said: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def problem(**facts: object) -> str:
    return json.dumps({"detail": "it is so", **facts})


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (500, problem(), "cannot take it now (500): it is so"),
        (502, "<html>", "is no Tallybook of this kind (502)"),
        (503, problem(code="LedgerUnavailable"), "cannot take it now (503)"),
        (429, problem(code="TooManyFailures"), "cannot take it now (429)"),
        (404, problem(), "is no Tallybook of this kind (404); is the URL right?"),
        (405, problem(), "is no Tallybook of this kind (405)"),
        (307, "", "is no Tallybook of this kind (307)"),
        (200, "{}", "is no Tallybook of this kind (200)"),
        (200, "[1]", "is no Tallybook of this kind (200)"),
        (403, "", "does not let this token in (403): it does not say why"),
    ],
)
def test_what_is_no_answer_of_ours_keeps_everything(spool_folder: Path, status: int, body: str, told: str) -> None:
    with stranger(status, body, Location="http://127.0.0.1:1/") as address:
        book = JobTracking(ServerDoor(address, "tb_x"), strict=True, spool_folder=spool_folder)
        assert book.create_job(RUN) == RUN
        made = book.generate_run_id()
        assert made is not None
        assert (book.status().spooled, book.status().refused) == (2, {})
        assert told in str(book.status().last_error)


@pytest.mark.parametrize(
    ("status", "facts", "error"),
    [
        (422, {"code": "BadInput"}, BadInput),
        (422, {"code": "OfAnotherVersion"}, BadInput),
        (413, {}, BadInput),
        (409, {"code": "KeyReused", "run_id": RUN}, Conflict),
    ],
)
def test_what_the_server_refuses_is_refused(
    spool_folder: Path, status: int, facts: dict[str, object], error: type[Exception]
) -> None:
    with stranger(status, problem(**facts)) as address:
        book = JobTracking(ServerDoor(address, "tb_x"), strict=True, spool_folder=spool_folder)
        with pytest.raises(error, match="it is so"):
            book.update_job(RUN, progress="x")
        assert book.status().refused == {"update_job": 1}
        assert book.status().spooled == 0


def test_run_ids_of_the_server_may_run_out(spool_folder: Path) -> None:
    """F06: then none is made up."""
    with stranger(503, problem(code="RunIdsExhausted")) as address:
        door = ServerDoor(address, "tb_x")
        with pytest.raises(RunIdsExhausted):
            JobTracking(door, strict=True, spool_folder=spool_folder).generate_run_id()
        assert JobTracking(door, spool_folder=spool_folder).generate_run_id() is None


def test_nobody_waits_longer_than_told_for_an_answer(spool_folder: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent:
        address = f"http://127.0.0.1:{silent.server_address[1]}"
        book = JobTracking(ServerDoor(address, "tb_x", 0.1), spool_folder=spool_folder)
        began = time.monotonic()
        assert book.update_job(RUN, progress="x")
        assert time.monotonic() - began < 5
        assert "does not answer: ReadTimeout" in str(book.status().last_error)


# -- the URL and the token ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [None, 5, "", "books.example.test", "ftp://x.test", "http://", "http://[", "http://a:b@x.test", "http://x/?a"],
)
def test_what_is_no_address_is_refused_at_once(url: object) -> None:
    with pytest.raises(BadSetting, match="url"):
        ServerDoor(url, "tb_x")


@pytest.mark.parametrize("token", [None, "", " ", "two words", "line\nfeed", "schlüssel"])
def test_what_is_no_token_is_refused_and_not_repeated(token: object) -> None:
    with pytest.raises(BadSetting) as caught:
        ServerDoor("http://127.0.0.1:1", token)
    assert not str(token or "").strip() or str(token) not in str(caught.value)


def test_a_token_that_goes_unencrypted_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "tallybook.tracking"):
        for quiet in ("http://127.0.0.1:1", "http://localhost", "http://[::1]:80", "https://x.test/books/"):
            ServerDoor(quiet, "tb_secret")
        assert caplog.text == ""
        assert repr(ServerDoor("http://x.test/books/", "tb_secret")) == "ServerDoor(http://x.test/books)"
    assert "the token goes to x.test unencrypted; use https" in caplog.text
    assert "tb_secret" not in caplog.text


def test_the_public_name_speaks_http_and_has_a_spool_for_each_server(
    way: Far, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    book = tallybook.JobTracking(url=way.proxy.address, token=way.token, strict=True)
    with way.proxy.away():
        assert book.create_job(RUN) == RUN
    (spooled,) = tmp_path.rglob("*.jsonl")
    assert spooled.parent == tmp_path / "tallybook-spool" / way.proxy.address.removeprefix("http://").replace(":", "_")
    _wait_until_written(book)
    assert book.exists(RUN)
    book.close()
    assert book.exists(RUN)
    with pytest.raises(BadSetting):
        tallybook.JobTracking(url=way.proxy.address)
    with pytest.raises(BadSetting):
        tallybook.JobTracking(token=way.token)


# -- labels ------------------------------------------------------------------------------------------------------------


def test_a_label_that_cannot_be_split_names_its_client_all_the_same(book: JobTracking) -> None:
    """F04, F05: looked up by equality."""
    label = book.create_client_run(RUN, "acme-acme")
    assert isinstance(label, str)
    assert book.update_client_run(label, posts_scored=1)
    assert book.record_call(label, None, "lead_scoring", "c")
    assert book.exists(label)
    client = book.get_client_run(label)
    assert client is not None
    assert (client["client_id"], client["totals"]["calls"]) == ("acme-acme", 1)
    assert book.get_client_run(RUN) is None


@pytest.mark.parametrize("client_id", [".", "..", "a/b", "x:complete", "outcomes", "%2F", "clients/y", "a?b#c", "ü 🚀"])
def test_any_client_id_survives_the_path(book: JobTracking, client_id: str) -> None:
    """F16."""
    assert book.create_client_run(RUN, client_id) == f"{RUN}-{client_id}"
    assert book.update_client_run(RUN, client_id, posts_scored=1)
    assert book.record_outcome(RUN, client_id, "lead_scoring", "l", "scored")
    assert book.complete_client_run(f"{RUN}-{client_id}", client_id)
    job = book.get_job(RUN)
    assert job is not None
    assert [(each["client_id"], each["status"]) for each in job["clients"]] == [(client_id, "completed")]
    client = book.get_client_run(RUN, client_id)
    assert client is not None
    assert client["reported"] == {"posts_scored": 1}


def _wait_until_written(book: JobTracking) -> None:
    _wait_for(book.replay)


def _wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
