"""`tallybook import airtable-history`: the old system's books, taken out of the look-alike of Airtable."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tallybook.database import Database
from tallybook.testing.airtable_faults import AirtableFault
from tallybook.testing.airtable_fields import text
from tallybook.testing.airtable_owner import OpenBase
from tallybook.testing.airtable_server import AirtableServer
from tests.airtable import old_books
from tests.cli.conftest import Cli
from tests.cli.console import SCRIPT, environment
from tests.cli.inside import inside
from tests.ledger.dumping import dump

pytestmark = pytest.mark.usefixtures("empty_books")

TOKEN = "pat.secret-of-airtable"
COUNTS = ("rows", "imported_as_run", "imported_as_client_run", "merged", "refused", "already_in_the_books")


class Clock:
    """Goes on by a second with every look."""

    def __init__(self) -> None:
        self._at = datetime(2025, 10, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        self._at += timedelta(seconds=1)
        return self._at


@dataclass
class Archive:
    """The old base, and a folder in which it is imported."""

    home: Path
    server: AirtableServer
    base: OpenBase

    @property
    def env(self) -> Mapping[str, str]:
        return {
            "TALLYBOOK_AIRTABLE__ENDPOINT_URL": self.server.url,
            "TALLYBOOK_AIRTABLE__TOKEN": TOKEN,
            "TALLYBOOK_AIRTABLE__MASTER_BASE_ID": self.base.id,
        }

    def __call__(self, *args: str, code: int = 0, **env: str) -> "subprocess.CompletedProcess[str]":
        said = inside(*args, cwd=self.home, **{**self.env, **env})
        assert said.returncode == code, said
        assert "secret-of-airtable" not in said.stdout + said.stderr
        return said

    def history(self, *args: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        return self("import", "airtable-history", *args, code=code)

    def facts(self, *args: str) -> Any:
        return json.loads(self(*args, "--json").stdout)

    def imported(self, *args: str) -> Any:
        return self.facts("import", "airtable-history", *args)

    def dump(self) -> Mapping[str, Any]:
        """Every row of every table."""
        database = Database(f"sqlite:///{self.home}/tallybook.db")
        try:
            return dump(database)
        finally:
            database.close()


@pytest.fixture
def archive(home: Path) -> Iterator[Archive]:
    with AirtableServer(now=Clock()) as server:
        base = server.add_base("Old", old_books.tables())
        old_books.fill(base)
        yield Archive(home, server, base)


def counts(said: Any) -> list[list[int]]:
    return [[said["tables"][table][name] for name in COUNTS] for table in ("job_tracking", "client_run_results")]


def test_an_old_base_is_taken_over_and_the_counts_reconcile_to_the_row(archive: Archive) -> None:
    """F03, F04, F05: rows = imported + merged + refused + already in the books."""
    said = archive.imported()
    assert counts(said) == [[12, 7, 0, 2, 3, 0], [12, 0, 8, 1, 3, 0]]
    assert said["runs_made"] == 2
    named = [record for each in said["lines"] if each["what"] == "refused" for record in each["records"]]
    assert len(set(named)) == 6
    ids = [each["run_id"] for each in archive.facts("run", "list")["items"]]
    assert sorted(ids) == [
        "250924-001234", "251001-080000", "251002-080000", "251003-080000", "SR-250924-001",
        "job_post_scoring_bypass_1758715200123", "job_post_scoring_stream1_20250929094802",
        "post_batch_standalone_1758715200123", "smart_resume_1758715200123_n3rke",
    ]  # fmt: skip
    assert archive.facts("audit")["differences"] == []
    assert {call.method for call in archive.server.calls} == {"GET"}


def test_importing_twice_changes_nothing_in_any_table(archive: Archive) -> None:
    """F03"""
    archive.history()
    before = archive.dump()
    again = archive.imported()
    assert archive.dump() == before
    assert counts(again) == [[12, 0, 0, 0, 3, 9], [12, 0, 0, 0, 3, 9]]
    assert (again["runs_made"], {each["what"] for each in again["lines"]}) == (0, {"refused", "already"})


def test_an_old_run_is_shown_by_whatever_it_was_called(archive: Archive) -> None:
    """F05"""
    archive.history()
    run = archive.facts("run", "show", "250924-001234-Ada-Ada")
    assert (run["run_id"], run["status"], run["job_type"], run["triggered_by"], run["stream"]) == (
        "250924-001234", "completed", "post_scoring", "cron", 1,
    )  # fmt: skip
    assert (run["started_at"], run["duration_s"]) == ("2025-09-24T00:12:34.000000Z", 1800.0)
    assert [each["client_id"] for each in run["clients"]] == ["Ada", "Guy-Wilson"]
    assert archive.facts("runid", "parse", "SR-250924-001-T3304-S1")["key"] == "SR-250924-001"
    for old in ("SR-250924-001-T3304-S1", "SR-250924-001-S1", "smart_resume_1758715200123_n3rke-Ada"):
        assert archive("run", "show", old).stdout
    assert "reported by another program" in archive("report", "250924-001234").stdout


def test_what_became_of_every_row_is_told_and_written_to_a_file(archive: Archive) -> None:
    """F02"""
    said = archive.history("--report", "report.txt")
    report = (archive.home / "report.txt").read_text()
    assert "rows read                         12                  12" in said.stdout
    assert "2 runs made for clients whose run has no row of its own" in said.stdout
    assert "Imported 9 runs and 8 client runs." in said.stdout
    assert "Left out (6):" in said.stderr
    assert "'the run of Tuesday' is no run id" in said.stderr
    assert "'mostly fine' is no status" in said.stderr
    assert "'250924-001234-Ada-Ada' is '250924-001234-Ada' in the books" in said.stdout
    assert "12 rows of Job Tracking read\n12 rows of Client Run Results read\n9 of 9 runs written\n" in said.stderr
    assert "prompt_tokens 900 of" in report
    assert "it was still running: it is closed as timed_out, lost" in report
    assert "posts_examined was left out: posts_examined must be a number" in report
    assert len(report.splitlines()) > len(said.stdout.splitlines()) / 2


def test_a_dry_run_says_the_same_and_writes_nothing(archive: Archive) -> None:
    before = archive.dump()
    dry = archive.imported("--dry-run")
    assert archive.dump() == before
    assert "Would import 9 runs and 8 client runs; nothing was written." in archive.history("--dry-run").stdout
    assert {**archive.imported(), "dry_run": True} == dry


def test_long_lists_are_cut_and_the_rest_is_in_the_file(archive: Archive) -> None:
    archive.base.table("Job Tracking").add_many({"Run ID": f"no {n}"} for n in range(30))
    said = archive.history("--report", "report.txt")
    assert "  … and 16 more; --report FILE and --json have them all" in said.stderr
    assert (archive.home / "report.txt").read_text().count("is no run id") == 32


def test_a_mended_row_comes_with_the_next_import(archive: Archive) -> None:
    archive.history()
    table = archive.base.table("Job Tracking")
    table.edit(table.where("Status", "mostly fine")[0], {"Status": "Completed", "Total Leads": 3})
    said = archive.imported()
    assert counts(said)[0] == [12, 1, 0, 0, 2, 9]
    assert archive.facts("run", "show", "251002-080000")["status"] == "completed"


def killed_in_the_midst(archive: Archive, stop: Callable[[str], bool]) -> None:
    command = [SCRIPT, "import", "airtable-history"]
    with subprocess.Popen(
        command, cwd=archive.home, env=environment(**archive.env), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if stop(line):
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL


def test_an_import_that_was_killed_is_completed_by_the_next(archive: Archive) -> None:
    """F02, F03"""
    runs = [f"25{month:02d}{day:02d}-120000-Ada" for month in range(1, 7) for day in range(1, 29)]
    for name, some in (("Job Tracking", runs), ("Client Run Results", runs[:80])):
        archive.base.table(name).add_many({"Run ID": each, "Status": "Success", **old_books.CLOSED} for each in some)
    killed_in_the_midst(archive, lambda line: line.startswith("100 of"))
    assert archive.facts("audit")["differences"] == []
    before = len(archive.dump()["runs"])
    assert before >= 100
    jobs, clients = counts(archive.imported())
    assert (jobs[0], clients[0]) == (len(runs) + 12, 80 + 12)
    assert [sum(each[1:]) for each in (jobs, clients)] == [jobs[0], clients[0]]
    assert len(archive.dump()["runs"]) == len(archive.dump()["run_ids"]) == len(runs) + 9
    assert archive.facts("audit")["differences"] == []
    all_of_it = archive.dump()
    archive.history()
    assert archive.dump() == all_of_it


def test_a_base_that_cannot_be_read_leaves_the_books_as_they_are(archive: Archive) -> None:
    before = archive.dump()
    archive.server.faults.rule(AirtableFault.MONTHLY_LIMIT, lambda asked: asked.table == "Client Run Results")
    archive.history(code=1)
    other = archive.server.add_base("Other", {"Things": [text("Name")]})
    said = archive.history("--base", other.id, code=1)
    assert said.stderr == f"tallybook: base {other.id} has no table Job Tracking; is it the right base?\n"
    archive.history("--base", "appNowhere0000001", code=1)
    assert "is no id of an Airtable base" in archive.history("--base", "Old", code=1).stderr
    assert archive.dump() == before


def test_a_report_that_cannot_be_written_is_known_before_anything_is_done(archive: Archive) -> None:
    before = archive.dump()
    assert "nowhere/report.txt" in archive.history("--report", "nowhere/report.txt", code=1).stderr
    assert archive.dump() == before
    assert archive.server.calls == ()


def test_what_is_not_set_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    said = cli("import", "airtable-history")
    assert (said.code, said.error) == (1, "the old books are in Airtable: set TALLYBOOK_AIRTABLE__TOKEN")
    monkeypatch.setenv("TALLYBOOK_AIRTABLE__TOKEN", TOKEN)
    said = cli("import", "airtable-history")
    assert said.code == 1
    assert "Set TALLYBOOK_AIRTABLE__MASTER_BASE_ID, or give --base" in said.error


def test_the_mirror_leaves_the_old_rows_as_they_are(archive: Archive) -> None:
    """F10: what was there before is neither a difference nor written to."""
    archive("import", "airtable-history")
    tables = archive.base.table("Job Tracking"), archive.base.table("Client Run Results")
    before = [table.by_id for table in tables]
    archive("mirror", "setup")
    assert "No difference in 0 rows" in archive("mirror", "verify").stdout
    archive("mirror", "rebuild")
    for table, rows in zip(tables, before, strict=True):
        assert {
            record_id: {name: row[name] for name in rows[record_id]} for record_id, row in table.by_id.items()
        } == rows
