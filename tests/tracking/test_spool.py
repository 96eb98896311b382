"""What the ledger cannot take waits on disk, in order, and is written once (rule 9, F34)."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tallybook.database import Database, Tx
from tallybook.domain.errors import LedgerUnavailable, RunIdsExhausted
from tallybook.ledger.audit import audit
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write.starts import RunIdStyle
from tallybook.tracking import JobTracking, delivery, writing
from tests.tracking.conftest import RUN, Away, Far, OpenBook, in_process
from tests.tracking.talker import NOTES


def test_verbs_are_accepted_while_the_ledger_is_away_and_replayed_in_order(
    impatient: JobTracking, away: Away, spool_folder: Path
) -> None:
    with away():
        assert impatient.create_job(RUN, "post_scoring", 1, "cron", "Started") == RUN
        assert impatient.create_client_run(RUN, "acme") == f"{RUN}-acme"
        for n in range(5):
            assert impatient.update_client_run(RUN, "acme", posts_scored=n, system_notes=f"note {n}")
        assert impatient.record_outcome(RUN, "acme", "lead_scoring", "l1", "scored")
        assert impatient.complete_client_run(f"{RUN}-acme")
        assert impatient.status().spooled == 9
    _wait_until_written(impatient)
    assert impatient.update_job(RUN, progress="back")
    job, client = _job(impatient), impatient.get_client_run(RUN, "acme")
    assert client is not None
    assert [line[20:] for line in client["system_notes"]] == [f"note {n}" for n in range(5)]
    assert client["reported"] == {"posts_scored": 4}
    assert [line[20:] for line in job["system_notes"]] == ["Started", "back"]
    assert list(spool_folder.iterdir()) == []
    assert impatient.status().spooled == 0


@in_process
def test_what_was_said_while_the_ledger_was_away_keeps_its_time(
    impatient: JobTracking, ledger: Ledger, away: Away
) -> None:
    ledger.clock = lambda: datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    with away():
        impatient.create_job(RUN, system_notes="Started")
        impatient.complete_job(RUN)
    _wait_until_written(impatient)
    job = _job(impatient)
    assert (job["started_at"], job["ended_at"]) == ("2026-11-23T01:30:00.000000Z",) * 2
    assert job["system_notes"][0] == "2026-11-23 01:30:00 Started"


def test_what_is_said_while_something_waits_goes_behind_it(impatient: JobTracking, away: Away) -> None:
    """Even when the ledger is back already."""
    with away():
        impatient.update_job(RUN, progress="first")
    assert impatient.update_job(RUN, progress="second")
    assert impatient.status().spooled == 2
    _wait_until_written(impatient)
    assert [line[20:] for line in _job(impatient)["system_notes"][1:]] == ["first", "second"]


def test_a_killed_program_loses_nothing_and_the_next_one_writes_it_once(
    database: Database, database_url: str, far: Far | None, *, open_book: OpenBook, spool_folder: Path, away: Away
) -> None:
    with away():
        child = _start_talker(far or database_url, spool_folder)
        child.send_signal(signal.SIGKILL)
        child.wait()
    books = [open_book() for _ in range(2)]
    for book in books:
        book.replay()
    client = books[0].get_client_run(RUN, "acme")
    assert client is not None
    assert sum("note" in line for line in client["system_notes"]) == NOTES
    assert sum("slow" in line for line in client["system_notes"]) == NOTES
    assert client["reported"] == {"posts_scored": NOTES - 1}
    totals = client["totals"]
    assert (totals["scored"], totals["calls"], totals["total_tokens"]) == (NOTES, NOTES, 2 * NOTES)
    assert _job(books[0])["status"] == "completed"
    assert audit(database).differences == ()
    assert list(spool_folder.iterdir()) == []


def test_the_spool_of_a_living_program_is_left_alone(
    database_url: str, far: Far | None, open_book: OpenBook, spool_folder: Path, away: Away
) -> None:
    with away():
        child = _start_talker(far or database_url, spool_folder)
    try:
        book = open_book()
        assert book.replay()
        assert book.get_job(RUN) is None
        assert book.status().spooled > NOTES
    finally:
        child.kill()
        child.wait()
    assert book.replay()
    assert _job(book)["status"] == "completed"


def test_a_replay_that_is_killed_and_repeated_doubles_nothing(
    impatient: JobTracking, open_book: OpenBook, spool_folder: Path, away: Away
) -> None:
    with away():
        for note in ["a", "b", "a"]:
            impatient.update_client_run(RUN, "acme", error=note)
    [file] = spool_folder.glob("*.jsonl")
    lines = file.read_bytes()
    _wait_until_written(impatient)
    impatient.update_client_run(RUN, "acme", error="c")
    (spool_folder / "left-by-the-dead.jsonl").write_bytes(lines)
    book = open_book()
    client = book.get_client_run(RUN, "acme")
    assert client is not None
    assert [line[20:] for line in client["system_notes"][1:]] == ["a", "b", "a", "c"]
    assert client["error"] == "c"


@pytest.mark.parametrize(
    "broken",
    [
        b'{"verb": "update_job", "run": "26',
        b"",
        b"\xff\x00",
        b"[1]",
        b'{"verb":"no_such_verb","run":"261123-013000","at":"2026-11-23T01:30:00.000000Z","key":"k"}',
        b'{"verb":"update_job","run":"261123-013000","at":"soon","key":"k"}',
        b'{"verb":"update_job","run":"261123-013000","at":"2026-11-23T01:30:00.000000Z","key":"k","colour":1}',
        b'{"verb":"update_job","run":"261123-013000","at":"2026-11-23T01:30:00.000000Z","key":"k","fields":{"x":1}}',
        b"[" * 100_000,
    ],
)
def test_a_broken_line_is_set_aside_and_blocks_nothing(
    open_book: OpenBook, spool_folder: Path, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    spool_folder.mkdir()
    good = {"verb": "update_job", "run": RUN, "at": "2026-11-23T01:30:00.000000Z", "fields": {"progress": "x"}}
    lines = [json.dumps({**good, "key": str(n)}).encode() for n in range(2)]
    (spool_folder / "dead.jsonl").write_bytes(b"\n".join([lines[0], broken, lines[1]]) + b"\n")
    book = open_book()
    assert _job(book)["run_id"] == RUN
    assert (spool_folder / "dead.jsonl.bad").read_bytes() == broken + b"\n"
    assert "set aside" in caplog.text
    assert (book.status().spooled, book.status().set_aside, book.status().well) == (0, 1, False)


def test_what_is_refused_when_it_is_replayed_is_told(impatient: JobTracking, away: Away) -> None:
    """F34."""
    impatient.complete_job(RUN, "completed")
    with away():
        assert impatient.complete_job(RUN, "failed") is True
        assert impatient.update_job(RUN, colour="blue") is False
    _wait_until_written(impatient)
    assert impatient.status().refused == {"complete_job": 1, "update_job": 1}
    assert _job(impatient)["status"] == "completed"
    told = [line for line in _job(impatient)["system_notes"] if "was refused" in line]
    assert ["complete_job" in line for line in told].count(True) == 1, "once, by whichever side"
    assert any("'colour' is no field" in line for line in told)
    assert impatient.status().set_aside == 1


@in_process
def test_a_mistake_of_ours_is_spooled_then_set_aside(
    impatient: JobTracking, spool_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistake(_tx: Tx, _saying: object) -> bool:
        raise AttributeError("no such thing")

    monkeypatch.setattr(writing, "_VERBS", {**writing._VERBS, "update_job": mistake})
    assert impatient.update_job(RUN, progress="x") is True
    assert impatient.status().spooled == 1
    assert impatient.replay()
    assert impatient.complete_job(RUN)
    assert impatient.status().set_aside == 1
    [bad] = spool_folder.glob("*.bad")
    assert b'"progress":"x"' in bad.read_bytes()


def test_when_even_the_disk_refuses_the_call_is_counted_as_lost(
    open_book: OpenBook, tmp_path: Path, away: Away, caplog: pytest.LogCaptureFixture
) -> None:
    """F34."""
    (tmp_path / "file").write_text("no folder can be made below this")
    folder = tmp_path / "file" / "spool"
    book = open_book(folder=folder, patience_s=0.1)
    strict = open_book(folder=folder, patience_s=0.1, strict=True)
    with away():
        assert book.update_job(RUN, progress="x") is False
        with pytest.raises(OSError, match="spool"):
            strict.update_job(RUN, progress="x")
    assert book.status().lost == 1
    assert "neither the books nor the disk took it" in caplog.text
    assert book.update_job(RUN, progress="y") is True


def test_a_full_disk_leaves_no_half_line(
    impatient: JobTracking, away: Away, spool_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    with away():
        assert impatient.update_job(RUN, progress="a")
        with monkeypatch.context() as full:
            full.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:10]))
            assert impatient.update_job(RUN, progress="b") is False
        assert impatient.update_job(RUN, progress="c")
    _wait_until_written(impatient)
    assert [line[20:] for line in _job(impatient)["system_notes"][1:]] == ["a", "c"]
    assert list(spool_folder.iterdir()) == []


def test_nobody_waits_for_a_ledger_that_was_just_found_away(impatient: JobTracking, away: Away) -> None:
    with away():
        impatient.update_job(RUN, progress="a")
        began = time.monotonic()
        for n in range(20):
            impatient.update_job(RUN, progress=str(n))
        assert time.monotonic() - began < 1.5
    _wait_until_written(impatient)


@in_process
def test_the_ledger_may_be_opened_later(ledger: Ledger, spool_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`JobTracking()` at the top of a program works while the database is down."""
    monkeypatch.setattr(delivery, "FIRST_REST_S", 0.0)
    up = False

    def open_ledger() -> Ledger:
        if not up:
            raise LedgerUnavailable("the database is down")
        return ledger

    book = JobTracking(open_ledger, spool_folder=spool_folder)
    run_id = book.generate_run_id()
    assert book.create_job(run_id) == run_id
    assert book.exists(run_id) is False
    assert book.get_job(run_id) is None
    assert book.status().refused_ever is None
    assert book.status().last_error == "the database is down"
    up = True
    assert book.exists(run_id)
    assert book.status().spooled == 0


