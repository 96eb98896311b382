"""`tallybook doctor`: whatever is wrong is found, said in a line, and how to mend it."""

import fcntl
import os
import shutil
import sqlite3
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tallybook.cli import doctor_machine
from tallybook.cli.finding import Level
from tallybook.database import Database
from tallybook.domain.run import OperationName, Stop
from tallybook.domain.tally import Money, Usage
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import calls, claims, progress, starts, stops
from tallybook.tracking.spool import BAD, ENDING
from tests.cli.conftest import Cli

Disk = namedtuple("Disk", "total used free")


@pytest.fixture
def books(after_demo: Path) -> Iterator[Ledger]:
    """The books of the demo, which nothing is wrong with."""
    ledger = Ledger(Database(f"sqlite:///{after_demo}/tallybook.db"))
    yield ledger
    ledger.close()


def doctor(cli: Cli, code: int) -> dict[str, dict[str, Any]]:
    """What was found, by check; what is wrong goes before the rest."""
    said = cli("doctor", "--json")
    assert said.code == code, said.out
    assert said.json["well"] is (code == 0)
    order = ["ok", "notice", "wrong"]
    return {each["check"]: each for each in sorted(said.json["checks"], key=lambda each: order.index(each["level"]))}


def call_of(ledger: Ledger, usage: Usage | None, result: str = "ok", number: int = 0) -> None:
    """A call of a run that ended; None: nobody answered for it."""
    with ledger.database.reading() as connection:
        row = connection.exec_driver_sql("SELECT run_id, client_id FROM client_runs WHERE ended_at IS NOT NULL").first()
    assert row is not None
    call = calls.Call(f"c{number}", OperationKey(row[0], row[1], OperationName.LEAD_SCORING), "openai", "gpt")
    if usage is None:
        ledger.do(calls.start_call, call)
        return
    ledger.do(calls.record_call, call, result, usage)


def reported_run(ledger: Ledger, run_id: str = "250101-101010") -> str:
    return ledger.do(claims.create_run, run_id, claims.Job(auto_created="update_job from x.py:3"))


# When nothing is wrong


def test_after_a_demo_nothing_is_wrong(cli: Cli, after_demo: Path) -> None:
    said = cli.good("doctor")
    lines = said.out.splitlines()
    assert lines[-1] == "Nothing is wrong."
    assert all(line.startswith("✓ ") for line in lines[:-2])
    assert not said.err
    assert {each["level"] for each in doctor(cli, 0).values()} == {"ok"}


def test_in_an_empty_folder_it_makes_nothing(cli: Cli, home: Path) -> None:
    found = doctor(cli, 0)
    assert found["database"]["level"] == "notice"
    assert found["database"]["mend"] == "tallybook init makes them."
    assert not list(home.iterdir())


def test_books_without_clients_are_told_what_comes_next(cli: Cli, home: Path) -> None:
    cli.good("init")
    assert doctor(cli, 0)["clients"]["mend"] == "tallybook client import FILE adds some."


def test_it_works_on_postgresql(cli: Cli, postgres_url: str, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("TALLYBOOK_DATABASE__URL", postgres_url)
    assert doctor(cli, 0)["database"]["level"] == "notice"
    cli.good("init")
    found = doctor(cli, 0)
    assert found["slots"]["said"] == "No process is at work"
    assert "wal" not in found


# The machine


def test_an_old_sqlite_under_a_new_python_is_found(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 12, 0))
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
    (found,) = doctor_machine.versions()
    assert (found.level, "update it" in found.mend) == (Level.WRONG, True)
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 42, 0))
    (found,) = doctor_machine.versions()
    assert found.level is Level.OK


