"""One line that a server does not take does not hold up all that was said after it (F34)."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tallybook.database import Database
from tallybook.ledger import misreports
from tallybook.ledger.audit import audit
from tallybook.tracking import JobTracking, delivery, passing
from tallybook.tracking.delivery import MOST_TRIES
from tallybook.tracking.held import Held, held_in, read_held, write_held
from tallybook.tracking.remote import ServerDoor
from tests.tracking.conftest import HTTP, RUN, Away, Far, OpenBook, in_process
from tests.tracking.faulty import Faulty, faulty_server

OTHER = "261123-013001"
BROKEN = (500, {"detail": "this is a mistake of ours; it is in the server's log"})
MARK = "the line that nobody takes"


@pytest.fixture
def door() -> str:
    return HTTP


@pytest.fixture(autouse=True)
def without_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_REST_S", 0.0)
    monkeypatch.setattr(delivery, "LONGEST_REST_S", 0.0)


@pytest.fixture
def server(far: Far | None) -> Iterator[Faulty]:
    assert far is not None
    with faulty_server(far.proxy.address) as faulty:
        yield faulty


@pytest.fixture
def reporter(server: Faulty, far: Far | None, spool_folder: Path) -> JobTracking:
    assert far is not None
    return JobTracking(ServerDoor(server.address, far.token), spool_folder=spool_folder)


def notes_of(book: JobTracking, run: str = RUN) -> list[str]:
    job = book.get_job(run)
    assert job is not None
    return [line[20:] for line in job["system_notes"] if "not in the books" not in line]


def refused_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob("*.refused") for line in path.read_bytes().splitlines()]


# -- a server that stumbles --------------------------------------------------------------------------------------------


def test_a_line_the_server_stumbles_over_holds_up_its_own_run_alone(
    reporter: JobTracking, server: Faulty, spool_folder: Path, database: Database
) -> None:
    server.faults[MARK] = BROKEN
    assert reporter.update_job(RUN, progress="before")
    assert reporter.update_job(RUN, progress=MARK)
    assert reporter.update_client_run(f"{RUN}-acme", posts_scored=1)
    assert reporter.update_job(RUN, progress="after")
    for n in range(3):
        assert reporter.update_job(OTHER, progress=f"other {n}")
        reporter.replay()
    assert notes_of(reporter, OTHER) == ["other 0", "other 1", "other 2"]
    assert notes_of(reporter) == ["before"]
    assert reporter.get_client_run(RUN, "acme") is None, "it waits for its turn, by whichever name it is called"
    assert reporter.status().set_aside == 0
    [held] = held_in(spool_folder)
    assert "this is a mistake of ours" in held.why
    assert list(held.tries.values()) == [3]

    server.faults.clear()
    assert reporter.replay()
    assert notes_of(reporter) == ["before", MARK, "after"]
    assert notes_of(reporter, OTHER) == ["other 0", "other 1", "other 2"]
    assert audit(database).differences == ()
    assert list(spool_folder.iterdir()) == []


def test_a_line_that_is_tried_in_vain_while_others_go_through_is_kept_aside(
    reporter: JobTracking, server: Faulty, spool_folder: Path, database: Database
) -> None:
    server.faults[MARK] = BROKEN
    assert reporter.update_job(RUN, progress=MARK)
    assert reporter.update_job(RUN, progress="behind it")
    for n in range(MOST_TRIES + 2):
        assert reporter.update_job(OTHER, progress=str(n))
        reporter.replay()
    assert notes_of(reporter, OTHER) == [str(n) for n in range(MOST_TRIES + 2)]
    told, *others = notes_of(reporter)
    assert [told, *others][0] == "behind it"
    assert "update_job was refused: the server" in others[0]
    [line] = refused_lines(spool_folder)
    assert line["fields"] == {"progress": MARK}
    assert "(500): this is a mistake of ours" in line["refused"]
    status = reporter.status()
    assert (status.spooled, status.set_aside, status.refused) == (0, 1, {"update_job": 1})
    assert sum(misreports.refusals(database).values()) == 1


def test_several_lines_are_kept_aside_one_after_the_other(
    reporter: JobTracking, server: Faulty, spool_folder: Path
) -> None:
    """Nor does the second one wait for the first."""
    server.faults[MARK] = BROKEN
    for run in (RUN, OTHER):
        assert reporter.update_job(run, progress=f"{MARK} {run}")
        assert reporter.update_job(run, progress="behind it")
    for n in range(MOST_TRIES + 1):
        assert reporter.update_job("261123-013002", progress=str(n))
        reporter.replay()
    assert [each["run"] for each in refused_lines(spool_folder)] == [RUN, OTHER]
    assert (notes_of(reporter)[0], notes_of(reporter, OTHER)[0]) == ("behind it", "behind it")


def test_a_server_that_takes_nothing_is_in_trouble_and_no_line_is_to_blame(
    reporter: JobTracking, server: Faulty, spool_folder: Path
) -> None:
    server.faults["/api/v1"] = BROKEN
    for n in range(MOST_TRIES + 2):
        assert reporter.update_job(RUN, progress=str(n))
        assert reporter.update_job(OTHER, progress=str(n))
    assert refused_lines(spool_folder) == []
    server.faults.clear()
    assert reporter.replay()
    assert notes_of(reporter) == notes_of(reporter, OTHER) == [str(n) for n in range(MOST_TRIES + 2)]


def test_how_often_it_was_tried_is_known_to_the_next_program(
    reporter: JobTracking, server: Faulty, far: Far | None, spool_folder: Path
) -> None:
    """Programs that live for a few seconds never try a line often."""
    assert far is not None
    server.faults[MARK] = BROKEN
    assert reporter.update_job(RUN, progress=MARK)
    reporter.close()
    for n in range(MOST_TRIES):
        book = JobTracking(ServerDoor(server.address, far.token), spool_folder=spool_folder)
        assert book.update_job(OTHER, progress=str(n))
        book.replay()
        book.close()
    assert [each["fields"] for each in refused_lines(spool_folder)] == [{"progress": MARK}]


def test_what_is_refused_or_broken_behind_it_waits_for_its_own_turn(
    reporter: JobTracking, server: Faulty, spool_folder: Path
) -> None:
    refused = "the line that is refused"
    server.faults["/api/v1"] = BROKEN
    for run, text in ((RUN, MARK), (OTHER, refused), (OTHER, "behind the refused"), ("261123-013002", "well")):
        assert reporter.update_job(run, progress=text)
    reporter.close()
    [file] = spool_folder.glob("*.jsonl")
    unknown = {"verb": "sing", "run": "261123-013003", "at": "2026-11-23T01:30:00.000000Z", "key": "k"}
    file.write_bytes(file.read_bytes() + json.dumps(unknown).encode() + b"\nbroken\n")

    server.faults = {MARK: BROKEN, refused: (422, {"detail": "no", "code": "BadInput"})}
    book = JobTracking(reporter._door, spool_folder=spool_folder)
    assert not book.replay()
    assert notes_of(book, "261123-013002") == ["well"]
    assert (book.get_job(OTHER), book.status().set_aside) == (None, 0)
    server.faults.pop(MARK)
    assert book.replay()
    assert notes_of(book, OTHER)[0] == "behind the refused"
    assert (book.status().set_aside, len(refused_lines(spool_folder))) == (3, 1)


def test_nobody_goes_on_looking_where_ever_more_is_stuck(
    reporter: JobTracking, server: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "MOST_STUCK", 2)
    server.faults["/api/v1"] = BROKEN
    for second in range(6):
        assert reporter.update_job(f"261123-01300{second}", progress="x")
    server.asked.clear()
    reporter.replay()
    assert server.asked["/api/v1"] == 3


def test_a_server_that_goes_away_meanwhile_is_not_asked_on(
    reporter: JobTracking, server: Faulty, spool_folder: Path
) -> None:
    server.faults = {MARK: BROKEN, "/api/v1": BROKEN}
    assert reporter.update_job(RUN, progress=MARK)
    for second in range(1, 4):
        assert reporter.update_job(f"261123-01300{second}", progress="x")
    server.faults = {MARK: BROKEN, OTHER: (429, {"detail": "later", "code": "TooManyFailures"})}
    server.asked.clear()
    reporter.replay()
    assert server.asked == {MARK: 1, OTHER: 1}
    [held] = held_in(spool_folder)
    assert held.tries == {}


@pytest.mark.parametrize("status", [408, 425, 429])
def test_who_is_asked_to_come_again_waits_and_is_not_to_blame(
    reporter: JobTracking, server: Faulty, spool_folder: Path, status: int
) -> None:
    server.faults[MARK] = (status, {"detail": "later", "code": "TooManyFailures"})
    assert reporter.update_job(RUN, progress=MARK)
    for n in range(MOST_TRIES + 1):
        assert reporter.update_job(OTHER, progress=str(n))
    assert (reporter.status().set_aside, refused_lines(spool_folder)) == (0, [])
    server.faults.clear()
    assert reporter.replay()
    assert notes_of(reporter) == [MARK]


# -- a server that refuses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 404, 409, 410, 413, 415, 422])
def test_what_is_refused_for_good_when_its_turn_comes_is_kept_and_what_is_behind_it_goes_on(
    reporter: JobTracking, server: Faulty, spool_folder: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    server.faults["/api/v1"] = BROKEN
    assert reporter.update_job(RUN, progress=MARK)
    assert reporter.update_job(RUN, progress="behind it")
    server.faults = {MARK: (status, {"detail": "no, never", "code": "OfAnotherVersion"})}
    assert reporter.replay()
    assert server.asked[MARK] == 1
    assert notes_of(reporter)[0] == "behind it"
    [line] = refused_lines(spool_folder)
    assert (line["fields"], line["refused"]) == ({"progress": MARK}, "no, never")
    assert (reporter.status().set_aside, reporter.status().well) == (1, False)
    assert "was refused and is kept in" in caplog.text


def test_what_was_refused_can_be_said_again_by_renaming_its_file(
    reporter: JobTracking, server: Faulty, open_book: OpenBook, spool_folder: Path
) -> None:
    server.faults[MARK] = BROKEN
    assert reporter.update_job(RUN, progress=MARK)
    server.faults[MARK] = (422, {"detail": "no", "code": "BadInput"})
    assert reporter.replay()
    server.faults.clear()
    [kept] = spool_folder.glob("*.refused")
    kept.rename(spool_folder / "again.jsonl")
    book = open_book()
    assert MARK in notes_of(book)
    assert (book.status().spooled, book.status().set_aside) == (0, 0)


@in_process
def test_what_a_ledger_refuses_when_its_turn_comes_is_kept_and_noted_in_the_books(
    impatient: JobTracking, away: Away, spool_folder: Path
) -> None:
    impatient.complete_job(RUN, "completed")
    with away():
        assert impatient.complete_job(RUN, "failed") is True
    assert impatient.replay()
    [line] = refused_lines(spool_folder)
    assert (line["verb"], line["facts"]["status"]) == ("complete_job", "failed")
    assert any("complete_job was refused" in note for note in notes_of(impatient))


# -- a server that lets nobody in --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_not_let_in_stops_the_replay_until_it_is_mended(
    reporter: JobTracking, server: Faulty, open_book: OpenBook, *, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    server.faults[MARK] = (status, {"detail": "the token is not good for that"})
    with caplog.at_level(logging.ERROR, "tallybook.tracking"):
        assert reporter.update_job(RUN, progress=MARK)
        for n in range(MOST_TRIES + 1):
            assert reporter.update_job(OTHER, progress=str(n))
            reporter.replay()
    [said] = [each.message for each in caplog.records if "until the token is mended" in each.message]
    assert f"does not let this token in ({status}): the token is not good for that" in said
    assert reporter.status().spooled == MOST_TRIES + 2
    folder = reporter._delivery.spool.folder
    [held] = held_in(folder)
    assert (held.denied, held.tries) == (True, {})
    reporter.close()

    good = open_book()
    assert (notes_of(good), notes_of(good, OTHER)) == ([MARK], [str(n) for n in range(MOST_TRIES + 1)])
    assert list(folder.iterdir()) == []


# -- what is noted beside a file ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"at": "soon"}', b'{"tries": {"k": "many"}}', b"[" * 100_000])
def test_a_note_that_cannot_be_read_says_nothing(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x.held").write_bytes(raw)
    assert read_held(tmp_path / "x.held") == Held()


def test_a_note_is_read_as_it_was_written(tmp_path: Path) -> None:
    held = Held("2026-11-23T01:30:00.000000Z", "it is so", True, {"k": 3})
    write_held(tmp_path / "x.held", held)
    assert held_in(tmp_path) == [held]