def test_run_ids_made_while_the_ledger_is_away_are_reserved_later(
    impatient: JobTracking, open_book: OpenBook, ledger: Ledger, away: Away
) -> None:
    """F06: and no two are the same, whichever process of this machine makes them."""
    other = open_book(patience_s=0.1)
    before = impatient.generate_run_id()
    with away():
        made = [book.generate_run_id() for book in (impatient, other, impatient, other)]
    assert len({before, *made}) == 5
    _wait_until_written(impatient)
    _wait_until_written(other)
    with ledger.database.writing() as tx:
        reserved = {row[0] for row in tx.rows("SELECT run_id FROM @run_ids")}
    assert reserved == {before, *made}
    assert impatient.generate_run_id() not in reserved


@in_process
@pytest.mark.parametrize("gone", [True, False])
def test_run_ids_run_out_after_a_minute_of_them(
    ledger: Ledger, spool_folder: Path, monkeypatch: pytest.MonkeyPatch, *, gone: bool
) -> None:
    now = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    ledger.clock = lambda: now
    ledger._commit._clock = lambda: now

    def down(*_args: object, **_options: object) -> None:
        raise LedgerUnavailable("it is down")

    if gone:
        monkeypatch.setattr(ledger, "submit", down)
    book = JobTracking(ledger, spool_folder=spool_folder, style=RunIdStyle())
    made = [book.generate_run_id() for _ in range(62)]
    assert made[:61] == [f"{now + timedelta(seconds=n):%y%m%d-%H%M%S}" for n in range(61)]
    assert made[61] is None
    with pytest.raises(RunIdsExhausted):
        JobTracking(ledger, spool_folder=spool_folder, strict=True).generate_run_id()