def test_a_wrong_setting_stops_the_rest(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_SERVER__PROT", "1")
    found = doctor(cli, 1)
    assert list(found) == ["versions", "settings"]
    assert "did you mean TALLYBOOK_SERVER__PORT?" in found["settings"]["said"]


def test_a_scorer_that_is_not_there_is_found(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_app: object) -> object:
        from tallybook.domain.errors import BadSetting

        raise BadSetting("scorer.model x is not available")

    monkeypatch.setattr("tallybook.app.App.operations", property(refuses))
    assert doctor(cli, 1)["scorer"]["mend"] == "Change scorer.model; keywords needs no key."


@pytest.mark.parametrize(("version", "mend"), [("0000", "tallybook db upgrade"), ("9999", "Install the newer")])
def test_tables_of_another_version_are_found(version: str, mend: str, cli: Cli, after_demo: Path) -> None:
    with sqlite3.connect(after_demo / "tallybook.db") as raw:
        raw.execute("UPDATE schema_version SET version_num = ?", (version,))
    found = doctor(cli, 1)
    assert mend in found["schema"]["mend"]
    assert found["books"]["said"] == "The books were not looked into."


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:///notes.txt", "file is not a database"),
        ("sqlite:////nowhere/x.db", "the folder /nowhere is not there"),
        ("postgresql://u:p@127.0.0.1:1/x", "Connection refused"),
    ],
)
def test_a_database_that_does_not_answer_is_found(
    url: str, said: str, cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "notes.txt").write_text("not a database " * 100)
    monkeypatch.setenv("TALLYBOOK_DATABASE__URL", url)
    assert said in doctor(cli, 1)["database"]["said"]


def test_books_that_are_damaged_inside_are_found(cli: Cli, after_demo: Path) -> None:
    with sqlite3.connect(after_demo / "tallybook.db") as raw:
        raw.execute("DROP TABLE calls")
    found = doctor(cli, 1)
    assert "no such table: main.calls" in found["database"]["said"]
    assert found["reporters"]["level"] == "ok"  # the other checks went on


def test_a_full_disk_is_found(cli: Cli, after_demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Disk(1, 1, 5_000_000))
    assert doctor(cli, 1)["disk"]["said"].startswith("5 MB are free")


def test_files_one_must_not_write_are_found(cli: Cli, after_demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path).suffix != ".db")
    assert "tallybook.db" in doctor(cli, 1)["permissions"]["said"]


def test_a_folder_one_must_not_write_is_found(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    assert "you must not write to the folder" in doctor(cli, 1)["database"]["said"]


def test_a_journal_that_is_no_wal_is_found(cli: Cli, after_demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallybook.database._connect_sqlite", lambda path: sqlite3.connect(path, isolation_level=None))
    with sqlite3.connect(after_demo / "tallybook.db") as raw:
        raw.execute("PRAGMA journal_mode=DELETE")
    assert doctor(cli, 1)["wal"]["said"] == "SQLite keeps its journal as 'delete', not as WAL"


# What other programs report, F34


def test_tracking_calls_outside_the_books_are_found(cli: Cli, after_demo: Path) -> None:
    folder = after_demo / "tallybook-spool"
    folder.mkdir()
    (folder / f"1-x{ENDING}").write_text("{}\n{}\n")
    assert doctor(cli, 0)["spool"]["said"].startswith("2 tracking calls wait in ")
    (folder / f"1-x{ENDING}{BAD}").write_text("?\n")
    assert doctor(cli, 1)["spool_bad"]["said"].startswith("1 tracking call in ")


def test_runs_nobody_created_are_counted_by_reason(cli: Cli, books: Ledger) -> None:
    reported_run(books)
    reported_run(books, "250101-101011")
    found = doctor(cli, 0)["auto_created"]
    assert found["level"] == "notice"
    assert found["said"] == "2 runs or client runs made on an update: update_job from x.py:3"


def test_a_reported_run_that_is_silent_is_found(cli: Cli, books: Ledger) -> None:
    run_id = reported_run(books)
    assert doctor(cli, 0)["silent_run"]["level"] == "ok"
    with books.database.writing() as tx:
        tx.execute("UPDATE @runs SET seen_at = '2026-01-01T00:00:00.000000Z' WHERE run_id = ?", (run_id,))
    assert doctor(cli, 0)["silent_run"]["said"] == f"Reported run {run_id} was last heard of at 2026-01-01 00:00:00 UTC"


# Runs


def test_a_run_nobody_works_on_is_found(cli: Cli, books: Ledger) -> None:
    run_id = books.do(starts.start, starts.Start(starts.Request())).run_id
    found = doctor(cli, 1)["dead_worker"]
    assert found["said"] == f"Run {run_id} is unfinished, and no process works on it"
    assert found["mend"] == f"tallybook run resume {run_id} goes on where it stopped."


def test_who_works_is_told_and_the_dead_are_taken_over(cli: Cli, books: Ledger, after_demo: Path) -> None:
    run_id = books.do(starts.start, starts.Start(starts.Request())).run_id
    books.do(starts.plan, run_id, [])
    books.do(claims.create_run, "250101-101010", claims.Job())
    with (after_demo / "tallybook-slots" / "0.lock").open("r+") as slot:
        fcntl.flock(slot, fcntl.LOCK_EX)
        run_id = books.do(starts.start, starts.Start(starts.Request(), queue_behind=True)).run_id
        books.do(starts.plan, run_id, [_client()])
        books.do(progress.begin_client, ClientKey(run_id, "acme-law"), "slot-7")
        found = doctor(cli, 0)
    assert found["slots"]["said"] == "1 process at work (slot-0)"
    assert found["dead_worker"]["said"] == f"slot-7 died at 1 client of run {run_id}"
    assert found["unfinished_run"]["said"] == "1 run under way"


def _client() -> Any:
    from tallybook.domain.client import Client

    return Client("acme-law", "Acme Law")


def test_a_run_that_waits_says_for_what(cli: Cli, books: Ledger) -> None:
    run_id = books.do(starts.start, starts.Start(starts.Request())).run_id
    books.do(stops.stop_run, run_id, Stop.PAUSE, "budget_exhausted")
    found = doctor(cli, 0)["paused_run"]
    assert found["said"].startswith(f"Run {run_id} is paused since 20")
    assert found["said"].endswith(": the budget is used up")
    assert f"tallybook run resume {run_id}" in found["mend"]


# Clients and leads


def test_clients_without_rubrics_and_leads_nobody_touched_are_found(cli: Cli, home: Path) -> None:
    (home / "clients.csv").write_text("client_id,service_level\nacme,2\nbo,2\nlazy,1\n")
    (home / "leads.csv").write_text("profile_url\nx.test/in/a\nx.test/in/b\n")
    (home / "rubric.csv").write_text("for,id,heading,category,max_points\nlead,a,A,positive,5\n")
    cli.good("client", "import", "clients.csv")
    cli.good("client", "pause", "lazy")
    cli.good("rubric", "import", "bo", "rubric.csv")
    for client in ("bo", "lazy"):
        cli.good("lead", "import", client, "leads.csv")
    found = doctor(cli, 1)
    assert found["rubric"]["said"] == "acme has no rubric: none of its leads can be scored"
    assert found["rubric"]["mend"] == "tallybook rubric import acme FILE"
    assert found["post_rubric"]["said"] == "bo pays for post scoring (level 2), but has no post attributes"
    assert found["leads"]["said"] == "2 leads of bo never worked on"
    assert found["leads"]["mend"] == "tallybook run start --client bo takes them up."
    assert found["leads_of_paused"]["said"] == "2 leads of paused clients never worked on"


def test_outcomes_that_could_not_be_saved_are_found(cli: Cli, books: Ledger) -> None:
    with books.database.writing() as tx:
        tx.execute("UPDATE @outcomes SET saved_at = NULL WHERE client_id = 'acme-law' AND operation = 'lead_scoring'")
    assert doctor(cli, 1)["unsaved"]["said"] == "60 outcomes of acme-law could not be saved in its store"


# Calls


@pytest.mark.parametrize(
    ("usage", "check", "said"),
    [
        (Usage(0, 0, 0, Money.usd("0.1")), "zero_tokens", "1 paid call succeeded with 0 tokens"),
        (Usage(10, 0, 5, Money()), "zero_cost", "1 call used tokens and cost 0"),
        (Usage(10, 0, 5), "unpriced", "1 call has tokens and no price"),
        (Usage(), "unmeasured", "Nobody knows what 1 call used"),
        (None, "unsettled", "1 call of an ended run was never answered for"),
        (Usage(10, 0, 5, Money.usd("0.1")), "calls", "1 paid call, all measured and priced"),
    ],
)
def test_calls_whose_figures_cannot_be_right_are_found(
    usage: Usage | None, check: str, said: str, cli: Cli, books: Ledger
) -> None:
    call_of(books, usage)
    assert doctor(cli, int(check.startswith("zero")))[check]["said"].startswith(said)


def test_what_is_wrong_is_counted_in_the_last_line(cli: Cli, books: Ledger) -> None:
    call_of(books, Usage(0, 0, 0, Money.usd("0.1")))
    call_of(books, Usage(10, 0, 5, Money()), number=1)
    said = cli("doctor")
    assert said.code == 1
    assert said.out.splitlines()[-1] == "2 things are wrong."
    assert "✗ wrong: 1 paid call succeeded with 0 tokens" in said.out