def test_a_forked_child_reports_on_its_own(book: JobTracking, ledger: Ledger) -> None:
    """Servers make their book first and fork then; the child has neither the writer's thread nor its connection."""
    book.create_job(RUN)
    child = os.fork()
    if child == 0:
        said = book.update_client_run(RUN, "acme", system_notes="from the child")
        book.close()
        os._exit(0 if said is True else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert book.update_client_run(RUN, "acme", system_notes="from the parent")
    client = book.get_client_run(RUN, "acme")
    assert client is not None
    assert [line[20:] for line in client["system_notes"][1:]] == ["from the child", "from the parent"]
    assert audit(ledger.database).differences == ()


def test_a_forked_child_leaves_its_parents_spool_alone(impatient: JobTracking, away: Away, spool_folder: Path) -> None:
    with away():
        impatient.update_job(RUN, progress="from the parent")
        child = os.fork()
        if child == 0:
            said = impatient.update_job(RUN, progress="from the child")
            os._exit(0 if said is True else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert len(list(spool_folder.glob("*.jsonl"))) == 2
    impatient._delivery.adopt()
    _wait_until_written(impatient)
    notes = [line[20:] for line in _job(impatient)["system_notes"][1:]]
    assert sorted(notes) == ["from the child", "from the parent"]


def test_threads_that_report_while_the_ledger_comes_and_goes_lose_and_double_nothing(
    impatient: JobTracking, away: Away
) -> None:
    def report(thread: int) -> None:
        for n in range(10):
            assert impatient.update_client_run(RUN, "acme", system_notes=f"{thread} {n}")

    threads = [threading.Thread(target=report, args=(n,)) for n in range(16)]
    for each in threads:
        each.start()
    with away():
        time.sleep(0.5)
    for each in threads:
        each.join()
    _wait_until_written(impatient)
    client = impatient.get_client_run(RUN, "acme")
    assert client is not None
    notes = [line[20:] for line in client["system_notes"] if "not in the books" not in line]
    assert len(notes) == len(set(notes)) == 160
    for thread in range(16):
        assert [note for note in notes if note.startswith(f"{thread} ")] == [f"{thread} {n}" for n in range(10)]


def test_a_closed_book_leaves_what_waits_to_the_next(impatient: JobTracking, open_book: OpenBook, away: Away) -> None:
    with away():
        impatient.update_job(RUN, progress="x")
        impatient.close()
    assert _job(open_book())["run_id"] == RUN


def _job(book: JobTracking) -> dict[str, Any]:
    job = book.get_job(RUN)
    assert job is not None
    return job


def _wait_until_written(book: JobTracking) -> None:
    deadline = time.monotonic() + 20
    while not book.replay():
        assert time.monotonic() < deadline, book.status()
        time.sleep(0.05)


def _start_talker(books: Far | str, spool_folder: Path) -> "subprocess.Popen[str]":
    root = Path(__file__).resolve().parents[2]
    place = (books,) if isinstance(books, str) else (books.proxy.address, books.token)
    command = [sys.executable, "-m", "tests.tracking.talker", str(spool_folder), RUN, *place]
    child = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "said\n"
    return child
